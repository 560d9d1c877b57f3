"""The times of one attempt, whatever the server has sent: never negative, never out of order.

`queued_duration` is the time from the queue to the start, or until the answer without a start:
app/models/commit_status.rb. GitLab keeps counting for a job that never started.
"""

from datetime import datetime
from math import isfinite
from typing import Final

from attrs import frozen

from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.values import UNKNOWN_TIME

_IN_QUEUE: Final = frozenset({JobStatus.PENDING})


@frozen
class AttemptTimes:
    """Unix seconds: created <= queued <= started <= ended.

    Without *was_queued* or *was_started*, that time is the one after it. *is_open*: it has not
    ended, and *ended* is the present.
    """

    created: float
    queued: float
    started: float
    ended: float
    was_queued: bool
    was_started: bool
    is_open: bool


def unix(at: datetime | None) -> float | None:
    """Return unix seconds; None for an unknown time."""
    return None if at is None or at == UNKNOWN_TIME else at.timestamp()


def times_of(job: Job | Bridge, begin: float, read_at: float, now: float) -> AttemptTimes:
    """Return the times of a job that was read at *read_at*, none of them before *begin*.

    *now* is the end of what has not ended, in unix seconds.
    """
    created, started = unix(job.created_at), unix(job.started_at)
    created = begin if created is None else max(begin, created)
    finished = unix(job.finished_at)
    is_open = finished is None and not job.status.is_finished
    if finished is None:
        # A skipped job has no times but that of its creation.
        known = created if started is None else started + _seconds(job.duration)
        finished = now if is_open else known
    ended = max(created, finished)
    started = None if started is None else min(max(created, started), ended)
    top = ended if started is None else started
    queued = None
    if job.queued_duration is not None and (started is not None or _was_queued(job)):
        since = read_at if started is None else started
        queued = min(max(created, since - _seconds(job.queued_duration)), top)
    return AttemptTimes(
        created,
        top if queued is None else queued,
        top,
        ended,
        queued is not None,
        started is not None,
        is_open,
    )


def _was_queued(job: Job | Bridge) -> bool:
    # A played job that was canceled in the queue has been there, too.
    return job.status in _IN_QUEUE or job.finished_at is not None


def _seconds(given: float | None) -> float:
    return given if given is not None and isfinite(given) and given > 0 else 0.0
