"""Transactions of consumer groups: what each has processed, and what is kept for it."""

from gitlab_jobs_async.store import leases
from gitlab_jobs_async.store.checksums import check_sum, unseal
from gitlab_jobs_async.store.steps import Step, Transaction, count, unix_now
from gitlab_jobs_async.store.values import Lease, StoredEvent, Unread

_HOOK_SECONDS = 60.0
"""Seconds for which a forwarded webhook is kept."""

_MOST_DELETED = 20_000
"""Read events, and old ones, that one `prune` deletes: a week of them would lock others out."""

_LAST = 2**63 - 1

# The oldest events that may be deleted: those that were read by all, and those that are too old.
# Only the oldest are searched: a group that lags may have millions, and others must not wait.
_READ = (
    "SELECT coalesce(max(place), 0) FROM (SELECT place FROM events"
    " WHERE is_pending = 0 ORDER BY place LIMIT ?) AS oldest WHERE place <= ?"
)
_OLD = (
    "SELECT coalesce(max(place), 0) FROM (SELECT place, recorded_at FROM events"
    " WHERE is_pending = 0 ORDER BY place LIMIT ?) AS oldest WHERE recorded_at < ?"
)


def join(group: str) -> Transaction[None]:
    """Register the consumer group, which begins with the oldest event that is kept."""
    yield Step(
        "INSERT INTO consumers (name, place, missed, complement) VALUES (?, 0, 0, 0)"
        " ON CONFLICT DO NOTHING",
        (group,),
    )


def leave(group: str) -> Transaction[bool]:
    """Forget the consumer group; return whether it was registered."""
    rows = yield Step("DELETE FROM consumers WHERE name = ? RETURNING name", (group,))
    return bool(rows)


def read(group: str, after: int, limit: int) -> Transaction[Unread]:
    """Return the next events of a group after the place *after*, 0 for the acknowledged place.

    Raises:
        ChecksumError: a row was damaged.
    """
    rows = yield Step("SELECT place, missed, complement FROM consumers WHERE name = ?", (group,))
    place, missed, complement = rows[0] if rows else (0, 0, 0)
    check_sum(f"group {group}", place, missed, complement)
    events = yield Step(
        "SELECT place, key, route, event FROM events WHERE place > ? ORDER BY place LIMIT ?",
        (max(place, after), limit),
    )
    return Unread(
        [StoredEvent(at, key, unseal(key, data, route)) for at, key, route, data in events], missed
    )


def acknowledge(lease: Lease, group: str, place: int, missed: int) -> Transaction[int]:
    """Note that the group has processed all events up to *place*, and knows what it *missed*.

    Return the new version of the lease.

    Raises:
        NotOwnerError: the lease has another owner, or the store has been set back.
        ChecksumError: a row was damaged.
    """
    yield from leases.fence(lease)
    rows = yield Step(
        "UPDATE consumers SET place = ?, missed = missed - ?,"
        " complement = complement + place - ? + ? WHERE name = ? AND place <= ?"
        " RETURNING place, missed, complement",
        (place, missed, place, missed, group, place),
    )
    for row in rows:
        check_sum(f"group {group}", *row)
    return lease.version + 1


def prune(seconds: float) -> Transaction[int]:
    """Delete events that all groups have processed, and those older than *seconds*, oldest first.

    Return how many were deleted before a group had processed them.

    Raises:
        ChecksumError: a row was damaged.
    """
    now = yield from unix_now()
    yield from count("place", 0)
    # An UPDATE, so that no group acknowledges meanwhile.
    groups = yield Step(
        "UPDATE consumers SET missed = missed RETURNING name, place, missed, complement"
    )
    for name, *numbers in groups:
        check_sum(f"group {name}", *numbers)
    processed = min((place for _, place, _, _ in groups), default=_LAST)
    last = yield from _last_place(_READ, processed)
    yield Step("DELETE FROM events WHERE is_pending = 0 AND place <= ?", (last,))
    before = now - seconds
    last = yield from _last_place(_OLD, before)
    missed = 0
    for name, place, _, _ in groups:
        ((lost,),) = yield Step(
            "SELECT count(*) FROM events WHERE is_pending = 0 AND recorded_at < ?"
            " AND place <= ? AND place > ?",
            (before, last, place),
        )
        if lost:
            missed += lost
            yield Step(
                "UPDATE consumers SET missed = missed + ?, complement = complement - ?"
                " WHERE name = ?",
                (lost, lost, name),
            )
    yield Step(
        "DELETE FROM events WHERE is_pending = 0 AND recorded_at < ? AND place <= ?",
        (before, last),
    )
    yield Step("DELETE FROM hooks WHERE sent_at < ?", (now - _HOOK_SECONDS,))
    return missed


def _last_place(sql: str, limit: float) -> Transaction[int]:
    """Return the last place that a statement finds, 0 for none."""
    ((last,),) = yield Step(sql, (_MOST_DELETED, limit))
    return int(last)
