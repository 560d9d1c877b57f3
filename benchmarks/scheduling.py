"""Schedulers that a simulated day is run with."""

from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Protocol

from attrs import define, field

from gitlab_jobs_async.monitor.hints.planner import Batch
from gitlab_jobs_async.monitor.hints.snapshots import ProjectSnapshot


class Scheduler(Protocol):
    """A poll scheduler, such as `PollScheduler`."""

    def schedule(self, key: str, now: float, interval: float, jitter: float = 0.0) -> None:
        """Schedule the next poll of *key*, which asks for *interval* seconds."""

    def pop_due(self, now: float) -> str | None:
        """Return the next target to poll, or `None` if none is due."""

    def next_at(self) -> float:
        """Return when the next target can be popped."""


class Questions(Protocol):
    """Questions by GraphQL about many projects, beside the polls by REST."""

    def next_at(self, now: float) -> float:
        """Return the time of the next question."""

    def take(self, now: float) -> Batch | None:
        """Return a question that is due, or `None`."""

    def on_answer(
        self, now: float, batch: Batch, answer: dict[int, ProjectSnapshot]
    ) -> Iterable[int]:
        """Take an answer; return the projects to poll by REST at once."""

    def on_poll(self, number: int, now: float) -> float:
        """Take a poll of a project by REST; return the seconds until the next one."""


@define
class RoundRobin:
    """Poll targets in order, each at least *every* seconds after its last poll."""

    every: float = 3.0
    _queue: deque[tuple[float, str]] = field(factory=deque)

    def schedule(self, key: str, now: float, interval: float, jitter: float = 0.0) -> None:
        """See `Scheduler`; *interval* counts at the very start only."""
        self._queue.append((now + (self.every if interval else self.every * jitter), key))

    def pop_due(self, now: float) -> str | None:
        """See `Scheduler`."""
        return self._queue.popleft()[1] if self.next_at() <= now else None

    def next_at(self) -> float:
        """See `Scheduler`."""
        return self._queue[0][0] if self._queue else inf
