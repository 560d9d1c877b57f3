"""The data of the full screen: the events of a monitor."""

import asyncio
from collections.abc import Callable, Sequence

from attrs import define, field, frozen

from gitlab_jobs_async.cli.fullscreen.overview import Overview
from gitlab_jobs_async.cli.views.events import details, event_name
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.events import AnyEvent, ProjectReset, ProjectUnreachable
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.monitor.monitor import Monitor
from gitlab_jobs_async.monitor.targets import GroupTarget, JobTarget, PipelineTarget

Targets = Sequence[int | str | PipelineTarget | GroupTarget]

_WARNINGS = ProjectUnreachable | ProjectReset


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
    """Fills *overview*; calls *changed* after each change, and *warn* about what is missing."""

    gitlab: GitLab
    clock: Clock
    targets: Targets
    watched: Watched
    overview: Overview
    changed: Callable[[], None]
    warn: Callable[[str], None]
    monitor: Monitor[Job | Bridge] | None = field(default=None, init=False)
    has_ended: bool = field(default=False, init=False)
    _is_scanned: bool = field(default=False, init=False)
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
                if isinstance(event, _WARNINGS):
                    name = event_name(event).replace("_", " ")
                    self.warn(f"{event.project_path or event.project}: {name}: {details(event)}")
                self.watched.check(event)

    def first_scan(self) -> tuple[int, int] | None:
        """Return how many of all targets were scanned; None once all that can be reached were."""
        if self._is_scanned or self.has_ended or self.is_standing_by:
            return None
        if self.monitor is None:
            return 0, 0
        status = self.monitor.status()
        self._is_scanned = status.targets > 0 and not status.unscanned
        if self._is_scanned or 0 < status.unscanned <= status.unreachable:
            return None
        return status.targets - status.unscanned, status.targets

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
