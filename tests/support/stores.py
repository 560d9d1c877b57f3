"""Stores of tests: what they hold, and one that fails after a number of writes."""

from attrs import frozen

from gitlab_jobs_async import MemoryStore, SqliteStore, StoreError, to_json
from gitlab_jobs_async.events import JobFinished
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.checkpoint.shard_record import ShardRecord
from gitlab_jobs_async.store.values import Batch, Change, Shard, route_of

ONE = Shard(0, 1)


@frozen
class Held:
    """The content of a shard with its pending events, keys and data in order."""

    states: dict
    pending: list
    offsets: dict


async def leased(store, owner="test", shard=ONE):
    """Return the lease on *shard* of *store*, which must be free."""
    lease = await store.claim(shard.lease_name, owner, 10)
    await store.load(lease, shard)
    return lease


async def loaded(store, lease, shard=ONE):
    """Return what *store* holds for the owner of *lease*."""
    content = await store.load(lease, shard)
    events = await store.pending(lease, shard, 0, 1_000_000)
    return Held(content.states, [(one.key, one.event) for one in events], content.offsets)


async def content(store):
    """Return what *store* holds, after the monitors that used it."""
    lease = await leased(store)
    try:
        return await loaded(store, lease)
    finally:
        await store.release(lease)


async def fill(store, states):
    """Record *states* by name."""
    lease = await leased(store)
    changes = [Change(name, state, route_of(name)) for name, state in states.items()]
    await store.record(lease, Batch(changes))
    await store.release(lease)


async def record_jobs(store, *numbers):
    """Record the end of jobs with these numbers."""
    lease = await leased(store)
    events = []
    for number in numbers:
        job = Job(id=number, status=JobStatus.SUCCESS, stage="test", name="unit")
        event = JobFinished(key=f"job/{number}", project="shop/web", job=job)
        events.append((event.key, to_json(event)))
    await store.record(lease, Batch([Change("project shop/web", b"{}", 0, events)]))
    await store.release(lease)


async def record_for(path, *groups):
    """Record the ends of three jobs in a new store, which all *groups* have to read."""
    store = SqliteStore(path)
    await store.open("https://gitlab.example.com")
    for group in groups:
        await store.join(group)
    await record_jobs(store, 1, 2, 3)
    await store.close()


async def outbox_of(store, **how):
    """Return an outbox that records in *store*."""
    lease = await leased(store)
    held = await store.load(lease, ONE)
    return Outbox(ShardRecord(store, lease, ONE), held.last_place, **how)


class MortalStore(MemoryStore):
    """A store that fails after *left* writes, which ends the monitor."""

    left = None

    async def record(self, lease, batch):
        if self.left is not None:
            if self.left == 0:
                raise StoreError("here", "killed")
            self.left -= 1
        await super().record(lease, batch)
