"""Limit inferred from 429 responses: blocked-until time, rate, and recovery.

Three small state machines, each with its table. `Phase` says whether requests may go:

    OPEN --refused--> PAUSED --elapsed--> RECOVERING --refused--> PAUSED

`Source` says where the limit a minute comes from. An inferred limit grows additively: when it is
used up, it is raised by a tenth, and a 429 in answer doubles the time until the next raise.

    UNKNOWN | STATED | INFERRED --raised--> PROBING --confirmed--> INFERRED

`WindowHint` says whether the end of the server's window, aligned to its clock, can be relied on.
"""

import math
from enum import Enum

from attrs import define, field

from gitlab_jobs_async.ratelimit.windows import MINUTE, RESERVED, SlidingWindow, reserve
from gitlab_jobs_async.retry.backoff import Backoff

# Below this, others have used up the limit: the count says nothing about it.
_FEWEST_MEASURED = 10

# After so short a wait, a few requests of the minute before are far below any limit a minute:
# learned as one, they would slow down the polls of a single log.
_SHORT_WAIT = 10.0
_FEWEST_BEFORE_SHORT_WAIT = 60

_RAISES = Backoff(MINUTE, 2.0, 64 * MINUTE)

# For a server that asks to wait for less than a second, and refuses again.
_SHORT_WAITS = Backoff(1.0, 2.0, MINUTE)


class Phase(Enum):
    """Whether requests may go."""

    OPEN = "open"
    PAUSED = "paused"
    RECOVERING = "recovering"


class Source(Enum):
    """Origin of the limit a minute."""

    UNKNOWN = "unknown"
    STATED = "stated"
    INFERRED = "inferred"
    PROBING = "probing"


class WindowHint(Enum):
    """Trust in the end of the server's window, where its clock says one."""

    TRUSTED = "trusted"
    IN_USE = "in use"
    REFUTED = "refuted"


class _Event(Enum):
    REFUSED = "refused"
    ELAPSED = "elapsed"
    LIMIT_STATED = "limit stated"
    LIMIT_MEASURED = "limit measured"
    LIMIT_UNKNOWN = "limit unknown"
    RAISED = "raised"
    CONFIRMED = "confirmed"
    HINT_USED = "hint used"
    HINT_UNUSED = "hint unused"
    SUCCEEDED = "succeeded"


_PHASES = {
    Phase.OPEN: {_Event.REFUSED: Phase.PAUSED},
    Phase.PAUSED: {_Event.ELAPSED: Phase.RECOVERING},
    Phase.RECOVERING: {_Event.REFUSED: Phase.PAUSED},
}

_REPLACED = {
    _Event.LIMIT_STATED: Source.STATED,
    _Event.LIMIT_MEASURED: Source.INFERRED,
    _Event.LIMIT_UNKNOWN: Source.UNKNOWN,
}
_SOURCES = {
    Source.UNKNOWN: _REPLACED,
    Source.STATED: _REPLACED,
    Source.INFERRED: {**_REPLACED, _Event.RAISED: Source.PROBING},
    Source.PROBING: {
        **_REPLACED,
        _Event.RAISED: Source.PROBING,
        _Event.CONFIRMED: Source.INFERRED,
    },
}

_HINTS = {
    WindowHint.TRUSTED: {_Event.HINT_USED: WindowHint.IN_USE},
    WindowHint.IN_USE: {
        _Event.SUCCEEDED: WindowHint.TRUSTED,
        _Event.HINT_UNUSED: WindowHint.TRUSTED,
        _Event.REFUSED: WindowHint.REFUTED,
    },
    WindowHint.REFUTED: dict[_Event, WindowHint](),
}


