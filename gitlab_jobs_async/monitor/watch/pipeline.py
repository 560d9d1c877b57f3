"""Watch one pipeline until it has finished."""

from collections import deque
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Self

from attrs import define, evolve, field

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.parameters import WaitUntil
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import PipelineBasic
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.values import UNKNOWN_TIME
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.targets import PipelineTarget
from gitlab_jobs_async.monitor.watch.base import SingleWatch, TargetState
from gitlab_jobs_async.monitor.watch.downstream import may_trigger
from gitlab_jobs_async.monitor.watch.id_history import IdHistory, created_at
from gitlab_jobs_async.monitor.watch.queries import (
    DownstreamPipeline,
    Query,
    QueryKind,
    QueryResult,
)
from gitlab_jobs_async.monitor.watch.server_resets import update_after_reset
from gitlab_jobs_async.monitor.watch.tracked_job import TrackedJob

_WAITING = frozenset({JobStatus.MANUAL, JobStatus.SCHEDULED})


@define
class PipelineWatch(SingleWatch):
    """The watch of a pipeline's jobs, retried ones included, and with *downstream* its bridges.

    It is over when both the pipeline and its jobs have finished, in either order. Jobs that wait
    for a manual action do not count, but running bridges do. *until* "blocked" also ends it where
    the pipeline itself waits for one. See `Watch`.
    """

    downstream: bool = field(default=False, kw_only=True)
    until: WaitUntil = field(default="finished", kw_only=True)
    created: int = field(default=0, init=False)
    _queue: deque[Query] = field(factory=deque[Query], init=False)
    _rows: dict[int, Job | Bridge] = field(factory=dict[int, Job | Bridge], init=False)
    _status: JobStatus | None = field(default=None, init=False)
    _emitted: set[int] = field(factory=set[int], init=False)
    _discovered: list[DownstreamPipeline] = field(factory=list[DownstreamPipeline], init=False)

    @classmethod
    def of(
        cls,
        target: PipelineTarget,
        state: TargetState | None,
        now: float = 0.0,
        progress: Progress | None = None,
        history: IdHistory | None = None,
        *,
        downstream: bool,
    ) -> Self:
        """Return a watch that begins, or resumes at *now* from a checkpoint."""
        project, pipeline_id = target.project, target.pipeline_id
        name = f"{project}/-/pipelines/{pipeline_id}"
        watch = cls.restored(project, pipeline_id, name, state, progress, history, now)
        watch.downstream, watch.until = downstream, target.until
        watch.created = 0 if state is None else state.created
        return watch

    def state(self) -> TargetState:
        """Return the state to resume from; without jobs if the pipeline has finished."""
        return evolve(super().state(), created=self.created)

    @property
    def has_ended(self) -> bool:
        """Whether nothing can follow, unlike after the end at a manual job."""
        return self.is_over and self._status != JobStatus.MANUAL

    def take_discovered(self) -> list[DownstreamPipeline]:
        """Return and clear the downstream pipelines discovered since the last call."""
        discovered, self._discovered = self._discovered, []
        return discovered

    def next_query(self, now: float) -> Query | None:
        """Return the query to send, the same until it is answered; `None` between polls."""
        if not self._queue:
            if self.is_over or now < self.next_at:
                return None
            self._begin_poll()
        return self._queue[0]

    def _begin_poll(self) -> None:
        project, pipeline_id = self.project, self.subject_id
        self._rows.clear()
        self._status = None
        # By default GitLab omits retried jobs, which would count as deleted.
        jobs = endpoints.list_pipeline_jobs(project, pipeline_id, include_retried=True)
        self._queue.append(Query(QueryKind.PIPELINE_JOBS, jobs, pipeline_id, all_pages=True))
        if self.downstream:
            bridges = endpoints.list_bridges(project, pipeline_id)
            self._queue.append(Query(QueryKind.BRIDGES, bridges, pipeline_id, all_pages=True))

    def on_result(self, now: float, result: QueryResult) -> Sequence[AnyEvent]:
        """Collect the rows of a poll, and return its events with the last result."""
        self._queue.popleft()
        if reset := self._check_pipelines(result) or self._check_reset(result.jobs, now):
            self._queue.clear()
            return [*self.availability.on_success(), self._reset(now, *reset)]
        self.history.learn(result.jobs, now)
        self._rows |= {job.id: job for job in result.jobs}
        for pipeline in _pipelines_in(result):
            self._status = pipeline.status
        if not self._queue and self._status is None:
            # Without jobs, no row contains the pipeline's status.
            request = endpoints.get_pipeline(self.project, self.subject_id)
            self._queue.append(Query(QueryKind.PIPELINE, request))
        if self._queue:
            return []
        return [*self.availability.on_success(), *self._finish_poll(now)]

    def on_error(self, now: float, error: GitLabError) -> Sequence[AnyEvent]:
        """Drop the rows of the failed poll."""
        # A job that a poll does not return counts as deleted: rows of two polls must not mix.
        self._queue.clear()
        return self.timer.on_error(now, error, self.availability)

    def _check_pipelines(self, result: QueryResult) -> tuple[int, str] | None:
        """Return why the pipeline is another one than before, or `None`."""
        for pipeline in _pipelines_in(result):
            if pipeline.created_at == UNKNOWN_TIME or pipeline.id != self.subject_id:
                continue
            created = int(pipeline.created_at.timestamp())
            if self.is_known and self.created and abs(created - self.created) > 1:
                return 0, f"pipeline {self.subject_id} is another pipeline than before"
            self.created = created
        return None

    def _reset(self, now: float, job_id: int, reason: str) -> AnyEvent:
        self.is_known, self.created = False, 0
        self._emitted.clear()
        return super()._reset(now, job_id, reason)

    def _finish_poll(self, now: float) -> list[AnyEvent]:
        events = self._update(now)
        if events:
            self.timer.active_at = now
        bridges = [job for job in self._rows.values() if isinstance(job, Bridge)]
        self._discover(bridges)
        open_jobs = [job for job in self.tracker.open_jobs() if self.downstream >= job.is_bridge]
        self.is_known = True
        self.is_over = self._has_finished(open_jobs, bridges)
        self.timer.on_success(now, [now - job.since for job in open_jobs])
        return events

    def _update(self, now: float) -> list[AnyEvent]:
        events: list[AnyEvent] = []
        previous = self.previous
        # Jobs of the restored backup are older than the newest job before the reset.
        newest = max((job.times >> 32 for job in (previous or {}).values()), default=0)
        for job in sorted(self._rows.values(), key=attrgetter("id")):
            if previous is None:
                events += self.tracker.update(job, now, is_new=self.is_known)
            else:
                is_new = job.id not in previous and created_at(job) > newest
                events += update_after_reset(self.tracker, previous, job, now, is_new=is_new)
        self.previous = None
        # All pages were read, so a job that is missing was deleted.
        for tracked in self.tracker.open_jobs():
            if tracked.id not in self._rows and self.downstream >= tracked.is_bridge:
                events += self.tracker.delete(tracked.id)
        return events

    def _has_finished(self, open_jobs: Iterable[TrackedJob], bridges: Iterable[Bridge]) -> bool:
        is_blocked = self.until == "blocked" and self._status == JobStatus.MANUAL
        if self._status is None or not (self._status.is_finished or is_blocked):
            return False
        return all(job.status in _WAITING for job in open_jobs) and not any(
            may_trigger(bridge) and bridge.status not in _WAITING for bridge in bridges
        )

    def _discover(self, bridges: Iterable[Bridge]) -> None:
        epoch = self.tracker.epoch
        for bridge in bridges:
            below = bridge.downstream_pipeline
            if below is not None and below.project_id and below.id not in self._emitted:
                self._emitted.add(below.id)
                found = DownstreamPipeline.of(below, bridge, epoch, is_new=self.is_known)
                self._discovered.append(found)


def _pipelines_in(result: QueryResult) -> list[PipelineBasic]:
    """Return the pipelines that the rows are or belong to."""
    inner = [job.pipeline for job in result.jobs if job.pipeline.id]
    return [*inner, *result.pipelines]
