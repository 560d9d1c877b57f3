"""Calls about the jobs of several projects; `GitLab` inherits all of it."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import TypeVar

from gitlab_jobs_async import failures, models
from gitlab_jobs_async import monitor as monitors
from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.parameters import GroupId, ProjectId, Scope, group_path, project_path
from gitlab_jobs_async.api.rows import UndecodedRow
from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.group import Group, with_projects_of_groups
from gitlab_jobs_async.listing.fetch import by_keyset, filter_ref, iter_pages, newest_first
from gitlab_jobs_async.listing.strategy import PageStrategy
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.monitor.targets import GroupTarget
from gitlab_jobs_async.project import Project
from gitlab_jobs_async.server_client import ServerClient

T = TypeVar("T")


class JobsClient(ServerClient):
    """The calls of `GitLab` about the jobs of several projects, and its projects and groups."""

    def project(self, project: ProjectId) -> Project:
        """Return a project by numeric id or full path, such as "group/app", without a request."""
        project_path(project)
        # Shared, so that all projects profit from one discovery about the server.
        return Project(project, self._transport, self._capabilities, self._polls)

    def group(self, group: GroupId) -> Group:
        """Return a group by numeric id or full path, such as "shop/web", without a request."""
        group_path(group)
        return Group(group, self._transport)

    async def list_jobs(
        self,
        projects: "Iterable[ProjectId | monitors.GroupTarget]",
        *,
        scope: Scope = (),
        ref: str | None = None,
    ) -> dict[ProjectId, list[Job]]:
        """Return all jobs of several projects, by project in the given order.

        A `GroupTarget` stands for the projects of a group that are not archived and have CI/CD;
        their keys are paths. Projects are fetched concurrently, each once. The first one that fails
        ends the call with its error; call `Project.list_jobs` for each to handle errors one by one.
        """
        walks = self._job_walks(await self._expanded(projects, scope, ref), scope, ref)
        listed: dict[ProjectId, list[Job]] = {project: [] for project, _ in walks}
        async with task_pool() as flight:
            async for project, page in iter_pages(flight, self._transport, walks, Job):
                listed[project] += filter_ref(page, ref)
        # Concurrent pages arrive in any order.
        return {project: newest_first(jobs) for project, jobs in listed.items()}

    @asynccontextmanager
    async def stream_jobs(
        self,
        projects: "Iterable[ProjectId | monitors.GroupTarget]",
        *,
        scope: Scope = (),
        ref: str | None = None,
    ) -> AsyncIterator[AsyncIterator[tuple[ProjectId, Job]]]:
        """Yield the jobs of several projects as they arrive, each with its project as given.

        A `GroupTarget` stands for the projects of a group, by their paths, as in `list_jobs`.

        `async with gitlab.stream_jobs([1, 2]) as jobs: async for project, job in jobs`. Pages are
        requested as jobs are consumed; only a few are in memory. The end of the block cancels
        pending requests.
        """
        walks = self._job_walks(await self._expanded(projects, scope, ref), scope, ref)
        async with task_pool() as flight:
            pages = iter_pages(flight, self._transport, walks, Job)
            jobs = _one_by_one(pages, ref)
            try:
                yield jobs
            finally:
                await flight.close()
                # Another task may still iterate; it was just cancelled, and closes them itself.
                with suppress(RuntimeError):
                    await jobs.aclose()

    async def _expanded(
        self, projects: "Iterable[ProjectId | monitors.GroupTarget]", scope: Scope, ref: str | None
    ) -> list[ProjectId]:
        """Return the projects, with those of groups by their paths, after a check of all."""
        given = list(_several(projects))
        for one in given:
            if isinstance(one, GroupTarget):
                group_path(one.group)
                endpoints.list_jobs(1, scope=scope, ref=ref)
            else:
                endpoints.list_jobs(one, scope=scope, ref=ref)
        return await with_projects_of_groups(given, self.group)

    def _job_walks(
        self, projects: Iterable[ProjectId], scope: Scope, ref: str | None
    ) -> list[tuple[ProjectId, PageStrategy[UndecodedRow]]]:
        """Return a page strategy for each distinct project."""
        requests = [
            (project, endpoints.list_jobs(project, scope=scope, ref=ref)) for project in projects
        ]
        return [
            (project, by_keyset(self._transport, self._capabilities, request))
            for project, request in dict(requests).items()
        ]

    async def list_failures(
        self,
        projects: "Iterable[ProjectId | monitors.GroupTarget]",
        *,
        since: datetime | timedelta,
        ref: str | None = None,
        lookback: timedelta = timedelta(days=1),
    ) -> "list[models.FailureGroup]":
        """Return the failed jobs of several projects by project, name and reason, most jobs first.

        A project is read up to its first job that was created more than *lookback* before *since*.
        So a job that waited for longer, such as a manual one, is missing. `flaky_ids` of a group
        are the jobs that passed on retry, as far as the retry has finished. Bridges are missing:
        GitLab does not list them with jobs.

        A project without failures costs one request; else one for each 100 failed jobs, and up to
        two more. The search for retries costs one for each 100 successful jobs since the oldest
        failure, but at most two for each pipeline with a failed job and up to 100 successful ones.

        Args:
            projects: ids, paths or groups; the first that fails ends the call with its error.
            since: the earliest end of the jobs: a time with its zone, or the time from then to now.
            ref: a branch or tag. Servers before GitLab 19 list all refs; only the result has one.
            lookback: how long before *since* a job may have been created.

        Raises:
            TypeError, ValueError: an argument is invalid; raised before any request.
        """
        period = failures.Period.of(since, lookback, self._transport.clock.now())
        endpoints.list_jobs(1, ref=ref)  # Raises now: the projects are read in tasks.
        given = await self._expanded(projects, (), ref)
        each = [self.project(project) for project in dict.fromkeys(given)]
        return await failures.read_failures(each, period, ref)


async def _one_by_one(
    pages: AsyncGenerator[tuple[ProjectId, Sequence[Job]], None], ref: str | None
) -> AsyncGenerator[tuple[ProjectId, Job], None]:
    async with aclosing(pages):
        async for project, page in pages:
            for job in filter_ref(page, ref):
                yield project, job


def _several(projects: Iterable[T]) -> Iterable[T]:
    # A string is iterable, too: its characters would be taken for projects.
    if isinstance(projects, str | bytes | int):
        raise TypeError(f"projects must be several ids or paths, not {projects!r}")
    return projects
