"""Queries about one project, with the parameters that its server accepts."""

from collections.abc import Sequence
from datetime import datetime

from attrs import define

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.errors import BadRequestError, GitLabError, MethodNotAllowedError
from gitlab_jobs_async.listing.offset import without_keyset
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.watch.queries import Query, QueryKind, with_page_size
from gitlab_jobs_async.monitor.watch.watermark import PAGE

# Only unfinished ones matter at first, and most of those are new.
_FIRST_PIPELINES = 20
_OPEN = tuple(status for status in JobStatus if not status.is_finished)
_ADDED_IN_17 = {JobStatus.CANCELING, JobStatus.WAITING_FOR_CALLBACK}
_OPEN_BEFORE_17 = tuple(status for status in _OPEN if status not in _ADDED_IN_17)


@define
class ProjectQueries:
    """The queries of one project; by its *numeric_id* once a job has shown it."""

    project: ProjectId
    numeric_id: int | None = None
    _has_keyset: bool = True
    _open: Sequence[JobStatus] = _OPEN

    @property
    def _address(self) -> ProjectId:
        # The id stays valid when the project moves; the path does not.
        return self.project if self.numeric_id is None else self.numeric_id

    def learn_numeric_id(self, jobs: Sequence[Job | Bridge]) -> None:
        """Take the id of the project from one of its jobs."""
        if self.numeric_id is None and jobs:
            self.numeric_id = jobs[0].project_id or None

    def newest(self, rows: int) -> Query:
        """Return the query for the newest jobs, with pages of *rows* rows."""
        return self._listing(QueryKind.NEWEST, (), rows)

    def open_jobs(self) -> Query:
        """Return the query for unfinished jobs."""
        return self._listing(QueryKind.OPEN_JOBS, self._open, PAGE)

    def job(self, job_id: int) -> Query:
        """Return the query for one job."""
        return Query(QueryKind.JOB, endpoints.get_job(self._address, job_id), job_id)

    def pipeline_jobs(self, pipeline_id: int) -> Query:
        """Return the query for all jobs of a pipeline, retried ones included."""
        request = endpoints.list_pipeline_jobs(self._address, pipeline_id, include_retried=True)
        return Query(QueryKind.PIPELINE_JOBS, request, pipeline_id, all_pages=True)

    def bridges(self, pipeline_id: int) -> Query:
        """Return the query for the bridges of a pipeline."""
        request = endpoints.list_bridges(self._address, pipeline_id)
        return Query(QueryKind.BRIDGES, request, pipeline_id, all_pages=True)

    def pipelines(self, updated_after: datetime | None) -> Query:
        """Return the query for pipelines updated since, or for the newest ones."""
        if updated_after is None:
            request = with_page_size(endpoints.list_pipelines(self._address, {}), _FIRST_PIPELINES)
            return Query(QueryKind.PIPELINES, request)
        request = endpoints.list_pipelines(self._address, {"updated_after": updated_after})
        return Query(QueryKind.PIPELINES, request, all_pages=True)

    def adapt(self, kind: QueryKind, error: GitLabError) -> bool:
        """Omit a parameter that an older server refuses; return whether to retry."""
        is_listing = kind in {QueryKind.NEWEST, QueryKind.OPEN_JOBS}
        # GitLab answers 405 where it does not support keyset pagination.
        if is_listing and self._has_keyset and isinstance(error, MethodNotAllowedError):
            self._has_keyset = False
            return True
        # Servers before GitLab 17 refuse a scope with a status unknown to them.
        is_scoped = kind is QueryKind.OPEN_JOBS and self._open is _OPEN
        if is_scoped and isinstance(error, BadRequestError):
            self._open = _OPEN_BEFORE_17
            return True
        return False

    def _listing(self, kind: QueryKind, scope: Sequence[JobStatus], rows: int) -> Query:
        request = with_page_size(endpoints.list_jobs(self._address, scope=scope), rows)
        return Query(kind, request if self._has_keyset else without_keyset(request))
