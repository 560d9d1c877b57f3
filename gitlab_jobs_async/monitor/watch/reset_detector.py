"""Detect that a project's server was reset, and tell its new jobs from restored ones."""

from collections.abc import Sequence

from attrs import define

from gitlab_jobs_async.events import JobEvent
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.monitor.watch.full_scan import MAX_COMPARED, FullScanSchedule
from gitlab_jobs_async.monitor.watch.id_history import IdHistory, created_at
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker, TrackedJob
from gitlab_jobs_async.monitor.watch.server_resets import (
    is_unchanged,
    latest_creation,
    reset_shown_by,
    runs_again,
    separate_keys,
    update_after_reset,
)


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
    previous: dict[int, TrackedJob] | None = None
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
        tracked = self.tracker.jobs
        if any(job.id in tracked and runs_again(tracked[job.id], job) for job in rows):
            self.full_scan.is_suspicious = True

    def begin_poll(self) -> None:
        """Count what the polls so far have shown as known."""
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

    def report(self, job: Job | Bridge, now: float) -> list[JobEvent]:
        """Emit a job of the baseline."""
        if self.previous is None:
            return self.tracker.update(job, now, is_new=False)
        is_new = self.is_new(job)
        return update_after_reset(self.tracker, self.previous, job, now, is_new=is_new)
