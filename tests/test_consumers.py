"""Consumer groups read each recorded event at least once, in order, also after a crash."""

import asyncio

import pytest

from gitlab_jobs_async import MemoryStore, StoreAwayError, StoreError, consume
from gitlab_jobs_async.store.values import Batch, Change
from tests.support.clocks import JumpClock
from tests.support.stores import leased, record_jobs
from tests.support.tasks import others

URL = "https://gitlab.example.com"


class FlakyStore(MemoryStore):
    """A store that does not answer the next *failures* reads."""

    failures = 0
    poll_seconds = 0.01
    acknowledges = True
    has_effect = False

    async def acknowledge(self, *arguments):
        if self.acknowledges or self.has_effect:
            await super().acknowledge(*arguments)
        if not self.acknowledges:
            self.acknowledges = True
            raise StoreAwayError("here", "no answer")

    async def read(self, group, after, limit):
        if self.failures:
            self.failures -= 1
            raise StoreAwayError("here", "no answer")
        return await super().read(group, after, limit)


@pytest.fixture
async def store():
    kept = FlakyStore()
    await kept.open(URL)
    await kept.join("bot")
    return kept


async def take(recorded, count):
    async with asyncio.timeout(5):
        return [(await anext(recorded)).event.job.id for _ in range(count)]


async def test_events_come_in_order_under_the_instance(store):
    await record_jobs(store, 1, 2, 3)
    async with consume(store, "bot") as recorded:
        one = await anext(recorded)
        assert (one.key, one.instance) == ("gitlab.example.com/job/1", URL)
        assert one.event.job.id == 1
        assert await take(recorded, 2) == [2, 3]


async def test_last_event_is_read_again_after_a_break(store):
    await record_jobs(store, 1, 2, 3)
    before = await others()
    async with consume(store, "bot") as recorded:
        assert await take(recorded, 2) == [1, 2]
    assert await others() == before
    async with consume(store, "bot") as recorded:
        assert await take(recorded, 2) == [2, 3]


async def test_waiting_consumer_gets_a_later_event(store):
    async with consume(store, "bot") as recorded:
        waiting = asyncio.create_task(take(recorded, 1))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await record_jobs(store, 1)
        assert await waiting == [1]


async def test_cancelled_consumer_leaves_nothing_behind(store):
    before = await others()

    async def wait():
        async with consume(store, "bot") as recorded:
            await anext(recorded)

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await others() == before
    assert await store.claim("group bot", "other", 1) is not None


async def test_second_member_reads_on_after_the_first(store):
    await record_jobs(store, 1, 2, 3)
    async with consume(store, "bot") as second:
        async with consume(store, "bot") as first:
            assert await take(first, 2) == [1, 2]
            waiting = asyncio.create_task(take(second, 2))
            await asyncio.sleep(0.1)
            assert not waiting.done()
        assert await waiting == [2, 3]


async def test_slow_member_keeps_its_group():
    """Else the next member would read the same event again, and so on without end."""
    store = FlakyStore(clock=JumpClock())
    await store.open(URL)
    await store.join("bot")
    await record_jobs(store, 1, 2)
    async with consume(store, "bot") as recorded:
        assert await take(recorded, 1) == [1]
        until = store.clock.now() + 10 * store.lease_seconds
        async with asyncio.timeout(5):
            while store.clock.now() < until:
                await asyncio.sleep(0)
                assert await store.claim("group bot", "other", 10) is None
        assert await take(recorded, 1) == [2]
    assert await store.claim("group bot", "other", 10)


@pytest.mark.parametrize(("is_fast", "poll_seconds"), [(True, 60), (False, 0.01)])
async def test_next_event_acknowledges_the_last(store, is_fast, poll_seconds):
    store.is_fast, store.poll_seconds = is_fast, poll_seconds
    await record_jobs(store, 1, 2, 3)
    async with consume(store, "bot") as recorded:
        assert await take(recorded, 1) == [1]
        await asyncio.sleep(0.02)
        assert await take(recorded, 1) == [2]
        # A member that is killed now leaves these.
        assert [one.key for one in (await store.read("bot", 0, 9)).events] == ["job/2", "job/3"]


async def test_groups_read_independently(store):
    await store.join("mail")
    await record_jobs(store, 1, 2)
    for group in ("bot", "mail"):
        async with consume(store, group) as recorded:
            assert await take(recorded, 2) == [1, 2]


async def test_backlog_lets_other_tasks_run(store):
    await record_jobs(store, *range(1, 501))
    passes = 0

    async def pass_by():
        nonlocal passes
        while True:
            passes += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(pass_by())
    async with consume(store, "bot") as recorded:
        await take(recorded, 1)
        before = passes
        assert await take(recorded, 499) == list(range(2, 501))
    assert passes - before >= 4
    other.cancel()


async def test_store_that_does_not_answer_is_waited_for(store):
    await record_jobs(store, 1)
    store.failures = 3
    async with consume(store, "bot") as recorded:
        assert await take(recorded, 1) == [1]
    assert store.failures == 0


@pytest.mark.parametrize("has_effect", [False, True])
async def test_outage_repeats_no_event(store, has_effect):
    await record_jobs(store, 1, 2)
    async with consume(store, "bot") as recorded:
        assert await take(recorded, 2) == [1, 2]
        await record_jobs(store, 3)
        store.acknowledges, store.has_effect = False, has_effect
        assert await take(recorded, 1) == [3]


async def test_close_while_the_store_is_away_is_quiet(store):
    store.is_fast, store.poll_seconds = False, 60
    await record_jobs(store, 1, 2)
    async with consume(store, "bot") as recorded:
        await take(recorded, 2)
        store.acknowledges = False
    assert store.acknowledges  # it was tried


async def test_missed_events_are_counted_once(store):
    await record_jobs(store, 1, 2, 3)
    lease = await leased(store)
    await store.record(lease, Batch(acknowledged=["job/1", "job/2"]))
    await store.release(lease)
    await store.prune(-1)
    async with consume(store, "bot") as recorded:
        assert (await anext(recorded)).missed == 2
        await record_jobs(store, 4)
        assert (await anext(recorded)).missed == 0
    async with consume(store, "bot") as recorded:
        assert (await anext(recorded)).missed == 0


async def test_damaged_event_stays_unread(store):
    """A caller that goes on, now or later, gets the error again, and no event behind it."""
    lease = await leased(store)
    await store.record(lease, Batch([Change("a", b"", 0, [("k", b"{")])]))
    await store.release(lease)
    await record_jobs(store, 1)
    for _ in range(2):
        async with consume(store, "bot") as recorded:
            for _ in range(2):
                with pytest.raises(StoreError, match="invalid event"):
                    await anext(recorded)


@pytest.mark.parametrize("group", ["", "a" * 101, "a\0"])
async def test_invalid_group_is_refused(store, group):
    with pytest.raises(ValueError, match="invalid group"):
        async with consume(store, group):
            pass


async def test_invalid_store_is_refused():
    with pytest.raises(TypeError, match="invalid store 5"):
        async with consume(5, "bot"):
            pass


async def test_store_that_was_set_back_is_read_again(store):
    """The places of events that the store has lost are given to others."""
    await record_jobs(store, 1)
    async with consume(store, "bot") as recorded:
        assert await take(recorded, 1) == [1]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(recorded)
        copy = store._connection.serialize()
        await record_jobs(store, 2)
        assert await take(recorded, 1) == [2]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(recorded)
        store._connection.deserialize(copy)
        await record_jobs(store, 3)
        assert await take(recorded, 1) == [3]
