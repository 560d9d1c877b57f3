"""Pending events of a slow consumer delay further polls."""

import asyncio

import pytest

from gitlab_jobs_async import Bridge, FencedError, Job, MemoryStore
from gitlab_jobs_async.events import JobFinished, ProjectRecovered
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from tests.support.stores import content, outbox_of
from tests.support.tasks import prompt

CAPACITY = 1000


def event(number):
    return ProjectRecovered(key=f"target/7/{number}", project=7)


def filled(count):
    outbox = Outbox(None)
    outbox.put("7", None, [event(number) for number in range(count)])
    return outbox


@pytest.mark.parametrize(
    ("pending", "has_capacity"), [(0, True), (CAPACITY - 1, True), (CAPACITY, False)]
)
def test_capacity_is_a_thousand_events(pending, has_capacity):
    assert filled(pending).has_capacity() is has_capacity


@prompt
async def test_one_event_taken_frees_capacity():
    outbox = filled(CAPACITY)
    waiting = asyncio.create_task(outbox.wait_for_capacity())
    events = outbox.events()
    first = await anext(events)
    assert outbox.take(first)
    await waiting
    assert outbox.has_capacity()
    await events.aclose()


@prompt
async def test_discarding_a_target_frees_capacity():
    outbox = filled(CAPACITY)
    outbox.put("8", None, [event(CAPACITY)])
    outbox.discard("7")
    assert outbox.has_capacity()
    outbox.finish()
    assert [one.key async for one in outbox.events()] == [f"target/7/{CAPACITY}"]


@prompt
async def test_discarded_event_is_not_taken():
    outbox = filled(2)
    events = outbox.events()
    first = await anext(events)
    outbox.discard("7")
    assert not outbox.take(first)
    outbox.finish()
    assert [one async for one in events] == []


@prompt
async def test_failure_follows_pending_events():
    outbox = filled(1)
    outbox.finish(ValueError("first"))
    outbox.finish(ValueError("second"))
    events = outbox.events()
    assert (await anext(events)).key == "target/7/0"
    with pytest.raises(ValueError, match="first"):
        await anext(events)


@pytest.mark.parametrize(("bridges", "kinds"), [(False, [Job]), (True, [Bridge, Job])])
async def test_bridges_wait_for_who_asks_for_them(bridges, kinds):
    """A monitor without `downstream` promises jobs, also after one with it."""
    store = MemoryStore()
    jobs = [kind(id=7, status="success", stage="t", name="a") for kind in (Bridge, Job)]
    recorded = [JobFinished(key=f"{job}", project=7, job=job) for job in jobs]
    first = await outbox_of(store)
    first.put("7", None, recorded)
    await first.flush()
    resumed = await outbox_of(store, bridges=bridges)
    resumed.finish()
    assert [type(one.job) async for one in resumed.events()] == kinds
    assert len((await content(store)).pending) == 2


class SlowStore(MemoryStore):
    """A store whose next write is written and waits for an answer, or fails before."""

    is_written = True

    async def record(self, lease, batch):
        if self.is_written:
            await super().record(lease, batch)
            lease.version -= 1  # the answer has not come
        await asyncio.Event().wait()


@pytest.mark.parametrize("is_written", [True, False])
async def test_cancelled_write_is_repeated_or_fenced(is_written):
    store = SlowStore()
    store.is_written = is_written
    outbox = await outbox_of(store)
    outbox.put("7", None, [event(1)])
    flush = asyncio.create_task(outbox.flush())
    await asyncio.sleep(0)
    flush.cancel()
    await asyncio.wait([flush])
    outbox.put("7", None, [event(2)])
    store.record = super(SlowStore, store).record
    if is_written:
        with pytest.raises(FencedError):
            await outbox.flush()
    else:
        await outbox.flush()
        assert len(outbox) == 2
    await store.release(outbox.record.lease)
    recorded = [key for key, _ in (await content(store)).pending]
    assert recorded == ["target/7/1", "target/7/2"][: 1 if is_written else 2]
