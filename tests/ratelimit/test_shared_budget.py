"""Clients that share a store keep to one limit together, also when it is lost or away."""

import asyncio
import random
import re
from bisect import bisect_right
from itertools import pairwise

import pytest
from attrs import define, evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async import (
    GitLab,
    MemoryStore,
    RateLimitedError,
    RequestBudget,
    RetryPolicy,
    SqliteStore,
    StoreAwayError,
)
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.ratelimit.grants import GrantPool
from gitlab_jobs_async.simulator import AcceleratedClock, Fault, Simulator, World
from gitlab_jobs_async.store.grant_values import GrantRequest, LastAnswer, Refusal
from gitlab_jobs_async.store.schema import CONNECTING_SECONDS, GRANT_SECONDS
from tests.support.tasks import others


class AbsentStore(MemoryStore):
    """A store that does not answer while it is *away*, and late after a *delay*."""

    is_away = False
    delay = 0.0
    error = refuse_error = None

    async def grant(self, requests, last):
        if self.is_away:
            raise StoreAwayError("here", "no answer")
        if self.error is not None:
            raise self.error
        if self.delay:
            await asyncio.sleep(self.delay)
        return await super().grant(requests, last)

    async def refuse(self, refusal):
        if self.refuse_error is not None:
            raise self.refuse_error
        await super().refuse(refusal)


class SetClock:
    """A clock that shows what it is set to."""

    def __init__(self):
        self.at = 10_000.0

    def now(self):
        return self.at


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


async def test_slow_store_is_reported_once(served, caplog):
    """As one whose clock is much slower than the client's."""
    store = AbsentStore(clock=served.clock)
    store.delay = 0.02  # at least 1.2 seconds of the clock
    async with client(served, store) as gitlab:
        waiting = asyncio.create_task(send(gitlab, 1))
        await asyncio.sleep(0.3)
        assert len(served.requests) == 0
        (record,) = caplog.records
        assert re.fullmatch(
            r"store in memory: answers after \d+\.\d s of the client's clock; "
            "no request is sent until it takes less than 1 s",
            record.message,
        )
        store.delay = 0
        async with asyncio.timeout(5):
            await waiting


