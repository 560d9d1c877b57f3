"""Clients that share a store keep to one limit together, also when it is lost or away."""

import asyncio
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import (
    GitLab,
    MemoryStore,
    RateLimitedError,
    RequestBudget,
    SqliteStore,
    StoreAwayError,
)
from gitlab_jobs_async.ratelimit.grants import GrantPool
from gitlab_jobs_async.simulator import AcceleratedClock, Fault, Simulator, World
from gitlab_jobs_async.store.values import GrantRequest, Refusal
from tests.support.tasks import others


class AbsentStore(MemoryStore):
    """A store that does not answer while it is *away*."""

    is_away = False

    async def grant(self, requests, known):
        if self.is_away:
            raise StoreAwayError("here", "no answer")
        return await super().grant(requests, known)


@pytest.fixture
async def served():
    clock = AcceleratedClock(60)
    world = World(clock.now())
    world.add_finished_jobs(world.add_project("shop/web"), 3)
    async with Simulator(world, clock=clock) as simulator:
        yield simulator


def client(simulator, store, per_minute=30):
    budget = RequestBudget(per_minute=per_minute, shared=store)
    return GitLab(simulator.url, auth=simulator.token, clock=simulator.clock, budget=budget)


async def send(gitlab, count):
    for _ in range(count):
        await gitlab.project("shop/web").list_pipelines()


async def test_clients_keep_to_one_limit(served, tmp_path):
    stores = [SqliteStore(tmp_path / "b.db", clock=served.clock) for _ in range(3)]
    clients = [client(served, store) for store in stores]

    async def work(one):
        async with one:
            await send(one, 25)

    async with asyncio.timeout(15):
        await asyncio.gather(*map(work, clients))
    sent = sorted(request.at for request in served.requests)
    assert len(sent) == 75
    assert max(bisect_right(sent, at + 60) - number for number, at in enumerate(sent)) <= 30
    assert sent[-1] - sent[0] < 200


async def test_nothing_is_sent_while_the_store_is_away(served, caplog):
    store = AbsentStore(clock=served.clock)
    async with client(served, store) as gitlab:
        await send(gitlab, 1)
        await asyncio.sleep(0.1)  # what was granted has expired
        store.is_away = True
        waiting = asyncio.create_task(send(gitlab, 3))
        await asyncio.sleep(0.3)
        assert len(served.requests) == 1
        store.is_away = False
        async with asyncio.timeout(5):
            await waiting
    assert len(served.requests) == 4
    assert [record.message for record in caplog.records] == [
        "store here: no answer; no request is sent until it answers"
    ]


async def test_closed_client_leaves_no_question_behind(served):
    before = await others()
    store = AbsentStore(clock=served.clock)
    store.is_away = True
    async with client(served, store) as gitlab:
        waiting = asyncio.create_task(send(gitlab, 1))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.wait([waiting])
    assert await others() == before


async def test_pause_of_one_client_holds_for_all(served):
    store = MemoryStore(clock=served.clock)
    async with client(served, store) as first, client(served, store) as second:
        served.faults.add(Fault(status=429, headers={"Retry-After": "100"}, times=1))
        refused = asyncio.create_task(send(first, 1))
        await asyncio.sleep(0.1)
        began = served.clock.now()
        async with asyncio.timeout(10):
            await send(second, 1)
            await refused
        assert served.clock.now() - began > 80


async def test_limit_of_listings_is_shared(served):
    store = MemoryStore(clock=served.clock)
    budget = RequestBudget(jobs_index_per_minute=5, shared=store)
    async with GitLab(served.url, auth=served.token, clock=served.clock, budget=budget) as gitlab:
        async with asyncio.timeout(10):
            for _ in range(8):
                await gitlab.project("shop/web").list_jobs()
    sent = [request.at for request in served.requests]
    assert sent[5] - sent[0] >= 60


