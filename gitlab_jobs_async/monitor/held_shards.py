"""Run the shards that this process holds: open them, lose them, and pass on what others hold."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Container
from contextlib import aclosing, suppress
from typing import Any

from attrs import define, field

from gitlab_jobs_async.concurrency import Merged, TaskPool, task_pool
from gitlab_jobs_async.errors import FencedError, StoreAwayError
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.monitor.checkpoint.shard_record import ShardRecord
from gitlab_jobs_async.monitor.groups import group_name
from gitlab_jobs_async.monitor.hook_relay import HookRelay
from gitlab_jobs_async.monitor.shard import MonitorContext, ShardMonitor
from gitlab_jobs_async.monitor.shard_leases import ShardLeases
from gitlab_jobs_async.monitor.status import MonitorStatus, combined
from gitlab_jobs_async.monitor.target_index import HookTarget
from gitlab_jobs_async.monitor.targets import GroupTarget
from gitlab_jobs_async.monitor.watch.factory import NormalizedTarget, target_name
from gitlab_jobs_async.store.protocol import Store
from gitlab_jobs_async.store.values import Content, route_of

_log = logging.getLogger("gitlab_jobs_async")

EVENTS = "events"
_WAITING, _HOOKS = "waiting", "hooks"

_RETENTION = 7 * 24 * 3600.0
"""Seconds for which events are kept for consumer groups that have not read them."""

_PRUNE_SECONDS = 60.0

Checked = NormalizedTarget | GroupTarget


@define(eq=False, repr=False)
class HeldShards:
    """The shards that this process holds, of *count*; all of them without a *store*.

    Their events go to *sources*, and *tasks* runs them.
    """

    _context: MonitorContext
    _sources: Merged[Any, AnyEvent | None]
    _tasks: TaskPool[object, None]
    _store: Store | None
    count: int
    _held: dict[int, ShardMonitor] = field(factory=dict[int, ShardMonitor], init=False)
    _targets: dict[str, Checked] = field(factory=dict[str, Checked], init=False)
    _leases: ShardLeases | None = field(default=None, init=False)
    _relay: HookRelay = field(factory=HookRelay, init=False)
    _pruned_at: float = field(default=0.0, init=False)
    _failure: Exception | None = field(default=None, init=False)
    _changed: asyncio.Event = field(factory=asyncio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        if self._store is not None:
            self._leases = ShardLeases(self._store, self.count, self._gain, self._close, self._lose)

    def get(self, number: int) -> ShardMonitor | None:
        """Return the shard *number* if it is held."""
        return self._held.get(number)

    @property
    def numbers(self) -> frozenset[int]:
        """Numbers of the shards that are held."""
        return frozenset(self._held)

    @property
    def pending(self) -> int:
        """Number of detected events that the consumer has not taken."""
        return sum(len(held.outbox) for held in self._held.values())

    def status(self) -> MonitorStatus:
        """Return the status of the shards that this process holds, as one."""
        return combined(held.poller.status() for held in self._held.values())

    def __len__(self) -> int:
        """Return the number of targets; those of other processes count as they were added."""
        elsewhere = [name for name in self._targets if self._number(name) not in self._held]
        return len(elsewhere) + sum(len(held.poller) for held in self._held.values())

    def add(self, target: Checked) -> None:
        """Monitor *target*, here or where its shard is held.

        Raises:
            ValueError: it is a group that may overlap with one of another shard.
        """
        name = _name(target)
        if name not in self._targets:
            self._check_overlap(target)
            self._targets[name] = target
            self._context.targets.add(name, target)
        number = self._number(name)
        if self._leases is not None:
            self._leases.done.discard(number)
        held = self._held.get(number)
        if held is not None:
            held.add(target)
        self._listen(held)

    def _check_overlap(self, target: Checked) -> None:
        known = [each for each in self._targets.values() if isinstance(each, GroupTarget)]
        if self.count == 1 or not known or not isinstance(target, GroupTarget):
            return
        # A path shows which groups may overlap, and so belong to one shard.
        by_id = [each for each in (target, *known) if not isinstance(each.group, str)]
        if by_id:
            raise ValueError(
                f"invalid target {by_id[0]}: expected the path of the group, since there are"
                " several groups and shards"
            )

    def remove(self, target: Checked) -> bool:
        """Stop monitoring *target*; return whether it was monitored."""
        name = _name(target)
        is_known = self._targets.pop(name, None) is not None
        self._context.targets.remove(name)
        held = self._held.get(self._number(name))
        return is_known if held is None else held.remove(target)

    def notify(self, hook: HookTarget) -> bool:
        """Poll the targets of a webhook soon, here or where they are monitored."""
        known = [held.poller.notify(hook) for held in self._held.values()]
        is_here = any(known)
        if is_here or len(self._held) == self.count:
            return is_here
        self._relay.add(hook)
        self._changed.set()
        has_groups = any(isinstance(target, GroupTarget) for target in self._targets.values())
        return has_groups or bool(self._context.targets.targets_of(hook))

    async def acknowledge(self, held: ShardMonitor, event: AnyEvent) -> None:
        """Record that the consumer has processed *event*; a fast store has it on return.

        Raises:
            StoreError: it cannot be recorded.
        """
        held.acknowledge(event)
        if self._store is not None and self._store.is_fast:
            try:
                await held.outbox.flush()
            except (FencedError, StoreAwayError):
                self._lose_to_another(held)

    def _listen(self, held: ShardMonitor | None) -> None:
        """Take events from a shard with a new target, also after the iteration has ended."""
        if held is not None:
            held.resume()
            if (held.number, EVENTS) not in self._sources:
                self._sources.add((held.number, EVENTS), self._events(held))
        if self._leases is not None and _WAITING not in self._sources:
            self._sources.add(_WAITING, self._wait())

    async def _events(self, held: ShardMonitor) -> AsyncGenerator[AnyEvent, None]:
        try:
            async with aclosing(held.events()) as events:
                async for event in events:
                    yield event
        except (FencedError, StoreAwayError):
            self._lose_to_another(held)
        self._changed.set()

    async def open(self) -> None:
        """Take the shards that are free.

        Raises:
            StoreError: the store is unusable.
        """
        if self._leases is None:
            await self._start(ShardMonitor.of(self._context, 0, None, Content()))
        elif self._store is not None:
            await self._relay.open(self._store)
            await self._leases.tend()
            if not self._held:
                _log.info("standing by: another process monitors with store %s", self._store.name)
            self._tasks.start(_WAITING, self._run(self._store, self._leases))
            self._tasks.start(_HOOKS, self._pass_hooks(self._store))

    async def close(self) -> None:
        """Record what is to be recorded, and give up all shards.

        Raises:
            StoreError: the store cannot be written.
        """
        if self._leases is not None:
            await self._leases.close()

    def _number(self, name: str) -> int:
        return route_of(name) % self.count

    async def _gain(self, record: ShardRecord, content: Content) -> None:
        held = ShardMonitor.of(self._context, record.shard.number, record, content)
        await self._start(held)

    async def _start(self, held: ShardMonitor) -> None:
        """Run *held* with its targets, unless its lease is lost meanwhile."""
        added: dict[str, Checked] = {}
        if self._context.downstream:
            await held.restore()
        # Others may be added meanwhile.
        while missing := self._of_shard(held.number, added):
            # Groups last: their projects are polled once, as a target of its own if one is.
            last = sorted(missing.values(), key=lambda each: isinstance(each, GroupTarget))
            await held.add_all(last)
            added |= missing
        for target in [target for name, target in added.items() if name not in self._targets]:
            held.remove(target)
        if self._leases is not None and held.number not in self._leases.held:
            return
        self._held[held.number] = held
        # Not before: lines of a shard that is not held are dropped.
        if held.logs is not None and self._context.logs:
            held.logs.resume()
        self._tasks.start(held, self._run_shard(held))
        self._listen(held)

    def _of_shard(self, number: int, known: Container[str]) -> dict[str, Checked]:
        """Return the targets of a shard that are not *known*."""
        mine = self._targets.items()
        return {n: t for n, t in mine if n not in known and self._number(n) == number}

    async def _close(self, number: int) -> None:
        held = self._held.get(number)
        if held is not None:
            await held.close()

    def _lose(self, number: int) -> None:
        held = self._held.pop(number, None)
        if held is not None:
            self._sources.remove((number, EVENTS))
            held.abandon()
            self._tasks.drop(lambda key: key is held)
        self._changed.set()

    async def _run_shard(self, held: ShardMonitor) -> None:
        try:
            await held.run()
        except (FencedError, StoreAwayError):
            self._lose_to_another(held)

    def _lose_to_another(self, held: ShardMonitor) -> None:
        # Another process may have it; else it is claimed and loaded again.
        if self._leases is not None and self._held.get(held.number) is held:
            self._leases.lose(held.number)

    async def _run(self, store: Store, leases: ShardLeases) -> None:
        try:
            while True:
                await store.sleep(store.poll_seconds)
                self._changed.clear()
                await self._release_ended(leases)
                await leases.tend()
                await self._prune(store, leases)
                self._changed.set()
        except Exception as error:  # noqa: BLE001 - raised to the consumer
            self._failure = error
            self._changed.set()

    async def _pass_hooks(self, store: Store) -> None:
        """Send webhooks to other processes, and receive those that are for this one."""
        try:
            while True:
                await self._relay.send(store)
                # While standing by for the only shard, none is for this process.
                if self._held or self.count > 1:
                    for hook in await self._relay.received(store):
                        for held in self._held.values():
                            held.poller.notify(hook)
                async with task_pool() as waits:
                    waits.start("received", store.wait_for_hook())
                    waits.start("added", self._relay.added.wait())
                    _, ended = await waits.next_done()
                    ended.result()
        except Exception as error:  # noqa: BLE001 - raised to the consumer
            self._failure = error
            self._changed.set()

    async def _release_ended(self, leases: ShardLeases) -> None:
        """Give up shards whose targets are over, so that every process learns that they are."""
        for number, held in list(self._held.items()):
            if held.is_over:
                leases.done.add(number)
                with suppress(StoreAwayError):
                    await leases.release(number)

    async def _prune(self, store: Store, leases: ShardLeases) -> None:
        now = store.clock.now()
        # One process is enough: that with the first shard that is not over.
        first = min(set(range(self.count)) - leases.done, default=None)
        if first in self._held and now - self._pruned_at >= _PRUNE_SECONDS:
            self._pruned_at = now
            with suppress(StoreAwayError):
                await store.prune(_RETENTION)

    async def _wait(self) -> AsyncGenerator[AnyEvent, None]:
        """End when no target is left in any shard; yield nothing."""
        while not self._is_over():
            await self._changed.wait()
            self._changed.clear()
            if self._failure is not None:
                raise self._failure
        no_events: tuple[AnyEvent, ...] = ()
        for event in no_events:
            yield event

    def _is_over(self) -> bool:
        done = set() if self._leases is None else self._leases.done
        held = {number for number, held in self._held.items() if held.has_ended}
        return len(done | held) == self.count


def _name(target: Checked) -> str:
    return group_name(target) if isinstance(target, GroupTarget) else target_name(target)
