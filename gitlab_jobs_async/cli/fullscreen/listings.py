"""The data of the full screen that no event has: recent pipelines, and the jobs of ended ones."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from itertools import chain, count
from math import inf
from typing import Final

from attrs import define, field

from gitlab_jobs_async.cli.errors import error_line
from gitlab_jobs_async.cli.fullscreen.feed import Targets, Watched
from gitlab_jobs_async.cli.fullscreen.overview import Entry, Overview
from gitlab_jobs_async.cli.views.events import short_reason
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import PipelineBasic
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.targets import GroupTarget
from gitlab_jobs_async.retry.backoff import Backoff
from gitlab_jobs_async.retry.outage import OutageTolerance

_MOST_LISTED: Final = 20
"""Projects whose recent pipelines are listed at the start, a request each."""

_RECENT: Final = 10
_TOLERANCE: Final = OutageTolerance(inf)
_BACKOFF: Final = Backoff(5.0, 2.0, 60.0)


@define(eq=False, repr=False)
class Listings:
    """Lists into *overview*; calls *changed* after each change, and *warn* about what is missing.

    `loading` has the pipelines whose jobs are being read. `is_complete` is whether all recent
    pipelines are listed.
    """

    gitlab: GitLab
    clock: Clock
    targets: Targets
    watched: Watched
    overview: Overview
    changed: Callable[[], None]
    warn: Callable[[str], None]
    loading: list[int] = field(factory=list, init=False)
    is_complete: bool = field(default=False, init=False)
    _refused: set[int | str] = field(factory=set, init=False)

    async def list_recent(self) -> None:
        """List the recent pipelines of the first projects; load the newest one if it has failed.

        What an outage prevents is listed after it.
        """
        listed: set[int | str] = set()
        for failures in count():
            if await self._list_all(listed):
                self.is_complete = True
                return
            await self.clock.sleep(_BACKOFF.delay(failures))

    async def _list_all(self, listed: set[int | str]) -> bool:
        """List the pipelines of projects that are not yet *listed*; return whether all are."""
        is_complete = True
        try:
            for project in [one async for one in self._first_projects() if one not in listed]:
                if await self._is_listed(project):
                    listed.add(project)
                else:
                    is_complete = False
        except GitLabError as error:  # of a group
            self.warn(short_reason(error_line(error)))
            return not _TOLERANCE.tolerates(error)
        return is_complete

    async def _is_listed(self, project: int | str) -> bool:
        """List the pipelines of a project; return false only if a later attempt may succeed."""
        try:
            await self._list_recent(project)
        except GitLabError as error:
            if project not in self._refused:  # once an outage
                self._refused.add(project)
                self.warn(f"{project}: {short_reason(error_line(error))}")
            return not _TOLERANCE.tolerates(error)
        return True

    async def _first_projects(self) -> AsyncGenerator[int | str, None]:
        limit = self.gitlab.budget.snapshot().limit
        # A small budget is the monitor's, whose first scan has the jobs that run.
        most = _MOST_LISTED if limit is None else max(1, min(_MOST_LISTED, limit // 10))
        async with aclosing(self._projects()) as projects:
            async for project in projects:
                yield project
                most -= 1
                if not most:
                    return

    async def _projects(self) -> AsyncGenerator[int | str, None]:
        """Yield the projects that are watched, those of groups last."""
        for target in self.targets:
            if isinstance(target, int | str):
                yield target
        for target in self.targets:
            if isinstance(target, GroupTarget):
                group = self.gitlab.group(target.group)
                listed = group.iter_projects(include_subgroups=target.include_subgroups)
                async with aclosing(listed) as projects:
                    async for project in projects:
                        yield project.path_with_namespace

    async def _list_recent(self, project: int | str) -> None:
        listed: list[PipelineBasic] = []
        calls, ref = self.gitlab.project(project), self.watched.ref
        found = calls.iter_pipelines() if ref is None else calls.iter_pipelines(ref=ref)
        async with aclosing(found) as pipelines:
            async for pipeline in pipelines:
                self.overview.on_listed(project, pipeline)
                listed.append(pipeline)
                if len(listed) == _RECENT:
                    break
        self.changed()
        if listed and listed[0].status == JobStatus.FAILED:
            await self._load(project, listed[0].id)

    async def load(self, entry: Entry) -> None:
        """Read the jobs of a pipeline that was only listed."""
        if entry.id is None or entry.is_loading:
            return
        entry.is_loading = True
        self.changed()
        try:
            await self._load(entry.project_id, entry.id, entry.project)
        finally:
            entry.is_loading = False
            self.changed()

    async def _load(
        self, project: int | str, pipeline_id: int, path: int | str | None = None
    ) -> None:
        calls = self.gitlab.project(project)
        self.loading.append(pipeline_id)
        try:
            jobs = await calls.list_pipeline_jobs(pipeline_id)
            bridges = await calls.list_bridges(pipeline_id) if self.watched.downstream else []
        finally:
            self.loading.remove(pipeline_id)
        now = self.clock.now()
        every: chain[Job | Bridge] = chain(jobs, bridges)
        for job in every:
            self.overview.on_job(path or project, job, now)
        self.changed()
