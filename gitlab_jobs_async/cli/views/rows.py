"""Models as JSON lines, plain lines and readable values. Pure; all text is cleaned."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import attrs
import orjson

from gitlab_jobs_async import api
from gitlab_jobs_async.cli.cleaning import clean, escape_hidden
from gitlab_jobs_async.models.jobs import JobBasic
from gitlab_jobs_async.models.statuses import JobStatus

Listed = tuple[str, JobBasic]
"""A project, as the user named it, and one of its jobs."""

_SYMBOLS: Final = {
    JobStatus.SUCCESS: ("✓", "green"),
    JobStatus.FAILED: ("✗", "red"),
    JobStatus.RUNNING: ("●", "bright_blue"),
    JobStatus.PENDING: ("◌", "yellow"),
    JobStatus.PREPARING: ("◌", "yellow"),
    JobStatus.WAITING_FOR_RESOURCE: ("◌", "yellow"),
    JobStatus.WAITING_FOR_CALLBACK: ("◌", "yellow"),
    JobStatus.CANCELING: ("⊘", "magenta"),
    JobStatus.CANCELED: ("⊘", "bright_black"),
    JobStatus.SKIPPED: ("»", "bright_black"),
    JobStatus.CREATED: ("○", "bright_black"),
    JobStatus.MANUAL: ("▸", "cyan"),
    JobStatus.SCHEDULED: ("◷", "cyan"),
}
_TIMES: Final = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


def json_line(value: Any) -> str:
    """Return a model, an event or a mapping as one line of JSON with GitLab's names and times."""
    plain = api.to_dict(value) if attrs.has(type(value)) else value
    try:
        line = orjson.dumps(plain, option=_TIMES).decode()
    except TypeError:  # a lone surrogate: valid in JSON, refused by orjson
        line = json.dumps(plain, default=_plain_moment, separators=(",", ":"))
    return escape_hidden(line) + "\n"


def _plain_moment(at: datetime) -> str:
    written: str = orjson.loads(orjson.dumps(at, option=_TIMES))
    return written


def plain_line(cells: Iterable[object]) -> str:
    """Return cells separated by tabs; None is empty."""
    return "\t".join(clean(cell) for cell in cells) + "\n"


def pipeline_of(job: JobBasic) -> int | None:
    """Return the id of the job's pipeline."""
    return job.pipeline.id or None


def status_symbol(status: str) -> tuple[str, str]:
    """Return symbol and colour of a status; a question mark for an unknown one."""
    return _SYMBOLS.get(JobStatus(status), ("?", "white"))


def size(count: int) -> str:
    """Return a readable number of bytes."""
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:.1f} KiB" if count < 1024 * 1024 else f"{count / 1024**2:.1f} MiB"
