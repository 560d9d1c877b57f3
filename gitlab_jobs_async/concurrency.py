"""Many coroutines as one, many iterators as one; no task outlives the call or block it is for.

Neither TaskGroup nor gather: both may swallow a cancellation that comes in with a failure, and
TaskGroup before 3.13 leaves the caller's count of them one too high, so that an asyncio.timeout
around him ends in CancelledError.
"""

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Hashable,
    Iterable,
)
from contextlib import aclosing, asynccontextmanager
from typing import Any, Generic, Self, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_LEFT = "the block that these tasks belong to has been left"


async def gathered(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results, in order. The first failure ends the others and is raised as it is.

    A caller who is cancelled meanwhile is cancelled, even where a failure comes in at that time.
    """
    results: dict[int, T] = {}
    async with task_pool() as flight:
        for number, coroutine in enumerate(coroutines):
            flight.start(number, coroutine)
        while len(flight):
            number, task = await flight.first()
            results[number] = task.result()
    return [results[number] for number in sorted(results)]


async def _end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel *tasks* and return when they have ended, however often this is cancelled meanwhile."""
    for task in tasks:
        task.cancel()
    cancelled = None
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        # A failure that nobody looks at is reported when the task is collected.
        if not task.cancelled():
            task.exception()
    if cancelled is not None:
        raise cancelled


class TaskPool(Generic[K, T]):
    """Coroutines that run side by side, each under a key, to be had as they end."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[T], K] = {}
        self._dropped: set[asyncio.Task[T]] = set()
        self._ended: asyncio.Queue[asyncio.Task[T]] = asyncio.Queue()
        self._is_closed = False

    def __len__(self) -> int:
        """How many have not been had yet."""
        return len(self._running)

    @property
    def ended(self) -> int:
        """How many of them have ended."""
        return self._ended.qsize()

    def start(self, key: K, coroutine: Coroutine[Any, Any, T]) -> None:
        """Run *coroutine* beside the others."""
        if self._is_closed:
            coroutine.close()
            raise RuntimeError(_LEFT)
        task = asyncio.create_task(coroutine)
        self._running[task] = key
        task.add_done_callback(self._ended.put_nowait)

    async def first(self) -> tuple[K, asyncio.Task[T]]:
        """The next that has ended, well or not."""
        while (task := await self._ended.get()) in self._dropped:
            self._dropped.discard(task)
        if self._is_closed:
            raise RuntimeError(_LEFT)
        return self._running.pop(task), task

    def drop(self, is_needless: Callable[[K], bool]) -> None:
        """Cancel those whose key *is_needless*; `first` returns none of them."""
        for task in [task for task, key in self._running.items() if is_needless(key)]:
            del self._running[task]
            self._dropped.add(task)
            task.cancel()

    async def close(self) -> None:
        """End all, and return when they have ended, however often this is cancelled meanwhile."""
        self._is_closed = True
        await _end([*self._running, *self._dropped])


@asynccontextmanager
async def task_pool() -> AsyncIterator[TaskPool[Any, Any]]:
    """Tasks of this block: none of them outlives it, however it is left."""
    running = TaskPool[Any, Any]()
    try:
        yield running
    finally:
        await running.close()


class Merged(Generic[K, T]):
    """The items of many iterators as they come, each with the key of its iterator.

    An iterator goes on only when its last item was taken, so that nothing piles up; those that have
    an item wait in line. The iteration ends when all iterators have, and goes on after an `add`.
    The failure of one is raised as it is; the others are still there then.
    """

    def __init__(self) -> None:
        self._tasks: dict[K, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._ready: deque[tuple[K, T | Exception, asyncio.Future[None]]] = deque()
        self._changed = asyncio.Event()
        self._is_closed = False

    def add(self, key: K, source: AsyncGenerator[T, None]) -> None:
        """Take the items of *source* too, which is closed in the end; one for each *key*.

        Raises:
            ValueError: there is one for *key* already.
            RuntimeError: the block that this is for has been left.
        """
        if self._is_closed:
            raise RuntimeError("these iterators are closed: add to them inside their block")
        if key in self._tasks:
            raise ValueError(f"{key!r} is there already")
        task = asyncio.create_task(self._drain(key, source))
        self._tasks[key] = task
        self._ending.add(task)
        task.add_done_callback(self._ended)

    def remove(self, key: K) -> bool:
        """Take no more of *key*'s items, not even one that is waiting; whether it was there."""
        task = self._tasks.pop(key, None)
        if task is None:
            return False
        for offered, _, taken in self._ready:
            if offered == key:
                taken.cancel()
        task.cancel()
        self._changed.set()
        return True

    @property
    def is_closed(self) -> bool:
        """Whether the block that this is for has been left."""
        return self._is_closed

    def __contains__(self, key: object) -> bool:
        return key in self._tasks

    def __len__(self) -> int:
        return len(self._tasks)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[K, T]:
        while True:
            while self._ready:
                key, item, taken = self._ready.popleft()
                if taken.cancelled():
                    continue
                taken.set_result(None)
                if isinstance(item, Exception):
                    raise item
                return key, item
            if not self._tasks:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()

    async def _drain(self, key: K, source: AsyncGenerator[T, None]) -> None:
        try:
            async with aclosing(source):
                async for item in source:
                    await self._offer(key, item)
        except Exception as error:  # noqa: BLE001 - raised where the items are taken
            self._forget(key)
            await self._offer(key, error)
        else:
            self._forget(key)

    def _forget(self, key: K) -> None:
        """Another iterator may have been added in the place of one removed."""
        if self._tasks.get(key) is asyncio.current_task():
            del self._tasks[key]

    async def _offer(self, key: K, item: T | Exception) -> None:
        taken = asyncio.get_running_loop().create_future()
        self._ready.append((key, item, taken))
        self._changed.set()
        await taken

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        self._changed.set()

    async def close(self) -> None:
        """End all, and return when they have ended, however often this is cancelled meanwhile."""
        self._is_closed = True
        self._tasks.clear()
        await _end(list(self._ending))


@asynccontextmanager
async def merged() -> AsyncIterator[Merged[Any, Any]]:
    """Many iterators as one; those that are left at the end of the block are closed."""
    together = Merged[Any, Any]()
    try:
        yield together
    finally:
        await together.close()
