"""Events of a monitor as JSON lines and plain lines. Pure; all text is cleaned."""

import re
from datetime import datetime
from typing import Final

from gitlab_jobs_async.cli.views.rows import moment, pipeline_of, plain_line
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


def plain_event(event: AnyEvent, now: datetime) -> str:
    """Return a plain line: time, project, pipeline, job, name, event, status, details."""
    job = job_of(event)
    pipeline = None if job is None else pipeline_of(job)
    number, name = (None, None) if job is None else (job.id, job.name)
    if isinstance(event, JobDeleted):
        number, name = event.job_id, event.name
    status = None if job is None or isinstance(event, LOG_EVENTS) else job.status
    what = event_name(event)
    # A target keeps its name; a downstream project has only an id.
    is_number = isinstance(event.project, int)
    project = (event.project_path or event.project) if is_number else event.project
    return plain_line([moment(now), project, pipeline, number, name, what, status, details(event)])


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
            detail = f"at {moment(job.erased_at)}"
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
    return event.reason if probe is None else f"{event.reason}; next try at {moment(probe)}"


def short_reason(reason: str) -> str:
    """Return an error's reason without its request."""
    return _REQUEST.sub("", reason)