async def test_lost_memory_grants_nothing_for_a_minute():
    store = MemoryStore()
    wanted = [GrantRequest("", 5, 10)]
    first = await store.grant(wanted, None)
    assert first.counts == {"": 5}
    known = first.incarnation, first.serial
    for other in (("another", 1), (first.incarnation, 99)):
        answer = await MemoryStore().grant(wanted, other)
        assert answer.counts == {"": 0}
        assert 60 <= answer.retry_after <= 65
    assert (await store.grant(wanted, known)).counts == {"": 5}


async def test_pauses_are_told_until_they_end():
    store = MemoryStore()
    await store.refuse(Refusal("", 50))
    await store.refuse(Refusal("", 20))
    (refusal,) = (await store.grant([], None)).refusals
    assert 49 < refusal.seconds <= 50
    await store.resume("")
    assert not (await store.grant([], None)).refusals


def test_store_must_be_one():
    with pytest.raises(TypeError, match=r"invalid shared 'b\.db': expected a Store"):
        RequestBudget(shared="b.db")


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.booleans())))
def test_pool_gives_no_more_than_granted(steps):
    pool, now, granted, taken = GrantPool(60), 0.0, 0, 0
    for count, passed, is_taken in steps:
        now += passed
        pool.add(count, now + 1)
        granted += count
        if is_taken and pool.left(now):
            pool.take()
            taken += 1
        assert 0 <= pool.left(now) <= granted - taken
    assert pool.left(now + 1) == 0


async def test_refused_listings_delay_no_other_request(served):
    store = MemoryStore(clock=served.clock)
    budget = RequestBudget(per_minute=1000, jobs_index_per_minute=2, shared=store)
    async with GitLab(served.url, auth=served.token, clock=served.clock, budget=budget) as gitlab:
        listings = [asyncio.create_task(gitlab.project("shop/web").list_jobs()) for _ in range(4)]
        await asyncio.sleep(0.2)
        began = served.clock.now()
        await send(gitlab, 3)
        assert served.clock.now() - began < 20
        assert [listing.done() for listing in listings].count(True) == 2
        async with asyncio.timeout(5):
            await asyncio.gather(*listings)


def test_pool_knows_who_is_refused_until_when():
    pool = GrantPool(10)
    pool.refuse(100, background=True)
    assert pool.is_refused(99, background=True)
    assert not pool.is_refused(99, background=False)
    assert not pool.is_refused(100, background=True)
    pool.add(1, 101)
    assert not pool.is_refused(99, background=True)


async def test_long_pause_is_probed_and_ended_for_all():
    clock = AcceleratedClock(600)
    world = World(clock.now())
    world.add_project("shop/web")
    store = MemoryStore(clock=clock)
    async with (
        Simulator(world, clock=clock) as simulator,
        client(simulator, store) as first,
        client(simulator, store) as second,
    ):
        simulator.faults.add(Fault(status=429, headers={"Retry-After": "20000"}, times=1))
        began = clock.now()
        for one in (first, second):
            while True:
                try:
                    await send(one, 1)
                except RateLimitedError:
                    await clock.sleep(5)
                else:
                    break
        assert clock.now() - began < 1000
        # What the store still knew of the pause would begin it again.
        await clock.sleep(10)
        await send(first, 2)


async def test_grant_not_used_is_not_revived():
    budget = RequestBudget(per_minute=10, jobs_index_per_minute=None, shared=MemoryStore())
    budget.pools[""].add(1, 1)
    sent = budget.sent("kind")
    budget.pools[""].add(1, 30)
    budget.cancelled(sent)
    assert budget.pools[""].left(20) == 1


async def test_clock_set_back_stops_nobody_for_long():
    class SetClock:
        at = 10_000.0

        def now(self):
            return self.at

    clock = SetClock()
    store = MemoryStore(clock=clock)
    wanted = [GrantRequest("", 5, 5)]
    assert (await store.grant(wanted, None)).counts == {"": 5}
    clock.at -= 3600
    answer = await store.grant(wanted, None)
    assert answer.counts == {"": 0}
    assert 60 <= answer.retry_after <= 65
    clock.at += answer.retry_after
    assert (await store.grant(wanted, None)).counts == {"": 5}
