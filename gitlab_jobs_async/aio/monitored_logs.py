"""The logs of jobs that a monitor watches: each begins when its job is told to run."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from zlib import crc32

from attrs import frozen

from gitlab_jobs_async.aio.tailing import Following, JobTrace
from gitlab_jobs_async.aio.transport import Transport
from gitlab_jobs_async.errors import AuthenticationError, GitLabError
from gitlab_jobs_async.events import (
    Event,
    JobAppeared,
    JobChanged,
    JobFinished,
    JobLogEnded,
    JobLogFailed,
    JobLogGrew,
)
from gitlab_jobs_async.models import Job, LogLine
from gitlab_jobs_async.statuses import JobStatus

_WRITING = frozenset({JobStatus.RUNNING, JobStatus.CANCELING})


@frozen
class FollowedLog:
    """A log being followed, for the checkpoint: of the *job* as it was, told for *project*."""

    project: int | str
    job: Job


def log_begun_by(event: Event) -> FollowedLog | None:
    """The log that is to be followed since *event* was told; one that is followed already, too.

    A job that ended before it was seen to run has its log told as well; one that had ended before
    the watching began has not.
    """
    if not isinstance(event, JobAppeared | JobChanged | JobFinished):
        return None
    job = event.job
    if not isinstance(job, Job) or job.status == JobStatus.SKIPPED:
        return None
    is_writing = job.status in _WRITING
    has_written = isinstance(event, JobFinished) and job.started_at is not None
    return FollowedLog(event.project, job) if is_writing or has_written else None


async def log_events(
    transport: Transport, followed: FollowedLog, offset: int, gate: asyncio.Semaphore
) -> AsyncGenerator[Event, None]:
    """The lines from byte *offset* on until the job has ended, and how that ended."""
    job, project = followed.job, followed.project
    place = job.project_id or project
    trace = JobTrace(transport, place, job.id, Following(), gate)
    name = f"job/{job.id}/log"
    try:
        async with aclosing(trace.lines(last=None, follow=True, offset=offset)) as lines:
            async for line in lines:
                yield JobLogGrew(key=_line_key(name, line), project=project, job=job, line=line)
    except AuthenticationError:
        raise
    except GitLabError as error:
        reason = str(error)
    else:
        yield JobLogEnded(key=f"{name}/ended", project=project, job=job)
        return
    yield JobLogFailed(key=f"{name}/failed", project=project, job=job, reason=reason)


def _line_key(name: str, line: LogLine) -> str:
    """Its end alone does not do: lines of two streams may share the place to go on from."""
    said = f"{line.at}{line.raw}".encode(errors="replace")
    return f"{name}/{line.end}/{crc32(said):08x}"
