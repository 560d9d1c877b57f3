"""The data of the full screen: the monitor's events, and listings of recent pipelines."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from itertools import chain

from attrs import define, field, frozen

from gitlab_jobs_async.cli.errors import error_line
from gitlab_jobs_async.cli.fullscreen.overview import Entry, Overview
from gitlab_jobs_async.cli.views.events import short_reason
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import PipelineBasic
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.monitor import Monitor
from gitlab_jobs_async.monitor.targets import GroupTarget, JobTarget, PipelineTarget

Targets = Sequence[int | str | PipelineTarget | GroupTarget]

_MOST_LISTED = 20
"""Projects whose recent pipelines are listed at the start, a request each."""

_RECENT = 10


@frozen(kw_only=True)
class Watched:
    """Options of the monitor; *check* is called with each event, and raises to end the watch.

    The recent pipelines are those of *ref*, a branch or tag, if it is given.
    """

    check: Callable[[AnyEvent], None]
    downstream: bool = False
    checkpoint: str | None = None
    shards: int = 1
    complete: bool = False
    ref: str | None = None


@define(eq=False, repr=False)
class Feed:
    """Fills *overview*; calls *changed* after each change, and *say* with an error."""

    gitlab: GitLab
    clock: Clock
    targets: Targets
    watched: Watched
    overview: Overview
    changed: Callable[[], None]
    say: Callable[[str], None]
    monitor: Monitor[Job | Bridge] | None = field(default=None, init=False)
    has_ended: bool = field(default=False, init=False)
    _followed: list[JobTarget] = field(factory=list, init=False)
    _resumed: asyncio.Event = field(factory=asyncio.Event, init=False)

    async def run(self) -> None:
        """Take the events until cancelled.

        Raises:
            GitLabError: the monitor cannot continue.
            CommandError: from `check`.
        """
        while True:
            await self._watch()
            # All pipelines have ended; a retry starts them again.
            self.has_ended, self.monitor = True, None
            self.changed()
            self._resumed.clear()
            await self._resumed.wait()
            self.has_ended = False

    async def _watch(self) -> None:
        """Take the events until all targets have ended."""
        async with self.gitlab.monitor(
            [*self.targets, *self._followed],
            downstream=self.watched.downstream,
            checkpoint=self.watched.checkpoint,
            shards=self.watched.shards,
            complete=self.watched.complete,
        ) as events:
            self.monitor = events
            async for event in events:
                self.overview.on_event(event, self.clock.now())
                self.changed()
                self.watched.check(event)

    @property
    def is_standing_by(self) -> bool:
        """Whether other processes watch all targets, with the same checkpoint."""
        return self.monitor is not None and not self.monitor.shards

    def follow(self, project: int | str, job_id: int | None) -> None:
        """Poll a job that was acted on at short intervals until it has ended.

        A project alone is polled by its activity. Pipelines that have ended are watched again.
        """
        followed = [] if job_id is None else [JobTarget(project, job_id)]
        if self.monitor is not None:
            for target in followed:
                self.monitor.add(target)
        self._followed = followed
        self._resumed.set()

    async def list_recent(self) -> None:
        """List the recent pipelines of the first projects; load the newest one if it has failed."""
        limit = self.gitlab.budget.snapshot().limit
        # A small budget is the monitor's, whose first scan has the jobs that run.
        most = _MOST_LISTED if limit is None else max(1, min(_MOST_LISTED, limit // 10))
        async with aclosing(self._projects()) as projects:
            count = 0
            async for project in projects:
                try:
                    await self._list_recent(project)
                except GitLabError as error:
                    # The monitor reports an unreachable project, too.
                    self.say(short_reason(error_line(error)))
                count += 1
                if count == most:
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
        jobs = await calls.list_pipeline_jobs(pipeline_id)
        bridges = (
            await gather_all([calls.list_bridges(pipeline_id)]) if self.watched.downstream else []
        )
        now = self.clock.now()
        every: chain[Job | Bridge] = chain(jobs, *bridges)
        for job in every:
            self.overview.on_job(path or project, job, now)
        self.changed()
