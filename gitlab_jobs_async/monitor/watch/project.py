"""Watch a project: detect all changes between two polls, and emit their events.

A poll is a list of scans; the first one with a query asks next:

    known project    newest jobs, changed pipelines, rechecks, open jobs, rechecks, bridges
    unknown project  changed pipelines, baseline, bridges

The scan of the newest jobs requests a page as small as possible, and reads down to the watermark or
to a lower open job. It hands dormant jobs to the scan of open jobs, and missing jobs and reopened
pipelines to the rechecks. Scans of pipelines and bridges run if downstream pipelines are watched.
All of them update one `ProjectJobs`, so that polls may run at any time and be repeated.
"""

from collections.abc import Sequence
from typing import Self

from attrs import define, field

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.hints.snapshots import ProjectSnapshot
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.schedule.timer import PollTimer, poll_interval
from gitlab_jobs_async.monitor.watch.base import Watch
from gitlab_jobs_async.monitor.watch.downstream_scans import BridgesScan, ChangedPipelinesScan
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.project_jobs import ProjectJobs
from gitlab_jobs_async.monitor.watch.project_queries import ProjectQueries
from gitlab_jobs_async.monitor.watch.project_state import (
    ProjectState,
    jobs_after_reset,
    new_jobs,
    progress_of,
    restored_jobs,
    state_of,
)
from gitlab_jobs_async.monitor.watch.queries import (
    DownstreamPipeline,
    Query,
    QueryKind,
    QueryResult,
)
from gitlab_jobs_async.monitor.watch.rechecks import JobRechecks
from gitlab_jobs_async.monitor.watch.scans import BaselineScan, NewestScan, OpenJobsScan, Scan
from gitlab_jobs_async.monitor.watch.server_resets import next_epoch, reset_event
from gitlab_jobs_async.monitor.watch.snapshot_scan import (
    SnapshotResult,
    apply_snapshot,
    would_change,
)


