"""Events that an earlier monitor left are read in batches, and none that came later."""

import tracemalloc

from gitlab_jobs_async import MemoryStore, SqliteStore
from gitlab_jobs_async.monitor.checkpoint.shard_record import EarlierEvents, ShardRecord
from gitlab_jobs_async.store.values import Batch, Change
from tests.support.stores import ONE, leased

BACKLOG = 15_000


def events(first, number):
    return [Change("a", b"1", 0, [(f"job/{first + n}", bytes(400)) for n in range(number)])]


async def earlier_events(store):
    lease = await leased(store)
    content = await store.load(lease, ONE)
    return EarlierEvents(ShardRecord(store, lease, ONE), content.last_place), lease


async def test_backlog_is_read_in_bounded_memory(tmp_path):
    store = SqliteStore(tmp_path / "ci.db")
    await store.open()
    lease = await leased(store)
    for first in range(0, BACKLOG, 5000):
        await store.record(lease, Batch(events(first, 5000)))
    await store.load(lease, ONE)
    tracemalloc.start()
    try:
        earlier, _ = await earlier_events(store)
        found = 0
        while await earlier.next() is not None:
            found += 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await store.close()
    assert found == BACKLOG
    assert peak < 1_500_000


async def test_later_events_are_not_read():
    """Acknowledge what is read, and record more meanwhile, across several batches."""
    store = MemoryStore()
    lease = await leased(store)
    await store.record(lease, Batch(events(0, 1200)))
    earlier, lease = await earlier_events(store)
    found = 0
    while await earlier.next() is not None:
        if found % 100 == 0:
            await store.record(lease, Batch(events(5000 + found, 1), [f"job/{found}"]))
        found += 1
    assert found == 1200
    assert await earlier.next() is None
