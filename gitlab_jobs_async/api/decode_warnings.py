"""Log the values that a response was decoded without."""

import logging

_log = logging.getLogger("gitlab_jobs_async")


def log_ignored_value(values: str) -> None:
    """Warn that values of one response were ignored."""
    _log.warning("ignored values of undocumented types: %s", values)
