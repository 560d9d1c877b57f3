"""Looks at many targets, as many at once as requests may be made, each when its turn has come.

What a look brings is put into the outbox with the state it leads to. While that is full, no look
begins; one that fails is its target's affair alone, unless nothing can be asked at all.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from math import inf, isfinite

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.clock import jitter
from gitlab_jobs_async.concurrency import TaskPool, task_pool
from gitlab_jobs_async.errors import (
    AuthenticationError,
    CheckpointError,
    GitLabError,
    RateLimitedError,
)
from gitlab_jobs_async.events import Event, ProjectReset
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.models.webhooks import JobHook, PipelineHook
from gitlab_jobs_async.monitor.announcer import Announcer
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.checkpoint.progress import PROGRESS, Progress, ProgressRows
from gitlab_jobs_async.monitor.checkpoint.serialization import dumps, loads
from gitlab_jobs_async.monitor.fetch import answered
from gitlab_jobs_async.monitor.schedule.interval import MAX_INTERVAL
from gitlab_jobs_async.monitor.schedule.scheduler import PollScheduler
from gitlab_jobs_async.monitor.schedule.shared import ScheduleShare, SharedSchedule
from gitlab_jobs_async.monitor.target_index import TargetIndex
from gitlab_jobs_async.monitor.targets import PipelineTarget
from gitlab_jobs_async.monitor.token_check import TokenCheck
from gitlab_jobs_async.monitor.watch.factory import (
    NormalizedTarget,
    create_watch,
    normalize_target,
    target_name,
)
from gitlab_jobs_async.monitor.watch.id_history import IDS, IdHistory, IdState
from gitlab_jobs_async.monitor.watch.pipeline import TargetState
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.monitor.watch.queries import DownstreamPipeline, Query, QueryResult, Watch
from gitlab_jobs_async.ratelimit.budget import JOBS_INDEX
from gitlab_jobs_async.ratelimit.fair_queue import Priority, RequestClass

FOUND = "found: "
"""What the names of targets begin with that a bridge has led to."""

_LONGEST_HELD_BACK = 60.0
"""Seconds until a target that the rate limit holds back asks again; only the door is knocked at."""

_MOST_REMEMBERED = 10_000
"""Pipelines that bridges have led to and that are over."""

_APART = 1.0
"""Seconds between the first polls of two targets that are overdue after a restart."""


class Poller:
    """The targets, and the looks at them; *states* is what an earlier monitor recorded."""

    def __init__(
        self,
        transport: Transport,
        capabilities: ServerCapabilities,
        shared: SharedSchedule,
        outbox: Outbox,
        states: Mapping[str, bytes],
        *,
        downstream: bool,
    ) -> None:
        self._transport = transport
        self._capabilities = capabilities
        self._shared = shared
        self._outbox = outbox
        self._states = {name: states[name] for name in states if not _is_progress(name)}
        self._progress = ProgressRows()
        self._history = self._known_ids()
        self._overdue = 0
        for row in filter(_is_progress, states):
            try:
                self._progress.restore(row, states[row])
            except ValueError as error:
                raise CheckpointError(outbox.path, f"{row!r} cannot be read: {error}") from error
        self._downstream = downstream
        self._scheduler: PollScheduler = PollScheduler()
        self._index = TargetIndex()
        self._watches: dict[str, Watch] = {}
        self._hastened: set[str] = set()
        self._recorded: dict[str, tuple[bool, bool]] = {}
        self._over: deque[str] = deque()
        self._changed = asyncio.Event()
        self._announcer = Announcer()
        self._seen_pauses = -1
        self._refused: set[str] = set()
        self.token = TokenCheck(transport)

    def __len__(self) -> int:
        return len(self._watches)

    def add(self, target: NormalizedTarget, name: str) -> None:
        """Look at *target* too, unless there is one of that *name*."""
        if name in self._watches:
            return
        now = self._transport.clock.now()
        recorded = self._states.pop(name, None)
        progress = None if recorded is None else self._progress.known(name)
        try:
            watch = create_watch(
                target, recorded, now, progress, self._history, downstream=self._downstream
            )
        except ValueError as error:
            raise CheckpointError(self._outbox.path, f"the state of {name}: {error}") from error
        self._watches[name] = watch
        self._index.add(name, target)
        self._learn(name, watch)
        if recorded is not None:
            self._recorded[name] = watch.is_known, watch.is_over
        if watch.is_over:
            self._drop(name)
        elif recorded is not None and watch.next_at <= now:
            self._wait_overdue(name, watch)
        else:
            self._wait(name, watch)

    def resume(self) -> None:
        """Look at what bridges had led an earlier monitor to."""
        for name in [name for name in self._states if name.startswith(FOUND)]:
            try:
                project, pipeline_id = map(int, name.removeprefix(FOUND).split(" "))
                target = normalize_target(PipelineTarget(project, pipeline_id))
            except ValueError as error:
                raise CheckpointError(self._outbox.path, f"{name!r} is no target") from error
            self.add(target, name)

    def remove(self, name: str) -> bool:
        """Look at it no longer, and tell nothing more of it; whether it was there."""
        is_there = name in self._watches
        if is_there:
            self._drop(name)
            self._outbox.drop(name)
            self._progress.forget(name)
        return is_there

    def hasten(self, hook: JobHook | PipelineHook) -> bool:
        """Look soon at what *hook* tells of; whether that is watched."""
        concerned = self._index.concerned(hook)
        for name in concerned:
            if name in self._scheduler:
                watch, now = self._watches[name], self._now()
                watch.poll_now(now)
                self._scheduler.expedite(name, now, max(0.0, watch.next_at - now))
                self._changed.set()
            else:
                self._hastened.add(name)
        return bool(concerned)

    async def run(self) -> None:
        """Look, until the task that does it is cancelled.

        Raises:
            AuthenticationError: the token is no longer good.
            CheckpointError: the checkpoint cannot be written.
        """
        with (
            self._transport.watching_pauses(self._changed),
            self._shared.join(self._changed.set) as share,
        ):
            await self._run(share)

    async def _run(self, share: ScheduleShare) -> None:
        async with task_pool() as looks:
            while True:
                self._changed.clear()
                while looks.ended:
                    _, look = await looks.first()
                    share.release()
                    look.result()
                self._announce_pauses()
                self._announce()
                self._begin(looks, share)
                self._record_progress()
                if self._watches:
                    self._outbox.begin()
                else:
                    self._outbox.finish()
                await self._until_something_changes(share)

    def _announce(self) -> None:
        """Tell that no target can be reached; once, and again if that has changed meanwhile."""
        refused = next(iter(self._refused), None)
        last = None if refused is None else self._watches[refused].availability.refusal
        targets = len(self._watches), len(self._refused)
        for event in self._announcer.of_targets(*targets, last, self._now()):
            self._outbox.announce(event)

    def _announce_pauses(self) -> None:
        """Tell of pauses that begin and end, before what is told by the answers after them."""
        budget = self._transport.budget
        if self._seen_pauses == budget.pause_changes:
            return
        self._seen_pauses = budget.pause_changes
        for event in self._announcer.of_pauses(budget.pauses(self._now()), budget.holds_back):
            self._outbox.announce(event)

    def _begin(self, looks: TaskPool[str, None], share: ScheduleShare) -> None:
        """Begin the looks whose turn it is."""
        has_capacity = self._outbox.has_capacity()
        share.claim(len(self._watches), self._scheduler.demand if has_capacity else 0.0)
        spacing = self._transport.budget.gap(JOBS_INDEX, self._shared.targets, self._now())
        self._scheduler.spacing = spacing * share.stretch
        # Asked before the time, which goes on: the other way round nothing would ever be open.
        is_open = self._transport.lets_through_at(Priority.BACKGROUND) <= self._now()
        while is_open and self._outbox.has_capacity() and self._scheduler.next_at() <= self._now():
            if not share.acquire():
                return
            name = self._scheduler.pop_due(self._now())
            if name is None:
                share.release()
                break
            looks.start(name, self._look(name, self._watches[name]))
        share.leave_queue()

    async def _until_something_changes(self, share: ScheduleShare) -> None:
        """Return when a look has ended, a target has come, or the next turn has."""
        may_begin = not share.is_queued and self._outbox.has_capacity()
        next_at = max(
            self._scheduler.next_at(), self._transport.lets_through_at(Priority.BACKGROUND)
        )
        wait = next_at - self._now() if may_begin else inf
        writes_at = self._progress.next_at()
        if may_begin and writes_at is not None:
            wait = min(wait, writes_at - self._now())
        async with task_pool() as first:
            first.start("change", self._changed.wait())
            if isfinite(wait):
                first.start("turn", self._transport.clock.sleep(max(0.0, wait)))
            if not self._outbox.has_capacity():
                first.start("room", self._outbox.wait_for_capacity())
            _, ended = await first.first()
            ended.result()

    async def _look(self, name: str, watch: Watch) -> None:
        try:
            while (query := watch.next_query(self._now())) is not None:
                events = await self._observed(watch, query)
                self._announce_pauses()
                self._note_refusal(name, watch)
                if self._watches.get(name) is watch:
                    self._learn(name, watch)
                    self._tell(name, watch, events)
                    await self._outbox.wait_for_capacity()
                if self._watches.get(name) is not watch:
                    return
            self._scanned(name, watch)
            if watch.is_over:
                self._drop(name)
            else:
                if name in self._hastened:
                    watch.poll_now(self._now())
                self._wait(name, watch)
        finally:
            self._hastened.discard(name)
            # Together with the end of this task, or `run` may miss it when a timer wakes it first.
            asyncio.get_running_loop().call_soon(self._changed.set)

    def _note_refusal(self, name: str, watch: Watch) -> None:
        if self._watches.get(name) is watch and watch.availability.is_refused:
            self._refused.add(name)
        else:
            self._refused.discard(name)

    async def _observed(self, watch: Watch, query: Query) -> list[Event]:
        try:
            answer = await self._answered(query)
        except AuthenticationError as error:
            return await self._doubted(watch, query, error)
        except GitLabError as error:
            return self._failed(watch, error)
        return [*watch.on_result(self._now(), answer)]

    async def _answered(self, query: Query) -> QueryResult:
        """What the server says to *query*; how long it is held back is not left to one answer."""
        try:
            answer = await answered(self._transport, self._capabilities, query)
        except RateLimitedError as error:
            kind = RequestClass.of(query.request, Priority.BACKGROUND).kind
            self._announcer.kinds.add(kind)
            self._seen_pauses = -1
            if self._transport.is_held_back(query.request, Priority.BACKGROUND):
                raise _asked_soon(error) from error
            raise
        self.token.worked(query.request)
        return answer

    async def _doubted(self, watch: Watch, query: Query, error: AuthenticationError) -> list[Event]:
        """Ask again after a 401; it is the target's own trouble, unless the token is refused.

        Raises:
            AuthenticationError: the token is no longer good.
        """
        is_known = watch.availability.refusal is not None and self.token.is_proven()
        if not is_known:
            await self.token.pause()
            try:
                return [*watch.on_result(self._now(), await self._answered(query))]
            except AuthenticationError as again:
                error = again
            except GitLabError as other:
                return self._failed(watch, other)
            if await self.token.is_refused(query.request):
                raise error
        return self._failed(watch, error)

    def _failed(self, watch: Watch, error: GitLabError) -> list[Event]:
        return [*watch.on_error(self._now(), error)]

    def _tell(self, name: str, watch: Watch, events: list[Event]) -> None:
        """Record what a look has brought, and let it be told.

        Where bridges have led to is recorded before it, so that a restart knows of both or neither.
        """
        for lead in watch.take_discovered():
            self._follow(lead)
        stands = watch.is_known, watch.is_over
        if any(isinstance(event, ProjectReset) for event in events):
            self._record_ids()
        if events or self._recorded.get(name) != stands:
            self._outbox.put(name, watch.state(), events)
            self._recorded[name] = stands

    def _learn(self, name: str, watch: Watch) -> None:
        """Find a project by its id as soon as that is known: its path may change."""
        if isinstance(watch, ProjectWatch) and watch.numeric_id is not None:
            self._index.learn(name, watch.numeric_id)

    def _scanned(self, name: str, watch: Watch) -> None:
        """Have the progress written soon; of what is over, none is needed."""
        if watch.is_over:
            self._progress.forget(name)
        elif self._outbox.is_recorded:
            self._progress.changed(name)

    def _known_ids(self) -> IdHistory:
        """The ids that an earlier monitor has seen."""
        data = self._states.pop(IDS, None)
        try:
            return IdHistory() if data is None else IdHistory.restored(loads(data, IdState))
        except ValueError as error:
            raise CheckpointError(self._outbox.path, f"the {IDS}: {error}") from error

    def _record_progress(self, *, everything: bool = False) -> None:
        """Write a row of those that have changed, if it is time to, or all of them."""
        while (at := self._progress.next_at()) is not None and (everything or at <= self._now()):
            row = self._progress.take(self._now(), self._progress_of)
            if row is not None:
                self._outbox.put(*row, ())
            self._record_ids()

    def _record_ids(self) -> None:
        if self._history.has_changed and self._outbox.is_recorded:
            self._outbox.put(IDS, self._history.state(), ())

    def _progress_of(self, name: str) -> Progress | None:
        watch = self._watches.get(name)
        return watch.progress() if watch is not None and watch.timer.polled_at else None

    def leave(self) -> None:
        """Write what the next monitor needs to go on with the schedule.

        Raises:
            CheckpointError: it cannot be written.
        """
        self._record_progress(everything=True)
        self._record_ids()

    def _follow(self, lead: DownstreamPipeline) -> None:
        """Look at a pipeline that a bridge has led to, unless that is seen anyhow."""
        target = lead.target
        name = f"{FOUND}{target.project} {target.pipeline_id}"
        is_watched = name in self._watches or target_name(target) in self._watches
        is_seen = isinstance(target.project, int) and self._index.has_project(target.project)
        if is_seen or is_watched or not self._is_unknown(name, lead):
            return
        begun = TargetState((), is_known=lead.is_new, epoch=lead.epoch)
        self._outbox.put(name, begun, ())
        self._states[name] = dumps(begun)
        self.add(target, name)

    def _is_unknown(self, name: str, lead: DownstreamPipeline) -> bool:
        """Whether *lead* was not followed yet, or before a reset, when it may have been another."""
        known = self._states.get(name)
        try:
            return known is None or loads(known, TargetState).epoch < lead.epoch
        except ValueError as error:
            raise CheckpointError(self._outbox.path, f"the state of {name}: {error}") from error

    def _drop(self, name: str) -> None:
        """It is over, or removed."""
        watch = self._watches.pop(name)
        self._index.remove(name)
        self._scheduler.remove(name)
        self._refused.discard(name)
        self._recorded.pop(name, None)
        if watch.is_over:
            self._states[name] = dumps(watch.state())
            if name.startswith(FOUND):
                self._remember(name)
        self._changed.set()

    def _remember(self, name: str) -> None:
        """It is over, and is not to be followed again; what has long been over may be forgotten."""
        self._over.append(name)
        while len(self._over) > _MOST_REMEMBERED:
            oldest = self._over.popleft()
            self._states.pop(oldest, None)
            self._outbox.forget(oldest)

    def _wait(self, name: str, watch: Watch) -> None:
        now = self._now()
        self._scheduler.schedule(name, now, max(0.0, watch.next_at - now), jitter())
        self._changed.set()

    def _wait_overdue(self, name: str, watch: Watch) -> None:
        """Let those whose time came while nobody was there have their turns one after the other.

        A second apart, but within the interval that each has anyhow, whoever comes when.
        """
        most = (watch.timer.interval or MAX_INTERVAL) * jitter()
        self._scheduler.schedule(name, self._now(), min(_APART * self._overdue, most))
        self._overdue += 1
        self._changed.set()

    def _now(self) -> float:
        return self._transport.clock.now()


def _is_progress(name: str) -> bool:
    return name.startswith(PROGRESS)


def _asked_soon(error: RateLimitedError) -> RateLimitedError:
    """*error*, so that its target asks again within a minute: it waits where the limit is known."""
    said = error.retry_after
    wait = None if said is None else min(said, _LONGEST_HELD_BACK)
    return RateLimitedError(
        error.status, error.message, error.method, error.url, wait, error.request_id
    )
