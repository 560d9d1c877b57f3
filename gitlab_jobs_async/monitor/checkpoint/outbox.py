"""Queue events for the consumer: record them before they are emitted, until acknowledged.

What is to be recorded is written in groups: a write takes all that came since the last one.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence

from attrs import define, field

from gitlab_jobs_async.api.json_reading import from_json
from gitlab_jobs_async.api.json_writing import to_json
from gitlab_jobs_async.errors import StoreError
from gitlab_jobs_async.events import (
    AllTargetsUnreachable,
    AnyEvent,
    JobLogEnded,
    JobLogFailed,
    JobLogLine,
    MonitorPaused,
    MonitorResumed,
)
from gitlab_jobs_async.models.jobs import Bridge
from gitlab_jobs_async.monitor.checkpoint.serialization import dumps
from gitlab_jobs_async.monitor.checkpoint.shard_record import EarlierEvents, ShardRecord
from gitlab_jobs_async.store.values import Batch, Change, LogOffset

_CAPACITY = 1000

# Log events are recorded as an offset. The others describe the moment, which a restart detects.
_UNRECORDED = (
    JobLogLine,
    JobLogEnded,
    JobLogFailed,
    AllTargetsUnreachable,
    MonitorPaused,
    MonitorResumed,
)


@define(eq=False, repr=False)
class _Unwritten:
    """The content of the next write, and the *events* that may be emitted then."""

    changes: list[Change] = field(factory=list[Change])
    acknowledged: list[str] = field(factory=list[str])
    offsets: dict[int, LogOffset | None] = field(factory=dict[int, "LogOffset | None"])
    events: list[tuple[str, AnyEvent]] = field(factory=list[tuple[str, AnyEvent]])

    def before(self, later: "_Unwritten") -> "_Unwritten":
        """Return the content of both."""
        return _Unwritten(
            [*self.changes, *later.changes],
            [*self.acknowledged, *later.acknowledged],
            {**self.offsets, **later.offsets},
            [*self.events, *later.events],
        )

    def __bool__(self) -> bool:
        return bool(self.changes or self.acknowledged or self.offsets)


class Outbox:
    """The pending events, first those up to the place *last* that an earlier monitor left.

    Without *bridges*, its events of bridges stay in the store for a monitor that asks for them.
    Without *record* nothing is recorded.
    """

    def __init__(
        self, record: ShardRecord | None = None, last: int = 0, *, bridges: bool = True
    ) -> None:
        self.record = record
        self._bridges = bridges
        self._earlier = None if record is None else EarlierEvents(record, last)
        self._pending: deque[tuple[str, AnyEvent]] = deque()
        self._unwritten = _Unwritten()
        self._in_flight: list[tuple[str, AnyEvent]] = []
        self._writing = asyncio.Lock()
        self._next_item: tuple[str, AnyEvent] | None = None
        self._next_route: int | None = None
        self._changed = asyncio.Event()
        self._to_write = asyncio.Event()
        self._has_capacity = asyncio.Event()
        self._has_capacity.set()
        self._failure: Exception | None = None
        self._is_finished = False
        self._is_broken = False

    def __len__(self) -> int:
        """Return the number of events detected by this monitor and not yet taken."""
        return len(self._pending) + len(self._in_flight) + len(self._unwritten.events)

    def has_capacity(self) -> bool:
        """Return whether few enough events are pending to detect more."""
        return self._has_capacity.is_set()

    async def wait_for_capacity(self) -> None:
        """Return once `has_capacity`."""
        await self._has_capacity.wait()

    @property
    def is_recorded(self) -> bool:
        """Whether there is a store."""
        return self.record is not None

    @property
    def is_drained(self) -> bool:
        """Whether no event can follow, and all that came are recorded as acknowledged."""
        return self._is_finished and not len(self) and not self._unwritten

    @property
    def name(self) -> str:
        """The store's name in errors."""
        return "" if self.record is None else self.record.store.name

    def put(self, target: str, state: object, events: Sequence[AnyEvent]) -> None:
        """Queue *events*, recorded together with the *state* of their target."""
        items = [(target, event) for event in events]
        if self.record is None:
            self._pending.extend(items)
            self._changed.set()
        else:
            recorded = [(event.key, to_json(event)) for event in events]
            change = Change(target, dumps(state), self.record.route(target), recorded)
            self._unwritten.changes.append(change)
            self._unwritten.events.extend(items)
            self._to_write.set()
        # The events still enter: their state is recorded, and the poll waits afterwards.
        self._update_capacity()

    def keep_with(self, name: str, target: str) -> None:
        """Record the row *name* in the shard of *target*, however many shards there will be."""
        if self.record is not None:
            self.record.routes[name] = self.record.route(target)

    def keep_with_event(self, name: str, target: str) -> None:
        """Record the row *name* in the shard of the last event from `events`, or of *target*."""
        if self.record is not None:
            route = self._next_route
            self.record.routes[name] = self.record.route(target) if route is None else route

    def put_for_all_shards(self, name: str, state: object) -> None:
        """Record the *state* of a row that every shard reads."""
        if self.record is not None:
            self._unwritten.changes.append(Change(name, dumps(state)))
            self._to_write.set()

    def announce(self, event: AnyEvent) -> None:
        """Queue *event*, which belongs to no target and is not recorded."""
        self._pending.append(("", event))
        self._changed.set()

    def acknowledge(self, event: AnyEvent) -> None:
        """Delete the record of *event*, which the consumer has processed."""
        if not isinstance(event, _UNRECORDED):
            self._acknowledge([event.key])

    def discard(self, target: str) -> None:
        """Delete the pending events and the state of *target*."""
        queued = (*self._pending, *self._in_flight, *self._unwritten.events)
        keys = {event.key for owner, event in queued if owner == target}
        if self._next_item is not None and self._next_item[0] == target:
            keys.add(self._next_item[1].key)
            self._next_item = None
        self._pending = deque(item for item in self._pending if item[0] != target)
        for events in (self._in_flight, self._unwritten.events):
            events[:] = [item for item in events if item[0] != target]
        # Overlapping targets share event keys: keep those that another target still needs.
        others = (*self._pending, *self._in_flight, *self._unwritten.events)
        left = {event.key for _, event in others}
        self._acknowledge(sorted(keys - left))
        self.forget(target)
        self._update_capacity()

    def forget(self, target: str) -> None:
        """Delete the state of *target*, and keep its pending events."""
        if self.record is not None:
            self.record.routes.pop(target, None)
            self._unwritten.changes.append(Change(target, None))
            self._to_write.set()

    def record_log_offset(self, job_id: int, name: str, offset: int | None) -> None:
        """Record the byte *offset* of the log that has the row *name*; delete it without one."""
        if self.record is not None:
            route = self.record.route(name)
            self._unwritten.offsets[job_id] = None if offset is None else LogOffset(offset, route)
            self._to_write.set()

    async def run(self) -> None:
        """Record what is put, until cancelled.

        Raises:
            FencedError, StoreAwayError: this shard is lost: another process may have it.
            StoreError: the store is unusable.
        """
        while True:
            await self._to_write.wait()
            await self.flush()

    async def flush(self) -> None:
        """Record all that was put, acknowledged or forgotten until now.

        Raises:
            FencedError, StoreAwayError: this shard is lost: another process may have it.
            StoreError: the store is unusable.
        """
        async with self._writing:
            self._to_write.clear()
            batch, self._unwritten = self._unwritten, _Unwritten()
            if self.record is None or not batch:
                return
            lease, store = self.record.lease, self.record.store
            self._in_flight = batch.events
            try:
                await store.record(lease, Batch(batch.changes, batch.acknowledged, batch.offsets))
            except BaseException:
                # A cancelled write is repeated; if it was written after all, that is fenced.
                self._unwritten = batch.before(self._unwritten)
                self._to_write.set()
                raise
            finally:
                self._in_flight = []
            self._pending.extend(batch.events)
            self._changed.set()

    def break_off(self, failure: Exception) -> None:
        """End `events` at once with *failure*: what is taken could not be acknowledged."""
        self._is_broken = True
        self.finish(failure)

    def finish(self, failure: Exception | None = None) -> None:
        """End `events` after the pending ones, with *failure* if there is one."""
        # The first failure is the cause of the others.
        self._failure = self._failure or failure
        self._is_finished = True
        self._changed.set()

    def resume(self) -> None:
        """Expect further events after `finish`."""
        self._is_finished = False

    async def events(self) -> AsyncGenerator[AnyEvent, None]:
        """Yield events as they come; the consumer gets those that `take` accepts.

        Raises:
            FencedError, StoreAwayError: this shard is lost: another process may have it.
            Exception: the failure given to `finish`.
        """
        while True:
            event = None if self._is_broken else await self._pop()
            if event is not None:
                yield event
            elif self._failure is not None:
                raise self._failure
            elif self._is_finished and not self._unwritten.events and not self._in_flight:
                return
            else:
                self._changed.clear()
                await self._changed.wait()

    def take(self, event: AnyEvent) -> bool:
        """Accept *event* from `events`; return False if it has been discarded."""
        item, self._next_item = self._next_item, None
        return item is not None and item[1] is event

    def _acknowledge(self, keys: Iterable[str]) -> None:
        if self.record is not None:
            self._unwritten.acknowledged.extend(keys)
            self._to_write.set()

    async def _pop(self) -> AnyEvent | None:
        self._next_item = self._next_route = None
        # First the earlier events, so that the events of each job stay in order.
        while self._earlier is not None and (stored := await self._earlier.next()) is not None:
            event = self._loaded(stored.event)
            if self._bridges or not isinstance(getattr(event, "job", None), Bridge):
                self._next_item, self._next_route = ("", event), stored.route
                return event
        if not self._pending:
            return None
        target, event = self._next_item = self._pending.popleft()
        if self.record is not None and target:
            self._next_route = self.record.route(target)
        self._update_capacity()
        return event

    def _update_capacity(self) -> None:
        if len(self) >= _CAPACITY:
            self._has_capacity.clear()
        else:
            self._has_capacity.set()

    def _loaded(self, data: bytes) -> AnyEvent:
        try:
            return from_json(data)
        except ValueError as error:
            raise StoreError(self.name, f"invalid event: {error}") from error
