"""Events that wait for a slow consumer hold back what brings more of them."""

import asyncio

import pytest

from gitlab_jobs_async.events import ProjectRecovered
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from tests.support.tasks import prompt

MOST = 1000


def event(number):
    return ProjectRecovered(key=f"target/7/{number}", project=7)


def filled(count):
    outbox = Outbox(None)
    outbox.put("7", None, [event(number) for number in range(count)])
    return outbox


@pytest.mark.parametrize(("waiting", "has_room"), [(0, True), (MOST - 1, True), (MOST, False)])
def test_room_ends_with_a_thousand_events(waiting, has_room):
    assert filled(waiting).has_capacity() is has_room


@prompt
async def test_one_event_taken_makes_room():
    outbox = filled(MOST)
    waiting = asyncio.create_task(outbox.wait_for_capacity())
    events = outbox.events()
    first = await anext(events)
    assert outbox.take(first)
    await waiting
    assert outbox.has_capacity()
    await events.aclose()


@prompt
async def test_dropping_a_target_makes_room():
    outbox = filled(MOST)
    outbox.put("8", None, [event(MOST)])
    outbox.drop("7")
    assert outbox.has_capacity()
    outbox.finish()
    assert [one.key async for one in outbox.events()] == [f"target/7/{MOST}"]


@prompt
async def test_an_event_dropped_is_not_taken():
    outbox = filled(2)
    events = outbox.events()
    first = await anext(events)
    outbox.drop("7")
    assert not outbox.take(first)
    outbox.finish()
    assert [one async for one in events] == []


@prompt
async def test_a_failure_comes_after_what_waits():
    outbox = filled(1)
    outbox.finish(ValueError("first"))
    outbox.finish(ValueError("second"))
    events = outbox.events()
    assert (await anext(events)).key == "target/7/0"
    with pytest.raises(ValueError, match="first"):
        await anext(events)
