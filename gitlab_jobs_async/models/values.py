"""Values of fields that a server left out, short reprs of models, and text without controls."""

from datetime import UTC, datetime
from typing import Any

from gitlab_jobs_async.models.statuses import JobStatus

UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""The value of a time that GitLab always sends, if a server did not send it."""

UNKNOWN_STATUS = JobStatus("")
"""The same of a status."""

_MOST_OF_FIELD = 40
_MOST = 200
_MAX_TEXT = 500


def short_repr(value: object, **fields: Any) -> str:
    """Return the class of *value* with *fields*, in at most 200 characters."""
    # The repr of a status is twice as long as its word.
    plain = {name: str(one) if isinstance(one, JobStatus) else one for name, one in fields.items()}
    shown = ", ".join(f"{name}={_cut(repr(one), _MOST_OF_FIELD)}" for name, one in plain.items())
    return _cut(f"{type(value).__name__}({shown}", _MOST - 1) + ")"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def printable(text: str) -> str:
    """Return *text* as one line of bounded length, without control characters."""
    # Control characters could forge lines of a log, or move the cursor of a terminal.
    one_line = " ".join(text.split())[:_MAX_TEXT]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in one_line)
