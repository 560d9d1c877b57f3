"""Monitors that are stopped, as by a signal: the event in work is acknowledged, others are kept."""

import asyncio

import pytest

from gitlab_jobs_async import MemoryStore
from gitlab_jobs_async.simulator import Fault
from tests.support.connections import open_connections
from tests.support.tasks import others, until

APP = "group/app"


async def keys_of(gitlab, checkpoint=None, stop_at=None):
    """Return the keys of the events until the monitor has been stopped at the event *stop_at*."""
    keys = []
    async with gitlab.monitor([APP], checkpoint=checkpoint) as events:
        async for event in events:
            keys.append(event.key)
            if len(keys) == stop_at:
                events.stop()
    return keys


async def test_stop_ends_after_the_current_event(gitlab):
    assert len(await keys_of(gitlab, stop_at=1)) == 1
    assert not await others()
    assert open_connections(gitlab) == 0


async def test_pending_events_are_kept(gitlab):
    every = await keys_of(gitlab, stop_at=3)
    checkpoint = MemoryStore()
    first = await keys_of(gitlab, checkpoint, stop_at=1)
    assert first + await keys_of(gitlab, checkpoint, stop_at=2) == every


async def test_stop_wakes_a_waiting_consumer(gitlab, simulator):
    simulator.faults.add(Fault(latency=60.0, times=None))
    before = await others()
    async with gitlab.monitor([APP]) as events:
        waiting = asyncio.ensure_future(anext(events, None))
        await until(lambda: simulator.clock.next_wake)
        events.stop()
        assert await waiting is None
    assert await others() == before
    assert open_connections(gitlab) == 0


async def test_event_that_came_first_is_emitted(gitlab):
    async with gitlab.monitor([APP]) as events:
        waiting = asyncio.ensure_future(anext(events, None))
        await until(lambda: events._sources._ready)
        events.stop()
        assert await waiting is not None
        assert [event async for event in events] == []


async def test_stop_is_final(gitlab):
    async with gitlab.monitor([APP]) as events:
        events.stop()
        events.stop()
        assert [event async for event in events] == []
        events.add("group/other")
        assert [event async for event in events] == []
    events.stop()
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_stop_after_the_block_is_ignored(gitlab):
    async with gitlab.monitor([APP]) as events:
        pass
    events.stop()
    assert not await others()
