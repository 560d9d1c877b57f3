"""Keep the projects of groups as targets of a monitor: a listing now and then shows who joined.

A project is a target by its numeric id, so that it stays the same when it moves. A listing that
fails changes no target.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
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
from gitlab_jobs_async.monitor.memberships import GroupMembers, Memberships
from gitlab_jobs_async.monitor.poller import Poller
from gitlab_jobs_async.monitor.recorder import StateRecorder
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.targets import GroupTarget
from gitlab_jobs_async.monitor.watch.factory import NormalizedTarget, target_name
from gitlab_jobs_async.ratelimit.fair_queue import Priority

_REFRESH, _REFRESH_PER_PAGE = 300.0, 30.0
"""Seconds between two listings of a group: at least the first, and the second for each page."""

_CLOCK_SKEW = 900.0
"""Seconds by which the clock of a process before this one may differ, as in `hints.planner`."""


@frozen
class GroupState:
    """The projects of a group for a checkpoint, ids by path, as listed at a unix time."""

    projects: Mapping[str, int]
    availability_events: int = 0
    is_unreachable: bool = False
    listed_at: float | None = None


@define(eq=False, repr=False)
class _Group:
    target: GroupTarget
    availability: TargetAvailability
    members: GroupMembers
    due_at: float
    is_being_listed: bool = False
    is_known: bool = False
    """Whether the server has listed or refused it since it was added."""


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
    _memberships: Memberships = field(factory=Memberships, init=False)
    _changed: asyncio.Event = field(factory=asyncio.Event, init=False)

    def __len__(self) -> int:
        return len(self._groups)

    def add_own(self, target: NormalizedTarget) -> None:
        """Poll *target*, unless it is polled as a project of a group already.

        Raises:
            StoreError: its recorded state cannot be read.
        """
        name = given = target_name(target)
        if isinstance(target, str) and (member := self._memberships.member_at(target)):
            name = self._poller.project_name(*member) or given
        self._poller.add(target, name)
        if isinstance(target, int | str):
            self._memberships.add_own(given, name)

    def remove_own(self, target: NormalizedTarget) -> bool:
        """Stop polling *target*, unless a group has it; return whether it was a target."""
        if not isinstance(target, int | str):
            return self._poller.remove(target_name(target))
        name = self._memberships.remove_own(target_name(target))
        if name is None:
            return False
        if not any(self._poller.project_name(*m) == name for m in self._memberships.members()):
            self._poller.remove(name)
        return True

    def adding(self, target: GroupTarget) -> Iterator[None]:
        """Poll the projects of *target*, first those that an earlier monitor knew.

        Each step adds one of them.

        Raises:
            StoreError: the recorded state cannot be read.
        """
        name = group_name(target)
        if name in self._groups:
            return
        state = self._recorder.state(name, GroupState) or GroupState({})
        availability = TargetAvailability(
            target.group, name, state.availability_events, state.is_unreachable
        )
        known = {project: path for path, project in state.projects.items()}
        members = GroupMembers(known, state.listed_at)
        self._groups[name] = _Group(target, availability, members, self._now())
        self._memberships.groups[name] = members
        self._settle()
        for project, path in known.items():
            if self._poller.project_name(project, path) is None:
                self._recorder.keep_with(target_name(project), name)
                self._poller.add(project, target_name(project))
                yield
        self._changed.set()

    def remove(self, target: GroupTarget) -> bool:
        """Stop polling the projects of *target*; return whether it was polled."""
        name = group_name(target)
        if self._groups.pop(name, None) is None:
            return False
        for project, path in self._memberships.removed(name).items():
            self._leave(project, path)
        self._recorder.remove(name)
        self._recorder.forget(name)
        self._settle()
        self._changed.set()
        return True

    async def run(self) -> None:
        """List each group when it is due, until cancelled.

        Raises:
            AuthenticationError: the token is refused.
        """
        async with task_pool() as listings:
            while True:
                self._changed.clear()
                while listings.ended:
                    _, listing = await listings.next_done()
                    listing.result()
                waiting = [g for g in self._groups.items() if not g[1].is_being_listed]
                for name, group in waiting:
                    if group.due_at <= self._now():
                        group.is_being_listed = True
                        owner, refresh = group.target.group, self._refresh(name, group)
                        call = reported(self._transport, "monitor_group", refresh, group=owner)
                        listings.start(name, call)
                due = (group.due_at for _, group in waiting if not group.is_being_listed)
                await self._wait_for_change(min(due, default=None))

    async def _wait_for_change(self, due_at: float | None) -> None:
        async with task_pool() as waits:
            waits.start("change", self._changed.wait())
            if due_at is not None:
                waits.start("time", self._transport.clock.sleep(max(0.0, due_at - self._now())))
            _, ended = await waits.next_done()
            ended.result()

    async def _refresh(self, name: str, group: _Group) -> None:
        """List a group, and let its projects join and leave."""
        request = list_group_projects(
            group.target.group,
            {"archived": False},
            include_subgroups=group.target.include_subgroups,
        )
        began = self._now()
        try:
            rows = await self._list(request)
        except AuthenticationError as error:
            if await self._poller.token.is_refused(request):
                raise
            self._failed(name, group, error)
        except GitLabError as error:
            self._failed(name, group, error)
        else:
            self._listed(name, group, rows, began)
        finally:
            group.is_being_listed = False
            # When this task ends, not before.
            asyncio.get_running_loop().call_soon(self._changed.set)

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

    def _listed(self, name: str, group: _Group, rows: list[ProjectInfo], began: float) -> None:
        pages = ceil(len(rows) / PER_PAGE)
        group.due_at = self._now() + max(_REFRESH, _REFRESH_PER_PAGE * pages)
        # The group may have been removed while it was listed.
        if self._groups.get(name) is not group:
            return
        recovered = group.availability.on_success()
        listed_at = group.members.listed_at
        # Without CI/CD, each request for jobs would be refused.
        allowance = _CLOCK_SKEW + self._transport.server_clock.lag
        joined = [row for row in rows if row.jobs_enabled is not False]
        members = {row.id: row.path_with_namespace for row in joined}
        self._memberships.listed(name, members, began)
        for row in joined:
            if self._poller.project_name(row.id, row.path_with_namespace) is None:
                created = row.created_at.timestamp() + allowance
                # One that was moved here may have old jobs.
                is_new = listed_at is not None and created > listed_at
                self._recorder.keep_with(target_name(row.id), name)
                self._poller.add(row.id, target_name(row.id), is_new=is_new)
        group.is_known = True
        # Recorded after its projects: before, a restart in between would not take them for new.
        self._record(name, group, recovered)
        self._settle()

    def _failed(self, name: str, group: _Group, error: GitLabError) -> None:
        events = group.availability.on_error(error)
        group.due_at = self._now() + group.availability.retry_delay() * (0.5 + jitter() / 2)
        group.members.is_unreachable = group.availability.is_unreachable
        group.is_known |= group.availability.is_refused
        if self._groups.get(name) is group:
            self._record(name, group, events)
            self._settle()

    def _settle(self) -> None:
        """Stop polling the projects that have left all groups; events of theirs stay pending."""
        for project, path in self._memberships.take_left():
            self._leave(project, path, keep_events=True)
        unlisted = sum(not group.is_known for group in self._groups.values())
        self._poller.keep_open(len(self._groups), unlisted)

    def _leave(self, project: int, path: str, *, keep_events: bool = False) -> None:
        name = self._poller.project_name(project, path)
        if name is not None and not self._memberships.is_own(name):
            self._poller.remove(name, keep_events=keep_events)

    def _record(self, name: str, group: _Group, events: Sequence[AnyEvent]) -> None:
        state = GroupState(
            {path: project for project, path in group.members.projects.items()},
            group.availability.emitted,
            group.availability.is_unreachable,
            group.members.listed_at,
        )
        self._outbox.put(name, state, events)

    def _now(self) -> float:
        return self._transport.clock.now()


def group_name(target: GroupTarget) -> str:
    """Return the name of *target* in checkpoints and event keys."""
    return f"group {target.group}" + ("" if target.include_subgroups else " without subgroups")
