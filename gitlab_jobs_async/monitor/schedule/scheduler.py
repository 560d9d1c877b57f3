"""Whose turn it is to be looked at, when there are more targets than the budget has requests for.

Each wants to be looked at after an interval of its own. When all cannot be, the next is the one
that has waited longest in proportion to its interval: so all intervals stretch alike, a busy target
stays as many times more often looked at as it ought to be, and none is left out, since whoever
waits becomes the next. Among those of like intervals that is the least recently looked at.

Turns come evenly. Taken all at once when a new minute of the budget begins, and none after that,
they could not be in proportion: the busiest would have one a minute, like others.
"""

import heapq
from collections import Counter
from collections.abc import Hashable
from itertools import count
from math import inf, log2
from typing import Generic, TypeVar

from attrs import define, field

from gitlab_jobs_async.monitor.schedule.interval import SHORTEST

K = TypeVar("K", bound=Hashable)

_STEPS = 2
"""Intervals count as alike within a factor of 2 ** (1 / this)."""

JITTER = 0.2

_AT_ONCE = 1.0
"""Seconds whose turns may be taken at once, having been left over."""


@define(eq=False)
class _Place(Generic[K]):
    """A target that waits since *since* for a look after *interval* seconds."""

    key: K
    since: float
    interval: float


@define
class PollScheduler(Generic[K]):
    """The targets that wait to be looked at; *gap* is how many seconds the budget has for one."""

    gap: float = 0.0
    _last_turn: float = field(default=-inf, init=False)
    _waiting: Counter[float] = field(factory=Counter[float], init=False)
    _places: dict[K, _Place[K]] = field(factory=dict, init=False)
    _alike: dict[int, list[tuple[float, int, _Place[K]]]] = field(factory=dict, init=False)
    _count: "count[int]" = field(factory=count, init=False)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def put(self, key: K, now: float, interval: float, chance: float = 0.0) -> None:
        """Let *key* wait from *now* on; *chance*, from 0 to 1, keeps equals from coming at once."""
        level = _level(interval)
        alike = _interval(level)
        since = now + (max(interval, 0.0) - alike) + interval * JITTER * chance
        self._stand(_Place(key, since, alike), level)

    def hasten(self, key: K, now: float, interval: float) -> None:
        """Let *key*, who waits, wait from *now* no longer than *interval*, as one of the busiest.

        What it has waited for counts on: however often it is told to hasten, it is not set back,
        and takes no more turns than a busy one would.
        """
        place, level = self._places[key], _level(SHORTEST)
        alike = min(place.interval, _interval(level))
        waited = (now - place.since) / place.interval
        since = now - max(waited * alike, alike - interval)
        if since + alike < place.since + place.interval or alike < place.interval:
            self._stand(_Place(key, since, alike), _level(alike))

    @property
    def demand(self) -> float:
        """Turns a second that those who wait would take if the budget had room for all."""
        return sum(n / max(interval, SHORTEST) for interval, n in self._waiting.items())

    def _stand(self, place: _Place[K], level: int) -> None:
        self.remove(place.key)
        self._places[place.key] = place
        self._waiting[place.interval] += 1
        entry = (place.since, next(self._count), place)
        heapq.heappush(self._alike.setdefault(level, []), entry)

    def remove(self, key: K) -> bool:
        """Let *key* wait no longer; whether it did."""
        place = self._places.pop(key, None)
        if place is None:
            return False
        self._waiting[place.interval] -= 1
        if not self._waiting[place.interval]:
            del self._waiting[place.interval]
        return True

    def next_at(self) -> float:
        """When the next one may be taken; infinity if none waits."""
        due = min((p.since + p.interval for p in self._first()), default=inf)
        return max(due, self._last_turn + self.gap)

    def take(self, now: float) -> K | None:
        """Whose turn it is now, who waits no longer then; `None` if nobody's."""
        if now < self._last_turn + self.gap:
            return None
        due = [place for place in self._first() if place.since + place.interval <= now]
        if not due:
            return None
        place = max(due, key=lambda place: (now - place.since) / place.interval)
        self.remove(place.key)
        self._last_turn = max(self._last_turn + self.gap, now - _AT_ONCE)
        return place.key

    def _first(self) -> list[_Place[K]]:
        """The first of each kind, as far as they have not been removed or put anew."""
        first = []
        for level in tuple(self._alike):
            queue = self._alike[level]
            while queue and self._places.get(queue[0][2].key) is not queue[0][2]:
                heapq.heappop(queue)
            if queue:
                first.append(queue[0][2])
            else:
                del self._alike[level]
        return first


def _level(interval: float) -> int:
    """The number of the kind to which *interval* belongs."""
    return round(_STEPS * log2(max(0.1, interval)))


def _interval(level: int) -> float:
    """The seconds that stand for all intervals of a kind."""
    return float(2 ** (level / _STEPS))
