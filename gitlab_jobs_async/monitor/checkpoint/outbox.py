"""Events on their way to the consumer: recorded before they are told, gone once they were."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence

from gitlab_jobs_async.errors import CheckpointError
from gitlab_jobs_async.events import (
    AllTargetsUnreachable,
    Event,
    JobLogEnded,
    JobLogFailed,
    JobLogLine,
    MonitorPaused,
    MonitorResumed,
)
from gitlab_jobs_async.monitor.checkpoint.protocol import Checkpoint
from gitlab_jobs_async.monitor.checkpoint.serialization import dump_event, dumps, load_event

_MOST_WAITING = 1000
_OF_LOGS = (JobLogLine, JobLogEnded, JobLogFailed)
"""These are recorded by how far the log was told."""

_OF_THE_MOMENT = (AllTargetsUnreachable, MonitorPaused, MonitorResumed)
"""These are not recorded: a restart finds out by itself how things stand then."""


class Outbox:
    """The events that wait to be told; first those that an earlier monitor left in *checkpoint*."""

    def __init__(self, checkpoint: Checkpoint | None) -> None:
        self._checkpoint = checkpoint
        self._before = iter(()) if checkpoint is None else checkpoint.pending()
        self._waiting: deque[tuple[str, Event]] = deque()
        self._ahead: tuple[str, Event] | None = None
        self._changed = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._failure: Exception | None = None
        self._is_finished = False

    def has_capacity(self) -> bool:
        """Whether few enough events wait for more to be looked for."""
        return self._has_room.is_set()

    async def wait_for_capacity(self) -> None:
        """Return when few enough events wait."""
        await self._has_room.wait()

    @property
    def is_recorded(self) -> bool:
        """Whether there is a checkpoint."""
        return self._checkpoint is not None

    def put(self, target: str, state: object, events: Sequence[Event]) -> None:
        """Let *events* wait, recorded together with the *state* of their target."""
        if self._checkpoint is not None:
            recorded = [(event.key, dump_event(event)) for event in events]
            self._checkpoint.record(target, dumps(state), recorded)
        self._waiting.extend((target, event) for event in events)
        if len(self._waiting) >= _MOST_WAITING:
            self._has_room.clear()
        self._changed.set()

    def announce(self, event: Event) -> None:
        """Let *event* wait, which belongs to no target and is not recorded: it is of the moment."""
        self._waiting.append(("", event))
        self._changed.set()

    def acknowledge(self, event: Event) -> None:
        """The consumer is done with *event*."""
        if self._checkpoint is not None and not isinstance(event, (*_OF_LOGS, *_OF_THE_MOMENT)):
            self._checkpoint.acknowledge(event.key)

    def drop(self, target: str) -> None:
        """Tell nothing more of *target*."""
        dropped = {event.key for waiting, event in self._waiting if waiting == target}
        if self._ahead is not None and self._ahead[0] == target:
            dropped.add(self._ahead[1].key)
            self._ahead = None
        self._waiting = deque(one for one in self._waiting if one[0] != target)
        if self._checkpoint is not None:
            for key in dropped.difference(event.key for _, event in self._waiting):
                self._checkpoint.acknowledge(key)
        self.forget(target)
        self._let_in()

    def forget(self, target: str) -> None:
        """Keep the state of *target* no longer; what has come of it is told."""
        if self._checkpoint is not None:
            self._checkpoint.forget(target)

    def finish(self, failure: Exception | None = None) -> None:
        """Nothing more will come; a *failure* is raised when what waits was told."""
        self._failure = self._failure or failure
        self._is_finished = True
        self._changed.set()

    def begin(self) -> None:
        """More will come after all."""
        self._is_finished = False

    async def events(self) -> AsyncGenerator[Event, None]:
        """What waits, as it comes; each is to be taken before it is told."""
        while True:
            event = self._next()
            if event is not None:
                yield event
            elif self._failure is not None:
                raise self._failure
            elif self._is_finished:
                return
            else:
                self._changed.clear()
                await self._changed.wait()

    def take(self, event: Event) -> bool:
        """Whether *event*, which has come of `events`, is to be told: not if it was dropped."""
        ahead, self._ahead = self._ahead, None
        return ahead is not None and ahead[1] is event

    def _next(self) -> Event | None:
        self._ahead = None
        for _, data in self._before:
            self._ahead = ("", self._recorded(data))
            return self._ahead[1]
        if not self._waiting:
            return None
        self._ahead = self._waiting.popleft()
        self._let_in()
        return self._ahead[1]

    def _let_in(self) -> None:
        if len(self._waiting) < _MOST_WAITING:
            self._has_room.set()

    def _recorded(self, data: bytes) -> Event:
        try:
            return load_event(data)
        except ValueError as error:
            raise CheckpointError(self.path, f"an event cannot be read: {error}") from error

    @property
    def path(self) -> str:
        """What errors call the checkpoint."""
        return "" if self._checkpoint is None else self._checkpoint.path