async def test_error_of_a_store_is_raised_by_calls(served, caplog):
    """One that is the caller's may raise anything."""
    store = AbsentStore(clock=served.clock)
    store.error = KeyError("grants")
    async with client(served, store) as gitlab, asyncio.timeout(5):
        calls = [send(gitlab, 1) for _ in range(2)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert results == [store.error] * 2
        store.error, store.refuse_error = None, KeyError("refusals")
        served.faults.add(Fault(status=429, headers={"Retry-After": "2"}, times=1))
        await send(gitlab, 1)
    assert [record.message for record in caplog.records] == [
        "store in memory: pause not shared: KeyError('refusals')"
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


@pytest.mark.parametrize("per_minute", [30, None])
async def test_pause_of_one_client_holds_for_all(served, per_minute):
    store = MemoryStore(clock=served.clock)
    async with (
        client(served, store, per_minute) as first,
        client(served, store, per_minute) as second,
    ):
        served.faults.add(Fault(status=429, headers={"Retry-After": "100"}, times=1))
        refused = asyncio.create_task(send(first, 1))
        await asyncio.sleep(0.1)
        began = served.clock.now()
        async with asyncio.timeout(10):
            await send(second, 1)
            await refused
        assert served.clock.now() - began > 80


class SlowStore(MemoryStore):
    """A store that takes a while for a pause."""

    refused = None

    async def refuse(self, refusal):
        await asyncio.sleep(0.05)
        await super().refuse(refusal)
        self.refused = refusal


async def test_pause_at_the_end_is_shared(served):
    store = SlowStore(clock=served.clock)
    served.faults.add(Fault(status=429, headers={"Retry-After": "3000"}, times=1))
    before = await others()
    with pytest.raises(RateLimitedError):
        async with GitLab(
            served.url,
            auth=served.token,
            clock=served.clock,
            budget=RequestBudget(shared=store),
            retry=RetryPolicy(attempts=1),
        ) as gitlab:
            await send(gitlab, 1)
    assert store.refused is not None
    assert await others() == before


async def test_refused_process_asks_again_soon(served):
    """By its questions time passes in a database, and it may be killed before the last."""
    asked = []

    class Asked(MemoryStore):
        async def grant(self, requests, last):
            asked.append(served.clock.now())
            return await super().grant(requests, last)

    async with client(served, Asked(clock=served.clock), per_minute=5) as gitlab:
        async with asyncio.timeout(10):
            await send(gitlab, 6)
    assert served.requests[5].at - served.requests[0].at >= 60
    assert max(after - before for before, after in pairwise(asked)) < 15


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
    clock = SetClock()
    wanted = [GrantRequest("", 5, 10)]
    first = await MemoryStore(clock=clock).grant(wanted, None)
    assert first.counts == {"": 5}
    for known in (LastAnswer("another", 1), evolve(first.answer, serial=99)):
        store = MemoryStore(clock=clock)
        answers = [await store.grant(wanted, known) for _ in range(2)]
        answers += [await store.grant(wanted, answers[0].answer), await store.grant(wanted, None)]
        assert [answer.counts for answer in answers] == [{"": 0}] * 4
        assert {answer.retry_after for answer in answers} == {63}
        clock.at += 63
        assert (await store.grant(wanted, answers[1].answer)).counts == {"": 5}


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
    clock = SetClock()
    store = MemoryStore(clock=clock)
    wanted = [GrantRequest("", 5, 5)]
    assert (await store.grant(wanted, None)).counts == {"": 5}
    await store.refuse(Refusal("", 50))
    await store.claim("a", "dead", 10)
    clock.at -= 3600
    answer = await store.grant(wanted, None)
    assert answer.counts == {"": 0}
    assert answer.retry_after == 63
    assert [refusal.seconds for refusal in answer.refusals] == [50]
    assert await store.claim("a", "next", 10) is None
    assert await store.owners("a") == ["a"]
    clock.at += 10
    assert await store.claim("a", "next", 10)
    clock.at += 53
    answer = await store.grant(wanted, None)
    assert (answer.counts, answer.refusals) == ({"": 5}, [])


@pytest.mark.parametrize("jump", [-3600, 3600])
async def test_processes_of_a_machine_agree_on_time(tmp_path, jump):
    """A process that began after the clock was set reads another time of day."""
    later = SystemClock()
    later._epoch += jump
    wanted = [GrantRequest("", 5, 5)]
    stores = [SqliteStore(tmp_path / "b.db", clock=clock) for clock in (SystemClock(), later)]
    for store in stores:
        await store.open()
    assert (await stores[0].grant(wanted, None)).counts == {"": 5}
    await stores[0].claim("a", "me", 10)
    answer = await stores[1].grant(wanted, None)
    assert answer.counts == {"": 0}
    assert 60 < answer.retry_after <= 63
    assert await stores[1].claim("a", "other", 10) is None
    for store in stores:
        await store.close()


class DatabaseStore(MemoryStore):
    """A store whose only clock may be set, as that of PostgreSQL."""

    is_steady = False


@define
class Asker:
    """A process that asks a store for grants, and measures the time between."""

    answer: LastAnswer | None = None
    asked_at: float = 0.0
    answered_at: float = 0.0

    async def ask(self, store, time, *, there, back, wanted=3, per_minute=10):
        """Ask so that the store answers at *time*, *there* seconds later."""
        last = self.answer and evolve(
            self.answer,
            shortest=time - there - self.answered_at,
            longest=time - there - self.asked_at,
        )
        grants = await store.grant([GrantRequest("", wanted, per_minute)], last)
        self.answer, self.asked_at, self.answered_at = grants.answer, time - there, time + back
        return grants


DELAYS = st.floats(0, 0.2)
STEPS = st.tuples(
    st.integers(0, 2),
    st.floats(0.4, 40) | st.just(62.6),
    DELAYS,
    DELAYS,
    st.sampled_from([0] * 6 + [-5000, 90, 7200]),
    st.integers(0, 12).map(bool),
    st.floats(0, 1) | st.sampled_from([0, 1]),
    st.sampled_from([3, 10]),
)

LATEST = GRANT_SECONDS + CONNECTING_SECONDS + 1
"""Seconds from a question until what it was granted reaches the server at the latest."""


@settings(max_examples=60)
@given(st.lists(STEPS, min_size=5, max_size=40))
async def test_set_clock_frees_no_grant_early(steps):
    """Ask from three processes, some of which begin again, while the store's clock is set.

    What was granted reaches the server at any time at which it may.
    """
    clock = SetClock()
    store, time, arrivals = DatabaseStore(clock=clock), 0.0, []
    askers = [Asker() for _ in range(3)]
    for number, passed, there, back, jump, is_kept, late, wanted in steps:
        time += passed
        clock.at += passed + jump
        if not is_kept:
            askers[number] = Asker()
        grants = await askers[number].ask(store, time, there=there, back=back, wanted=wanted)
        arrivals.append((time + late * (LATEST - there), grants.counts[""]))
    for first, _ in arrivals:
        assert sum(count for at, count in arrivals if first <= at < first + 59.999) <= 10
    # Whatever was set: after a window, a process gets all it wants.
    asker, left = Asker(), 0
    for passed in (1, 63, 1):
        time, clock.at = time + passed, clock.at + passed
        left += (await asker.ask(store, time, there=0.01, back=0.01, wanted=10)).counts[""]
    assert left >= 10


async def test_killed_processes_do_not_stop_time():
    """One of four is killed every ten seconds; the others ask every two."""
    clock = SetClock()
    store, askers = DatabaseStore(clock=clock), [Asker() for _ in range(4)]
    for step in range(1, 241):
        clock.at += 0.5
        if step % 20 == 0:
            askers[step // 20 % 4] = Asker()
        grants = await askers[step % 4].ask(store, step / 2, there=0.01, back=0.01)
    assert 95 < grants.answer.time <= 120


async def test_time_of_a_store_passes_as_it_does():
    """Delays that vary make the agreed time lag by no more than they are."""
    clock, chance = SetClock(), random.Random(4)
    store, time, asker = DatabaseStore(clock=clock), 0.0, Asker()
    for _ in range(500):
        time, clock.at = time + 0.5, clock.at + 0.5
        grants = await asker.ask(store, time, there=chance.random() / 20, back=0.01)
    assert 248 < grants.answer.time <= 249.5
