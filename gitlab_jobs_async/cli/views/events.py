"""Events of a monitor as JSON lines and plain lines. Pure; all text is cleaned."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.rows import pipeline_of, plain_line
from gitlab_jobs_async.cli.views.times import utc_time
from gitlab_jobs_async.events import (
    AllTargetsUnreachable,
    AnyEvent,
    JobAppeared,
    JobChanged,
    JobDeleted,
    JobErased,
    JobFinished,
    JobLogEnded,
    JobLogFailed,
    JobLogLine,
    MonitorPaused,
    MonitorResumed,
    ProjectRecovered,
    ProjectReset,
    ProjectUnreachable,
)
from gitlab_jobs_async.models.jobs import JobBasic
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.targets import GroupTarget, PipelineTarget

NamedTarget = int | str | PipelineTarget | GroupTarget
"""A target of a monitor, as a command names it."""

_MOST_NAMED: Final = 3

Seen = tuple[datetime, AnyEvent]
"""The time when an event is shown, and the event."""

LOG_EVENTS: Final = JobLogLine | JobLogEnded | JobLogFailed
MONITOR_EVENTS: Final = (
    ProjectUnreachable
    | ProjectRecovered
    | ProjectReset
    | AllTargetsUnreachable
    | MonitorPaused
    | MonitorResumed
)
"""Events about the monitor itself, not about a job."""

_REQUEST: Final = re.compile(r"^[A-Z]+ \S+: | \(request [^()]*\)$")
_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")


def event_name(event: AnyEvent) -> str:
    """Return the event's name in output, such as job_finished."""
    return _CAPITAL.sub("_", type(event).__name__).lower()


def is_failure(event: AnyEvent) -> bool:
    """Return whether a job has failed, or the reachability of projects has changed."""
    if isinstance(event, JobFinished):
        return event.job.status == JobStatus.FAILED
    return isinstance(event, MONITOR_EVENTS)


def job_of(event: AnyEvent) -> JobBasic | None:
    """Return the event's job, or None."""
    job: JobBasic | None = getattr(event, "job", None)
    return job


def _id_of(event: AnyEvent) -> int | None:
    job = job_of(event)
    return event.job_id if isinstance(event, JobDeleted) else None if job is None else job.id


def _name_of(event: AnyEvent) -> str | None:
    job = job_of(event)
    return event.name if isinstance(event, JobDeleted) else None if job is None else job.name


def _project_of(event: AnyEvent) -> object:
    # A target keeps its name; a downstream project has only an id.
    is_number = isinstance(event.project, int)
    return (event.project_path or event.project) if is_number else event.project


def _field_of(name: str) -> Column[Seen]:
    return Column(name=name, plain=lambda seen: getattr(job_of(seen[1]), name, None))


def _pipeline_of(event: AnyEvent) -> int | None:
    job = job_of(event)
    return None if job is None else pipeline_of(job)


EVENT_COLUMNS: Final[tuple[Column[Seen], ...]] = (
    Column(name="time", plain=lambda seen: utc_time(seen[0])),
    Column(name="project", plain=lambda seen: _project_of(seen[1])),
    Column(name="pipeline", plain=lambda seen: _pipeline_of(seen[1])),
    Column(name="job", plain=lambda seen: _id_of(seen[1])),
    Column(name="name", plain=lambda seen: _name_of(seen[1])),
    Column(name="event", plain=lambda seen: event_name(seen[1])),
    Column(
        name="status",
        plain=lambda seen: (
            None if isinstance(seen[1], LOG_EVENTS) else getattr(job_of(seen[1]), "status", None)
        ),
    ),
    Column(name="details", plain=lambda seen: details(seen[1])),
    _field_of("stage"),
    _field_of("ref"),
    _field_of("web_url"),
    Column(name="key", plain=lambda seen: seen[1].key),
)
"""All columns; the first eight are the default."""

EVENT_DEFAULT: Final = tuple(column.name for column in EVENT_COLUMNS[:8])


def plain_event(
    event: AnyEvent, now: datetime, columns: Sequence[Column[Seen]] = EVENT_COLUMNS[:8]
) -> str:
    """Return a plain line, by default in the columns that `watch --help` names."""
    return plain_line(column.plain((now, event)) for column in columns)


def details(event: AnyEvent) -> str:
    """Return further details of an event in a few words."""
    detail: object = ""
    match event:
        case JobAppeared(replaces=int(earlier)):
            detail = f"replaces {earlier}"
        case JobAppeared(is_new=False):
            detail = "was there"
        case JobFinished(job=job) if job.failure_reason:
            detail = job.failure_reason
        case JobChanged() | JobFinished() | JobDeleted() if event.previous:
            detail = f"was {event.previous}"
        case JobErased(job=job):
            detail = f"at {utc_time(job.erased_at)}"
        case JobLogLine(line=line):
            detail = line.text
        case ProjectUnreachable() | ProjectReset() | JobLogFailed() | AllTargetsUnreachable():
            detail = short_reason(event.reason)
        case MonitorPaused():
            detail = _pause(event)
        case MonitorResumed():
            detail = event.kind
    return str(detail)


def _pause(event: MonitorPaused) -> str:
    probe = event.next_probe
    return event.reason if probe is None else f"{event.reason}; next try at {utc_time(probe)}"


def any_of(targets: Sequence[NamedTarget]) -> str:
    """Return the targets of a monitor: "group shop", "any of 2 targets (project a, project b)"."""
    names = [clean(_named(target)) for target in targets[:_MOST_NAMED]]
    if len(targets) == 1:
        return names[0]
    more = ", …" if len(targets) > _MOST_NAMED else ""
    return f"any of {len(targets):,} targets ({', '.join(names)}{more})"


def _named(target: NamedTarget) -> str:
    if isinstance(target, GroupTarget):
        return f"group {target.group}"
    if isinstance(target, PipelineTarget):
        return f"pipeline {target.pipeline_id} of {target.project}"
    return f"project {target}"


def short_reason(reason: str) -> str:
    """Return an error's reason without its request."""
    return _REQUEST.sub("", reason)
