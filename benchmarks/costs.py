"""Costs of a watched project: microseconds a poll, and bytes kept."""

import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from attrs import define, field

from benchmarks.activity import (
    CREATED,
    PENDING,
    RUNNING,
    START,
    SUCCESS,
    Change,
    Made,
    SimulatedProject,
)
from benchmarks.activity import moment as written
from benchmarks.results import Row, Size, Table
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.recorder import StateRecorder
from gitlab_jobs_async.monitor.schedule.scheduler import PollScheduler
from gitlab_jobs_async.monitor.target_index import TargetIndex
from gitlab_jobs_async.monitor.watch.base import Watch
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.monitor.watch.queries import QueryResult

LATER = 200.0
"""Seconds after which the watermark has risen to what was the newest job."""

Poll = tuple[float, Sequence[QueryResult]]
"""The time of a poll, and the results of its queries."""


def made_up(number: int, past: int, opened: int) -> SimulatedProject:
    """Return a project with *past* finished jobs and *opened* unfinished ones, ten a pipeline."""
    changes = []
    for place in range(past + opened):
        begun = START + place - (past + 10 if place < past else past)
        pipeline = Pipeline(
            id=place // 10, status=RUNNING, project_id=number, created_at=written(begun)
        )
        steps = [(begun, CREATED), (begun + 1, PENDING), (begun + 2, RUNNING)]
        if place < past:
            steps.append((begun + 3, SUCCESS))
        job = Made(f"job-{place}", pipeline, steps, number * 1_000_000 + place + 1)
        changes += [Change(at, job, n) for n, (at, _) in enumerate(steps, 1)]
    changes.sort(key=lambda change: change.at)
    return SimulatedProject(number, "", changes)


def polled(watch: Watch, now: float, answer_of: Callable[[float], QueryResult]) -> int:
    """Run a poll with the results of *answer_of*; return the number of its requests."""
    watch.poll_now(now)
    asked = 0
    while watch.next_query(now) is not None:
        asked += 1
        watch.on_result(now, answer_of(now))
    return asked


def first_polls(project: SimulatedProject) -> tuple[ProjectWatch, list[Poll]]:
    """Return a watch after its first three polls, and these."""
    watch, polls = ProjectWatch.of(project.number), []
    for now in (START, START + LATER, START + 2 * LATER):
        watch.poll_now(now)
        results = []
        while (query := watch.next_query(now)) is not None:
            results.append(project.answer(query, now))
            watch.on_result(now, results[-1])
        polls.append((now, results))
    return watch, polls


def microseconds(past: int, opened: int, polls: int = 5000) -> float:
    """Return the CPU time of our own code in a poll that finds nothing new, without decoding."""
    watch, known = first_polls(made_up(1, past, opened))
    now, results = known[-1]
    spent = time.process_time()
    for _ in range(polls):
        now += 5.0
        polled(watch, now, lambda _: results[0])
    return (time.process_time() - spent) / polls * 1e6


def microseconds_of_answer(past: int, opened: int, answers: int = 1000) -> float:
    """Return the CPU time of our own code for one project in an answer by GraphQL, decoded."""
    project = made_up(1, past, opened)
    watch, polls = first_polls(project)
    now = polls[-1][0]
    snapshot = project.snapshot(now, with_jobs=True)
    spent = time.process_time()
    for _ in range(answers):
        now += 5.0
        watch.on_snapshot(now, snapshot, as_hint=False)
        watch.snapshot_interval(now)
    return (time.process_time() - spent) / answers * 1e6


@define
class Monitored:
    """All that a monitor keeps of its targets."""

    watches: dict[str, Watch] = field(factory=dict[str, Watch])
    index: TargetIndex = field(factory=TargetIndex)
    scheduler: PollScheduler = field(factory=PollScheduler)
    recorder: StateRecorder = field(
        factory=lambda: StateRecorder(Outbox(None), {}, downstream=False)
    )

    def add(self, number: int, polls: Sequence[Poll]) -> None:
        """Watch one more project, whose first *polls* are these."""
        path = f"group-{number % 100}/application-{number}"
        name = f"project {path}"
        watch, _ = self.recorder.add(path, name, START)
        self.watches[name] = watch
        self.index.add(name, path)
        results = chain.from_iterable(results for _, results in polls)
        for now, _ in polls:
            polled(watch, now, lambda _: next(results))
            self.recorder.record(name, watch, ())
        if isinstance(watch, ProjectWatch) and watch.numeric_id is not None:
            self.index.learn_id(name, 1_000_000 + number)
        self.scheduler.schedule(name, now, watch.next_at - now, number % 7 / 7)


def bytes_of(past: int, opened: int, count: int) -> float:
    """Return what a monitor of *count* projects keeps for each of them."""
    _, polls = first_polls(made_up(1, past, opened))
    Monitored().add(0, polls)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    monitored = Monitored()
    for number in range(count):
        monitored.add(number, polls)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(monitored.watches) == count
    return (after - before) / count


def measure(size: Size) -> Iterator[Row | Table]:
    """Measure projects without jobs, with finished ones, and with unfinished ones as well."""
    polls, largest = size.pick(5000, 1000, 10), size.pick(10_000, 1000, 20)
    rows, kept = [], {}
    for name, past, opened, count in (
        ("no job at all", 0, 0, largest // 10),
        ("100 finished jobs", 100, 0, largest),
        ("these and 50 unfinished ones", 100, 50, largest // 10),
    ):
        kept[name] = bytes_of(past, opened, count)
        poll, answer = (
            microseconds(past, opened, polls),
            microseconds_of_answer(past, opened, polls // 5),
        )
        memory = f"{kept[name] / 1000:.1f} kB, {count:,} projects"
        rows.append((name, f"{poll:.0f} µs", f"{answer:.0f} µs", memory))
    yield Row(
        "memory of a watched project with 100 finished jobs",
        "at most 8 kB",
        f"{kept['100 finished jobs'] / 1000:.1f} kB",
        "",
        kept["100 finished jobs"] <= 8000,
        "CPU of a poll that finds nothing new: " + ", ".join(f"{r[0]} {r[1]}" for r in rows),
    )
    heads = ("a project with", "CPU of a poll", "of an answer by GraphQL", "memory")
    yield Table("costs of a watched project", heads, rows)
