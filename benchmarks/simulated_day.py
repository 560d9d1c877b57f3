"""A day of watching on a stepped clock: requests, and delays from changes to their events.

This is a monitor without a network. A REST request takes 50 ms, 16 polls run concurrently, and
every request passes the client's budget.
"""

import heapq
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import count
from math import inf
from random import Random
from typing import Protocol

from activity import QUIET, START, SimulatedProject
from attrs import define, field

from gitlab_jobs_async.events import Event, JobAppeared, JobChanged, JobFinished
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.ratelimit.limits import LimitGroup

LATENCY = 0.05
CONCURRENCY = 16
NAIVE_PAGE = 20


class Scheduler(Protocol):
    """A poll scheduler, such as `PollScheduler`."""

    def schedule(self, key: str, now: float, interval: float, jitter: float = 0.0) -> None:
        """Schedule the next poll of *key*, which asks for *interval* seconds."""

    def pop_due(self, now: float) -> str | None:
        """Return the next target to poll, or `None` if none is due."""

    def next_at(self) -> float:
        """Return when the next target can be popped."""


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


@define
class Record:
    """What a simulated day has shown; delays are seconds from a change to its event."""

    hours: float
    requests: int = 0
    polls: int = 0
    per_minute: Counter[int] = field(factory=Counter[int])
    of_query: Counter[str] = field(factory=Counter[str])
    of_kind: Counter[str] = field(factory=Counter[str])
    quiet: Counter[tuple[int, int]] = field(factory=Counter[tuple[int, int]])
    quiet_minutes: float = 0.0
    delays: dict[str, list[float]] = field(
        factory=lambda: {name: [] for name in ("all", "busy", "bursts", "first")}
    )
    longest: float = 0.0
    changes: int = 0
    lost: int = 0
    naive_jobs: int = 0
    naive_ends: int = 0
    ended: int = 0

    def add(self, project: SimulatedProject, event: Event, now: float) -> None:
        """Take the changes of a job that *event* reports."""
        if not isinstance(event, JobAppeared | JobChanged | JobFinished):
            return
        for change in project.unseen.pop(event.job.id, ()):
            delay = now - change.at
            self.delays["all"].append(delay)
            if project.kind != "idle":
                self.delays[project.kind].append(delay)
            if change.is_first:
                self.delays["first"].append(delay)


