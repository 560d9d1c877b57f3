"""Keep the projects of groups as targets of a monitor: a listing now and then shows who joined.

A project is a target by its numeric id, so that it stays the same when it moves. A listing that
fails changes no target.
"""

import asyncio
from collections.abc import Sequence
from math import ceil

from attrs import define, field, frozen

from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.group_endpoints import list_group_projects
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.clock import jitter
from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.errors import AuthenticationError, GitLabError
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.http.calls import reported
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.listing.fetch import by_offset, read_all
from gitlab_jobs_async.models.projects import ProjectInfo
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.poller import Poller
from gitlab_jobs_async.monitor.recorder import StateRecorder
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.targets import GroupTarget
from gitlab_jobs_async.monitor.watch.factory import target_name
from gitlab_jobs_async.ratelimit.fair_queue import Priority

_REFRESH, _REFRESH_PER_PAGE = 300.0, 30.0
"""Seconds between two listings of a group: at least the first, and the second for each page."""


@frozen
class GroupState:
    """The projects of a group for a checkpoint, as listed at a unix time."""

    projects: tuple[int, ...]
    availability_events: int = 0
    is_unreachable: bool = False
    listed_at: float | None = None


@define(eq=False, repr=False)
class _Group:
    target: GroupTarget
    availability: TargetAvailability
    projects: frozenset[int]
    due_at: float
    listed_at: float | None


@define(eq=False, repr=False)
class GroupTargets:
    """The groups of a monitor, whose projects *poller* polls.

    A project that is also a target of its own is polled once, and stays when it leaves the group.
    """

    _transport: Transport
    _poller: Poller
    _outbox: Outbox
    _recorder: StateRecorder
    _groups: dict[str, _Group] = field(factory=dict, init=False)
    _own: set[str] = field(factory=set, init=False)
    _changed: asyncio.Event = field(factory=asyncio.Event, init=False)

    def __len__(self) -> int:
        return len(self._groups)

    def own(self, name: str) -> None:
        """Note that *name* is a target of its own."""
        self._own.add(name)

    def disown(self, name: str) -> None:
        """Note that *name* was removed as a target of its own; a group may still have it."""
        self._own.discard(name)
        for group in self._groups.values():
            group.due_at = min(group.due_at, self._now())
        self._changed.set()

    def add(self, target: GroupTarget) -> None:
        """Poll the projects of *target*, first those that an earlier monitor knew.

        Raises:
            CheckpointError: the recorded state cannot be read.
        """
        name = group_name(target)
        if name in self._groups:
            return
        state = self._recorder.state(name, GroupState) or GroupState(())
        availability = TargetAvailability(
            target.group, name, state.availability_events, state.is_unreachable
        )
        known = frozenset(state.projects)
        self._groups[name] = _Group(target, availability, known, self._now(), state.listed_at)
        self._poller.keep_open(len(self._groups))
        for project in state.projects:
            self._poller.add(project, target_name(project))
        self._changed.set()

    def remove(self, target: GroupTarget) -> bool:
        """Stop polling the projects of *target*; return whether it was polled."""
        group = self._groups.pop(name := group_name(target), None)
        if group is None:
            return False
        for project in group.projects:
            self._leave(project)
        self._recorder.forget(name)
        self._poller.keep_open(len(self._groups))
        self._changed.set()
        return True

    async def run(self) -> None:
        """List each group when it is due, until cancelled.

        Raises:
            AuthenticationError: the token is refused.
        """
        while True:
            self._changed.clear()
            now = self._now()
            for name in [name for name, group in self._groups.items() if group.due_at <= now]:
                if (group := self._groups.get(name)) is not None:
                    scan = self._refresh(name, group)
                    owner = group.target.group
                    await reported(self._transport, "monitor_group", scan, group=owner)
            due_at = min((group.due_at for group in self._groups.values()), default=None)
            async with task_pool() as waits:
                waits.start("change", self._changed.wait())
                if due_at is not None:
                    waits.start("time", self._transport.clock.sleep(max(0.0, due_at - self._now())))
                _, ended = await waits.next_done()
                ended.result()

    async def _refresh(self, name: str, group: _Group) -> None:
        request = list_group_projects(
            group.target.group,
            {"archived": False},
            include_subgroups=group.target.include_subgroups,
            simple=True,
        )
        began = self._now()
        try:
            rows = await self._list(request)
        except AuthenticationError as error:
            if await self._poller.token.is_refused(request):
                raise
            self._failed(name, group, error)
            return
        except GitLabError as error:
            self._failed(name, group, error)
            return
        recovered = group.availability.on_success()
        pages = ceil(len(rows) / PER_PAGE)
        group.due_at = self._now() + max(_REFRESH, _REFRESH_PER_PAGE * pages)
        # The group may have been removed while it was listed.
        if self._groups.get(name) is not group:
            return
        before, group.projects = group.projects, frozenset(row.id for row in rows)
        listed_at, group.listed_at = group.listed_at, began
        # Recorded before its projects, so that a restart knows whose they are.
        self._record(name, group, recovered)
        for row in rows:
            if not self._poller.has_project(row.id, row.path_with_namespace):
                # One that was moved here may have old jobs.
                is_new = listed_at is not None and row.created_at.timestamp() > listed_at
                self._poller.add(row.id, target_name(row.id), is_new=is_new)
        for project in before - group.projects:
            self._leave(project)

    async def _list(self, request: Request) -> list[ProjectInfo]:
        """Return the projects of a group, after one retry of a 401."""
        try:
            return await self._read(request)
        except AuthenticationError:
            await self._poller.token.pause()
        return await self._read(request)

    async def _read(self, request: Request) -> list[ProjectInfo]:
        walk = by_offset(self._transport, request)
        return await read_all(self._transport, walk, ProjectInfo, Priority.BACKGROUND)

    def _failed(self, name: str, group: _Group, error: GitLabError) -> None:
        events = group.availability.on_error(error)
        group.due_at = self._now() + group.availability.retry_delay() * (0.5 + jitter() / 2)
        self._record(name, group, events)

    def _leave(self, project: int) -> None:
        """Stop polling a project that has left a group, unless something else names it."""
        name = target_name(project)
        if name not in self._own and not any(project in g.projects for g in self._groups.values()):
            self._poller.remove(name)

    def _record(self, name: str, group: _Group, events: Sequence[AnyEvent]) -> None:
        state = GroupState(
            tuple(sorted(group.projects)),
            group.availability.emitted,
            group.availability.is_unreachable,
            group.listed_at,
        )
        self._outbox.put(name, state, events)

    def _now(self) -> float:
        return self._transport.clock.now()


def group_name(target: GroupTarget) -> str:
    """Return the name of *target* in checkpoints and event keys."""
    return f"group {target.group}" + ("" if target.include_subgroups else " without subgroups")
