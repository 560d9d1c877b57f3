"""Choose the next target to poll when the budget is too small to poll all of them on time.

Among the due targets, the next is the one that has waited longest in proportion to its interval. So
all intervals stretch alike: a busy target stays as many times more frequent than an idle one, and
every target is polled eventually.
"""

import heapq
from heapq import nlargest, nsmallest
from itertools import count
from math import inf

from attrs import define, field

from gitlab_jobs_async.monitor.schedule.timer import MIN_INTERVAL

JITTER = 0.2
"""Largest random delay, in parts of the interval."""

_RESTART_SPACING = 1.0
"""Seconds between the first polls of two targets that are overdue after a restart."""

_MAX_BURST = 1.0
"""Seconds of unused capacity that may be spent at once."""

_EARLIEST = 0.5
"""Part of its interval after which a target may be polled with others."""

# Lateness divides by the interval.
_LEAST_INTERVAL = 0.1


@define(eq=False, repr=False)
class _Entry:
    """A target that waits since *since*, for *interval* seconds."""

    key: str
    since: float
    interval: float

    @property
    def due_at(self) -> float:
        return self.since + self.interval

    @property
    def demand(self) -> float:
        return 1 / max(self.interval, MIN_INTERVAL)

    def lateness(self, now: float) -> float:
        """Return the time waited in proportion to the interval: 1 when it becomes due."""
        return (now - self.since) / self.interval


@define
class PollScheduler:
    """The targets that wait for a poll; *spacing* is the least number of seconds between two."""

    # The heap holds every entry until it is due, replaced ones too; `_due` then holds its key.
    spacing: float = 0.0
    demand: float = field(default=0.0, init=False)
    """Polls a second that the waiting targets would take from an unlimited budget."""
    _last_at: float = field(default=-inf, init=False)
    _entries: dict[str, _Entry] = field(factory=dict[str, _Entry], init=False)
    _heap: list[tuple[float, int, _Entry]] = field(
        factory=list[tuple[float, int, _Entry]], init=False
    )
    _due: dict[str, _Entry] = field(factory=dict[str, _Entry], init=False)
    _numbers: "count[int]" = field(factory=count, init=False)
    _overdue: int = field(default=0, init=False)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def schedule(self, key: str, now: float, interval: float, jitter: float = 0.0) -> None:
        """Poll *key* in *interval* seconds; *jitter*, from 0 to 1, spreads equal intervals."""
        least = max(interval, _LEAST_INTERVAL)
        due_at = now + interval * (1 + JITTER * jitter)
        self._add(_Entry(key, due_at - least, least))

    def schedule_overdue(self, key: str, now: float, longest: float) -> None:
        """Poll *key*, which is overdue after a restart, in at most *longest* seconds.

        Spread the first polls of all such targets.
        """
        self.schedule(key, now, min(_RESTART_SPACING * self._overdue, longest))
        self._overdue += 1

    def expedite(self, key: str, now: float, interval: float) -> None:
        """Poll a waiting *key* in at most *interval* seconds, as one of the busiest targets.

        The time that it has waited still counts. So repeated calls never set it back, and give it
        no more polls than a busy target gets.
        """
        entry = self._entries[key]
        busiest = min(entry.interval, MIN_INTERVAL)
        waited = max(entry.lateness(now) * busiest, busiest - interval)
        faster = _Entry(key, now - waited, busiest)
        if faster.due_at < entry.due_at or busiest < entry.interval:
            self._add(faster)

    def remove(self, key: str) -> bool:
        """Remove *key*, and return whether it was waiting."""
        entry = self._entries.pop(key, None)
        self._due.pop(key, None)
        if entry is None:
            return False
        # Exactly 0 at the end, without the rounding errors of many subtractions.
        self.demand = self.demand - entry.demand if self._entries else 0.0
        return True

    def next_at(self) -> float:
        """Return when the next target can be popped; infinity if none waits."""
        if not self._entries:
            return inf
        due_at = -inf if self._due else self._first_due_at()
        return max(due_at, self._last_at + self.spacing)

    def lag(self, now: float) -> float:
        """Return the seconds by which the most overdue target is late, 0 if none is."""
        due_at = min([entry.due_at for entry in self._due.values()], default=inf)
        return max(0.0, now - min(due_at, self._first_due_at()))

    def pop_due(self, now: float) -> str | None:
        """Remove and return the next target to poll, or `None` if none is due."""
        if now < self._last_at + self.spacing:
            return None
        while self._first_due_at() <= now:
            entry = heapq.heappop(self._heap)[2]
            self._due[entry.key] = entry
        if not self._due:
            return None
        # The order changes with time, so that no heap can keep it.
        entry = max(self._due.values(), key=lambda entry: entry.lateness(now))
        self.remove(entry.key)
        self.use_slot(now)
        return entry.key

    def use_slot(self, now: float) -> None:
        """Keep the distance of *spacing* from another request, too: a poll may need several."""
        self._last_at = max(self._last_at + self.spacing, now - _MAX_BURST)

    def pop_batch(self, now: float, size: int) -> list[str]:
        """Remove and return up to *size* targets for one poll, none if no target is due.

        Those that have waited longest come first. Further ones are added that are due soon: they
        have waited for half of their interval.
        """
        first = self.pop_due(now)
        if first is None:
            return []
        due = nlargest(size - 1, self._due.values(), key=lambda entry: entry.lateness(now))
        batch = [first, *(entry.key for entry in due)]
        for key in batch[1:]:
            self.remove(key)
        # Entries that were replaced are still in the heap.
        for _, _, entry in nsmallest(2 * (size - len(batch)), self._heap):
            is_current = self._entries.get(entry.key) is entry
            if is_current and entry.lateness(now) >= _EARLIEST and len(batch) < size:
                batch.append(entry.key)
                self.remove(entry.key)
        return batch

    def _add(self, entry: _Entry) -> None:
        self.remove(entry.key)
        self._entries[entry.key] = entry
        self.demand += entry.demand
        heapq.heappush(self._heap, (entry.due_at, next(self._numbers), entry))

    def _first_due_at(self) -> float:
        """Return the earliest time in the heap, without entries that were replaced."""
        while self._heap and self._entries.get(self._heap[0][2].key) is not self._heap[0][2]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else inf
