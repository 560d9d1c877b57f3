"""Requests that a shared store has granted to this process, each for a short time."""

import math
from collections import deque
from collections.abc import Iterable, Mapping

from attrs import define, field

from gitlab_jobs_async.ratelimit.fair_queue import Priority, Waiter
from gitlab_jobs_async.ratelimit.windows import reserve
from gitlab_jobs_async.store.grant_values import GrantRequest


@define(eq=False, repr=False)
class GrantPool:
    """Grants of one kind of requests, of which all processes may send *per_minute*.

    Without a limit, a grant is for any number of requests: it shows that no process has met a
    pause. Times are unix seconds of the client's clock.
    """

    per_minute: int | None
    _refused_until: float = field(default=0.0, init=False)
    _is_background_only: bool = field(default=False, init=False)
    _grants: deque[list[float]] = field(factory=deque[list[float]], init=False)

    def add(self, count: float, until: float) -> None:
        """Add *count* grants that are valid until a time."""
        if count > 0:
            self._grants.append([until, count])

    def left(self, now: float) -> float:
        """Return how many requests may be sent now, possibly infinity."""
        while self._grants and (self._grants[0][0] <= now or self._grants[0][1] < 1):
            self._grants.popleft()
        return sum(count for until, count in self._grants if until > now)

    def take(self) -> float:
        """Use the grant that expires first; return when. `left` must be above 0.

        Without a limit, a request may be sent at any time.
        """
        if not self._grants:
            return math.inf
        self._grants[0][1] -= 1
        return math.inf if self.per_minute is None else self._grants[0][0]

    def refuse(self, until: float, *, background: bool) -> None:
        """Note that no more is granted until a time, to *background* only or to all."""
        self._refused_until, self._is_background_only = until, background

    def is_refused(self, now: float, *, background: bool) -> bool:
        """Return whether a question is known to be in vain."""
        is_refused = now < self._refused_until and (background or not self._is_background_only)
        return is_refused and self.left(now) < 1

    def request(self, kind: str, wanted: int, *, background: bool) -> GrantRequest | None:
        """Return the question for *wanted* requests, `None` without a limit.

        *background* leaves a reserve of the limit.
        """
        if self.per_minute is None:
            return None
        reserved = reserve(self.per_minute) if background else 0
        return GrantRequest(kind, wanted, self.per_minute - reserved)

    def available_at(self, now: float) -> float:
        """Return *now* if a request may be sent; infinity if an answer must come first."""
        return now if self.left(now) >= 1 else math.inf


def ungranted(
    pools: Mapping[str, GrantPool], waiters: Iterable[Waiter], free: int, now: float
) -> dict[str, tuple[int, bool]]:
    """Return how many requests of each kind need a grant, and whether all are background.

    *free* is the number of slots for them.
    """
    counts: dict[str, tuple[int, bool]] = {}
    for waiter in waiters:
        is_background = waiter.request_class.priority is not Priority.DIRECT
        own = pools.get(kind := waiter.bucket.kind)
        # What waits for a grant of its own kind would let one of all requests expire.
        is_refused = own is not None and own.is_refused(now, background=is_background)
        for scope in ({kind} if is_refused else {"", kind}) & pools.keys():
            count, background = counts.get(scope, (0, True))
            counts[scope] = count + 1, background and is_background
    return {
        kind: (min(count, free) - int(pools[kind].left(now)), background)
        for kind, (count, background) in counts.items()
        if pools[kind].left(now) < min(count, free)
    }