@define(eq=False, repr=False)
class AdaptiveLimit:
    """Requests that the server allows, as learned from its 429 responses.

    `limit` is a minute's requests, or `None`; `blocked_until` is in unix seconds, 0 before the
    first pause.
    """

    phase: Phase = field(init=False, default=Phase.OPEN)
    source: Source = field(init=False, default=Source.UNKNOWN)
    hint: WindowHint = field(init=False, default=WindowHint.TRUSTED)
    limit: int | None = field(init=False, default=None)
    blocked_until: float = field(init=False, default=0.0)
    _minute: SlidingWindow = field(init=False, factory=SlidingWindow)
    _successes: int = field(init=False, default=0)
    _pauses_in_row: int = field(init=False, default=0)
    _failed_raises: int = field(init=False, default=0)
    _raise_at: float = field(init=False, default=0.0)
    _confirmed_above: int = field(init=False, default=0)
    _count_at_refusal: int = field(init=False, default=0)

    def available(self, now: float, in_flight: int, *, background: bool) -> float:
        """Return the number of further requests; *background* leaves the foreground's reserve."""
        if now < self.blocked_until:
            return 0
        if self.phase is Phase.PAUSED:
            self._resume(now)
        # Slow start: each success allows one more request at once.
        is_recovering = self.phase is Phase.RECOVERING
        at_once = 1 + self._successes - in_flight if is_recovering else math.inf
        if self.limit is None:
            return at_once
        used = self._minute.count(now) + in_flight
        left = self._left(self.limit, used, background=background)
        if left < 1 and self._may_raise(now):
            self.limit = self._raised(self.limit, used, now)
            left = self._left(self.limit, used, background=background)
        return min(left, at_once)

    def available_at(self, now: float) -> float:
        """Return when more requests may go; infinity if only a response can allow them."""
        if now < self.blocked_until:
            return self.blocked_until
        if self.limit is None:
            return math.inf
        is_due_later = self._is_inferred and self._raise_at > now
        return min(self._minute.next_expiry(), self._raise_at if is_due_later else math.inf)

    def succeeded(self, now: float) -> None:
        """Record a response other than 429: the rate that it proves is allowed."""
        self._minute.add(now)
        self._successes += 1
        if self.phase is not Phase.PAUSED:
            self._pauses_in_row = 0
            self._move_hint(_Event.SUCCEEDED)
        if self.limit is None or not self._is_inferred:
            return
        used = self._minute.count(now)
        if self.source is Source.PROBING and used > self._confirmed_above:
            self._failed_raises = 0
            self._move_source(_Event.CONFIRMED)
        # What was possible once is allowed, even if the limit was inferred as lower.
        self.limit = max(self.limit, used)

    def lost(self, now: float) -> None:
        """Record a request without a response, which the server may have counted."""
        self._minute.add(now)

    def refused(
        self, now: float, wait: float, limit: int | None, *, window_end: float | None = None
    ) -> None:
        """Record a 429 that asks to wait *wait* seconds and states *limit* a minute, if any.

        *window_end* is in how many seconds the server's aligned window ends. It shortens the wait
        until one 429 proves it wrong.
        """
        # Further 429s of requests already in flight belong to the same pause.
        if self.phase is not Phase.PAUSED:
            self._pause(now, wait, limit)
        if window_end is not None and self.hint is not WindowHint.REFUTED:
            self._move_hint(_Event.HINT_USED)
            wait = min(wait, window_end)
        else:
            self._move_hint(_Event.HINT_UNUSED)
        if self._pauses_in_row > 1 and wait < _SHORT_WAITS.base:
            wait = max(wait, _SHORT_WAITS.delay(self._pauses_in_row - 2))
        self.blocked_until = max(self.blocked_until, now + wait)

    def probe_refused(self, now: float, wait: float | None) -> None:
        """Record a 429 to a probe of the pause: it may shorten the pause, never extend it."""
        if wait is not None:
            self.blocked_until = min(self.blocked_until, now + wait)

    def release(self, now: float) -> None:
        """End the pause: a probe of it got through."""
        self.blocked_until = min(self.blocked_until, now)

    def forget_limit(self) -> None:
        """Drop the limit: the server's `RateLimit-Remaining` is more exact."""
        self._set_limit(_Event.LIMIT_UNKNOWN, None)

    @property
    def _is_inferred(self) -> bool:
        return self.source in {Source.INFERRED, Source.PROBING}

    def _left(self, limit: int, used: int, *, background: bool) -> int:
        return limit - used - (reserve(limit) if background else 0)

    def _may_raise(self, now: float) -> bool:
        return self._is_inferred and now >= self._raise_at

    def _raised(self, limit: int, used: int, now: float) -> int:
        self._confirmed_above = max(used, self._count_at_refusal)
        self._raise_at = now + _RAISES.delay(self._failed_raises)
        self._move_source(_Event.RAISED)
        return limit + max(1, limit // RESERVED)

    def _pause(self, now: float, wait: float, stated: int | None) -> None:
        self.phase = _PHASES[self.phase][_Event.REFUSED]
        self._move_hint(_Event.REFUSED)
        self._pauses_in_row += 1
        count = self._count_at_refusal = self._minute.count(now)
        if stated is not None:
            self._set_limit(_Event.LIMIT_STATED, stated)
        elif count >= (_FEWEST_BEFORE_SHORT_WAIT if wait < _SHORT_WAIT else _FEWEST_MEASURED):
            self._set_limit(_Event.LIMIT_MEASURED, count)
        else:
            self._set_limit(_Event.LIMIT_UNKNOWN, None)

    def _resume(self, now: float) -> None:
        self.phase = _PHASES[self.phase][_Event.ELAPSED]
        self._successes = 0
        # After the wait the server counts in a new window.
        self._minute.clear()
        self._raise_at = now + _RAISES.delay(self._failed_raises)

    def _set_limit(self, event: _Event, limit: int | None) -> None:
        # A raise that was not confirmed has failed, whatever ends it.
        if self.source is Source.PROBING:
            self._failed_raises += 1
        self._move_source(event)
        self.limit = limit

    def _move_source(self, event: _Event) -> None:
        self.source = _SOURCES[self.source][event]

    def _move_hint(self, event: _Event) -> None:
        self.hint = _HINTS[self.hint].get(event, self.hint)
