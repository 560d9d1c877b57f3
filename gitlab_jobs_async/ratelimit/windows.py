"""Windows of requests: a sliding minute, and the fixed ones of the `RateLimit-*` headers."""

import math
from collections import deque

from attrs import define, field

from gitlab_jobs_async.ratelimit.headers import StatedWindow
from gitlab_jobs_async.retry.backoff import LONGEST_PAUSE

MINUTE = 60.0

# Requests of this many seconds share one bucket, so that 10,000 a minute need few of them.
_BUCKET = 0.25

# A tenth of each limit, and the step by which an inferred limit grows.
RESERVED = 10

# Names come from the server: their number must be bounded.
_MOST_NAMES = 10


def reserve(limit: int) -> int:
    """Return the part of *limit*, a tenth, that is reserved for foreground requests."""
    return limit // RESERVED


@define(eq=False, repr=False)
class _Bucket:
    began: float
    ended: float
    count: int


@define(eq=False, repr=False)
class SlidingWindow:
    """Number of requests in the last minute; times are unix seconds."""

    _buckets: deque[_Bucket] = field(init=False, factory=deque[_Bucket])
    _count: int = field(init=False, default=0)

    def add(self, now: float) -> None:
        """Count one more request."""
        self._count += 1
        if self._buckets and now - self._buckets[-1].began < _BUCKET:
            self._buckets[-1].ended = max(now, self._buckets[-1].ended)
            self._buckets[-1].count += 1
        else:
            self._buckets.append(_Bucket(now, now, 1))
            # `count` is not called while no limit is known.
            self._drop_old(now)

    def count(self, now: float) -> int:
        """Return the number of requests that are less than a minute old."""
        self._drop_old(now)
        return self._count

    def _drop_old(self, now: float) -> None:
        # A bucket expires with its last request: never more than the limit in any 60 seconds.
        while self._buckets and self._buckets[0].ended + MINUTE <= now:
            self._count -= self._buckets.popleft().count

    def next_expiry(self) -> float:
        """Return when the oldest requests expire; infinity if there are none."""
        return self._buckets[0].ended + MINUTE if self._buckets else math.inf

    def clear(self) -> None:
        """Forget all requests."""
        self._buckets.clear()
        self._count = 0


@define(eq=False, repr=False)
class FixedWindow:
    """One fixed window of the server, as `RateLimit-Remaining` and `-Reset` state it.

    `reset` is in the server's unix seconds, `ends` in the client's. `most` is the highest number
    of requests that one window has allowed so far.
    """

    reset: int
    ends: float
    _stated: int
    most: int = field(init=False)
    is_stated: bool = field(init=False, default=True)
    _unstated: int = field(init=False, default=0)
    _lost: int = field(init=False, default=0)
    _lost_before: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.most = self._stated + 1

    @property
    def remaining(self) -> int:
        """Requests that may be in flight or still be sent."""
        return self._stated - self._unstated - self._lost - self._lost_before

    def update(self, reset: int, ends: float, remaining: int) -> None:
        """Apply what a response states; responses may arrive in any order."""
        if reset < self.reset:
            return
        if reset == self.reset and self.is_stated:
            # Responses of concurrent requests overtake one another: the lowest number is newest.
            self._stated = min(self._stated, remaining)
            self.ends = min(self.ends, ends)
            return
        # A lost request may have reached the server in this window or in the next.
        if self.is_stated:
            self._lost_before, self._lost = self._lost, 0
        self.reset, self.ends, self._stated = reset, ends, remaining
        self.is_stated, self._unstated = True, 0
        self.most = max(self.most, remaining + 1)

    def count_lost(self) -> None:
        """Count a request without a response."""
        self._lost += 1

    def count_unstated(self) -> None:
        """Count a response that does not state this window."""
        self._unstated += 1

    def roll_over(self, now: float) -> bool:
        """Begin the next window if this one has ended; return True if no response states it."""
        if now < self.ends:
            return False
        is_forgotten = self._unstated > 0 and not self.is_stated
        self.is_stated, self._unstated = False, 0
        self._lost_before, self._lost = self._lost, 0
        self.reset, self.ends, self._stated = self.reset + 1, now + MINUTE, self.most
        return is_forgotten


@define(eq=False, repr=False)
class FixedWindows:
    """Windows by name; `limit` is the last stated number of requests a minute."""

    limit: int | None = field(init=False, default=None)
    _by_name: dict[str, FixedWindow] = field(init=False, factory=dict[str, FixedWindow])
    _distrusted: set[str] = field(init=False, factory=set[str])

    def update(self, stated: StatedWindow | None, now: float, *, is_refusal: bool) -> bool:
        """Apply what a response states, if anything; return whether it is trusted."""
        if stated is not None and not is_refusal and self._is_distrusted(stated, now):
            stated = None
        for name, window in self._by_name.items():
            if stated is not None and stated.name == name:
                window.update(stated.reset, stated.ends, stated.remaining)
            elif stated is None or stated.remaining <= window.remaining:
                # A response names the narrowest limit: if that is wider than this window, the
                # request did not count here.
                window.count_unstated()
        if stated is None:
            return False
        self.limit = stated.limit
        is_new = stated.name not in self._by_name and len(self._by_name) < _MOST_NAMES
        if is_new and not is_refusal:
            self._by_name[stated.name] = FixedWindow(stated.reset, stated.ends, stated.remaining)
        return True

    def active(self, now: float) -> list[FixedWindow]:
        """Return the windows in force, without those that responses no longer state."""
        forgotten = [name for name, window in self._by_name.items() if window.roll_over(now)]
        for name in forgotten:
            del self._by_name[name]
        return list(self._by_name.values())

    def stated_ends(self) -> list[float]:
        """Return the stated ends of windows, in the client's unix seconds."""
        return [window.ends for window in self._by_name.values() if window.is_stated]

    def count_lost(self) -> None:
        """Count a request without a response in each window."""
        for window in self._by_name.values():
            window.count_lost()

    def distrust_exhausted(self) -> None:
        """Drop exhausted windows, since a request got through in spite of them."""
        for name, window in tuple(self._by_name.items()):
            if window.remaining <= reserve(window.most):
                self._distrusted.add(name)
                del self._by_name[name]

    def _is_distrusted(self, stated: StatedWindow, now: float) -> bool:
        """Return whether it repeats what a probe has refuted: exhausted for hours."""
        if stated.name not in self._distrusted:
            return False
        if stated.remaining == 0 and stated.ends - now > LONGEST_PAUSE:
            return True
        self._distrusted.discard(stated.name)
        return False
