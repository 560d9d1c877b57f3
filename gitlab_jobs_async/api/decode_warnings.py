"""Where it is told that a value of an answer was left out: the log."""

import logging

_log = logging.getLogger("gitlab_jobs_async")


def log_ignored_value(said: str) -> None:
    """Warn of the values that one answer was decoded without."""
    _log.warning("left out, being of another type than GitLab documents: %s", said)
