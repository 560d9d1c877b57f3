"""Work that goes on for long, and whether memory, tasks and descriptors stay flat meanwhile.

A monitor with logs, listings and followed jobs of one client. The server is another process.
"""

import asyncio
import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from attrs import define, frozen

from benchmarks.measuring import resident
from benchmarks.results import Chart, Row
from gitlab_jobs_async import GitLab, TailedLine
from gitlab_jobs_async.events import JobFinished
from gitlab_jobs_async.simulator import (
    Clock,
    JobPlan,
    PipelinePlan,
    PlannedJob,
    RealClock,
    RunnerScript,
    Simulator,
    SimulatorSettings,
    SteppedClock,
    World,
)

LISTED = 2_000
"""Finished jobs of the project that is listed."""
WARM_UP = 0.25
"""Part of the time that is not judged."""
MEMORY_BAR, COUNT_BAR = 0.05, 0.1
"""Growth from the first third to the last, in parts: of memory, and of tasks and descriptors."""


@frozen
class Plan:
    """Seconds of work, projects, and the seconds between their pipelines, of a job, of listings."""

    duration: float
    projects: int
    pipeline_interval: float
    job_duration: float
    listing_interval: float


@frozen
class Sample:
    """The state of this process at a time, in seconds since the start."""

    at: float
    memory: float
    """MiB of resident memory."""
    tasks: int
    descriptors: int


@define
class Work:
    """Counts of the work that was done."""

    events: int = 0
    ends: int = 0
    lines: int = 0
    rows: int = 0


class SharedClock:
    """Time that another process sets, for a server that never sleeps."""

    def __init__(self, seconds: Any) -> None:
        self._seconds = seconds

    def now(self) -> float:
        """Return Unix seconds."""
        return float(self._seconds.value)

    async def sleep(self, seconds: float) -> None:
        """Refuse: the time of the other process depends on no sleeper here."""
        raise NotImplementedError(f"sleep of {seconds} s: expected a server that never sleeps")


class PublishedClock(SteppedClock):
    """A stepped clock whose time another process reads."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = multiprocessing.get_context("spawn").Value("d", self.now(), lock=False)

    def advance(self, seconds: float) -> None:
        """Advance the time of both processes."""
        super().advance(seconds)
        self.seconds.value = self.now()


@contextmanager
def server_of(plan: Plan, clock: PublishedClock | None) -> Iterator[tuple[str, str]]:
    """Serve a world of this plan from another process; yield URL and token."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    shared = None if clock is None else clock.seconds
    process = context.Process(target=_serve, args=(there, plan, shared), daemon=True)
    process.start()
    there.close()  # so that the end of the process ends the wait for it
    try:
        yield here.recv()
    finally:
        with suppress(BrokenPipeError):
            here.send("end")
        process.join()


def _serve(pipe: Connection, plan: Plan, shared: Any) -> None:
    clock = RealClock() if shared is None else SharedClock(shared)
    asyncio.run(_serve_until_end(pipe, plan, clock))


async def _serve_until_end(pipe: Connection, plan: Plan, clock: Clock) -> None:
    world = world_of(plan, clock.now())
    settings = SimulatorSettings(kept_requests=0)
    async with Simulator(world, settings, clock) as simulator:
        pipe.send((simulator.url, simulator.token))
        await asyncio.to_thread(pipe.recv)


def world_of(plan: Plan, now: float) -> World:
    """Return a world with a listed project, and others with pipelines over the whole time."""
    world = World(now)
    world.add_finished_jobs(world.add_project("soak/listed"), LISTED)
    for number in range(plan.projects):
        project = world.add_project(f"soak/app-{number}")
        at = now + plan.pipeline_interval * (number + 0.5) / plan.projects
        while at < now + plan.duration:
            plans = [
                JobPlan(duration=plan.job_duration * part, log=RunnerScript(lines=40, seed=number))
                for part in (0.5, 1.0)
            ]
            jobs = tuple(PlannedJob(f"job {n}", plan=of) for n, of in enumerate(plans))
            world.plan_pipeline(project, PipelinePlan(jobs=jobs), at=at)
            at += plan.pipeline_interval
    return world


