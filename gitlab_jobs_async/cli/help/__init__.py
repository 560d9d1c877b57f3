"""The help texts of the commands. Values only, so that `--help` is fast."""
