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

from attrs import define, field

from benchmarks.activity import QUIET, START, SimulatedProject
from benchmarks.scheduling import Questions, Scheduler
from gitlab_jobs_async.events import AnyEvent, JobAppeared, JobChanged, JobFinished
from gitlab_jobs_async.monitor.hints.planner import Batch
from gitlab_jobs_async.monitor.schedule.scheduler import PollScheduler
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.ratelimit.limits import LimitGroup

LATENCY = 0.05
CONCURRENCY = 16
NAIVE_PAGE = 20


@define
class Record:
    """Results of a simulated day; delays are seconds from a change to its event."""

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

    def add(self, project: SimulatedProject, event: AnyEvent, now: float) -> None:
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
    questions: Questions | None = None
    latency: float = 1.0
    """Seconds until a question is answered."""
    is_restored: bool = False
    """Whether a checkpoint has the baselines."""
    has_naive: bool = False
    """Whether to count, too, what single pages of the 20 newest jobs would have shown."""
    record: Record = field(init=False)
    watches: dict[int, ProjectWatch] = field(init=False)
    limits: LimitGroup = field(init=False)
    polls: int = field(default=0, init=False)
    """Polls that are running now."""
    by_number: dict[int, SimulatedProject] = field(init=False)
    _polled_at: dict[int, float] = field(factory=dict, init=False)
    _hinted: set[int] = field(factory=set, init=False)
    _seen: set[int] = field(factory=set, init=False)
    _seen_ended: set[int] = field(factory=set, init=False)
    _waiting: deque[int | Batch] = field(factory=deque, init=False)
    _flying: list[tuple[float, int, int | Batch]] = field(factory=list, init=False)
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
        intervals = self._restored() if self.is_restored else {}
        order = list(self.by_number)
        self._chance.shuffle(order)
        for number in order:
            first = intervals.get(number, 0.0) * self._chance.random()
            self.scheduler.schedule(str(number), now, first, self._chance.random())
            self._polled_at[number] = now
        while now < end:
            self._begin(now)
            self._send(now)
            now = max(now, self._next(now))
            while self._flying and self._flying[0][0] <= now < end:
                self._arrive(heapq.heappop(self._flying)[2], now)
        self._finish(end)
        return self.record

    def _restored(self) -> dict[int, float]:
        """Let an earlier monitor have read the baselines; return its intervals in seconds."""
        intervals = {}
        for number, watch in self.watches.items():
            for now in (START - 300.0, START - 150.0):
                watch.poll_now(now)
                while (query := watch.next_query(now)) is not None:
                    watch.on_result(now, self.by_number[number].answer(query, now))
            intervals[number] = watch.timer.interval
            if self.questions is not None:
                intervals[number] = self.questions.on_poll(number, START - 150.0)
            # What happened before is of no interest.
            self.by_number[number].unseen.clear()
        return intervals

    def _begin(self, now: float) -> None:
        """Begin the questions and polls that are due."""
        asking = self.questions
        while asking and self._has_room(now) and (question := asking.take(now)):
            self.polls += 1
            self._waiting.appendleft(question)
        while self._has_room(now) and (key := self.scheduler.pop_due(now)) is not None:
            number = int(key)
            watch = self.watches[number]
            watch.poll_now(now)
            if watch.next_query(now) is None:
                self.scheduler.schedule(key, now, watch.next_at - now)
            else:
                self.polls += 1
                self._waiting.append(number)

    def _has_room(self, now: float) -> bool:
        """Return whether a request of another poll could be sent at once, as a monitor does."""
        free = self.limits.available(now, background=True) - len(self._waiting)
        return self.polls < CONCURRENCY and free >= 1

    def _send(self, now: float) -> None:
        """Send what the budget lets through."""
        while self._waiting and self.limits.available(now, background=True) >= 1:
            self.limits.in_flight += 1
            sent = self._waiting.popleft()
            at = now + (self.latency if isinstance(sent, Batch) else LATENCY)
            heapq.heappush(self._flying, (at, next(self._numbers), sent))

    def _next(self, now: float) -> float:
        """Return when something happens next."""
        soonest = self._flying[0][0] if self._flying else inf
        if self._waiting:
            soonest = min(soonest, self.limits.available_at(now, background=True))
        if self.polls < CONCURRENCY:
            asked_at = inf if self.questions is None else self.questions.next_at(now)
            due_at = min(self.scheduler.next_at(), asked_at)
            soonest = min(soonest, max(due_at, self.limits.available_at(now, background=True)))
        return soonest

    def _arrive(self, sent: int | Batch, now: float) -> None:
        """Take a response: send the next query, or end the poll."""
        self.limits.succeeded(now)
        if isinstance(sent, Batch):
            self._on_answer(sent, now)
            return
        number = sent
        self._answered(number, now)
        watch = self.watches[number]
        if watch.next_query(now) is not None:
            if isinstance(self.scheduler, PollScheduler):
                self.scheduler.use_slot(now)
            self._waiting.appendleft(number)
            return
        self.polls -= 1
        self.end_poll(number, now)
        interval = watch.next_at - now
        if self.questions is not None:
            interval = self.questions.on_poll(number, now)
        self.scheduler.schedule(str(number), now, interval, self._chance.random())
        if number in self._hinted:
            self._hinted.remove(number)
            self._poll_soon(number, now)

    def _on_answer(self, batch: Batch, now: float) -> None:
        """Take the answer to a question, and poll the projects that need it."""
        assert self.questions is not None
        self.polls -= 1
        question = batch.question
        with_jobs = question.asks_for_jobs
        self._count(now, "JOBS_QUESTION" if with_jobs else "CHANGES_QUESTION")
        snapshots = {
            number: self.by_number[number].snapshot(now - self.latency / 2, with_jobs=with_jobs)
            for number in question.project_ids
        }
        for number in self.questions.on_answer(now, batch, snapshots):
            self._poll_soon(number, now)

    def _poll_soon(self, number: int, now: float) -> None:
        """Poll a project as a webhook would."""
        assert isinstance(self.scheduler, PollScheduler)
        if str(number) not in self.scheduler:
            self._hinted.add(number)
            return
        watch = self.watches[number]
        watch.poll_now(now)
        self.scheduler.expedite(str(number), now, max(0.0, watch.next_at - now))

    def _count(self, now: float, query: str) -> None:
        self.record.requests += 1
        self.record.per_minute[int((now - START) // 60)] += 1
        self.record.of_query[query] += 1

    def _answered(self, number: int, now: float) -> None:
        watch, project, record = self.watches[number], self.by_number[number], self.record
        query = watch.next_query(now)
        assert query is not None
        was_watched = project.is_watched
        answer = project.answer(query, now - LATENCY / 2)
        minute = int((now - START) // 60)
        self._count(now, query.kind.name)
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
