"""Follow the logs of jobs that are selected by patterns, as `gitlab-jobs tail` does."""
