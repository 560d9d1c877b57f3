"""State of a project for a checkpoint <-> the objects that a monitor works with."""

from datetime import datetime

from attrs import evolve, field, frozen

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.checkpoint.serialization import stored_as
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.watch.downstream import DownstreamState, DownstreamTracker
from gitlab_jobs_async.monitor.watch.full_scan import FullScanSchedule
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from gitlab_jobs_async.monitor.watch.project_jobs import ProjectJobs
from gitlab_jobs_async.monitor.watch.reopened_pipelines import ReopenedPipelines
from gitlab_jobs_async.monitor.watch.server_resets import ResetDetector
from gitlab_jobs_async.monitor.watch.tracked_job import TrackedJob
from gitlab_jobs_async.monitor.watch.tracked_jobs import TrackedJobs
from gitlab_jobs_async.monitor.watch.watermark import Watermark


@frozen
class ProjectState:
    """State of a project to resume from; `ProjectJobs` and its parts explain the fields."""

    # Stored under the first names of the fields, so that old checkpoints stay valid.
    numeric_id: int | None = field(metadata=stored_as("number"))
    low_watermark: int | None = field(metadata=stored_as("floor"))
    baseline_id: int = field(metadata=stored_as("began"))
    jobs: tuple[TrackedJob, ...]
    availability_events: int = field(default=0, metadata=stored_as("unreachable_told"))
    is_unreachable: bool = False
    updated_to: datetime | None = None
    reopened: tuple[int, ...] = field(default=(), metadata=stored_as("reviving"))
    reopened_polled_once: tuple[int, ...] = field(default=(), metadata=stored_as("reviving_once"))
    dormant: tuple[int, ...] = field(default=(), metadata=stored_as("parked"))
    downstream: DownstreamState | None = field(default=None, metadata=stored_as("bridging"))
    epoch: int = 0
    previous: tuple[TrackedJob, ...] | None = field(default=None, metadata=stored_as("before"))
    new_after: int | None = field(default=None, metadata=stored_as("news_from"))
    created_to: int = 0
    newest_id: int = field(default=0, metadata=stored_as("top"))
    evicted_to: int | None = field(default=None, metadata=stored_as("forgotten_to"))
    deleted_to: int = 0


def new_jobs(project: ProjectId, history: IdHistory, *, downstream: bool) -> ProjectJobs:
    """Return the empty state of a project that is watched for the first time."""
    tracker, full_scan = JobTracker(project), FullScanSchedule()
    resets = ResetDetector(tracker, history, full_scan)
    return ProjectJobs(tracker, resets, full_scan, DownstreamTracker() if downstream else None)


def jobs_after_reset(jobs: ProjectJobs, epoch: int) -> ProjectJobs:
    """Return the jobs of a project whose server was reset: the previous ones for comparison."""
    old = jobs.resets
    new = new_jobs(jobs.tracker.project, old.history, downstream=jobs.downstream is not None)
    new.tracker.epoch = epoch
    new.tracker.baseline_id = jobs.tracker.baseline_id
    new.tracker.evicted_to = jobs.tracker.evicted_to
    new.resets.previous = jobs.tracker.jobs
    # After a second reset, the jobs from before the first are the ones to compare with.
    new.resets.previous.update(() if old.previous is None else old.previous.values())
    new.resets.new_after = new.resets.created_to = new.resets.latest = old.created_to
    return new


def restored_jobs(
    project: ProjectId,
    state: ProjectState,
    now: float,
    progress: Progress | None,
    history: IdHistory,
    *,
    downstream: bool,
) -> ProjectJobs:
    """Return the jobs of a checkpoint; *progress* may be newer or older than *state*."""
    # A watermark and schedules from before a reset belong to other jobs.
    known = None if progress is not None and progress.epoch != state.epoch else progress
    tracker = JobTracker(
        project,
        TrackedJobs.of(state.jobs),
        state.epoch,
        deleted_to=state.deleted_to,
        # Older checkpoints do not say; only jobs below the watermark were evicted.
        evicted_to=(state.low_watermark or 0) if state.evicted_to is None else state.evicted_to,
        baseline_id=state.baseline_id,
    )
    full_scan = FullScanSchedule.restored(known, str(project), now)
    resets = ResetDetector(
        tracker,
        history,
        full_scan,
        None if state.previous is None else TrackedJobs.of(state.previous),
        state.new_after,
        state.created_to,
        state.created_to,
    )
    jobs = ProjectJobs(
        tracker,
        resets,
        full_scan,
        _restored_downstream(state, known, now) if downstream else None,
        Watermark(state.low_watermark),
        ReopenedPipelines.restored(state.reopened, state.reopened_polled_once),
        active_at=max((job.since for job in state.jobs), default=now),
        newest_id=state.newest_id,
    )
    for job_id in state.dormant:
        jobs.dormant.add(job_id)
    if known is not None and state.low_watermark is not None:
        # Progress is written apart from the state: either may be the older one.
        low = max(state.low_watermark, known.floor or 0)
        jobs.watermark = Watermark(low, known.rows)
        # A clock that was set back must not delay the next scan.
        jobs.dormant.scanned_at = min(known.swept_at or jobs.dormant.scanned_at, now)
        jobs.active_at = known.active_at or jobs.active_at
    jobs.dormant.select(jobs.open_jobs(), jobs.watermark, now)
    return jobs


def _restored_downstream(
    state: ProjectState, progress: Progress | None, now: float
) -> DownstreamTracker:
    settled = (state.updated_to, None if progress is None else progress.updated_to)
    settled_to = max((at for at in settled if at is not None), default=None)
    bridges = (job for job in state.jobs if job.is_bridge)
    return DownstreamTracker.restored(settled_to, bridges, state.downstream, now)


def state_of(
    jobs: ProjectJobs, numeric_id: int | None, availability: TargetAvailability
) -> ProjectState:
    """Return the state to resume from."""
    tracker, resets, downstream = jobs.tracker, jobs.resets, jobs.downstream
    once = jobs.reopened.polled_once()
    return ProjectState(
        numeric_id,
        jobs.watermark.low_watermark,
        tracker.baseline_id,
        tuple(tracker.jobs.values()),
        availability.emitted,
        availability.is_unreachable,
        None if downstream is None else downstream.settled_to,
        tuple(i for i in jobs.reopened.pipelines() if i not in once),
        tuple(once),
        tuple(jobs.dormant.ids),
        None if downstream is None else downstream.state(),
        tracker.epoch,
        None if resets.previous is None else tuple(resets.previous.values()),
        resets.new_after,
        resets.created_to,
        jobs.newest_id,
        tracker.evicted_to,
        tracker.deleted_to,
    )


def progress_of(jobs: ProjectJobs, progress: Progress) -> Progress:
    """Return *progress* with what polls of a project change without an event."""
    return evolve(
        progress,
        floor=jobs.watermark.low_watermark,
        rows=jobs.watermark.rows_to(jobs.down_to()),
        swept_at=jobs.dormant.scanned_at,
        updated_to=None if jobs.downstream is None else jobs.downstream.settled_to,
        compared_at=jobs.full_scan.scanned_at,
        scans=jobs.full_scan.polls,
        epoch=jobs.tracker.epoch,
    )
