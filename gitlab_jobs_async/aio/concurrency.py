"""Many coroutines as one; every task made here has ended when its call returns."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


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


class InFlight(Generic[K, T]):
    """Coroutines that run side by side, each under a key, to be had as they end."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[T], K] = {}
        self._ended: asyncio.Queue[asyncio.Task[T]] = asyncio.Queue()
        self._is_closed = False

    def __len__(self) -> int:
        """How many have not been had yet."""
        return len(self._running)

    def start(self, key: K, coroutine: Coroutine[Any, Any, T]) -> None:
        """Run *coroutine* beside the others."""
        if self._is_closed:
            coroutine.close()
            raise RuntimeError("the block that these tasks belong to has been left")
        task = asyncio.create_task(coroutine)
        self._running[task] = key
        task.add_done_callback(self._ended.put_nowait)

    async def first(self) -> tuple[K, asyncio.Task[T]]:
        """The next that has ended, well or not."""
        task = await self._ended.get()
        return self._running.pop(task), task

    async def close(self) -> None:
        """End all, and return when they have ended, however often this is cancelled meanwhile."""
        self._is_closed = True
        for task in self._running:
            task.cancel()
        cancelled = None
        while pending := [task for task in self._running if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError as error:
                cancelled = error
        for task in self._running:
            # A failure that nobody looks at is reported when the task is collected.
            if not task.cancelled():
                task.exception()
        if cancelled is not None:
            raise cancelled


@asynccontextmanager
async def in_flight() -> AsyncIterator[InFlight[Any, Any]]:
    """Tasks of this block: none of them outlives it, however it is left."""
    running = InFlight[Any, Any]()
    try:
        yield running
    finally:
        await running.close()
