"""Apply the answer to a question about many projects to the tracked jobs of one of them.

An answer shows the jobs of the newest pipelines, and each row counts as in a listing: the same
tracker emits the same events under the same keys. What an answer cannot prove is left to a scan by
REST, which this module asks for:

- a row that is behind the tracked status, or of a deleted job: a replica lags, and it is ignored;
- a row that only a reset of the server explains voids the whole answer;
- an unfinished job that is missing in its pipeline, or in one that is not shown;
- pipelines between the newest known one and the oldest of a full page, of parents or children;
- a pipeline with more jobs than its page.

The watermark is left alone: only a listing without a gap shows that no job was missed.
"""

from collections.abc import Sequence

from attrs import frozen

from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.hints.snapshots import ProjectSnapshot
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from gitlab_jobs_async.monitor.watch.project_jobs import ProjectJobs
from gitlab_jobs_async.monitor.watch.tracked_job import FINAL, TrackedJob

MAX_FINISHED = 200
"""Finished jobs since the last scan by REST, after which another one is needed to evict them."""

_ORDER = {
    JobStatus.CREATED: 0,
    JobStatus.MANUAL: 1,
    JobStatus.SCHEDULED: 1,
    JobStatus.WAITING_FOR_RESOURCE: 1,
    JobStatus.WAITING_FOR_CALLBACK: 2,
    JobStatus.PREPARING: 2,
    JobStatus.PENDING: 3,
    JobStatus.RUNNING: 4,
    JobStatus.CANCELING: 5,
}
_FINISHED = 6

_LEFT_AGAIN = frozenset({JobStatus.MANUAL, JobStatus.SCHEDULED, JobStatus.SKIPPED})
"""Statuses from which a job may be created again: played, or reopened by a retry."""


@frozen
class SnapshotResult:
    """The events of an answer, and whether it *fits*: no scan by REST is needed."""

    events: Sequence[AnyEvent]
    fits: bool


def rows_of(snapshot: ProjectSnapshot) -> list[Job] | None:
    """Return the jobs of all pipelines; `None` if the token may not read them."""
    rows: list[Job] = []
    for pipeline in snapshot.pipelines:
        if pipeline.jobs is None:
            return None
        rows += pipeline.jobs
    return rows


def would_change(jobs: ProjectJobs, snapshot: ProjectSnapshot) -> bool:
    """Return whether an answer shows anything that is not tracked yet."""
    rows, low = rows_of(snapshot), jobs.watermark.low_watermark or 0
    return rows is None or any(_is_news(jobs.tracker.jobs.find(row.id), row, low) for row in rows)


def apply_snapshot(jobs: ProjectJobs, snapshot: ProjectSnapshot, now: float) -> SnapshotResult:
    """Update *jobs*, whose baseline is complete, and return the events."""
    rows = rows_of(snapshot)
    if rows is None or jobs.resets.check(rows, now, jobs.watermark.low_watermark or 0):
        return SnapshotResult((), fits=False)
    known_pipeline = jobs.tracker.newest_pipeline()
    current = [row for row in rows if not _is_behind(jobs.tracker, row)]
    jobs.resets.learn(current, now)
    events = jobs.update(current, now)
    for pipeline in snapshot.pipelines:
        if pipeline.is_complete:
            jobs.reopened.polled(pipeline.id)
    jobs.tracker.release_index()
    fits = (
        len(current) == len(rows)
        and snapshot.floor <= known_pipeline
        and all(p.is_complete or p.status.is_finished for p in snapshot.pipelines)
        and not _misses(jobs, {row.id for row in rows})
        # Not those of the last scan: that may have to wait before it evicts them.
        and jobs.tracker.jobs.count_finished_above(jobs.newest_id) <= MAX_FINISHED
    )
    return SnapshotResult(events, fits)


def _is_news(tracked: TrackedJob | None, row: Job, low_watermark: int) -> bool:
    if tracked is None:
        return row.id > low_watermark or not row.status.is_finished
    is_changed = tracked.status != row.status and tracked.status not in FINAL
    return is_changed or (row.erased_at is not None and not tracked.is_erased)


def _is_behind(tracker: JobTracker, row: Job) -> bool:
    """Return whether *row* may be older than the tracked state."""
    tracked = tracker.jobs.find(row.id)
    if tracked is None:
        # Deleted, or finished long ago: only a listing shows that it is there, and open again.
        return not row.status.is_finished and tracker.was_finished(row.id)
    if tracked.status == row.status:
        return False
    if _order(row.status) <= _order(tracked.status):
        return True
    # It may have left that status before. A listing decides, and reads all of its pipeline.
    is_first_step = tracked.events == 1 and row.id > tracker.baseline_id
    return row.status in _LEFT_AGAIN and not is_first_step


def _order(status: JobStatus) -> int:
    return _FINISHED if status.is_finished else _ORDER.get(status, _FINISHED)


def _misses(jobs: ProjectJobs, shown: set[int]) -> bool:
    """Return whether an unfinished job is not shown, except long dormant ones."""
    return any(job.id not in shown and job.id not in jobs.dormant for job in jobs.open_jobs())
