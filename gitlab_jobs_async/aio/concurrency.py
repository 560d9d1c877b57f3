"""Many coroutines as one; every task made here has ended when its call returns."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def gathered(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results, in order. The first failure ends the others and is raised as it is.

    A caller who is cancelled meanwhile is cancelled, even where a failure comes in at that time.
    """
    # Neither TaskGroup nor gather: both may swallow such a cancellation, and TaskGroup before 3.13
    # leaves the caller's count of them one too high, so that an asyncio.timeout around him ends in
    # CancelledError.
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        failed = [task for task in tasks if task.done() and _failure(task)]
    finally:
        await _end(tasks)
    return [task.result() for task in failed or tasks]


def _failure(task: asyncio.Task[Any]) -> BaseException | None:
    return None if task.cancelled() else task.exception()


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    was_cancelled = False
    for task in tasks:
        task.cancel()
    while running := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError:
            was_cancelled = True
    for task in tasks:
        _failure(task)  # or asyncio would say that nobody has asked
    if was_cancelled:
        raise asyncio.CancelledError
