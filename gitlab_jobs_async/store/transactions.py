"""Transactions of a store as steps: pure generators that yield SQL and take its rows.

SQLite runs them in a thread, PostgreSQL in the loop. A parameter is written `?`; both dialects know
`ON CONFLICT` and `RETURNING`. Each transaction that must not meet another one begins with an UPDATE
of the row that it is about.
"""

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from attrs import frozen

from gitlab_jobs_async.store.checksums import seal, seal_offset, unseal, unseal_offset
from gitlab_jobs_async.store.schema import GRANT_SECONDS
from gitlab_jobs_async.store.values import (
    Batch,
    Content,
    GrantRequest,
    Grants,
    Lease,
    Refusal,
    Shard,
    StoredEvent,
    Unread,
)

T = TypeVar("T")

Rows = list[tuple[Any, ...]]

_MINUTE = 60.0
_ON_THE_WAY = 2.0
"""Seconds that a granted request may be on its way to the server."""

_WINDOW = _MINUTE + GRANT_SECONDS + _ON_THE_WAY

_SHARD = "shard "
_LOST = "lost"
"""Kind of the refusal while the store does not know what it has granted; no request has it."""


@frozen
class Step:
    """A statement with its parameters, or with many rows of them and no result."""

    sql: str
    parameters: Sequence[Any] = ()
    rows: Sequence[Sequence[Any]] | None = None


class NotOwnerError(Exception):
    """The lease of a write has another owner, or the store has been set back."""


class Now:
    """Asks for the store's time in unix seconds, as the only value of the only row."""


Transaction = Generator[Step | Now, Rows, T]


def _now() -> Transaction[float]:
    ((now,),) = yield Now()
    return float(now)


def claim(
    name: str, owner: str, seconds: float, dead: str | None = None
) -> Transaction[Lease | None]:
    """Take or renew the lease *name* for *seconds*; None if another owner has it.

    The owner *dead* has certainly ended, so that its lease counts no more.
    """
    now = yield from _now()
    expires = now + seconds
    rows = yield Step(
        "UPDATE leases SET expires = ? WHERE name = ? AND owner = ? RETURNING epoch, version",
        (expires, name, owner),
    )
    if not rows and (yield from _is_overlapped(name, now, dead or "")):
        return None
    if not rows:
        rows = yield Step(
            "INSERT INTO leases (name, owner, epoch, version, expires) VALUES (?, ?, 1, 0, ?)"
            " ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, epoch = leases.epoch + 1,"
            " expires = excluded.expires WHERE leases.expires <= ? OR leases.owner = ?"
            " RETURNING epoch, version",
            (name, owner, expires, now, dead or ""),
        )
    if not rows:
        return None
    ((epoch, version),) = rows
    return Lease(name, owner, epoch, version, expires)


def _is_overlapped(name: str, now: float, dead: str) -> Transaction[bool]:
    """Return whether the lease *name* is held, or one on shards of another number."""
    rows = yield Step(
        "SELECT 1 FROM leases WHERE name = ? AND expires > ? AND owner <> ?", (name, now, dead)
    )
    if rows or not name.startswith(_SHARD):
        return bool(rows)
    # Two processes may claim overlapping shards at once.
    yield from _count("lease", 0)
    rows = yield Step(
        "SELECT 1 FROM leases WHERE name LIKE ? AND name NOT LIKE ? AND expires > ? AND owner <> ?",
        (f"{_SHARD}%", f"% of {name.rpartition(' of ')[2]}", now, dead),
    )
    return bool(rows)


def release(lease: Lease) -> Transaction[None]:
    """Give up *lease*, so that another owner may take it at once."""
    yield Step(
        "UPDATE leases SET expires = 0, owner = '' WHERE name = ? AND owner = ? AND epoch = ?",
        (lease.name, lease.owner, lease.epoch),
    )


