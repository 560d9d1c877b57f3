"""Models as JSON lines, plain lines and readable values. Pure; all text is cleaned."""

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import attrs
import orjson

from gitlab_jobs_async.api.json_writing import to_dict
from gitlab_jobs_async.cli.cleaning import clean, escape_hidden
from gitlab_jobs_async.models.jobs import JobBasic
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.values import UNKNOWN_TIME

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
_TIME_UNITS: Final = ((60, "s"), (60, "m"), (24, "h"), (365, "d"))
_TIMES: Final = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


def json_line(value: Any) -> str:
    """Return a model, an event or a mapping as one line of JSON with GitLab's names and times."""
    plain = to_dict(value) if attrs.has(type(value)) else value
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


def job_cells(listed: Listed) -> list[object]:
    """Return a job's cells for a plain line, in the order that `list --help` names."""
    project, job = listed
    return [
        job.id,
        project,
        pipeline_of(job),
        job.stage,
        job.name,
        job.status,
        "" if job.duration is None else f"{job.duration:.1f}",
        moment(job.created_at),
        job.ref,
    ]


def pipeline_of(job: JobBasic) -> int | None:
    """Return the id of the job's pipeline."""
    return job.pipeline.id or None


def moment(at: datetime | None) -> str:
    """Return a time to the second in the local zone, with Z for UTC."""
    if at is None or at == UNKNOWN_TIME:
        return ""
    with suppress(OverflowError, ValueError, OSError):  # a year out of range in the zone
        at = at.astimezone()
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def status_symbol(status: str) -> tuple[str, str]:
    """Return symbol and colour of a status; a question mark for an unknown one."""
    return _SYMBOLS.get(JobStatus(status), ("?", "white"))


def length(seconds: float | None) -> str:
    """Return a readable duration: 7s, 3m 05s, 2h 10m."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m {rest:02d}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02d}m"


def age(at: datetime | None, now: datetime) -> str:
    """Return the time since *at* in the largest unit: 12s, 5m, 3h, 40d, 2y."""
    if at is None or at == UNKNOWN_TIME:
        return ""
    left = max(0, int((now - at).total_seconds()))
    for step, unit in _TIME_UNITS:
        if left < step:
            return f"{left}{unit}"
        left //= step
    return f"{left}y"


def size(count: int) -> str:
    """Return a readable number of bytes."""
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:.1f} KiB" if count < 1024 * 1024 else f"{count / 1024**2:.1f} MiB"
