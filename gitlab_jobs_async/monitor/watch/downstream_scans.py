"""Scans of a poll that find downstream pipelines: changed pipelines, then their bridges."""

from collections import deque
from collections.abc import Sequence

from attrs import define, field

from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.monitor.schedule.availability import is_gone
from gitlab_jobs_async.monitor.watch.downstream import DownstreamTracker
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from gitlab_jobs_async.monitor.watch.project_jobs import ProjectJobs
from gitlab_jobs_async.monitor.watch.project_queries import ProjectQueries
from gitlab_jobs_async.monitor.watch.queries import Query, QueryResult
from gitlab_jobs_async.monitor.watch.rechecks import REFUSALS

_MAX_PIPELINES = 100
"""Pipelines whose bridges one poll requests, so that endless chains do not stop job scans."""


@define
class ChangedPipelinesScan:
    """Read the pipelines that have changed since the last poll."""

    _downstream: DownstreamTracker
    _queries: ProjectQueries
    _is_sent: bool = field(default=False, init=False)

    def next_query(self) -> Query | None:
        """Return the only query, once."""
        if self._is_sent:
            return None
        self._is_sent = True
        return self._queries.pipelines(self._downstream.updated_after)

    def on_result(self, _now: float, _query: Query, result: QueryResult) -> Sequence[AnyEvent]:
        """Mark the pipelines as dirty."""
        self._downstream.on_pipelines(result.pipelines)
        return ()

    def on_error(self, _now: float, _query: Query, error: GitLabError) -> Sequence[AnyEvent] | None:
        """Continue without pipelines where the project refuses them."""
        # Events of jobs do not need this list: a refusal must not stop them.
        return () if isinstance(error, REFUSALS) else None


@define
class BridgesScan:
    """Read the bridges of dirty pipelines, after all scans that mark pipelines as dirty."""

    _jobs: ProjectJobs
    _downstream: DownstreamTracker
    _tracker: JobTracker
    _queries: ProjectQueries
    _began: float
    _queue: deque[int] = field(factory=deque[int], init=False)
    _left: int = field(default=_MAX_PIPELINES, init=False)

    def next_query(self) -> Query | None:
        """Return the query for the next pipeline that is due, each once."""
        if not self._queue:
            due = self._downstream.due(self._began)[: self._left]
            self._left -= len(due)
            self._queue.extend(due)
        return self._queries.bridges(self._queue.popleft()) if self._queue else None

    def on_result(self, now: float, query: Query, result: QueryResult) -> Sequence[AnyEvent]:
        """Emit the events of a pipeline's bridges, and collect their downstream pipelines."""
        pipeline_id, bridges, tracker = query.subject_id, result.bridges, self._tracker
        self._downstream.on_bridges(pipeline_id, bridges, now)
        project_id, is_new = self._queries.numeric_id, self._jobs.is_new_bridge
        self._downstream.discover(bridges, project_id, is_new, tracker.epoch)
        return [
            *self._jobs.update(bridges, now, new_above=tracker.baseline_id),
            *self._jobs.delete_bridges(pipeline_id, bridges),
        ]

    def on_error(self, now: float, query: Query, error: GitLabError) -> Sequence[AnyEvent] | None:
        """Report the bridges as deleted if GitLab says so twice; continue without them."""
        if not isinstance(error, REFUSALS):
            return None
        is_sure = self._downstream.refuse(query.subject_id, now)
        return self._jobs.delete_bridges(query.subject_id) if is_sure and is_gone(error) else ()