@define
class Simulation:
    """One way of scheduling polls of some projects, within a budget of *per_minute* requests."""

    projects: Sequence[SimulatedProject]
    scheduler: Scheduler
    per_minute: int | None
    hours: float
    has_naive: bool = False
    """Whether to count, too, what single pages of the 20 newest jobs would have shown."""
    record: Record = field(init=False)
    watches: dict[int, ProjectWatch] = field(init=False)
    limits: LimitGroup = field(init=False)
    polls: int = field(default=0, init=False)
    """Polls that are running now."""
    by_number: dict[int, SimulatedProject] = field(init=False)
    _polled_at: dict[int, float] = field(factory=dict, init=False)
    _seen: set[int] = field(factory=set, init=False)
    _seen_ended: set[int] = field(factory=set, init=False)
    _waiting: deque[int] = field(factory=deque, init=False)
    _flying: list[tuple[float, int, int]] = field(factory=list, init=False)
    _numbers: Iterator[int] = field(factory=count, init=False)
    _chance: Random = field(factory=lambda: Random(1), init=False)

    def __attrs_post_init__(self) -> None:
        self.record = Record(self.hours)
        self.limits = LimitGroup(self.per_minute)
        self.watches = {p.number: ProjectWatch.of(p.number) for p in self.projects}
        self.by_number = {p.number: p for p in self.projects}

    def run(self) -> Record:
        """Simulate the day."""
        now, end = START, START + self.hours * 3600
        order = list(self.by_number)
        self._chance.shuffle(order)
        for number in order:
            self.scheduler.schedule(str(number), now, 0.0, self._chance.random())
            self._polled_at[number] = now
        while now < end:
            self._begin(now)
            self._send(now)
            now = max(now, self._next(now))
            while self._flying and self._flying[0][0] <= now < end:
                self._arrive(heapq.heappop(self._flying)[2], now)
        self._finish(end)
        return self.record

    def _begin(self, now: float) -> None:
        """Begin the polls that are due."""
        while self.polls < CONCURRENCY and (key := self.scheduler.pop_due(now)) is not None:
            number = int(key)
            watch = self.watches[number]
            watch.poll_now(now)
            if watch.next_query(now) is None:
                self.scheduler.schedule(key, now, watch.next_at - now)
            else:
                self.polls += 1
                self._waiting.append(number)

    def _send(self, now: float) -> None:
        """Send what the budget lets through."""
        while self._waiting and self.limits.available(now, background=True) >= 1:
            self.limits.in_flight += 1
            number = self._waiting.popleft()
            heapq.heappush(self._flying, (now + LATENCY, next(self._numbers), number))

    def _next(self, now: float) -> float:
        """Return when something happens next."""
        soonest = self._flying[0][0] if self._flying else inf
        if self._waiting:
            soonest = min(soonest, self.limits.available_at(now, background=True))
        if self.polls < CONCURRENCY:
            soonest = min(soonest, self.scheduler.next_at())
        return soonest

    def _arrive(self, number: int, now: float) -> None:
        """Take a response: send the next query, or end the poll."""
        self.limits.succeeded(now)
        self._answered(number, now)
        watch = self.watches[number]
        if watch.next_query(now) is not None:
            self._waiting.appendleft(number)
            return
        self.polls -= 1
        self.end_poll(number, now)
        self.scheduler.schedule(str(number), now, watch.next_at - now, self._chance.random())

    def _answered(self, number: int, now: float) -> None:
        watch, project, record = self.watches[number], self.by_number[number], self.record
        query = watch.next_query(now)
        assert query is not None
        was_watched = project.is_watched
        answer = project.answer(query, now - LATENCY / 2)
        minute = int((now - START) // 60)
        record.requests += 1
        record.per_minute[minute] += 1
        record.of_query[query.kind.name] += 1
        record.of_kind[project.kind] += 1
        if was_watched and now - project.changed_at > QUIET:
            record.quiet[number, minute] += 1
        if self.has_naive and query.kind.name == "NEWEST":
            for job_id in project.newest(NAIVE_PAGE):
                self._seen.add(job_id)
                if project.rows[job_id].status.is_finished:
                    self._seen_ended.add(job_id)
        for event in watch.on_result(now, answer):
            record.add(project, event, now)

    def end_poll(self, number: int, now: float) -> None:
        """Count a complete poll."""
        self.record.polls += 1
        self.record.longest = max(self.record.longest, now - self._polled_at[number])
        self._polled_at[number] = now

    def _finish(self, end: float) -> None:
        """Poll all projects once more, so that nothing may be left unseen."""
        record = self.record
        for number, project in self.by_number.items():
            record.longest = max(record.longest, end - self._polled_at[number])
            watch, now = self.watches[number], end
            for _ in range(3):
                now += 2 * QUIET
                watch.poll_now(now)
                while (query := watch.next_query(now)) is not None:
                    for event in watch.on_result(now, project.answer(query, end)):
                        record.add(project, event, end)
            record.lost += sum(len(changes) for changes in project.unseen.values())
            record.quiet_minutes += _quiet_seconds(project, end) / 60
            self._count_naive(project)
        record.changes = len(record.delays["all"]) + record.lost

    def _count_naive(self, project: SimulatedProject) -> None:
        for job_id, row in project.rows.items():
            is_new = row.created_at is not None and row.created_at.timestamp() > START + 600
            if is_new and row.status.is_finished:
                self.record.ended += 1
                self.record.naive_jobs += job_id not in self._seen
                self.record.naive_ends += job_id not in self._seen_ended


def _quiet_seconds(project: SimulatedProject, end: float) -> float:
    times = [change.at for change in project.changes if change.at < end]
    spells = zip(times, [*times[1:], end], strict=True)
    return sum(max(0.0, b - max(START, a + QUIET)) for a, b in spells)
