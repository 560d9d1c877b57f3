"""A scheduler that knows the future: the square-root law over the changes of the next 10 minutes.

For a given number of polls, the mean delay is least if each project is polled in proportion to the
square root of its rate of changes. This one counts, for each project, the changes that no poll has
seen and those of the next 10 minutes. The next poll goes to the project that has waited longest in
proportion to its interval. No scheduler of single polls that must guess the future can be expected
to be better.
"""

import heapq
from collections.abc import Iterator, Sequence
from math import inf

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from benchmarks.activity import START, SimulatedProject
from gitlab_jobs_async.monitor.schedule.timer import MIN_INTERVAL

AHEAD = 600.0
"""Seconds of the future that it knows."""


@define(eq=False)
class Oracle:
    """See `Scheduler` of the simulated day; *spacing* is the seconds between two polls."""

    projects: Sequence[SimulatedProject]
    spacing: float
    _polled_at: NDArray[np.float64] = field(init=False)
    _waiting: NDArray[np.bool_] = field(init=False)
    _counts: NDArray[np.int64] = field(init=False)
    _places: dict[str, int] = field(init=False)
    _times: list[NDArray[np.float64]] = field(init=False)
    _coming: Iterator[tuple[float, int]] = field(init=False)
    _next: tuple[float, int] = field(default=(-inf, -1), init=False)
    _last_at: float = field(default=-inf, init=False)

    def __attrs_post_init__(self) -> None:
        count = len(self.projects)
        self._places = {str(p.number): n for n, p in enumerate(self.projects)}
        self._times = [np.array([c.at for c in p.changes]) for p in self.projects]
        self._polled_at = np.full(count, START)
        self._waiting = np.zeros(count, dtype=np.bool_)
        self._counts = np.zeros(count, dtype=np.int64)
        events = [
            [(change.at - AHEAD, n) for change in p.changes if change.at > START]
            for n, p in enumerate(self.projects)
        ]
        self._coming = heapq.merge(*events)
        self._next = next(self._coming, (inf, -1))

    def schedule(self, key: str, now: float, interval: float, jitter: float = 0.0) -> None:  # noqa: ARG002
        """Let *key* be polled again; its own *interval* does not count."""
        place = self._places[key]
        self._waiting[place] = True
        if not interval:
            self._counts[place] += 1  # the baseline
        else:
            self._polled_at[place] = now

    def pop_due(self, now: float) -> str | None:
        """Return the project with the longest relative wait, if a poll may go now."""
        if now < self._last_at + self.spacing:
            return None
        self._advance(now)
        waits = now - self._polled_at
        is_ready = self._waiting & (self._counts > 0)
        scores = np.where(is_ready, np.maximum(waits, 1e-3) * np.sqrt(self._counts), -1.0)
        if self._last_at > START + 1:
            scores[waits < MIN_INTERVAL] = -1.0
        place = int(np.argmax(scores))
        self._last_at = max(self._last_at + self.spacing, now - 1.0)
        if scores[place] < 0:
            return None
        self._waiting[place] = False
        times = self._times[place]
        first, last = np.searchsorted(times, (now, now + AHEAD), side="right")
        self._counts[place] = last - first
        return str(self.projects[place].number)

    def next_at(self) -> float:
        """Return when the next poll may go."""
        return self._last_at + self.spacing

    def _advance(self, now: float) -> None:
        while self._next[0] <= now:
            self._counts[self._next[1]] += 1
            self._next = next(self._coming, (inf, -1))
