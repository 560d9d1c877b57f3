"""Many coroutines as one: in order, and with nothing running after it."""

import asyncio

import pytest

from gitlab_jobs_async.aio.concurrency import gathered, in_flight
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


async def test_what_is_in_flight_is_had_as_it_ends_well_or_not():
    async with in_flight() as flight:
        flight.start("slow", later("a", 9))
        flight.start("quick", later("b", 1))
        flight.start("broken", later(KeyError("c"), 4))
        assert len(flight) == 3
        key, task = await flight.first()
        assert (key, task.result()) == ("quick", "b")
        key, task = await flight.first()
        assert (key, type(task.exception())) == ("broken", KeyError)
        assert [(await flight.first())[0], len(flight)] == ["slow", 0]


@pytest.mark.parametrize("error", [ValueError("left"), asyncio.CancelledError()])
async def test_what_is_in_flight_ends_with_its_block(error):
    flights = []

    async def block():
        async with in_flight() as flight:
            flights.append(flight)
            flight.start(1, later(1, 10**9))
            flight.start(2, later(ValueError("not looked at"), 0))
            await asyncio.sleep(0)
            raise error

    with pytest.raises(type(error)):
        await block()
    assert not await others()
    with pytest.raises(RuntimeError, match="has been left"):
        flights[0].start(3, later(1, 1))


async def test_what_is_in_flight_ends_before_a_block_that_is_cancelled_again_and_again():
    ended = []

    async def stubborn():
        try:
            await later(1, 10**9)
        finally:
            await later(1, 20)
            ended.append(True)

    async def block():
        async with in_flight() as flight:
            flight.start(1, stubborn())
            await flight.first()

    task = asyncio.create_task(block())
    for _ in range(9):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
    assert not await others()
