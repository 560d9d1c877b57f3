"""Requests that are limited together: the caller's limit and the one learned from 429s.

A request counts from before it is sent until a minute after its response. So the server never sees
more in a minute, whatever its clock. Times are unix seconds of the client's clock.
"""

import math
from collections.abc import Iterable, Iterator

from attrs import define, field

from gitlab_jobs_async.ratelimit.adaptive_limit import AdaptiveLimit
from gitlab_jobs_async.ratelimit.grants import GrantPool
from gitlab_jobs_async.ratelimit.windows import MINUTE, SlidingWindow, reserve

JOBS_INDEX = "GET /projects/:id/jobs"
"""Listings of jobs: limited for each user over all projects, and stated by no header."""

JOBS_INDEX_PER_MINUTE = 600
"""GitLab's default limit of job listings."""

ALL = ""
"""Scope of all requests together."""

# Kinds come from request paths of the caller: their number must be bounded.
_MOST_KINDS = 100


def poll_spacing(limit: int) -> float:
    """Return the seconds between evenly spaced polls that leave the foreground's reserve."""
    return MINUTE / (limit - reserve(limit))


@define(eq=False, repr=False)
class LimitGroup:
    """Requests that are limited together; `per_minute` is the caller's own limit."""

    per_minute: int | None = None
    grants: GrantPool | None = None
    adaptive: AdaptiveLimit = field(init=False, factory=AdaptiveLimit)
    in_flight: int = field(init=False, default=0)
    _minute: SlidingWindow = field(init=False, factory=SlidingWindow)

    @property
    def blocked_until(self) -> float:
        """End of the server's last pause, in unix seconds; 0 before the first."""
        return self.adaptive.blocked_until

    @property
    def limits(self) -> list[int]:
        """Known limits a minute."""
        return [limit for limit in (self.per_minute, self.adaptive.limit) if limit is not None]

    def used(self, now: float) -> int:
        """Return the requests of the last minute, those in flight included."""
        return self._minute.count(now) + self.in_flight

    def available(self, now: float, *, background: bool) -> float:
        """Return the number of further requests; *background* leaves the foreground's reserve."""
        is_limited = self.grants is None or self.per_minute is not None
        return min(
            self._below_cap(now, background=background) if is_limited else math.inf,
            self.adaptive.available(now, self.in_flight, background=background),
        )

    def cap_available_at(self, now: float, *, background: bool) -> float:
        """Return when the caller's own limit allows more requests, or *now*."""
        if self._below_cap(now, background=background) >= 1:
            return now
        if self.grants is not None:
            return math.inf
        return self._minute.next_expiry()

    def available_at(self, now: float, *, background: bool) -> float:
        """Return when more requests may go, or *now*; infinity if a response must come first."""
        at = self.cap_available_at(now, background=background)
        if self.adaptive.available(now, self.in_flight, background=background) < 1:
            at = max(at, self.adaptive.available_at(now))
        return at

    def next_expiry(self) -> float:
        """Return when the oldest counted request expires; infinity if none is counted."""
        return self._minute.next_expiry()

    def min_poll_spacing(self, now: float, wanted: int) -> float:
        """Return the seconds between two polls; 0 if *wanted* polls may go now."""
        if self.available(now, background=True) >= wanted:
            return 0.0
        return poll_spacing(min(self.limits)) if self.limits else 0.0

    def sent(self) -> float:
        """Count a request in flight; return when its grant expires."""
        self.in_flight += 1
        return self.granted()

    def granted(self) -> float:
        """Use a grant, and return when it expires; infinity if none is needed."""
        return math.inf if self.grants is None else self.grants.take()

    def cancelled(self) -> None:
        """Settle a request that was certainly never sent; its grant is not used again.

        It might have expired, and what the store counts ends before what is sent.
        """
        self.in_flight -= 1

    def succeeded(self, now: float) -> None:
        """Record a response other than 429."""
        self._settle(now)
        self.adaptive.succeeded(now)

    def lost(self, now: float) -> None:
        """Record a request without a response; the server may have counted it."""
        self._settle(now)
        self.adaptive.lost(now)

    def refused(self, now: float) -> None:
        """Record a 429."""
        self._settle(now)

    def _settle(self, now: float) -> None:
        self.in_flight -= 1
        self._minute.add(now)

    def _below_cap(self, now: float, *, background: bool) -> float:
        if self.grants is not None:
            return self.grants.left(now)
        if self.per_minute is None:
            return math.inf
        reserved = reserve(self.per_minute) if background else 0
        return self.per_minute - reserved - self.used(now)


@define(eq=False, repr=False)
class LimitGroups:
    """The group of all requests, and one for each kind with a limit of its own."""

    all: LimitGroup
    _kinds: dict[str, LimitGroup]

    def __iter__(self) -> Iterator[LimitGroup]:
        yield self.all
        yield from self._kinds.values()

    @property
    def kinds(self) -> Iterable[str]:
        """Kinds with a limit of their own."""
        return self._kinds

    def bucket_of(self, kind: str) -> str:
        """Return *kind* if it has a limit of its own, else ""."""
        return kind if kind in self._kinds else ALL

    def get(self, scope: str) -> LimitGroup | None:
        """Return the group of a kind, or of all requests."""
        return self._kinds.get(scope) if scope else self.all

    def scopes(self, kind: str) -> tuple[str, ...]:
        """Return the scopes that limit requests of *kind*."""
        return (ALL, kind) if kind in self._kinds else (ALL,)

    def counting(self, kind: str) -> tuple[LimitGroup, ...]:
        """Return the groups in which a request of *kind* counts."""
        return (self.all, self._kinds[kind]) if kind in self._kinds else (self.all,)

    def add(self, kind: str, now: float) -> LimitGroup:
        """Return the group of *kind*, newly made if needed; idle ones go if there are too many."""
        if kind not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            self._kinds = {
                name: group
                for name, group in self._kinds.items()
                if name == JOBS_INDEX or group.in_flight or group.blocked_until > now
            }
        return self._kinds.setdefault(kind, LimitGroup())
