"""Distinguish a server restored from a backup from one on which jobs were only deleted.

A job keeps its name, pipeline and time of creation, and a finished one never runs again (a retry is
another job). A row that contradicts this shows a reset, unless it is stale, as the rows of a
lagging replica may be.
"""

from collections.abc import Iterable, Mapping, Sequence

from attrs import define

from gitlab_jobs_async.events import AnyJobEvent, JobFinished, ProjectReset
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.watch.full_scan import MAX_COMPARED, FullScanSchedule
from gitlab_jobs_async.monitor.watch.id_history import MAX_FUTURE, IdHistory, created_at
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from gitlab_jobs_async.monitor.watch.tracked_job import (
    FINAL,
    TrackedJob,
    pipeline_id_of,
    times_of,
)
from gitlab_jobs_async.monitor.watch.tracked_jobs import TrackedJobs
from gitlab_jobs_async.monitor.watch.watermark import ALLOWED_LATENESS

_SECONDS = 32
_MASK = (1 << _SECONDS) - 1


def contradiction(tracked: TrackedJob, job: Job | Bridge, now: float) -> str | None:
    """Return why *job*, as received at *now*, cannot be the *tracked* one, or `None`."""
    before, times = tracked.times, times_of(job)
    is_moved = tracked.pipeline_id and pipeline_id_of(job) not in {0, tracked.pipeline_id}
    is_other = tracked.is_bridge != isinstance(job, Bridge) or not tracked.is_named(job.name)
    if is_moved or is_other or _differ(before >> _SECONDS, times >> _SECONDS):
        return f"job {job.id} is another job than before"
    if tracked.is_bridge or tracked.status not in FINAL:
        return None  # a bridge waiting for its pipeline runs again when that is retried
    if job.status in FINAL:
        is_other = job.status != tracked.status or _differ(before & _MASK, times & _MASK)
        return f"job {job.id} has ended in another way than before" if is_other else None
    # Until then, a lagging replica may still return the row from before the end.
    if now >= tracked.since + ALLOWED_LATENESS:
        return f"job {job.id} had ended and is {job.status} again"
    return None


def runs_again(tracked: TrackedJob, job: Job | Bridge) -> bool:
    """Return whether *job* is unfinished though it had finished: reset, or stale."""
    is_over = tracked.status in FINAL and job.status not in FINAL
    return is_over and not tracked.is_bridge


def _differ(one: int, other: int) -> bool:
    return bool(one and other) and abs(one - other) > 1


def reset_shown_by(
    rows: Iterable[Job | Bridge], tracker: JobTracker, history: IdHistory, now: float
) -> tuple[int, str] | None:
    """Return the id of a job that only a reset explains, and the reason, or `None`."""
    find = tracker.jobs.find
    for job in rows:
        tracked = find(job.id)
        reason = None if tracked is None else contradiction(tracked, job, now)
        if tracked is None and history.is_reused(job, tracker.epoch):
            reason = f"job {job.id} is new, and its id is not"
        if reason is not None:
            return job.id, reason
    return None


def separate_keys(
    tracker: JobTracker, history: IdHistory, rows: Iterable[Job | Bridge], now: float
) -> None:
    """Begin an epoch if another target emitted another job under one of these ids."""
    if not tracker.jobs and any(history.is_reused(job, tracker.epoch) for job in rows):
        tracker.epoch = next_epoch(now, tracker.epoch)


def next_epoch(now: float, epoch: int) -> int:
    """Return the epoch that begins at *now*, in unix milliseconds, and after *epoch*."""
    # Epochs must increase, even if the clock was set back.
    return max(int(now * 1000), epoch + 1)


def reset_event(
    project: int | str, availability: TargetAvailability, epoch: int, reason: str
) -> ProjectReset:
    """Return the event that announces a reset."""
    key = availability.next_key(f"reset/{epoch}")
    return ProjectReset(key=key, project=project, reason=reason)


def update_after_reset(
    tracker: JobTracker,
    previous: Mapping[int, TrackedJob],
    job: Job | Bridge,
    now: float,
    *,
    is_new: bool,
) -> list[AnyJobEvent]:
    """Update *tracker*; also emit the end of a finished job that changed with the reset."""
    events = tracker.update(job, now, is_new=is_new)
    ends = any(isinstance(event, JobFinished) for event in events)
    if job.status.is_finished and events and not ends and not is_unchanged(previous, job):
        events += tracker.finish(job)
    return events


