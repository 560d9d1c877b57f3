"""What a watched project costs us: microseconds a look, and bytes kept."""

import time
import tracemalloc
from collections.abc import Callable, Sequence

from activity import CREATED, PENDING, RUNNING, START, SUCCESS, Change, Made, SimulatedProject
from activity import moment as written

from gitlab_jobs_async.models.jobs import Pipeline
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.monitor.watch.queries import QueryResult

LATER = 200.0
"""Seconds after which what is settled is known to be."""


def made_up(number: int, past: int, opened: int) -> SimulatedProject:
    """So many jobs that had ended at the start, and then some that open, ten a pipeline."""
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


def polled(watch: ProjectWatch, now: float, answer_of: Callable[[float], QueryResult]) -> int:
    """One look that brings what *answer_of* says; how many requests it took."""
    watch.poll_now(now)
    asked = 0
    while watch.next_query(now) is not None:
        asked += 1
        watch.on_result(now, answer_of(now))
    return asked


def microseconds(past: int, opened: int, polls: int = 5000) -> float:
    """Of our own code in a look at which nothing has changed; the answer is there already."""
    project = made_up(1, past, opened)
    watch, now = begun(project), START + 2 * LATER
    watch.poll_now(now)
    query = watch.next_query(now)
    assert query is not None
    answer = project.answer(query, now)
    polled(watch, now, lambda _: answer)
    spent = time.process_time()
    for _ in range(polls):
        now += 5.0
        polled(watch, now, lambda _: answer)
    return (time.process_time() - spent) / polls * 1e6


def begun(project: SimulatedProject) -> ProjectWatch:
    """A watch after its first looks."""
    watch = ProjectWatch.of(project.number)
    for now in (START, START + LATER):
        watch.poll_now(now)
        while (query := watch.next_query(now)) is not None:
            watch.on_result(now, project.answer(query, now))
    return watch


def watched(number: int, past: int, opened: int) -> ProjectWatch:
    """A watch that keeps nothing of the rows that it was shown but what it needs."""
    return begun(made_up(number, past, opened))


def bytes_of(past: int, opened: int, count: int) -> float:
    """Kept for each of so many watched projects."""
    watched(1, past, opened)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept: Sequence[ProjectWatch] = [watched(n + 1, past, opened) for n in range(count)]
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(kept) == count
    return (after - before) / count


def print_costs() -> None:
    """Print the table."""
    print(f"{'a watched project with':34} {'µs a look':>10} {'bytes':>8}")
    for name, past, opened in (
        ("no job at all", 0, 0),
        ("100 jobs that have ended", 100, 0),
        ("these and 50 that are open", 100, 50),
    ):
        cost = microseconds(past, opened)
        print(f"{name:34} {cost:10.0f} {bytes_of(past, opened, 200):8.0f}")
