"""Many coroutines as one, many iterators as one; no task outlives the call or block it is for."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Hashable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


async def gathered(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results, in order. The first failure ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in coroutines]
    except BaseExceptionGroup as failures:
        first = failures.exceptions[0]
    else:
        return [task.result() for task in tasks]
    raise first


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
        """End all that is left, and return when it has ended."""
        self._is_closed = True
        self._tasks.clear()
        left = list(self._ending)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@asynccontextmanager
async def merged() -> AsyncIterator[Merged[Any, Any]]:
    """Many iterators as one; those that are left at the end of the block are closed."""
    together = Merged[Any, Any]()
    try:
        yield together
    finally:
        await together.close()