def _fence(lease: Lease) -> Transaction[None]:
    """Count a write under *lease*, and keep other owners out until the transaction ends.

    Raises:
        NotOwnerError: the lease has another owner, or the store has been set back.
    """
    rows = yield Step(
        "UPDATE leases SET version = version + 1"
        " WHERE name = ? AND owner = ? AND epoch = ? AND version = ? RETURNING version",
        (lease.name, lease.owner, lease.epoch, lease.version),
    )
    if not rows:
        raise NotOwnerError


def owners(prefix: str) -> Transaction[list[str]]:
    """Return the names of the leases that start with *prefix* and are held; delete the others."""
    now = yield from _now()
    pattern = f"{prefix}%"
    yield Step("DELETE FROM leases WHERE name LIKE ? AND expires <= ?", (pattern, now))
    rows = yield Step("SELECT name FROM leases WHERE name LIKE ? ORDER BY name", (pattern,))
    return [name for (name,) in rows]


def delete_lease(name: str) -> Transaction[None]:
    """Delete a lease whose owner has ended."""
    yield Step("DELETE FROM leases WHERE name = ?", (name,))


def load(lease: Lease, shard: Shard) -> Transaction[tuple[int, Content]]:
    """Return the version of *lease*, and the content of *shard*.

    Raises:
        NotOwnerError: the lease has another owner.
        ChecksumError: a row was damaged.
    """
    rows = yield Step(
        "SELECT version FROM leases WHERE name = ? AND owner = ? AND epoch = ?",
        (lease.name, lease.owner, lease.epoch),
    )
    if not rows:
        raise NotOwnerError
    ((version,),) = rows
    part = (shard.count, shard.number)
    states = yield Step("SELECT name, state FROM states WHERE route IS NULL OR route % ? = ?", part)
    events = yield Step(
        "SELECT key, event FROM events WHERE is_pending = 1 AND (route IS NULL OR route % ? = ?)"
        " ORDER BY place",
        part,
    )
    logs = yield Step("SELECT job_id, read_to FROM logs WHERE route IS NULL OR route % ? = ?", part)
    return version, Content(
        {name: unseal(name, state) for name, state in states},
        [(key, unseal(key, event)) for key, event in events],
        {job_id: unseal_offset(job_id, read_to) for job_id, read_to in logs},
    )


def record(lease: Lease, batch: Batch) -> Transaction[int]:
    """Write *batch* under *lease*, and return the new version of the lease.

    Raises:
        NotOwnerError: the lease has another owner, or the store has been set back.
    """
    yield from _fence(lease)
    last = {change.name: change for change in batch.changes}
    written = [
        (name, change.route, seal(name, change.state))
        for name, change in last.items()
        if change.state is not None
    ]
    yield from _many(
        "INSERT INTO states (name, route, state) VALUES (?, ?, ?) ON CONFLICT (name)"
        " DO UPDATE SET route = excluded.route, state = excluded.state",
        written,
    )
    deleted = [(name,) for name, change in last.items() if change.state is None]
    yield from _many("DELETE FROM states WHERE name = ?", deleted)
    yield from _append([(c.route, key, data) for c in batch.changes for key, data in c.events])
    yield from _acknowledge(batch.acknowledged)
    offsets = [
        (job_id, offset.route, seal_offset(job_id, offset.bytes))
        for job_id, offset in batch.offsets.items()
        if offset is not None
    ]
    yield from _many(
        "INSERT INTO logs (job_id, route, read_to) VALUES (?, ?, ?) ON CONFLICT (job_id)"
        " DO UPDATE SET route = excluded.route, read_to = excluded.read_to",
        offsets,
    )
    ended = [(job_id,) for job_id, offset in batch.offsets.items() if offset is None]
    yield from _many("DELETE FROM logs WHERE job_id = ?", ended)
    return lease.version + 1


def _many(sql: str, rows: Sequence[Sequence[Any]]) -> Transaction[None]:
    if rows:
        yield Step(sql, rows=rows)


