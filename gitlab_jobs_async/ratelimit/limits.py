"""What is known of a limit, each kind of knowledge as one small state machine.

Each says how many more requests may go now, and when to ask again. A request counts from before it
is sent until a minute after its answer has come, so that no clock of the server's sees more.
Times are unix seconds of the client's clock.
"""

import math
from collections import deque

from attrs import define, field

from gitlab_jobs_async.retry.backoff import Backoff

_MINUTE = 60.0
_BUCKET = 0.25
"""Seconds whose requests are counted as one; they count until the last of them has expired."""

_RESERVE = 10
"""One in so many is kept for a caller's own requests."""

_FEW = 10
"""Too few requests in a minute to be a limit."""

_MOST_PATIENCE = 64

_SHORT_WAITS = Backoff(1.0, 2.0, _MINUTE)
"""For a server that asks to wait for less than a second, and refuses again."""


JOBS_INDEX_PER_MINUTE = 600
"""Listings of jobs that GitLab lets one user make, unless its administrator says otherwise."""


def reserve(limit: int) -> int:
    """How many of *limit* pages and polls leave to a caller's own requests."""
    return limit // _RESERVE


def apart(limit: int) -> float:
    """Seconds between polls that come evenly and leave what is kept of *limit* a minute."""
    return _MINUTE / (limit - reserve(limit))


@define(eq=False)
class _Bucket:
    began: float
    ended: float
    count: int


@define(eq=False)
class SlidingWindow:
    """How many there were in the last minute."""

    _buckets: deque[_Bucket] = field(init=False, factory=deque[_Bucket])
    _count: int = field(init=False, default=0)

    def add(self, now: float) -> None:
        """Count one more."""
        self._count += 1
        if self._buckets and now - self._buckets[-1].began < _BUCKET:
            self._buckets[-1].ended = max(now, self._buckets[-1].ended)
            self._buckets[-1].count += 1
        else:
            self._buckets.append(_Bucket(now, now, 1))

    def count(self, now: float) -> int:
        """How many are not a minute old yet."""
        while self._buckets and self._buckets[0].ended + _MINUTE <= now:
            self._count -= self._buckets.popleft().count
        return self._count

    def next_expiry(self) -> float:
        """When the oldest will be a minute old; infinity if there is none."""
        return self._buckets[0].ended + _MINUTE if self._buckets else math.inf

    def clear(self) -> None:
        """Begin anew."""
        self._buckets.clear()
        self._count = 0


