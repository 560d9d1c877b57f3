"""A large shard is taken over in steps, while its lease is kept and the loop is free."""

import asyncio
from functools import partial

import pytest
from attrs import evolve

from gitlab_jobs_async import GitLab, GroupTarget, MemoryStore
from gitlab_jobs_async.events import JobLogLine
from gitlab_jobs_async.monitor import shard as shard_module
from gitlab_jobs_async.monitor.discovered import PREFIX
from gitlab_jobs_async.monitor.poller import Poller
from gitlab_jobs_async.monitor.shard_leases import ShardLeases
from gitlab_jobs_async.simulator import JobPlan, Simulator, SteppedClock, World
from gitlab_jobs_async.store.values import route_of
from tests.support.stepped_time import pass_time
from tests.support.tasks import in_background, others, until
from tests.support.watched_groups import run


class LargeStore(MemoryStore):
    """A store that loads until it *may_end*."""

    def __init__(self, clock):
        super().__init__(clock=clock)
        self.loading, self.may_end = asyncio.Event(), asyncio.Event()

    async def load(self, lease, shard):
        self.loading.set()
        await self.may_end.wait()
        return await super().load(lease, shard)


def leases_on(store):
    """Return the leases of a new process on the only shard, and what happens to that."""
    got = []

    async def gain(*_):
        got.append("gained")

    return ShardLeases(store, 1, gain, None, got.append), got


async def test_lease_is_kept_while_a_shard_is_loaded():
    clock = SteppedClock()
    store = LargeStore(clock)
    (leases, got), (standby, _) = leases_on(store), leases_on(store)
    before = await others()
    tending = asyncio.create_task(leases.tend())
    await store.loading.wait()
    for _ in range(5):
        await until(lambda: clock.next_wake)
        clock.advance(store.lease_seconds / 2)
        await others()  # it renews
        await standby.tend()
        assert not standby.held
    store.may_end.set()
    await tending
    assert got == ["gained"]
    assert await others() == before


async def test_lease_lost_during_a_load_is_given_up():
    clock = SteppedClock()
    store = LargeStore(clock)
    leases, got = leases_on(store)
    tending = asyncio.create_task(leases.tend())
    await store.loading.wait()
    await until(lambda: clock.next_wake)
    clock.advance(store.lease_seconds)
    assert await store.claim("shard 0 of 1", "another", 10)
    await others()
    store.may_end.set()
    await tending
    assert not leases.held
    assert got == [0]


PATHS = [f"shop/p{number}" for number in range(23)]


@pytest.fixture
def world():
    world = World(SteppedClock().now())
    for path in [*PATHS, "ops/late"]:
        world.add_project(path)
    return world


@pytest.fixture
async def gitlab(world):
    clock = SteppedClock()
    async with Simulator(world, clock=clock) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as client:
            yield client


class Additions:
    """The targets that are added to pollers in each step of the loop."""

    def __init__(self, monkeypatch):
        self.names, self.steps, self.then = [], [0], {}
        add = Poller.add

        def counted(poller, target, name, **how):
            self.names.append(name)
            self.steps[-1] += 1
            self.then.get(name, lambda: None)()
            return add(poller, target, name, **how)

        monkeypatch.setattr(Poller, "add", counted)
        monkeypatch.setattr(shard_module, "_ADDED_AT_ONCE", 5)

    async def count(self):
        while True:
            self.steps.append(0)
            await asyncio.sleep(0)


@pytest.mark.parametrize("targets", [PATHS, [GroupTarget("shop")]])
async def test_states_are_restored_in_steps(gitlab, monkeypatch, targets):
    clock, store = gitlab._transport.clock, MemoryStore()
    store.clock = clock
    async with gitlab.monitor(targets, checkpoint=store) as events:
        reading = asyncio.create_task(anext(events))
        await until(lambda: len(events) == len(PATHS))
        reading.cancel()
        await asyncio.wait([reading])
    added = Additions(monkeypatch)
    async with in_background(added.count()), gitlab.monitor(targets, checkpoint=store) as events:
        assert len(events) == len(PATHS)
        assert sum(added.steps) == len(PATHS)
        assert max(added.steps) <= 5