def _append(events: Sequence[tuple[int | None, str, bytes]]) -> Transaction[None]:
    if not events:
        return
    now = yield from _now()
    # The row of the counter is locked until the end: places become visible in their order, so
    # that a consumer which has read up to one never misses an earlier one.
    last = yield from _count("place", len(events))
    yield from _many(
        "INSERT INTO events (place, key, route, event, recorded_at, is_pending)"
        " VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT (key) DO NOTHING",
        [
            (last - len(events) + number, key, route, seal(key, data), now)
            for number, (route, key, data) in enumerate(events, 1)
        ],
    )


def _count(name: str, by: int) -> Transaction[int]:
    """Raise a counter, and keep other transactions from it until the end of this one."""
    ((value,),) = yield Step(
        "UPDATE counters SET value = value + ? WHERE name = ? RETURNING value", (by, name)
    )
    return int(value)


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
    yield from _many(sql, [(key,) for key in keys])


def join(group: str) -> Transaction[None]:
    """Register the consumer group, which begins with the oldest event that is kept."""
    yield Step(
        "INSERT INTO consumers (name, place, missed) VALUES (?, 0, 0) ON CONFLICT DO NOTHING",
        (group,),
    )


def leave(group: str) -> Transaction[bool]:
    """Forget the consumer group; return whether it was registered."""
    rows = yield Step("DELETE FROM consumers WHERE name = ? RETURNING name", (group,))
    return bool(rows)


def read(group: str, after: int, limit: int) -> Transaction[Unread]:
    """Return the next events of a group after the place *after*, 0 for the acknowledged place."""
    rows = yield Step("SELECT place, missed FROM consumers WHERE name = ?", (group,))
    place, missed = rows[0] if rows else (0, 0)
    events = yield Step(
        "SELECT place, key, event FROM events WHERE place > ? ORDER BY place LIMIT ?",
        (max(place, after), limit),
    )
    return Unread([StoredEvent(at, key, unseal(key, data)) for at, key, data in events], missed)


def acknowledge(lease: Lease, group: str, place: int, missed: int) -> Transaction[int]:
    """Note that the group has processed all events up to *place*, and knows what it *missed*.

    Return the new version of the lease.

    Raises:
        NotOwnerError: the lease has another owner, or the store has been set back.
    """
    yield from _fence(lease)
    yield Step(
        "UPDATE consumers SET place = ?, missed = missed - ? WHERE name = ? AND place <= ?",
        (place, missed, group, place),
    )
    return lease.version + 1


def prune(seconds: float) -> Transaction[int]:
    """Delete events that all groups have processed, and those older than *seconds*.

    Return how many were deleted before a group had processed them.
    """
    now = yield from _now()
    yield from _count("place", 0)
    ((processed,),) = yield Step("SELECT min(place) FROM consumers")
    if processed is not None:
        yield Step("DELETE FROM events WHERE is_pending = 0 AND place <= ?", (processed,))
    else:
        yield Step("DELETE FROM events WHERE is_pending = 0")
    before = now - seconds
    rows = yield Step(
        "UPDATE consumers SET missed = missed + (SELECT count(*) FROM events"
        " WHERE is_pending = 0 AND recorded_at < ? AND events.place > consumers.place)"
        " RETURNING missed",
        (before,),
    )
    yield Step("DELETE FROM events WHERE is_pending = 0 AND recorded_at < ?", (before,))
    yield Step("DELETE FROM hooks WHERE sent_at < ?", (now - _MINUTE,))
    return sum(missed for (missed,) in rows)


