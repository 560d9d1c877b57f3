"""Base of all errors."""


class GitLabError(Exception):
    """Base of all errors of GitLab and of the connection to it."""
