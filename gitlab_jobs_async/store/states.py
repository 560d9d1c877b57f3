"""Transactions of monitors: states of targets, the events that led to them, and log offsets."""

from collections.abc import Sequence

from gitlab_jobs_async.store import leases
from gitlab_jobs_async.store.checksums import seal, seal_offset, unseal, unseal_offset
from gitlab_jobs_async.store.steps import Step, Transaction, count, many, unix_now
from gitlab_jobs_async.store.values import Batch, Lease, Shard, StoredEvent

_PART = 200
"""States that are read at once: a shard may have a hundred megabytes of them."""


def load_states(
    lease: Lease, shard: Shard, after: str
) -> Transaction[tuple[int, list[tuple[str, int | None, bytes]]]]:
    """Return the version of *lease*, and the next states of *shard* after the name *after*.

    They are names, routes and data; none if these were all.

    Raises:
        NotOwnerError: the lease has another owner.
        ChecksumError: a row was damaged.
    """
    version = yield from leases.check(lease)
    rows = yield Step(
        "SELECT name, route, state FROM states WHERE name > ? AND (route IS NULL OR route % ? = ?)"
        " ORDER BY name LIMIT ?",
        (after, shard.count, shard.number, _PART),
    )
    return version, [(name, route, unseal(name, state, route)) for name, route, state in rows]


def load_offsets(lease: Lease, shard: Shard) -> Transaction[tuple[int, dict[int, int], int]]:
    """Return the version of *lease*, the log offsets of *shard*, and the last place of an event.

    Raises:
        NotOwnerError: the lease has another owner.
        ChecksumError: a row was damaged.
    """
    version = yield from leases.check(lease)
    logs = yield Step(
        "SELECT job_id, route, read_to FROM logs WHERE route IS NULL OR route % ? = ?",
        (shard.count, shard.number),
    )
    last = yield from count("place", 0)
    return version, {job: unseal_offset(job, read_to, route) for job, route, read_to in logs}, last


def pending(lease: Lease, shard: Shard, after: int, limit: int) -> Transaction[list[StoredEvent]]:
    """Return the next pending events of *shard* after the place *after*, at most *limit*.

    Raises:
        NotOwnerError: the lease has another owner.
        ChecksumError: a row was damaged.
    """
    yield from leases.check(lease)
    rows = yield Step(
        "SELECT place, key, route, event FROM events WHERE is_pending = 1 AND place > ?"
        " AND (route IS NULL OR route % ? = ?) ORDER BY place LIMIT ?",
        (after, shard.count, shard.number, limit),
    )
    return [
        StoredEvent(place, key, unseal(key, data, route), route) for place, key, route, data in rows
    ]


def record(lease: Lease, batch: Batch) -> Transaction[int]:
    """Write *batch* under *lease*, and return the new version of the lease.

    Raises:
        NotOwnerError: the lease has another owner, or the store has been set back.
    """
    yield from leases.fence(lease)
    last = {change.name: change for change in batch.changes}
    written = [
        (name, change.route, seal(name, change.state, change.route))
        for name, change in last.items()
        if change.state is not None
    ]
    yield from many(
        "INSERT INTO states (name, route, state) VALUES (?, ?, ?) ON CONFLICT (name)"
        " DO UPDATE SET route = excluded.route, state = excluded.state",
        written,
    )
    deleted = [(name,) for name, change in last.items() if change.state is None]
    yield from many("DELETE FROM states WHERE name = ?", deleted)
    yield from _append([(c.route, key, data) for c in batch.changes for key, data in c.events])
    yield from _acknowledge(batch.acknowledged)
    offsets = [
        (job_id, offset.route, seal_offset(job_id, offset.bytes, offset.route))
        for job_id, offset in batch.offsets.items()
        if offset is not None
    ]
    yield from many(
        "INSERT INTO logs (job_id, route, read_to) VALUES (?, ?, ?) ON CONFLICT (job_id)"
        " DO UPDATE SET route = excluded.route, read_to = excluded.read_to",
        offsets,
    )
    ended = [(job_id,) for job_id, offset in batch.offsets.items() if offset is None]
    yield from many("DELETE FROM logs WHERE job_id = ?", ended)
    return lease.version + 1


def _append(events: Sequence[tuple[int | None, str, bytes]]) -> Transaction[None]:
    if not events:
        return
    now = yield from unix_now()
    # The row of the counter is locked until the end: places become visible in their order, so
    # that a consumer which has read up to one never misses an earlier one.
    last = yield from count("place", len(events))
    yield from many(
        "INSERT INTO events (place, key, route, event, recorded_at, is_pending)"
        " VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT (key) DO NOTHING",
        [
            (last - len(events) + number, key, route, seal(key, data, route), now)
            for number, (route, key, data) in enumerate(events, 1)
        ],
    )


def _acknowledge(keys: Sequence[str]) -> Transaction[None]:
    if not keys:
        return
    rows = yield Step("SELECT 1 FROM consumers LIMIT 1")
    # Without consumer groups an event is of no more use.
    sql = (
        "UPDATE events SET is_pending = 0 WHERE key = ?"
        if rows
        else "DELETE FROM events WHERE key = ?"
    )
    yield from many(sql, [(key,) for key in keys])
