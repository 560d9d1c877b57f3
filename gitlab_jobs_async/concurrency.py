"""Concurrent tasks and merged iterators; no task outlives its call or block."""

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Hashable,
    Iterable,
)
from contextlib import aclosing, asynccontextmanager
from contextvars import copy_context
from typing import Any, Generic, Self, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_CLOSED = "this task group is closed"

# Neither asyncio.TaskGroup nor asyncio.gather fits: both may swallow a cancellation that arrives
# with a failure. Before 3.13 TaskGroup also leaves the task's cancellation count one too high, so
# that an enclosing `asyncio.timeout` raises CancelledError.


async def gather_all(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run *coroutines* concurrently and return their results in order.

    The first failure cancels the others and is raised unchanged. A cancellation of the caller takes
    precedence over a failure.
    """
    results: dict[int, T] = {}
    async with task_pool() as pool:
        for number, coroutine in enumerate(coroutines):
            pool.start(number, coroutine)
        while len(pool):
            number, task = await pool.next_done()
            results[number] = task.result()
    return [results[number] for number in sorted(results)]


async def cancel_and_wait(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel *tasks* and wait for their end, even if the caller is cancelled."""
    for task in tasks:
        task.cancel()
    await wait_for_end(tasks)


async def wait_for_end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Wait for the end of *tasks*, even if the caller is cancelled; ignore how they end."""
    cancelled = None
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        # An exception that is never retrieved is logged when the task is collected.
        if not task.cancelled():
            task.exception()
    # Only now, so that no task outlives the caller.
    if cancelled is not None:
        raise cancelled


async def finished(call: Coroutine[Any, Any, T], undo: Callable[[T], Awaitable[None]]) -> T:
    """Return the result of *call*, which no cancellation interrupts; one makes *undo* end it."""
    task = asyncio.create_task(call)
    try:
        await wait_for_end([task])
    except asyncio.CancelledError:
        if task.exception() is None:
            await undo(task.result())
        raise
    return task.result()


class TaskPool(Generic[K, T]):
    """Concurrent tasks by key, returned in completion order."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[T], K] = {}
        self._dropped: set[asyncio.Task[T]] = set()
        self._ended: asyncio.Queue[asyncio.Task[T]] = asyncio.Queue()
        self._is_closed = False
        # All tasks of a block belong to its call, wherever they are started.
        self._context = copy_context()

    def __len__(self) -> int:
        """Return the number of tasks that `next_done` has not returned."""
        return len(self._running)

    @property
    def ended(self) -> int:
        """Number of ended tasks that `next_done` has not returned."""
        return self._ended.qsize()

    def start(self, key: K, coroutine: Coroutine[Any, Any, T]) -> None:
        """Start *coroutine* as a task.

        Raises:
            RuntimeError: the pool is closed.
        """
        if self._is_closed:
            # Python warns of a coroutine that was never awaited.
            coroutine.close()
            raise RuntimeError(_CLOSED)
        task = asyncio.create_task(coroutine, context=self._context.copy())
        self._running[task] = key
        task.add_done_callback(self._ended.put_nowait)

    async def next_done(self) -> tuple[K, asyncio.Task[T]]:
        """Return the next ended task with its key.

        Raises:
            RuntimeError: the pool was closed.
        """
        # A dropped task enters the queue, too, when it has ended.
        while (task := await self._ended.get()) in self._dropped:
            self._dropped.discard(task)
        if self._is_closed:
            raise RuntimeError(_CLOSED)
        return self._running.pop(task), task

    def drop(self, is_needless: Callable[[K], bool]) -> None:
        """Cancel the tasks whose key *is_needless*; `next_done` does not return them."""
        for task in [task for task, key in self._running.items() if is_needless(key)]:
            del self._running[task]
            self._dropped.add(task)
            task.cancel()

    async def close(self) -> None:
        """Cancel all tasks and wait for their end, even if the caller is cancelled."""
        self._is_closed = True
        await cancel_and_wait([*self._running, *self._dropped])


@asynccontextmanager
async def task_pool() -> AsyncIterator[TaskPool[Any, Any]]:
    """Yield a pool whose tasks end with the block."""
    pool = TaskPool[Any, Any]()
    try:
        yield pool
    finally:
        await pool.close()


class Merged(Generic[K, T]):
    """Items of many iterators in order of arrival, each with the key of its iterator.

    An iterator advances only after its last item was consumed, so nothing accumulates. The
    iteration ends with the last iterator, and continues after an `add`. An iterator's failure is
    raised unchanged; the others stay.
    """

    def __init__(self) -> None:
        self._tasks: dict[K, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._ready: deque[tuple[K, T | Exception, asyncio.Future[None]]] = deque()
        self._changed = asyncio.Event()
        self._is_closed = False
        self._context = copy_context()

    def add(self, key: K, source: AsyncGenerator[T, None]) -> None:
        """Merge the items of *source* under *key*, and close it when it ends or is removed.

        Raises:
            ValueError: *key* is in use.
            RuntimeError: the block has ended.
        """
        if self._is_closed:
            raise RuntimeError("these iterators are closed: add to them inside their block")
        if key in self._tasks:
            raise ValueError(f"duplicate key {key!r}: expected one iterator for each key")
        task = asyncio.create_task(self._drain(key, source), context=self._context.copy())
        self._tasks[key] = task
        self._ending.add(task)
        task.add_done_callback(self._ended)

    def remove(self, key: K) -> bool:
        """Drop the iterator of *key* with its pending item; return whether there was one."""
        task = self._tasks.pop(key, None)
        if task is None:
            return False
        # This cancels the future of a pending item, too.
        task.cancel()
        self._changed.set()
        return True

    @property
    def is_closed(self) -> bool:
        """Whether the block has ended."""
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
        # A removed iterator may have a successor under the same key.
        if self._tasks.get(key) is asyncio.current_task():
            del self._tasks[key]

    async def _offer(self, key: K, item: T | Exception) -> None:
        taken = asyncio.get_running_loop().create_future()
        self._ready.append((key, item, taken))
        self._changed.set()
        # No source runs ahead of the consumer.
        await taken

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        self._changed.set()

    async def close(self) -> None:
        """Cancel all tasks and wait for their end, even if the caller is cancelled."""
        self._is_closed = True
        self._tasks.clear()
        await cancel_and_wait(list(self._ending))


@asynccontextmanager
async def merged() -> AsyncIterator[Merged[Any, Any]]:
    """Yield merged iterators, which are closed with the block."""
    iterators = Merged[Any, Any]()
    try:
        yield iterators
    finally:
        await iterators.close()
