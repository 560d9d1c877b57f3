"""Transactions of the shared budget: how many requests processes may send, and pauses they met."""

from collections.abc import Callable, Sequence

from gitlab_jobs_async.store.schema import GRANT_SECONDS
from gitlab_jobs_async.store.steps import (
    Step,
    Transaction,
    count,
    get_property,
    many,
    steady_now,
    unix_now,
)
from gitlab_jobs_async.store.values import GrantRequest, Grants, LastAnswer, Refusal

_MINUTE = 60.0
_ON_THE_WAY = 2.0
"""Seconds that a granted request may be on its way to the server."""

_WINDOW = _MINUTE + GRANT_SECONDS + _ON_THE_WAY

_LOST = "lost"
"""Kind of the grant that uses up the window of a store which has lost its memory."""

_TOLERANCE = 0.5
_DRIFT = 1e-3
"""Seconds, and part of the time passed, by which two clocks may differ that were not set."""

_MICROSECONDS = 1_000_000

Time = Callable[[LastAnswer | None], Transaction[tuple[float, float]]]
"""Return the time by which grants expire, and the store's own."""


def steady_time(_last: LastAnswer | None) -> Transaction[tuple[float, float]]:
    """Return the time of a store whose clock is never set."""
    now = yield from steady_now()
    return now, now


def agreed_time(last: LastAnswer | None) -> Transaction[tuple[float, float]]:
    """Return a time that never passes faster than the real one, whatever sets the store's clock.

    The store's clock says how much has passed since the last question, if it agrees with what the
    process that asks has measured since its own *last* answer. If it does not, or without such an
    answer, no time has passed, but for what the process has measured if no other has asked since.
    """
    now = int((yield from unix_now()) * _MICROSECONDS)
    asked_at = yield from count("asked_at", 0)
    passed = 0.0
    if last is not None:
        since = now / _MICROSECONDS - last.store_time
        if last.shortest <= since <= last.longest * (1 + _DRIFT) + _TOLERANCE:
            passed = max(0.0, min(since, (now - asked_at) / _MICROSECONDS))
        elif round(last.store_time * _MICROSECONDS) == asked_at:
            passed = last.shortest
    time = yield from count("time", int(passed * _MICROSECONDS))
    yield from count("asked_at", now - asked_at)
    return time / _MICROSECONDS, now / _MICROSECONDS


def grant(
    requests: Sequence[GrantRequest], last: LastAnswer | None, incarnation: str, time: Time
) -> Transaction[Grants]:
    """Grant requests as far as the minute allows, none if the store has lost its memory.

    *last* is the answer before, as this process has seen it. The store gets a new *incarnation* if
    it has lost its memory.
    """
    serial = yield from count("serial", 0)
    current = (yield from get_property("incarnation")) or ""
    if last is not None and (last.incarnation != current or last.serial > serial):
        # Times of another memory say nothing.
        last, is_lost = None, True
    else:
        is_lost = False
    now, store_time = yield from time(last)
    yield from _expire(now)
    rows = yield Step("SELECT kind, sum(requests), min(granted_at) FROM grants GROUP BY kind")
    used = {kind: (int(number), oldest) for kind, number, oldest in rows}
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
        (yield from _refusals()),
    )


def _expire(now: float) -> Transaction[None]:
    """Delete grants that no minute counts any more."""
    yield Step("DELETE FROM grants WHERE granted_at <= ?", (now - _WINDOW,))
    # Where a clock was set back, requests wait for one window, not for longer.
    yield Step("UPDATE grants SET granted_at = ? WHERE granted_at > ?", (now, now))


def _refusals() -> Transaction[list[Refusal]]:
    now = yield from _followed_clock()
    yield Step("DELETE FROM refusals WHERE until <= ?", (now,))
    rows = yield Step("SELECT kind, until FROM refusals ORDER BY kind")
    return [Refusal(kind, until - now) for kind, until in rows]


def refuse(refusal: Refusal) -> Transaction[None]:
    """Note a pause that the server has asked for; the longest counts."""
    now = yield from _followed_clock()
    yield Step(
        "INSERT INTO refusals (kind, began, until) VALUES (?, ?, ?) ON CONFLICT (kind)"
        " DO UPDATE SET began = excluded.began, until = excluded.until"
        " WHERE refusals.until < excluded.until",
        (refusal.kind, now, now + refusal.seconds),
    )


def _followed_clock() -> Transaction[float]:
    """Return the time; pauses that lie ahead count from now on, since the clock was set back."""
    now = yield from steady_now()
    yield Step(
        "UPDATE refusals SET until = until - began + ?, began = ? WHERE began > ?", (now, now, now)
    )
    return now


def resume(kind: str) -> Transaction[None]:
    """Note that the server accepts requests of *kind* again."""
    yield Step("DELETE FROM refusals WHERE kind = ?", (kind,))