def is_unchanged(previous: Mapping[int, TrackedJob], job: Job | Bridge) -> bool:
    """Return whether *job* equals its state before the reset."""
    tracked = previous.get(job.id)
    if tracked is None or tracked.status != job.status:
        return False
    # At this time no row is stale.
    return contradiction(tracked, job, float("inf")) is None


def latest_creation(jobs: Iterable[Job | Bridge], now: float) -> int:
    """Return the latest credible creation of *jobs* in unix seconds, or 0."""
    return max((at for at in map(created_at, jobs) if at <= now + MAX_FUTURE), default=0)


@define
class ResetDetector:
    """Knowledge about resets of one project's server.

    *created_to* is the latest creation of a job in complete polls, in unix seconds, and *latest*
    that in the current one, too. After a reset, *previous* are the jobs tracked before it until a
    new baseline is complete, and jobs created after *new_after* are new.
    """

    tracker: JobTracker
    history: IdHistory
    full_scan: FullScanSchedule
    previous: TrackedJobs | None = None
    new_after: int | None = None
    created_to: int = 0
    latest: int = 0

    def check(
        self, rows: Sequence[Job | Bridge], now: float, low_watermark: int
    ) -> tuple[int, str] | None:
        """Return the id of a row that only a reset explains, and the reason, or `None`."""
        shown = reset_shown_by(rows, self.tracker, self.history, now)
        return shown or self._finished_job_runs(rows, low_watermark)

    def check_baseline(self, rows: Sequence[Job | Bridge], now: float) -> None:
        """Begin an epoch if another target emitted another job under one of these ids."""
        if self.previous is None:
            separate_keys(self.tracker, self.history, rows, now)

    def _finished_job_runs(
        self, rows: Sequence[Job | Bridge], low_watermark: int
    ) -> tuple[int, str] | None:
        # Evicted jobs cannot be compared, so that only a reason for suspicion makes this a reset.
        if not self.full_scan.is_suspicious:
            return None
        for job in rows:
            is_open = not (job.status.is_finished or isinstance(job, Bridge))
            # Above the watermark, a job may appear late, after a deletion of newer ones.
            if is_open and job.id <= low_watermark and self.tracker.was_finished(job.id):
                return job.id, f"job {job.id} was gone or had ended, and is {job.status}"
        return None

    def learn(self, rows: Sequence[Job | Bridge], now: float) -> None:
        """Record the ids and times of *rows*, and whether they make a reset likely."""
        self.history.learn(rows, now)
        self.latest = max(self.latest, latest_creation(rows, now))
        jobs = self.tracker.jobs
        for job in rows:
            if job.status in FINAL or job.id in jobs.unfinished:
                continue
            tracked = jobs.find(job.id)
            if tracked is not None and runs_again(tracked, job):
                self.full_scan.is_suspicious = True

    def begin_poll(self) -> None:
        """Advance *created_to* to the latest creation that complete polls have shown."""
        # Not during a poll, whose jobs may have been created after a reset.
        self.created_to = self.latest

    def is_new(self, job: Job | Bridge) -> bool:
        """Return whether *job* was created after a reset."""
        return self.new_after is not None and created_at(job) > self.new_after

    def is_unreported(self, job: Job | Bridge) -> bool:
        """Return whether a reset created or changed *job*."""
        if self.previous is None:
            return False
        is_changed = job.id in self.previous and not is_unchanged(self.previous, job)
        return is_changed or self.is_new(job)

    def may_continue_below(self, rows: Sequence[Job | Bridge]) -> bool:
        """Return whether jobs created after a reset may follow below *rows*."""
        if self.previous is None or not rows:
            return False
        compared = sorted(self.previous, reverse=True)[:MAX_COMPARED]
        is_deep = not compared or min(job.id for job in rows) <= compared[-1]
        return not is_deep or all(map(self.is_new, rows))

    def report(self, job: Job | Bridge, now: float) -> list[AnyJobEvent]:
        """Emit a job of the baseline."""
        if self.previous is None:
            return self.tracker.update(job, now, is_new=False)
        is_new = self.is_new(job)
        return update_after_reset(self.tracker, self.previous, job, now, is_new=is_new)