async def test_found_pipelines_are_restored_in_steps(gitlab, monkeypatch):
    over = {f"{PREFIX}1 {number}": b'{"jobs":[],"is_over":true}' for number in range(1, 24)}
    store, added = MemoryStore(), Additions(monkeypatch)
    load = store.load

    async def load_found(*which):
        return evolve(await load(*which), states=over)

    monkeypatch.setattr(store, "load", load_found)
    async with (
        in_background(added.count()),
        gitlab.monitor(["ops/late"], checkpoint=store, downstream=True) as events,
    ):
        assert len(events) == 1
        assert added.names == [*over, "project ops/late"]
        assert max(added.steps) <= 5


async def test_targets_may_change_during_a_takeover(gitlab, monkeypatch):
    store = MemoryStore()
    store.clock = gitlab._transport.clock
    other = await store.claim("shard 0 of 1", "other", 10)
    added = Additions(monkeypatch)
    async with gitlab.monitor(PATHS, checkpoint=store) as events:
        added.then["project shop/p7"] = lambda: (events.add("ops/late"), events.remove("shop/p0"))
        await store.release(other)
        await until(lambda: store.clock.next_wake)
        store.clock.advance(store.poll_seconds)
        await until(lambda: events.shards)
        assert len(events) == len(PATHS)
        assert sorted(added.names) == sorted(f"project {path}" for path in [*PATHS, "ops/late"])


async def test_shard_lost_during_a_takeover_is_not_run(gitlab, monkeypatch):
    added = Additions(monkeypatch)
    lose = ShardLeases.lose

    def lost(leases):
        added.then["project shop/p7"] = lambda: lose(leases, 0)
        return tend(leases)

    tend = ShardLeases.tend
    monkeypatch.setattr(ShardLeases, "tend", lost)
    async with gitlab.monitor(PATHS, checkpoint=MemoryStore()) as events:
        assert events.shards == set()


LOG = b"".join(b"line %d\n" % number for number in range(100))


async def test_takeover_loses_no_log_line(gitlab, world, monkeypatch):
    """A log that an earlier monitor followed is read only once its shard is held."""
    clock, store, lines = gitlab._transport.clock, MemoryStore(), set()
    store.clock = clock

    async def read(events):
        async for event in events:
            if isinstance(event, JobLogLine):
                lines.add(event.line.text)

    async with gitlab.monitor(PATHS, checkpoint=store, logs=True) as events:
        async with in_background(read(events)):
            await pass_time(gitlab, clock, 30)
            plan = JobPlan(duration=300, log=LOG, first_upload=5, upload_interval=5)
            run(world, PATHS[0], plan=plan)
            await pass_time(gitlab, clock, 200, lambda: lines)
    other = await store.claim("shard 0 of 1", "other", 10)
    Additions(monkeypatch)
    # Long enough for an answer of the server.
    monkeypatch.setattr(shard_module, "yield_to_loop", partial(asyncio.sleep, 0.02))
    async with gitlab.monitor(PATHS, checkpoint=store, logs=True) as events:
        async with in_background(read(events)):
            await store.release(other)
            await until(lambda: clock.next_wake)
            clock.advance(store.poll_seconds)
            await until(lambda: events.shards)
            await pass_time(gitlab, clock, 400, lambda: len(lines) == 100)
    assert len(lines) == 100


async def test_failed_takeover_leaves_nothing_behind(gitlab, monkeypatch):
    added, before = Additions(monkeypatch), await others()

    def fail():
        raise asyncio.CancelledError

    added.then["project shop/p7"] = fail
    with pytest.raises(asyncio.CancelledError):
        async with gitlab.monitor(PATHS, checkpoint=(store := MemoryStore())):
            pass
    assert await others() == before
    assert await store.claim("shard 0 of 1", "other", 10)


@pytest.mark.parametrize("first", [0, 1])
async def test_old_events_are_deleted_by_one_shard(gitlab, monkeypatch, first):
    """Also where the first shards are over, as those without targets are."""
    clock, store, kept = gitlab._transport.clock, MemoryStore(), []

    async def prune(seconds):
        kept.append(seconds)

    store.clock = clock
    monkeypatch.setattr(store, "prune", prune)
    mine = [path for path in PATHS if route_of(f"project {path}") % 3 >= first]
    async with gitlab.monitor(mine, checkpoint=store, shards=3) as events:
        reading = asyncio.create_task(anext(events))
        await pass_time(gitlab, clock, 100)
        assert events.shards == {0, 1, 2} - set(range(first))
        reading.cancel()
        await asyncio.wait([reading])
    assert kept == [7 * 24 * 3600] * 2
