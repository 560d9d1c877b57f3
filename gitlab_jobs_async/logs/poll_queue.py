"""Poll many logs, a few at a time; a log that waits for its next poll costs no task.

A source emits `NotBefore` to be resumed at that time. Until then it is an entry of a heap, so that
the log that has been due for longest is polled next.
"""

import asyncio
import heapq
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from contextlib import aclosing, asynccontextmanager
from itertools import count
from math import inf, isfinite
from typing import Any, Generic, TypeVar

from attrs import define, frozen

from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.concurrency import Merged, merged, task_pool

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@frozen
class NotBefore:
    """A source's request to be resumed *at* that time of the clock."""

    at: float


PollSource = AsyncGenerator[T | NotBefore, None]


async def sleep_between(clock: Clock, source: PollSource[T]) -> AsyncGenerator[T, None]:
    """Emit the items of *source*, and sleep until each `NotBefore`."""
    async with aclosing(source) as items:
        async for item in items:
            if not isinstance(item, NotBefore):
                yield item
            elif (delay := item.at - clock.now()) > 0:
                await clock.sleep(delay)


@define(eq=False, repr=False)
class _Entry(Generic[K, T]):
    """A source that has not ended; it is opened for its first poll."""

    key: K
    open: Callable[[], PollSource[T]]
    source: PollSource[T] | None = None

    async def close(self) -> None:
        if self.source is not None:
            await self.source.aclose()


class LogPollQueue(Generic[K, T]):
    """Runs at most *limit* of its sources at once, and merges their items into *merged*.

    A source runs until it emits a `NotBefore` in the future. The one that is due first runs next.
    """

    def __init__(self, merged: Merged[Any, Any], clock: Clock, limit: int) -> None:
        self._merged = merged
        self._clock = clock
        self._limit = limit
        self._entries: dict[K, _Entry[K, T]] = {}
        self._due: list[tuple[float, int, _Entry[K, T]]] = []
        self._order = count()
        self._running: set[_Entry[K, T]] = set()
        self._removed: list[_Entry[K, T]] = []
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """Return the number of sources that have not ended."""
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def add(self, key: K, open_source: Callable[[], PollSource[T]]) -> None:
        """Schedule a source, to be opened as soon as possible.

        Raises:
            RuntimeError: the block of this queue was left.
        """
        if self not in self._merged:
            self._merged.add(self, self._dispatch())
        entry = self._entries[key] = _Entry(key, open_source)
        self._schedule(entry, self._clock.now())

    def remove(self, key: K) -> bool:
        """Close a source and discard its items; return whether it was there."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        # Closing a source needs an await: the task of a running one does it, else `_dispatch`.
        if entry in self._running:
            self._merged.remove(key)
        else:
            self._removed.append(entry)
        self._changed.set()
        return True

    async def close(self) -> None:
        """Close the waiting sources; none may be running."""
        for entry in (*self._entries.values(), *self._removed):
            await entry.close()
        self._entries.clear()

    def _schedule(self, entry: _Entry[K, T], at: float) -> None:
        # The number keeps entries of equal time in order, and entries themselves uncompared.
        heapq.heappush(self._due, (at, next(self._order), entry))
        self._changed.set()

    async def _dispatch(self) -> AsyncGenerator[T, None]:
        """Start sources when they are due, as long as there are any; emit nothing."""
        while self._entries or self._removed:
            self._changed.clear()
            while self._removed:
                await self._removed.pop().close()
            due_at = self._start_due()
            async with task_pool() as tasks:
                tasks.start("change", self._changed.wait())
                if isfinite(due_at):
                    tasks.start("due", self._clock.sleep(due_at - self._clock.now()))
                _, ended = await tasks.next_done()
                ended.result()
        # Only an asynchronous generator can be merged, and this one has no items.
        nothing: tuple[T, ...] = ()
        for item in nothing:
            yield item

    def _start_due(self) -> float:
        """Start due sources while slots are free; return when the next one is due."""
        while self._due and len(self._running) < self._limit:
            at, _, entry = self._due[0]
            # The source may have been removed, and another one added under its key.
            is_current = self._entries.get(entry.key) is entry
            if is_current and at > self._clock.now():
                return at
            heapq.heappop(self._due)
            if is_current:
                self._running.add(entry)
                self._merged.add(entry.key, self._run(entry))
        return inf

    async def _run(self, entry: _Entry[K, T]) -> AsyncGenerator[T, None]:
        """Emit the items of a source until it ends or waits."""
        has_ended, resume_at = True, inf
        try:
            if entry.source is None:
                entry.source = entry.open()
            async for item in entry.source:
                if not isinstance(item, NotBefore):
                    yield item
                elif item.at > self._clock.now():
                    has_ended, resume_at = False, item.at
                    break
        finally:
            self._running.discard(entry)
            is_current = self._entries.get(entry.key) is entry
            if has_ended or not is_current:
                await entry.close()
                if is_current:
                    del self._entries[entry.key]
            self._changed.set()
        if not has_ended and is_current:
            self._schedule(entry, resume_at)


@asynccontextmanager
async def log_poll_queue(
    clock: Clock, limit: int
) -> AsyncIterator[tuple[Merged[Any, Any], LogPollQueue[Any, Any]]]:
    """Merge sources; those that are added to the queue run at most *limit* at once."""
    queue: LogPollQueue[Any, Any] | None = None
    try:
        async with merged() as items:
            queue = LogPollQueue(items, clock, limit)
            yield items, queue
    finally:
        if queue is not None:
            await queue.close()
