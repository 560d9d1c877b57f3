"""One module per command of `gitlab-jobs`."""
