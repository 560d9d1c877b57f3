"""Wait for tasks and conditions, and find tasks that were left running."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps


def prompt(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Fail *test*, a coroutine function, after 20 s: before a client's own timeout of 30 s.

    Otherwise that timeout could end a call that must end by itself.
    """

    @wraps(test)
    async def bounded(*arguments, **fixtures):
        async with asyncio.timeout(20):
            await test(*arguments, **fixtures)

    return bounded


async def until(condition: Callable[[], object]) -> None:
    """Return once *condition* holds, which may depend on real connections."""
    while not condition():  # noqa: ASYNC110 - it has no event to wait for
        await asyncio.sleep(0.001)


@asynccontextmanager
async def in_background(call: Coroutine) -> AsyncIterator[asyncio.Task]:
    """Run *call* beside the block, cancel it at the end, and raise its error if it had one."""
    task = asyncio.create_task(call)
    try:
        yield task
    finally:
        is_over = task.done()
        task.cancel()
        await asyncio.wait([task])
        if is_over:
            task.result()


async def others() -> set[asyncio.Task]:
    """Return the client's other tasks, after ending ones have ended."""
    for _ in range(10):
        await asyncio.sleep(0)
    running = asyncio.all_tasks() - {asyncio.current_task()}
    return {task for task in running if "RequestHandler" not in task.get_coro().__qualname__}
