"""Many coroutines as one: in order, and with nothing running after it."""

import asyncio

import pytest

from gitlab_jobs_async.aio.concurrency import gathered
from tests.conftest import others


async def later(value, turns):
    for _ in range(turns):
        await asyncio.sleep(0)
    if isinstance(value, BaseException):
        raise value
    return value


async def test_results_come_in_order():
    assert await gathered([later("a", 3), later("b", 1), later("c", 2)]) == ["a", "b", "c"]
    assert await gathered([]) == []


async def test_the_first_failure_ends_the_others_and_is_raised_as_it_is():
    with pytest.raises(KeyError, match="second") as failed:
        await gathered([later(ValueError("first"), 9), later(KeyError("second"), 1)])
    assert failed.value.__context__ is None
    assert not await others()


async def test_cancelling_it_cancels_all():
    task = asyncio.create_task(gathered([later(1, 10**9), later(2, 10**9)]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not await others()
