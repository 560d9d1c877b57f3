"""Handler calls, each in a task that ends with the server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


class Handling(Generic[Asked, Answered]):
    """Calls a handler and tracks unfinished calls, also those of disconnected clients."""

    def __init__(self, handler: Callable[[Asked], Awaitable[Answered]]) -> None:
        self._handler = handler
        self._tasks: set[asyncio.Task[object]] = set()

    async def __call__(self, asked: Asked) -> Answered:
        """Return the handler's response."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await self._handler(asked)

    async def end(self) -> None:
        """Cancel unfinished calls and wait for them."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
