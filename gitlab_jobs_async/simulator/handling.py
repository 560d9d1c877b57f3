"""Calls of a handler, each in a task, so that none of them outlives the server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


class Handling(Generic[Asked, Answered]):
    """Calls a handler and knows which calls are not over: those of clients long gone, too."""

    def __init__(self, handler: Callable[[Asked], Awaitable[Answered]]) -> None:
        self._handler = handler
        self._tasks: set[asyncio.Task[object]] = set()

    async def __call__(self, asked: Asked) -> Answered:
        """What the handler answers."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await self._handler(asked)

    async def end(self) -> None:
        """Cancel what goes on, and wait for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
