"""Transactions of leases: who may write under a name, and until when."""

from gitlab_jobs_async.store.steps import (
    NotOwnerError,
    Step,
    Transaction,
    count,
    steady_now,
)
from gitlab_jobs_async.store.values import Lease

_SHARD = "shard "


def claim(
    name: str, owner: str, seconds: float, dead: str | None = None
) -> Transaction[Lease | None]:
    """Take or renew the lease *name* for *seconds*; None if another owner has it.

    The owner *dead* has certainly ended, so that its lease counts no more.
    """
    now = yield from steady_now()
    expires = now + seconds
    rows = yield Step(
        "UPDATE leases SET expires = ?, renewed_at = ? WHERE name = ? AND owner = ?"
        " RETURNING epoch, version",
        (expires, now, name, owner),
    )
    if not rows:
        yield from _follow_clock(now)
        if (yield from _is_overlapped(name, now, dead or "")):
            return None
        yield from _end_overlapping(name)
        rows = yield Step(
            "INSERT INTO leases (name, owner, epoch, version, expires, renewed_at)"
            " VALUES (?, ?, 1, 0, ?, ?) ON CONFLICT (name) DO UPDATE SET owner = excluded.owner,"
            " epoch = leases.epoch + 1, expires = excluded.expires,"
            " renewed_at = excluded.renewed_at WHERE leases.expires <= ? OR leases.owner = ?"
            " RETURNING epoch, version",
            (name, owner, expires, now, now, dead or ""),
        )
    if not rows:
        return None
    ((epoch, version),) = rows
    return Lease(name, owner, epoch, version)


def _follow_clock(now: float) -> Transaction[None]:
    """Count leases as renewed now if that lies ahead, since the clock was set back."""
    yield Step(
        "UPDATE leases SET expires = expires - renewed_at + ?, renewed_at = ? WHERE renewed_at > ?",
        (now, now, now),
    )


def _is_overlapped(name: str, now: float, dead: str) -> Transaction[bool]:
    """Return whether the lease *name* is held, or one on shards of another number."""
    rows = yield Step(
        "SELECT 1 FROM leases WHERE name = ? AND expires > ? AND owner <> ?", (name, now, dead)
    )
    if rows or not name.startswith(_SHARD):
        return bool(rows)
    # Two processes may claim overlapping shards at once.
    yield from count("lease", 0)
    rows = yield Step(
        "SELECT 1 FROM leases WHERE name LIKE ? AND name NOT LIKE ? AND expires > ? AND owner <> ?",
        (*_overlapping(name), now, dead),
    )
    return bool(rows)


def _end_overlapping(name: str) -> Transaction[None]:
    """Keep the owners of expired leases on shards of another number from writing and renewing."""
    if name.startswith(_SHARD):
        yield Step(
            "UPDATE leases SET expires = 0, owner = '' WHERE name LIKE ? AND name NOT LIKE ?",
            _overlapping(name),
        )


def _overlapping(name: str) -> tuple[str, str]:
    """Return the patterns that shards of another number match, and do not match."""
    return f"{_SHARD}%", f"% of {name.rpartition(' of ')[2]}"


def release(lease: Lease) -> Transaction[None]:
    """Give up *lease*, so that another owner may take it at once."""
    yield Step(
        "UPDATE leases SET expires = 0, owner = '' WHERE name = ? AND owner = ? AND epoch = ?",
        (lease.name, lease.owner, lease.epoch),
    )


def fence(lease: Lease) -> Transaction[None]:
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


def check(lease: Lease) -> Transaction[int]:
    """Return the version of *lease*.

    Raises:
        NotOwnerError: the lease has another owner.
    """
    rows = yield Step(
        "SELECT version FROM leases WHERE name = ? AND owner = ? AND epoch = ?",
        (lease.name, lease.owner, lease.epoch),
    )
    if not rows:
        raise NotOwnerError
    return int(rows[0][0])


def owners(prefix: str) -> Transaction[list[str]]:
    """Return the names of the leases that start with *prefix* and are held; delete the others."""
    now = yield from steady_now()
    pattern = f"{prefix}%"
    yield from _follow_clock(now)
    yield Step("DELETE FROM leases WHERE name LIKE ? AND expires <= ?", (pattern, now))
    rows = yield Step("SELECT name FROM leases WHERE name LIKE ? ORDER BY name", (pattern,))
    return [name for (name,) in rows]


def delete(name: str) -> Transaction[None]:
    """Delete a lease whose owner has ended."""
    yield Step("DELETE FROM leases WHERE name = ?", (name,))
