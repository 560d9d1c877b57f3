"""What tells a server restored from a backup from one on which jobs were only deleted.

A job has the same name, pipeline and time of creation for ever, and one that ended never runs again
(a retry is another job); an answer that says otherwise comes of a reset, unless it is older than
what is known, as those of a replica that lags may be.
"""

from collections.abc import Iterable, Mapping

from gitlab_jobs_async.events import JobEvent, JobFinished, ProjectReset
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.watch.id_history import FUTURE, IdHistory, created
from gitlab_jobs_async.monitor.watch.job_tracker import (
    LEFT_NEVER,
    JobTracker,
    TrackedJob,
    pipeline_of,
    times_of,
)
from gitlab_jobs_async.monitor.watch.watermark import SETTLING

_SECONDS = 32
_MASK = (1 << _SECONDS) - 1


def contradiction(told: TrackedJob, job: Job | Bridge, now: float) -> str | None:
    """Return how *job*, as seen at *now*, cannot be the one that was told; `None` if it can."""
    before, times = told.times, times_of(job)
    is_moved = told.pipeline_id and pipeline_of(job) not in {0, told.pipeline_id}
    is_other = told.name != job.name or told.is_bridge != isinstance(job, Bridge)
    if is_moved or is_other or _differ(before >> _SECONDS, times >> _SECONDS):
        return f"job {job.id} is another job than before"
    if told.is_bridge or told.status not in LEFT_NEVER:
        return None  # a bridge that waits for its pipeline runs again when that is retried
    if job.status in LEFT_NEVER:
        is_other = job.status != told.status or _differ(before & _MASK, times & _MASK)
        return f"job {job.id} has ended in another way than before" if is_other else None
    if now >= told.since + SETTLING:
        return f"job {job.id} had ended and is {job.status} again"
    return None


def runs_again(told: TrackedJob, job: Job | Bridge) -> bool:
    """Whether *job* had ended: it was restored, or the answer is an older one."""
    is_over = told.status in LEFT_NEVER and job.status not in LEFT_NEVER
    return is_over and not told.is_bridge


def _differ(one: int, other: int) -> bool:
    return bool(one and other) and abs(one - other) > 1


def reset_shown_by(
    rows: Iterable[Job | Bridge], ledger: JobTracker, history: IdHistory, now: float
) -> tuple[int, str] | None:
    """Return the id of a job that can only come of a reset, and why; `None` if all is well."""
    for job in rows:
        told = ledger.jobs.get(job.id)
        reason = None if told is None else contradiction(told, job, now)
        if told is None and history.is_given_again(job, ledger.epoch):
            reason = f"job {job.id} is new, and its id is not"
        if reason is not None:
            return job.id, reason
    return None


def epoch_of(now: float, before: int) -> int:
    """Return what sets the keys told from *now* on apart: unix milliseconds, none twice."""
    return max(int(now * 1000), before + 1)


def reset_event(
    project: int | str, availability: TargetAvailability, epoch: int, reason: str
) -> ProjectReset:
    """Return what says that the target begins anew."""
    key = availability.next_key(f"reset/{epoch}")
    return ProjectReset(key=key, project=project, reason=reason)


def tell_anew(
    ledger: JobTracker,
    before: Mapping[int, TrackedJob],
    job: Job | Bridge,
    now: float,
    *,
    is_news: bool,
) -> list[JobEvent]:
    """Tell *job* after a reset: also its end, unless it was told *before* and is unchanged."""
    events = ledger.tell(job, now, is_new=is_news)
    ends = any(isinstance(event, JobFinished) for event in events)
    if job.status.is_finished and events and not ends and not is_as_before(before, job):
        events += ledger.ended(job)
    return events


def is_as_before(before: Mapping[int, TrackedJob], job: Job | Bridge) -> bool:
    """Whether *job* stands as it was told before the reset."""
    told = before.get(job.id)
    if told is None or told.status != job.status:
        return False
    return contradiction(told, job, float("inf")) is None


def latest(jobs: Iterable[Job | Bridge], now: float) -> int:
    """Return when the last of *jobs* was created, in unix seconds; 0 if none says so credibly."""
    return max((at for at in map(created, jobs) if at <= now + FUTURE), default=0)