@define
class ProjectWatch(Watch):
    """The watch of one project; see `Watch`."""

    jobs: ProjectJobs
    queries: ProjectQueries
    _failed_kind: QueryKind | None = None
    _scans: Sequence[Scan] = field(default=(), init=False)
    _pending: tuple[Scan, Query] | None = field(default=None, init=False)
    _is_full: bool = field(default=False, init=False)

    @classmethod
    def of(
        cls,
        project: ProjectId,
        state: ProjectState | None = None,
        now: float = 0.0,
        progress: Progress | None = None,
        history: IdHistory | None = None,
        *,
        downstream: bool = False,
    ) -> Self:
        """Return a watch that begins, or resumes at *now* from a checkpoint."""
        name, ids = str(project), history or IdHistory()
        if state is None:
            jobs = new_jobs(project, ids, downstream=downstream)
            availability = TargetAvailability(project, name)
            return cls(availability, PollTimer(), jobs, ProjectQueries(project))
        jobs = restored_jobs(project, state, now, progress, ids, downstream=downstream)
        availability = TargetAvailability(
            project,
            name,
            state.availability_events,
            state.is_unreachable,
            0 if progress is None else progress.failures,
        )
        queries = ProjectQueries(project, state.numeric_id)
        # The checkpoint does not name the failed query; each poll sends this one.
        failed_kind = QueryKind.NEWEST if state.is_unreachable else None
        return cls(availability, PollTimer.restored(progress, now), jobs, queries, failed_kind)

    @property
    def numeric_id(self) -> int | None:
        """Numeric id of the project, once a job has shown it."""
        return self.queries.numeric_id

    @property
    def is_known(self) -> bool:
        """Whether the baseline is complete."""
        return self.jobs.has_baseline

    def begin_without_jobs(self, now: float) -> None:
        """Set an empty baseline at *now*, so that all jobs are new."""
        self.jobs.set_baseline((), (), now, now, now)

    def state(self) -> ProjectState:
        """Return the state to resume from."""
        return state_of(self.jobs, self.numeric_id, self.availability)

    def progress(self) -> Progress:
        """Return the poll progress, which changes without any event."""
        return progress_of(self.jobs, super().progress())

    def take_discovered(self) -> list[DownstreamPipeline]:
        """Return and clear the downstream pipelines discovered since the last call."""
        return self.jobs.take_discovered()

    def next_query(self, now: float) -> Query | None:
        """Return the query to send, the same until it is answered; `None` between polls."""
        if self._pending is None:
            if now < self.next_at:
                return None
            self._scans = self._begin_poll(now)
            self._pending = self._choose()
        return None if self._pending is None else self._pending[1]

    def on_result(self, now: float, result: QueryResult) -> Sequence[AnyEvent]:
        """Take the result of the pending query, and return the events that follow from it."""
        scan, query = self._take_pending()
        events: list[AnyEvent] = []
        # Queries of another kind may work while this one still fails.
        if query.kind is self._failed_kind:
            events += self._recovered()
        if reset := self.jobs.check_reset(result.jobs, now):
            return [*events, self._reset(now, *reset)]
        events += scan.on_result(now, query, result)
        return [*events, *self._continue(now)]

    def on_error(self, now: float, error: GitLabError) -> Sequence[AnyEvent]:
        """Continue without a query that the scan can do without; else let the poll fail."""
        scan, query = self._take_pending()
        events = scan.on_error(now, query, error)
        if events is not None:
            return [*events, *self._continue(now)]
        self._scans = ()
        # The poll starts again, with the parameters that this server accepts.
        if self.queries.adapt(query.kind, error):
            return []
        self._failed_kind = query.kind
        return self.timer.on_error(now, error, self.availability)

    def on_snapshot(
        self, now: float, snapshot: ProjectSnapshot, *, as_hint: bool
    ) -> SnapshotResult:
        """Take the answer to a question about many projects.

        With *as_hint* it causes no event: anything new in it asks for a poll by REST.
        """
        if not self.is_known or self.availability.is_unreachable:
            return SnapshotResult((), fits=False)
        if as_hint:
            return SnapshotResult((), fits=not would_change(self.jobs, snapshot))
        result = apply_snapshot(self.jobs, snapshot, now)
        self.timer.active_at = self.jobs.active_at
        return result

    def snapshot_interval(self, now: float) -> float:
        """Return the seconds until the next question about this project."""
        jobs = self.jobs
        ages = jobs.dormant.ages(jobs.tracker.open_jobs(), jobs.watermark, now)
        return poll_interval(ages, now - (jobs.active_at or now))

    def _begin_poll(self, now: float) -> Sequence[Scan]:
        jobs, queries = self.jobs, self.queries
        self._is_full = is_full = jobs.begin_poll(now)
        changes: list[Scan] = []
        bridges: list[Scan] = []
        if jobs.downstream is not None:
            changes = [ChangedPipelinesScan(jobs.downstream, queries)]
            bridges = [BridgesScan(jobs, jobs.downstream, jobs.tracker, queries, now)]
        if not jobs.has_baseline:
            # Pipelines first: a state with the baseline must not lack earlier pipeline changes.
            return [*changes, BaselineScan(jobs, queries, now), *bridges]
        parts = jobs, jobs.tracker, jobs.reopened, queries
        rechecks, late_rechecks = JobRechecks(*parts), JobRechecks(*parts)
        watermark, dormant = jobs.watermark, jobs.dormant
        open_scan = OpenJobsScan(jobs, queries, dormant, late_rechecks, is_full)
        newest = NewestScan(
            jobs,
            queries,
            watermark,
            dormant,
            rechecks,
            open_scan,
            late_rechecks,
            now,
            self._is_full,
        )
        # Rechecks before open jobs, too: one of them may find that a whole pipeline was deleted.
        return [newest, *changes, rechecks, open_scan, late_rechecks, *bridges]

    def _choose(self) -> tuple[Scan, Query] | None:
        for scan in self._scans:
            if (query := scan.next_query()) is not None:
                return scan, query
        return None

    def _take_pending(self) -> tuple[Scan, Query]:
        if self._pending is None:
            raise RuntimeError("result without a query: call next_query first")
        pending, self._pending = self._pending, None
        return pending

    def _continue(self, now: float) -> Sequence[AnyEvent]:
        """Choose the next query; without one, the poll is complete."""
        self._pending = self._choose()
        if self._pending is not None:
            return ()
        self._scans = ()
        self.timer.active_at = self.jobs.active_at
        self.timer.on_success(now, self.jobs.end_poll(now, is_full=self._is_full))
        return self._recovered()

    def _recovered(self) -> Sequence[AnyEvent]:
        self._failed_kind = None
        return self.availability.on_success()

    def _reset(self, now: float, job_id: int, reason: str) -> AnyEvent:
        """Drop the jobs of a server that was reset; the next poll reads a new baseline."""
        jobs = self.jobs
        epoch = next_epoch(now, jobs.tracker.epoch)
        jobs.resets.history.close(job_id, epoch)
        self.jobs = jobs_after_reset(jobs, epoch)
        self._scans = ()
        return reset_event(jobs.tracker.project, self.availability, epoch, reason)
