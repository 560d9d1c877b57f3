"""Many logs followed at once, a few at a time: those that wait for their time cost no task.

A source says by `NotBefore` when it wants to go on. Until then it is a row in a queue by that time,
so that of more logs than can be polled the one that has waited longest comes next.
"""

import asyncio
import heapq
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
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
    """What a source gives to be asked again only *at* that time of the clock."""

    at: float


Paced = AsyncGenerator[T | NotBefore, None]


@define(eq=False)
class _Row(Generic[K, T]):
    """A source that has not ended; it begins with its first turn."""

    key: K
    begin: Callable[[], Paced[T]]
    source: Paced[T] | None = None

    async def close(self) -> None:
        if self.source is not None:
            await self.source.aclose()


class LogPollQueue(Generic[K, T]):
    """Sources by key, of which at most *most* have a turn at once; what they give goes to *into*.

    A turn lasts until the source wants to wait. Whoever is due first has the next one.
    """

    def __init__(self, into: Merged[Any, Any], clock: Clock, most: int) -> None:
        self._into = into
        self._clock = clock
        self._most = most
        self._rows: dict[K, _Row[K, T]] = {}
        self._due: list[tuple[float, int, _Row[K, T]]] = []
        self._order = count()
        self._running: set[_Row[K, T]] = set()
        self._removed: list[_Row[K, T]] = []
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many have not ended, those that wait among them."""
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def add(self, key: K, begin: Callable[[], Paced[T]]) -> None:
        """Let the source that *begin* makes have its turns, the first one as soon as may be.

        Raises:
            RuntimeError: the block that this is for has been left.
        """
        if self not in self._into:
            self._into.add(self, self._schedule())
        row = self._rows[key] = _Row(key, begin)
        self._wait(row, self._clock.now())

    def remove(self, key: K) -> bool:
        """Take no more of *key*'s items, not even one that is waiting; whether it was there."""
        row = self._rows.pop(key, None)
        if row is None:
            return False
        if row in self._running:
            self._into.remove(key)
        else:
            self._removed.append(row)
        self._changed.set()
        return True

    async def close(self) -> None:
        """Close the sources that wait; nobody may have a turn any more."""
        for row in (*self._rows.values(), *self._removed):
            await row.close()
        self._rows.clear()

    def _wait(self, row: _Row[K, T], at: float) -> None:
        heapq.heappush(self._due, (at, next(self._order), row))
        self._changed.set()

    async def _schedule(self) -> AsyncGenerator[T, None]:
        """Begin the turns when they are due, as long as there are sources; gives nothing itself."""
        while self._rows or self._removed:
            self._changed.clear()
            while self._removed:
                await self._removed.pop().close()
            due_at = self._begin()
            async with task_pool() as first:
                first.start("change", self._changed.wait())
                if isfinite(due_at):
                    first.start("turn", self._clock.sleep(due_at - self._clock.now()))
                _, ended = await first.first()
                ended.result()
        nothing: tuple[T, ...] = ()
        for item in nothing:
            yield item

    def _begin(self) -> float:
        """Begin what is due; when there is more to begin."""
        while self._due and len(self._running) < self._most:
            at, _, row = self._due[0]
            is_there = self._rows.get(row.key) is row
            if is_there and at > self._clock.now():
                return at
            heapq.heappop(self._due)
            if is_there:
                self._running.add(row)
                self._into.add(row.key, self._turn(row))
        return inf

    async def _turn(self, row: _Row[K, T]) -> AsyncGenerator[T, None]:
        is_over, again_at = True, inf
        try:
            if row.source is None:
                row.source = row.begin()
            async for item in row.source:
                if not isinstance(item, NotBefore):
                    yield item
                elif item.at > self._clock.now():
                    is_over, again_at = False, item.at
                    break
        finally:
            self._running.discard(row)
            is_there = self._rows.get(row.key) is row
            if is_over or not is_there:
                await row.close()
                if is_there:
                    del self._rows[row.key]
            self._changed.set()
        if not is_over and is_there:
            self._wait(row, again_at)


@asynccontextmanager
async def log_poll_queue(
    clock: Clock, most: int
) -> AsyncIterator[tuple[Merged[Any, Any], LogPollQueue[Any, Any]]]:
    """Merge sources, of which those that are added by turns have *most* at once."""
    turns: LogPollQueue[Any, Any] | None = None
    try:
        async with merged() as together:
            turns = LogPollQueue(together, clock, most)
            yield together, turns
    finally:
        if turns is not None:
            await turns.close()
