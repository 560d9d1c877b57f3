"""Costs of 1, 10 and 100 times as much: listing jobs, scheduling polls, parsing a log.

Bars: time in proportion to the size, with a tenth more for noise or, where a heap is used, its
logarithm. `tail_many` has the growth of followed logs.
"""

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator, Sequence

from attrs import frozen

from benchmarks.canned import CannedServer, dealt, serving
from benchmarks.clients import SIDE_BY_SIDE, TOKEN
from benchmarks.measuring import Samples, interleaved
from benchmarks.parse import compiler_log, parse
from benchmarks.results import Chart, Row, Size
from gitlab_jobs_async import GitLab, RequestBudget
from gitlab_jobs_async.monitor.schedule.scheduler import PollScheduler

FLAT, HEAP_FLAT = 1.25, 2.0
"""Most of the cost of one at the largest size, in parts of that at the smallest."""
MEGABYTE = 1_000_000
OPERATIONS = 50_000


def measure(size: Size) -> Iterator[Row | Chart]:
    """Measure each at three sizes or four."""
    yield from listings(size.pick((1_000, 10_000, 100_000), (200, 2_000, 20_000), (100, 300)), size)
    targets = size.pick((100, 1_000, 10_000, 100_000), (100, 1_000, 10_000), (10, 100))
    yield from schedules(targets, size)
    yield from parsing(size.pick((1, 10, 100), (1, 10), (1,)), size)


async def listed(url: str, project: int) -> int:
    """List a project without the limit of job listings, which would make a long listing wait."""
    budget = RequestBudget(jobs_index_per_minute=None)
    async with GitLab(url, auth=TOKEN, concurrency=SIDE_BY_SIDE, budget=budget) as client:
        return len(await client.project(project).list_jobs())


def kilobytes(server: CannedServer, project: int, count: int) -> float:
    """Return the peak of memory while a project is listed, in KB a job."""
    tracemalloc.start()
    asyncio.run(listed(server.url, project))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / count / 1000


def listings(counts: Sequence[int], size: Size) -> Iterator[Row | Chart]:
    """List projects of these numbers of jobs, also without Python's garbage collector."""
    due = {project: dealt(1, count)[1] for project, count in enumerate(counts, 1)}
    # Short listings several times, so that each run takes long enough.
    repeats = {p: max(1, counts[-1] // len(ids) // 10) for p, ids in due.items()}
    requests: dict[int, int] = {}
    with serving(due) as server:

        def run(project: int, *, collects: bool) -> None:
            server.count()
            if not collects:
                gc.disable()
            for _ in range(repeats[project]):
                assert asyncio.run(listed(server.url, project)) == len(due[project])
            gc.enable()
            requests[project] = server.count() // repeats[project]

        work = {
            f"{project}, {collects}": lambda p=project, on=collects: run(p, collects=on)
            for project in due
            for collects in (True, False)
        }
        times = interleaved(work, size.pick(3, 3, 1))
        memory = [kilobytes(server, project, len(due[project])) for project in due]
    micros, without = (
        [times[f"{p}, {on}"].cpu_median / len(due[p]) / repeats[p] * 1e6 for p in due]
        for on in (True, False)
    )
    details = "without the garbage collector " + ", ".join(f"{value:.3g} µs" for value in without)
    yield row(
        "list a growing number of jobs: CPU time a job", "µs", counts, micros, details=details
    )
    yield Row(
        "list a growing number of jobs: peak of memory a job, requests",
        "",
        ", ".join(f"{n:,}: {kb:.1f} KB" for n, kb in zip(counts, memory, strict=True)),
        "",
        None,
        "requests " + ", ".join(map(str, requests.values())),
    )
    lines = {
        "CPU, µs a job": micros,
        "without collector": without,
        "peak of memory, KB a job": memory,
    }
    yield chart("growth-listing", "Listing jobs", "jobs", counts, lines)


def schedules(counts: Sequence[int], size: Size) -> Iterator[Row | Chart]:
    """Pop the target that is due and schedule it again, with these numbers of targets."""
    operations = size.pick(OPERATIONS, OPERATIONS, 100)
    full = {str(count): scheduled(count) for count in counts}
    work = {name: lambda full=of: full.turn(operations) for name, of in full.items()}
    times = interleaved(work, size.pick(7, 5, 1))
    micros = [of.cpu_median / operations * 1e6 for of in times.values()]
    question = "schedule polls of a growing number of targets: CPU time a poll"
    yield row(question, "µs", counts, micros, HEAP_FLAT)
    yield chart("growth-schedule", "Scheduling polls", "targets", counts, {"CPU, µs": micros})


@frozen
class Scheduled:
    """A scheduler of as many targets, each of which is due every 180 seconds."""

    scheduler: PollScheduler
    count: int

    def turn(self, operations: int) -> None:
        """Poll the targets in the order in which they become due."""
        for _ in range(operations):
            now = self.scheduler.next_at()
            key = self.scheduler.pop_due(now)
            assert key is not None
            self.scheduler.schedule(key, now, 180.0)


def scheduled(count: int) -> Scheduled:
    """Return a scheduler whose targets become due one after the other."""
    scheduler = PollScheduler()
    for number in range(count):
        scheduler.schedule(f"project {number}", 0.0, 180.0 * (number + 1) / count)
    return Scheduled(scheduler, count)


def parsing(megabytes: Sequence[int], size: Size) -> Iterator[Row | Chart]:
    """Parse plain logs of these sizes."""
    log = compiler_log(MEGABYTE)
    logs = {count: log * count for count in megabytes}
    work = {str(count): lambda log=log: parse(log) for count, log in logs.items()}
    times: dict[str, Samples] = interleaved(work, size.pick(3, 3, 1))
    sizes = [len(log) / MEGABYTE for log in logs.values()]
    millis = [of.cpu_median / mb * 1e3 for of, mb in zip(times.values(), sizes, strict=True)]
    yield row("parse a growing log: CPU time a MB", "ms", megabytes, millis)
    yield chart("growth-parse", "Parsing a log", "MB", megabytes, {"CPU, ms a MB": millis})


def row(
    question: str,
    unit: str,
    counts: Sequence[int],
    values: Sequence[float],
    bar: float = FLAT,
    details: str = "",
) -> Row:
    """Return the row of one cost at all sizes."""
    shown = ", ".join(f"{n:,}: {value:.3g} {unit}" for n, value in zip(counts, values, strict=True))
    is_met = values[-1] <= bar * values[0]
    bar_text = f"the largest at most {bar:g} x the smallest"
    return Row(question, bar_text, shown, "", is_met, details)


def chart(
    name: str, title: str, x: str, counts: Sequence[int], lines: dict[str, list[float]]
) -> Chart:
    """Return the chart of costs over sizes."""
    series = {name: list(zip(counts, values, strict=True)) for name, values in lines.items()}
    return Chart(name, f"{title}: the cost of one", x, "", series, log_x=True)
