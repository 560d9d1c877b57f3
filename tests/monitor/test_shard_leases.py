"""Leases are kept while a large shard is loaded."""

import asyncio

from gitlab_jobs_async import MemoryStore
from gitlab_jobs_async.monitor.shard_leases import ShardLeases
from gitlab_jobs_async.simulator import SteppedClock
from tests.support.tasks import others, until


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
    return ShardLeases(store, 1, lambda *_: got.append("gained"), None, got.append), got


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
