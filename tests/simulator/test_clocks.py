"""The three clocks."""

import asyncio
import threading
import time

import pytest

from gitlab_jobs_async.simulator import AcceleratedClock, RealClock, SteppedClock


async def test_stepped_sleepers_wake_in_order():
    clock, woken = SteppedClock(100.0), []

    async def sleeper(seconds):
        await clock.sleep(seconds)
        woken.append(seconds)

    async with asyncio.TaskGroup() as tasks:
        for seconds in (30, 10, 20, 10.5):
            tasks.create_task(sleeper(seconds))
        await asyncio.sleep(0)
        assert clock.next_wake == 110.0
        clock.advance(20)
        for _ in range(3):
            await asyncio.sleep(0)
        assert woken == [10, 10.5, 20]
        clock.advance(10)
    assert woken == [10, 10.5, 20, 30]
    assert clock.now() == 130.0
    assert clock.next_wake is None


async def test_stepped_clock_is_thread_safe():
    clock = SteppedClock()
    sleeping = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    mover = threading.Thread(target=clock.advance, args=(5,))
    mover.start()
    await sleeping
    mover.join()


async def test_canceled_sleeper_is_forgotten():
    clock = SteppedClock()
    sleeping = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    assert clock.next_wake is None
    clock.advance(10)
    await clock.sleep(0)


def test_negative_steps_are_refused():
    with pytest.raises(ValueError, match="no negative number"):
        SteppedClock().advance(-1)
    with pytest.raises(ValueError, match="factor"):
        AcceleratedClock(0)


async def test_accelerated_and_real():
    clock = AcceleratedClock(10_000, start=1000.0)
    begun = time.monotonic()
    await clock.sleep(100)
    assert clock.now() >= 1100.0
    assert time.monotonic() - begun < 5
    assert abs(AcceleratedClock(1).now() - time.time()) < 5
    assert abs(RealClock().now() - time.time()) < 5
    await RealClock().sleep(0)