def grant(requests: Sequence[GrantRequest], known: tuple[str, int] | None) -> Transaction[Grants]:
    """Grant requests as far as the minute allows, none if the store has lost its memory.

    *known* are the incarnation and the serial of the last answer that this process has seen.
    """
    now = yield from _now()
    serial = yield from _count("serial", 0)
    ((incarnation,),) = yield Step("SELECT value FROM properties WHERE name = 'incarnation'")
    if known is not None and (known[0] != incarnation or known[1] > serial):
        # It is unknown what was granted in the last minute: as if it were used up.
        yield Step("DELETE FROM refusals WHERE kind = ?", (_LOST,))
        yield Step("INSERT INTO refusals VALUES (?, ?)", (_LOST, now + _WINDOW))
        serial = yield from _count("serial", max(0, known[1] - serial) + 1)
    yield Step("DELETE FROM grants WHERE granted_at <= ?", (now - _WINDOW,))
    # Where the clock was set back, requests wait for one window, not for longer.
    yield Step("UPDATE grants SET granted_at = ? WHERE granted_at > ?", (now, now))
    yield Step("DELETE FROM refusals WHERE until <= ?", (now,))
    paused = yield Step("SELECT kind, until FROM refusals")
    lost_until = max((until for kind, until in paused if kind == _LOST), default=now)
    rows = yield Step("SELECT kind, sum(requests), min(granted_at) FROM grants GROUP BY kind")
    used = {kind: (int(count), oldest) for kind, count, oldest in rows}
    counts: dict[str, int] = {}
    retry_at: list[float] = []
    for request in requests:
        count, oldest = used.get(request.kind, (0, now))
        left = 0 if lost_until > now else max(0, request.per_minute - count)
        counts[request.kind] = min(request.wanted, left)
        if left < request.wanted:
            retry_at.append(lost_until if lost_until > now else oldest + _WINDOW)
    granted = [(kind, now, count) for kind, count in counts.items() if count]
    yield from _many("INSERT INTO grants VALUES (?, ?, ?)", granted)
    serial = yield from _count("serial", sum(counts.values()))
    return Grants(
        counts,
        min(retry_at) - now if retry_at else None,
        incarnation,
        serial,
        [Refusal(kind, until - now) for kind, until in paused if kind != _LOST and until > now],
    )


def refuse(refusal: Refusal) -> Transaction[None]:
    """Note a pause that the server has asked for; the longest counts."""
    now = yield from _now()
    yield Step(
        "INSERT INTO refusals (kind, until) VALUES (?, ?) ON CONFLICT (kind)"
        " DO UPDATE SET until = excluded.until WHERE refusals.until < excluded.until",
        (refusal.kind, now + refusal.seconds),
    )


def resume(kind: str) -> Transaction[None]:
    """Note that the server accepts requests of *kind* again."""
    yield Step("DELETE FROM refusals WHERE kind = ?", (kind,))


def send_hook(hook: bytes) -> Transaction[None]:
    """Forward a webhook to the owners of its targets."""
    now = yield from _now()
    place = yield from _count("hook", 1)
    yield Step("INSERT INTO hooks VALUES (?, ?, ?)", (place, hook, now))


def hooks(after: int | None) -> Transaction[tuple[int, list[bytes]]]:
    """Return the last place, and the hooks forwarded after that place; none without one."""
    if after is None:
        return (yield from _count("hook", 0)), []
    rows = yield Step("SELECT place, hook FROM hooks WHERE place > ? ORDER BY place", (after,))
    return max([after, *(place for place, _ in rows)]), [bytes(hook) for _, hook in rows]


def get_property(name: str) -> Transaction[str | None]:
    """Return the value of a property, or None."""
    rows = yield Step("SELECT value FROM properties WHERE name = ?", (name,))
    return str(rows[0][0]) if rows else None


def set_property(name: str, value: str) -> Transaction[str]:
    """Set a property that is not set yet, and return its value."""
    yield Step("INSERT INTO properties VALUES (?, ?) ON CONFLICT DO NOTHING", (name, value))
    ((stored,),) = yield Step("SELECT value FROM properties WHERE name = ?", (name,))
    return str(stored)
