"""Count requests of the last minute."""

import math
from collections import deque

from attrs import define, field

MINUTE = 60.0

# Requests of this many seconds share one bucket, so that 10,000 a minute need few of them.
_BUCKET = 0.25


@define(eq=False)
class _Bucket:
    began: float
    ended: float
    count: int


@define(eq=False)
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

    def count(self, now: float) -> int:
        """Return the number of requests that are less than a minute old."""
        # A bucket expires with its last request: never more than the limit in any 60 seconds.
        while self._buckets and self._buckets[0].ended + MINUTE <= now:
            self._count -= self._buckets.popleft().count
        return self._count

    def next_expiry(self) -> float:
        """Return when the oldest requests expire; infinity if there are none."""
        return self._buckets[0].ended + MINUTE if self._buckets else math.inf

    def clear(self) -> None:
        """Forget all requests."""
        self._buckets.clear()
        self._count = 0
