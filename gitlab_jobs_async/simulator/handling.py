"""Handler calls, each in a task that ends with the server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class Handling(Generic[RequestT, ResponseT]):
    """Calls a handler and tracks unfinished calls, also those of disconnected clients."""

    def __init__(self, handler: Callable[[RequestT], Awaitable[ResponseT]]) -> None:
        self._handler = handler
        self._tasks: set[asyncio.Task[object]] = set()

    async def __call__(self, request: RequestT) -> ResponseT:
        """Return the handler's response."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await self._handler(request)

    async def end(self) -> None:
        """Cancel unfinished calls and wait for them."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
