"""Queue events for the consumer: record them before they are emitted, until acknowledged."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence

from gitlab_jobs_async.api.json_reading import from_json
from gitlab_jobs_async.api.json_writing import to_json
from gitlab_jobs_async.errors import CheckpointError
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
from gitlab_jobs_async.monitor.checkpoint.protocol import Checkpoint
from gitlab_jobs_async.monitor.checkpoint.serialization import dumps

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


class Outbox:
    """The pending events, first those that an earlier monitor left in *checkpoint*.

    Without *bridges*, its events of bridges stay there for a monitor that asks for them.
    """

    def __init__(self, checkpoint: Checkpoint | None, *, bridges: bool = True) -> None:
        self._checkpoint = checkpoint
        self._bridges = bridges
        self._recorded = iter(()) if checkpoint is None else checkpoint.pending()
        self._pending: deque[tuple[str, AnyEvent]] = deque()
        self._next_item: tuple[str, AnyEvent] | None = None
        self._changed = asyncio.Event()
        self._has_capacity = asyncio.Event()
        self._has_capacity.set()
        self._failure: Exception | None = None
        self._is_finished = False

    def __len__(self) -> int:
        """Return the number of events detected by this monitor and not yet taken."""
        return len(self._pending)

    def has_capacity(self) -> bool:
        """Return whether few enough events are pending to detect more."""
        return self._has_capacity.is_set()

    async def wait_for_capacity(self) -> None:
        """Return once `has_capacity`."""
        await self._has_capacity.wait()

    @property
    def is_recorded(self) -> bool:
        """Whether there is a checkpoint."""
        return self._checkpoint is not None

    @property
    def path(self) -> str:
        """The checkpoint's name in errors."""
        return "" if self._checkpoint is None else self._checkpoint.path

    def put(self, target: str, state: object, events: Sequence[AnyEvent]) -> None:
        """Queue *events*, recorded together with the *state* of their target.

        Raises:
            CheckpointError: they cannot be written.
        """
        if self._checkpoint is not None:
            recorded = [(event.key, to_json(event)) for event in events]
            self._checkpoint.record(target, dumps(state), recorded)
        self._pending.extend((target, event) for event in events)
        # The events still enter: their state is recorded, and the poll waits afterwards.
        if len(self._pending) >= _CAPACITY:
            self._has_capacity.clear()
        self._changed.set()

    def announce(self, event: AnyEvent) -> None:
        """Queue *event*, which belongs to no target and is not recorded."""
        self._pending.append(("", event))
        self._changed.set()

    def acknowledge(self, event: AnyEvent) -> None:
        """Delete the record of *event*, which the consumer has processed."""
        if self._checkpoint is not None and not isinstance(event, _UNRECORDED):
            self._checkpoint.acknowledge(event.key)

    def discard(self, target: str) -> None:
        """Delete the pending events and the state of *target*."""
        keys = {event.key for owner, event in self._pending if owner == target}
        if self._next_item is not None and self._next_item[0] == target:
            keys.add(self._next_item[1].key)
            self._next_item = None
        self._pending = deque(item for item in self._pending if item[0] != target)
        if self._checkpoint is not None:
            # Overlapping targets share event keys: keep those that another target still needs.
            for key in keys.difference(event.key for _, event in self._pending):
                self._checkpoint.acknowledge(key)
        self.forget(target)
        self._update_capacity()

    def forget(self, target: str) -> None:
        """Delete the state of *target*, and keep its pending events."""
        if self._checkpoint is not None:
            self._checkpoint.forget(target)

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
            Exception: the failure given to `finish`.
        """
        while True:
            event = self._pop()
            if event is not None:
                yield event
            elif self._failure is not None:
                raise self._failure
            elif self._is_finished:
                return
            else:
                self._changed.clear()
                await self._changed.wait()

    def take(self, event: AnyEvent) -> bool:
        """Accept *event* from `events`; return False if it has been discarded."""
        item, self._next_item = self._next_item, None
        return item is not None and item[1] is event

    def _pop(self) -> AnyEvent | None:
        self._next_item = None
        # First the earlier events, so that the events of each job stay in order.
        for _, data in self._recorded:
            event = self._loaded(data)
            if self._bridges or not isinstance(getattr(event, "job", None), Bridge):
                self._next_item = ("", event)
                return event
        if not self._pending:
            return None
        self._next_item = self._pending.popleft()
        self._update_capacity()
        return self._next_item[1]

    def _update_capacity(self) -> None:
        if len(self._pending) < _CAPACITY:
            self._has_capacity.set()

    def _loaded(self, data: bytes) -> AnyEvent:
        try:
            return from_json(data)
        except ValueError as error:
            raise CheckpointError(self.path, f"invalid event: {error}") from error
