"""Requests for the status of one job or pipeline, and of all that a project has open."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Protocol, TypeVar

from attrs import define, field

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode, decode_rows
from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.errors import BadRequestError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.listing.fetch import by_keyset, iter_rows
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.ratelimit.fair_queue import Priority

S_co = TypeVar("S_co", covariant=True)

_OPEN = tuple(status for status in JobStatus if not status.is_finished)
_ADDED_IN_17 = {JobStatus.CANCELING, JobStatus.WAITING_FOR_CALLBACK}
_OPEN_BEFORE_17 = tuple(status for status in _OPEN if status not in _ADDED_IN_17)


class StatusSource(Protocol[S_co]):
    """The requests for one kind of subject."""

    async def get(self, project: ProjectId, subject_id: int) -> S_co:
        """Return one subject."""

    async def list_open(self, project: ProjectId, lowest: int, max_pages: int) -> Sequence[S_co]:
        """Return the unfinished subjects of *project* down to the id *lowest*, newest first.

        A subject may be missing although it has not ended: *max_pages* are read.
        """


@define(eq=False, repr=False)
class JobSource:
    """Jobs of one server."""

    _transport: Transport
    _capabilities: ServerCapabilities
    _scope: tuple[JobStatus, ...] = field(default=_OPEN, init=False)

    async def get(self, project: ProjectId, subject_id: int) -> Job:
        """See `StatusSource.get`."""
        request = endpoints.get_job(project, subject_id)
        response = await self._transport.send(request, Priority.BACKGROUND)
        return decode(response, Job, log_ignored_value)

    async def list_open(self, project: ProjectId, lowest: int, max_pages: int) -> Sequence[Job]:
        """See `StatusSource.list_open`."""
        try:
            return await self._list(project, lowest, max_pages)
        except BadRequestError:
            # Servers before GitLab 17 refuse a scope with a status unknown to them.
            if self._scope is not _OPEN:
                raise
        jobs, scope = [], self._scope
        try:
            self._scope = _OPEN_BEFORE_17
            jobs = await self._list(project, lowest, max_pages)
        except BadRequestError:
            self._scope = scope
            raise
        return jobs

    async def _list(self, project: ProjectId, lowest: int, max_pages: int) -> list[Job]:
        request = endpoints.list_jobs(project, scope=self._scope)
        pages = by_keyset(self._transport, self._capabilities, request, in_order=True)
        jobs: list[Job] = []
        async with aclosing(iter_rows(self._transport, pages, Job, Priority.BACKGROUND)) as rows:
            async for job in rows:
                jobs.append(job)
                if job.id <= lowest or len(jobs) >= max_pages * PER_PAGE:
                    break
        return jobs


@define(eq=False, repr=False)
class PipelineSource:
    """Pipelines of one server."""

    _transport: Transport

    async def get(self, project: ProjectId, subject_id: int) -> Pipeline:
        """See `StatusSource.get`."""
        request = endpoints.get_pipeline(project, subject_id)
        response = await self._transport.send(request, Priority.BACKGROUND)
        return decode(response, Pipeline, log_ignored_value)

    async def list_open(
        self,
        project: ProjectId,
        lowest: int,
        max_pages: int,  # noqa: ARG002 - never more than one
    ) -> Sequence[Pipeline]:
        """See `StatusSource.list_open`; return those among the newest hundred."""
        request = endpoints.list_pipelines(project, {})
        response = await self._transport.send(request, Priority.BACKGROUND)
        rows = decode_rows(response, Pipeline, report=log_ignored_value)
        return [row for row in rows if row.id >= lowest and not row.status.is_finished]
