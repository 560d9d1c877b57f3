"""Requests for jobs that a scan should have returned, and for reopened pipelines."""

from collections import deque
from collections.abc import Iterable, Sequence

from attrs import define, field

from gitlab_jobs_async.errors import (
    GitLabError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
)
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.monitor.schedule.availability import is_gone
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from gitlab_jobs_async.monitor.watch.project_jobs import ProjectJobs
from gitlab_jobs_async.monitor.watch.project_queries import ProjectQueries
from gitlab_jobs_async.monitor.watch.queries import Query, QueryKind, QueryResult
from gitlab_jobs_async.monitor.watch.reopened_pipelines import ReopenedPipelines

REFUSALS = (NotFoundError, PermissionDeniedError, MethodNotAllowedError)
"""Errors that concern one pipeline, or a feature that the project does not have."""

_MAX_SINGLE_PER_PIPELINE = 2
# So that one project with many missing jobs does not use up the budget.
_MAX_SINGLE = 20


@define
class JobRechecks:
    """Request jobs singly, or with their pipeline where that takes fewer requests."""

    _jobs: ProjectJobs
    _tracker: JobTracker
    _reopened: ReopenedPipelines
    _queries: ProjectQueries
    _queue: deque[Query] = field(factory=deque[Query], init=False)

    def add(self, ids: Iterable[int]) -> None:
        """Request tracked jobs; beyond the maximum, leave the others to the next poll."""
        by_pipeline: dict[int, list[int]] = {}
        tracked = self._tracker.jobs
        for job_id in sorted(job_id for job_id in ids if job_id in tracked):
            by_pipeline.setdefault(tracked[job_id].pipeline_id, []).append(job_id)
        single: list[int] = []
        for pipeline_id, job_ids in by_pipeline.items():
            if pipeline_id and len(job_ids) > _MAX_SINGLE_PER_PIPELINE:
                self._queue.append(self._queries.pipeline_jobs(pipeline_id))
            else:
                single += job_ids
        self._queue.extend(map(self._queries.job, single[:_MAX_SINGLE]))

    def add_reopened(self) -> None:
        """Request the pipelines whose skipped jobs may have been reopened."""
        self._queue.extend(map(self._queries.pipeline_jobs, self._reopened.pipelines()))

    def next_query(self) -> Query | None:
        """Return the next query, once."""
        return self._queue.popleft() if self._queue else None

    def on_result(self, now: float, query: Query, result: QueryResult) -> Sequence[AnyEvent]:
        """Emit the events of one job, or of the jobs of one pipeline."""
        if query.kind is QueryKind.PIPELINE_JOBS:
            self._reopened.polled(query.subject_id)
        return self._jobs.update(result.jobs, now)

    def on_error(self, _now: float, query: Query, error: GitLabError) -> Sequence[AnyEvent] | None:
        """Report jobs as deleted if GitLab says so; continue without a refused pipeline."""
        if query.kind is QueryKind.JOB:
            # A refusal is not a deletion: the poll fails, and the next one repeats the query.
            return self._tracker.delete(query.subject_id) if is_gone(error) else None
        if not isinstance(error, REFUSALS):
            return None
        self._reopened.polled(query.subject_id)
        return self._jobs.delete_pipeline(query.subject_id) if is_gone(error) else []