@define(eq=False)
class AdaptiveLimit:
    """What 429s have taught: not before when, how many a minute then, how gently to come back.

    Without a word of the server's on it, what went through in the minute before is the limit, until
    more proves possible. Each try of more that a 429 answers makes the next come twice as late. If
    next to nothing went through, others had used up the limit, and nothing is known of it.
    """

    limit: int | None = field(init=False, default=None)
    until: float = field(init=False, default=-math.inf)
    _is_paused: bool = field(init=False, default=False)
    _is_stated: bool = field(init=False, default=False)
    _at_once: float = field(init=False, default=math.inf)
    _minute: SlidingWindow = field(init=False, factory=SlidingWindow)
    _patience: int = field(init=False, default=1)
    _grows_at: float = field(init=False, default=math.inf)
    _tested: float = field(init=False, default=math.inf)
    _refused_at: int = field(init=False, default=0)
    _in_vain: int = field(init=False, default=0)
    _may_shorten: bool = field(init=False, default=True)
    _is_shortened: bool = field(init=False, default=False)

    def room(self, now: float, in_flight: int, *, spare: bool) -> float:
        """How many more may go now; with *spare*, of those not kept for a caller's own requests."""
        if now < self.until:
            return 0
        if self._is_paused:
            self._resume(now)
        at_once = self._at_once - in_flight
        if self.limit is None:
            return at_once
        used = self._minute.count(now) + in_flight
        left = self.limit - used - (reserve(self.limit) if spare else 0)
        if left < 1 and now >= self._grows_at:
            self.limit += max(1, self.limit // _RESERVE)
            self._tested = max(used, self._refused_at)
            self._grows_at = now + _MINUTE * self._patience
            left = self.limit - used - (reserve(self.limit) if spare else 0)
        return min(left, at_once)

    def opens(self, now: float) -> float:
        """When there will be more room, whatever is answered meanwhile."""
        if now < self.until:
            return self.until
        if self.limit is None:
            return math.inf
        grows_at = self._grows_at if self._grows_at > now else math.inf
        return min(self._minute.next_expiry(), grows_at)

    def succeeded(self, now: float) -> None:
        """Another answer than 429 has come: what was possible is allowed."""
        self._minute.add(now)
        self._at_once += 1
        if not self._is_paused:
            self._in_vain, self._is_shortened = 0, False
        if self.limit is None or self._is_stated:
            return
        used = self._minute.count(now)
        if used > self._tested:
            self._tested, self._patience = math.inf, 1
        self.limit = max(self.limit, used)

    def lost(self, now: float) -> None:
        """No answer has come; the server may have counted all the same."""
        self._minute.add(now)

    def refused(
        self, now: float, wait: float, limit: int | None, *, sooner: float | None = None
    ) -> None:
        """A 429 asks to wait; *limit* is what it says that a minute may have.

        *sooner* is when it should open in truth, in seconds; if that proves wrong, it is not
        believed again. A wait of next to nothing is doubled each time that it was in vain.
        """
        if not self._is_paused:
            self._may_shorten &= not self._is_shortened
            self._in_vain += 1
            self._is_paused = True
            if self._tested < math.inf:
                self._patience = min(2 * self._patience, _MOST_PATIENCE)
            self._tested = math.inf
            self._is_stated = limit is not None
            self._refused_at = self._minute.count(now)
            self.limit = limit or (self._refused_at if self._refused_at >= _FEW else None)
        self._is_shortened = sooner is not None and self._may_shorten
        if sooner is not None and self._may_shorten:
            wait = min(wait, sooner)
        if self._in_vain > 1 and wait < _SHORT_WAITS.base:
            wait = max(wait, _SHORT_WAITS.delay(self._in_vain - 2))
        self.until = max(self.until, now + wait)

    def probe_refused(self, now: float, wait: float | None) -> None:
        """A request that tested the pause got a 429: it may end sooner by that, never later."""
        if wait is not None:
            self.until = min(self.until, now + wait)

    def release(self, now: float) -> None:
        """End the pause: a request that tested it got through."""
        self.until = min(self.until, now)

    def forget_limit(self) -> None:
        """The server tells how many remain: that is more exact than any limit a minute."""
        self.limit = None

    def _resume(self, now: float) -> None:
        self._is_paused = False
        self._at_once = 1
        self._minute.clear()
        self._grows_at = math.inf if self._is_stated else now + _MINUTE * self._patience


@define(eq=False)
class LimitGroup:
    """Requests that are limited together: what the caller allows and what 429s have taught.

    `per_minute` is never exceeded in any minute of the server's.
    """

    per_minute: int | None = None
    throttle: AdaptiveLimit = field(init=False, factory=AdaptiveLimit)
    minute: SlidingWindow = field(init=False, factory=SlidingWindow)
    in_flight: int = field(init=False, default=0)

    def room(self, now: float, *, spare: bool) -> float:
        """How many more may go now; with *spare*, of those not kept for a caller's own requests."""
        return min(self._below_cap(now, spare=spare), self._below_throttle(now, spare=spare))

    def opens_below_cap(self, now: float, *, spare: bool) -> float:
        """When the caller's own limit lets more go; *now* if it does."""
        return self.minute.next_expiry() if self._below_cap(now, spare=spare) < 1 else now

    def opens(self, now: float, *, spare: bool) -> float:
        """When more may go, whatever is answered meanwhile; *now* if they may."""
        opens = self.opens_below_cap(now, spare=spare)
        if self._below_throttle(now, spare=spare) < 1:
            opens = max(opens, self.throttle.opens(now))
        return opens

    def gap(self, now: float, wanted: int) -> float:
        """Seconds to leave between two polls; none where *wanted* of them may go now."""
        if self.room(now, spare=True) >= wanted:
            return 0.0
        limits = [n for n in (self.per_minute, self.throttle.limit) if n is not None]
        return apart(min(limits)) if limits else 0.0

    def succeeded(self, now: float) -> None:
        """One in flight has another answer than 429."""
        self._ended(now)
        self.throttle.succeeded(now)

    def lost(self, now: float) -> None:
        """One in flight has no answer; the server may have counted it all the same."""
        self._ended(now)
        self.throttle.lost(now)

    def refused(self, now: float) -> None:
        """One in flight has a 429."""
        self._ended(now)

    def _ended(self, now: float) -> None:
        self.in_flight -= 1
        self.minute.add(now)

    def _below_cap(self, now: float, *, spare: bool) -> float:
        if self.per_minute is None:
            return math.inf
        kept = reserve(self.per_minute) if spare else 0
        return self.per_minute - kept - self.minute.count(now) - self.in_flight

    def _below_throttle(self, now: float, *, spare: bool) -> float:
        return self.throttle.room(now, self.in_flight, spare=spare)


@define(eq=False)
class FixedWindow:
    """One fixed window of the server's, as `RateLimit-Remaining` and `-Reset` tell it.

    What was lost counts in this window and in the next one, for it may have come to the server in
    either. `most` is the highest number that was ever seen to be allowed in one window.
    """

    reset: int
    ends: float
    _told: int
    most: int = field(init=False)
    is_news: bool = field(init=False, default=True)
    _unsaid: int = field(init=False, default=0)
    _lost: int = field(init=False, default=0)
    _lost_before: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.most = self._told + 1

    @property
    def remaining(self) -> int:
        """How many may be in flight or yet to go."""
        return self._told - self._unsaid - self._lost - self._lost_before

    def told(self, reset: int, ends: float, remaining: int) -> None:
        """An answer says what remains; answers may come in any order."""
        if reset < self.reset:
            return
        if reset == self.reset and self.is_news:
            self._told = min(self._told, remaining)
            self.ends = min(self.ends, ends)
            return
        if self.is_news:
            self._lost_before, self._lost = self._lost, 0
        self.reset, self.ends, self._told = reset, ends, remaining
        self.is_news, self._unsaid = True, 0
        self.most = max(self.most, remaining + 1)

    def lost(self) -> None:
        """A request has no answer, and may have been counted."""
        self._lost += 1

    def unsaid(self) -> None:
        """An answer does not say what remains."""
        self._unsaid += 1

    def is_over(self, now: float) -> bool:
        """Begin the next window if this one has ended; true if answers speak of it no more."""
        if now < self.ends:
            return False
        is_forgotten = self._unsaid > 0 and not self.is_news
        self.is_news, self._unsaid = False, 0
        self._lost_before, self._lost = self._lost, 0
        self.reset, self.ends, self._told = self.reset + 1, now + _MINUTE, self.most
        return is_forgotten
