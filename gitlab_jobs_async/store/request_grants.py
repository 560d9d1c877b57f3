"""Transactions of the shared budget: how many requests processes may send, and pauses they met."""

from collections.abc import Sequence

from gitlab_jobs_async.store.grant_values import GrantRequest, Grants, LastAnswer, Refusal
from gitlab_jobs_async.store.schema import CONNECTING_SECONDS, GRANT_SECONDS
from gitlab_jobs_async.store.steps import (
    Step,
    Transaction,
    count,
    get_property,
    many,
    steady_now,
)

_MINUTE = 60.0
_ON_THE_WAY = 1.0
"""Seconds that a request may be on its way to the server."""

_WINDOW = _MINUTE + GRANT_SECONDS + CONNECTING_SECONDS + _ON_THE_WAY

_LOST = "lost"
"""Kind of the grant that uses up the window of a store which has lost its memory."""

_TOLERANCE = 0.5
_DRIFT = 1e-3
"""Seconds, and part of the time passed, by which two clocks may differ that were not set."""

_MICROSECONDS = 1_000_000


def grant(
    requests: Sequence[GrantRequest], last: LastAnswer | None, incarnation: str, *, is_steady: bool
) -> Transaction[Grants]:
    """Grant requests as far as the minute allows, none if the store has lost its memory.

    *last* is the answer before, as this process has seen it. The store gets a new *incarnation* if
    it has lost its memory. Unless its clock *is_steady*, grants expire by an agreed time.
    """
    serial = yield from count("serial", 0)
    current = (yield from get_property("incarnation")) or ""
    is_lost = last is not None and (last.incarnation != current or last.serial > serial)
    now = store_time = yield from steady_now()
    if not is_steady:
        # Times of another memory say nothing.
        now = yield from _agreed_time(store_time, None if is_lost else last)
    used = yield from _used(now)
    if is_lost and _LOST not in used:
        # It is unknown what was granted in the last minute: as if it were used up.
        current, used[_LOST] = incarnation, (0, now)
        yield Step("UPDATE properties SET value = ? WHERE name = 'incarnation'", (current,))
        yield Step("INSERT INTO grants VALUES (?, ?, 0)", (_LOST, now))
    counts: dict[str, int] = {}
    retry_at: list[float] = []
    for request in requests:
        number, oldest = used.get(request.kind, (0, now))
        left = 0 if _LOST in used else max(0, request.per_minute - number)
        counts[request.kind] = min(request.wanted, left)
        if left < request.wanted:
            retry_at.append((used[_LOST][1] if _LOST in used else oldest) + _WINDOW)
    granted = [(kind, now, number) for kind, number in counts.items() if number]
    yield from many("INSERT INTO grants VALUES (?, ?, ?)", granted)
    serial = yield from count("serial", sum(counts.values()))
    return Grants(
        counts,
        min(retry_at) - now if retry_at else None,
        LastAnswer(current, serial, now, store_time),
        (yield from _refusals(store_time)),
    )


def _agreed_time(store_time: float, last: LastAnswer | None) -> Transaction[float]:
    """Return a time that never passes faster than the real one, whatever sets the store's clock.

    That clock says how much has passed since the last question, if it agrees with what the process
    that asks has measured since its own *last* answer. If it was set meanwhile, only what that
    process has measured counts, and nothing if another one has asked since.
    """
    now = int(store_time * _MICROSECONDS)
    asked_at = yield from count("asked_at", 0)
    passed = 0.0
    if last is not None:
        since = store_time - last.store_time
        if last.shortest <= since <= last.longest * (1 + _DRIFT) + _TOLERANCE:
            passed = max(0.0, min(since, (now - asked_at) / _MICROSECONDS))
        elif int(last.store_time * _MICROSECONDS) == asked_at:
            passed = last.shortest
    yield from count("asked_at", now - asked_at)
    return (yield from count("time", int(passed * _MICROSECONDS))) / _MICROSECONDS


def _used(now: float) -> Transaction[dict[str, tuple[int, float]]]:
    """Return the number of grants that count at *now* by kind, and the time of the oldest."""
    yield Step("DELETE FROM grants WHERE granted_at <= ?", (now - _WINDOW,))
    # Where a clock was set back, requests wait for one window, not for longer.
    yield Step("UPDATE grants SET granted_at = ? WHERE granted_at > ?", (now, now))
    rows = yield Step("SELECT kind, sum(requests), min(granted_at) FROM grants GROUP BY kind")
    return {kind: (int(number), oldest) for kind, number, oldest in rows}


def _refusals(now: float) -> Transaction[list[Refusal]]:
    """Return the pauses that last at *now*, and delete the others."""
    rows = yield Step("SELECT kind, began, until FROM refusals ORDER BY kind")
    if any(began > now for _, began, _ in rows):
        rows = yield from _moved(now)
    if any(until <= now for _, _, until in rows):
        yield Step("DELETE FROM refusals WHERE until <= ?", (now,))
    return [Refusal(kind, until - now) for kind, _, until in rows if until > now]


def _moved(now: float) -> Transaction[list[tuple[str, float, float]]]:
    """Let pauses that lie ahead count from *now* on, since the clock was set back."""
    yield Step(
        "UPDATE refusals SET until = until - began + ?, began = ? WHERE began > ?", (now, now, now)
    )
    rows = yield Step("SELECT kind, began, until FROM refusals ORDER BY kind")
    return [(kind, began, until) for kind, began, until in rows]


def refuse(refusal: Refusal) -> Transaction[None]:
    """Note a pause that the server has asked for; the longest counts."""
    now = yield from steady_now()
    yield from _moved(now)
    yield Step(
        "INSERT INTO refusals (kind, began, until) VALUES (?, ?, ?) ON CONFLICT (kind)"
        " DO UPDATE SET began = excluded.began, until = excluded.until"
        " WHERE refusals.until < excluded.until",
        (refusal.kind, now, now + refusal.seconds),
    )


def resume(kind: str) -> Transaction[None]:
    """Note that the server accepts requests of *kind* again."""
    yield Step("DELETE FROM refusals WHERE kind = ?", (kind,))