async def work(client: GitLab, plan: Plan, clock: Clock, sampled: Callable[[], None]) -> Work:
    """Monitor, follow and list until the time is over; call *sampled* a hundred times."""
    done, end = Work(), clock.now() + plan.duration

    async def watch() -> None:
        while clock.now() < end:
            await clock.sleep(min(plan.duration / 100, max(0.0, end - clock.now())))
            sampled()

    calls = (_monitor(client, plan, done), _follow(client, plan, clock, done))
    async with _running(*calls, _list(client, plan, clock, done)):
        await watch()
    return done


async def _monitor(client: GitLab, plan: Plan, done: Work) -> None:
    targets = [f"soak/app-{number}" for number in range(plan.projects)]
    async with client.monitor(targets, logs=True) as events:
        async for event in events:
            done.events += 1
            done.ends += isinstance(event, JobFinished)


async def _follow(client: GitLab, plan: Plan, clock: Clock, done: Work) -> None:
    while True:
        jobs = await client.project("soak/app-0").list_jobs(scope=["running"])
        ids = [("soak/app-0", job.id) for job in jobs]
        if ids:
            async with client.tail_jobs(ids) as items:
                async for item in items:
                    done.lines += isinstance(item, TailedLine)
        await clock.sleep(plan.job_duration / 2)


async def _list(client: GitLab, plan: Plan, clock: Clock, done: Work) -> None:
    while True:
        done.rows += len(await client.project("soak/listed").list_jobs())
        await clock.sleep(plan.listing_interval)


@asynccontextmanager
async def _running(*calls: Any) -> Any:
    tasks = [asyncio.create_task(call) for call in calls]
    try:
        yield
    finally:
        failed = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in failed:
            task.result()


def sample(at: float) -> Sample:
    """Return the state of this process."""
    gc.collect()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    return Sample(at, resident() / 2**20, len(asyncio.all_tasks()), descriptors)


def growth(values: Sequence[float]) -> float:
    """Return how much the last third is above the first one, as a part of the latter."""
    judged = values[int(len(values) * WARM_UP) :]
    third = max(1, len(judged) // 3)
    first = statistics.median(judged[:third])
    return statistics.median(judged[-third:]) / first - 1


def results(
    name: str,
    question: str,
    before: Sample,
    samples: Sequence[Sample],
    left: Sample,
    details: str,
    unit: float,
) -> Iterator[Row | Chart]:
    """Yield the row and the chart of a soak; *unit* is the seconds of one unit of its x axis.

    *before* and *left* are samples without a client.
    """
    series = {
        "memory, MiB": [sample.memory for sample in samples],
        "tasks": [float(sample.tasks) for sample in samples],
        "descriptors": [float(sample.descriptors) for sample in samples],
    }
    grown = {name: growth(values) for name, values in series.items()}
    bars = (MEMORY_BAR, COUNT_BAR, COUNT_BAR)
    is_left = left.tasks > 1 or left.descriptors > before.descriptors
    shown = ", ".join(f"{what} {share:+.1%}" for what, share in grown.items())
    yield Row(
        question,
        f"flat: memory at most +{MEMORY_BAR:.0%}, tasks and descriptors +{COUNT_BAR:.0%}",
        shown,
        "",
        all(share <= bar for share, bar in zip(grown.values(), bars, strict=True)) and not is_left,
        f"{details}; memory {statistics.median(series['memory, MiB']):.0f} MiB; after the end"
        f" {left.tasks - 1} tasks and {left.descriptors - before.descriptors} descriptors are left",
    )
    units = {60.0: "minutes", 86_400.0: "days"}
    lines = {
        what: [(sample.at / unit, value) for sample, value in zip(samples, values, strict=True)]
        for what, values in series.items()
    }
    title = question[0].upper() + question[1:]
    yield Chart(name, title, units[unit], "MiB, number", lines)


def summary(done: Work, seconds: float) -> str:
    """Return the counts of the work, and the real seconds that it took."""
    return (
        f"{done.events:,} events, {done.ends:,} of them ends, {done.lines:,} followed lines,"
        f" {done.rows:,} listed rows in {seconds:.0f} real seconds"
    )


def now() -> float:
    """Return real seconds, for `summary`."""
    return time.perf_counter()
