"""Processes with one store through kills, freezes, outages, partitions and wrong clocks.

Nothing may be lost or repeated, and the requests of all must keep to one budget. By itself, with
exit status 1 if they do not: `python -m benchmarks.replicas --store sqlite --json`.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

from attrs import asdict, define, field

from benchmarks.measuring import apart
from benchmarks.record import table_lines
from benchmarks.replica_cluster import Cluster
from benchmarks.replica_engines import ENGINES, Engine
from benchmarks.replica_judge import Reader, Recorded, delays
from benchmarks.replica_node import ReplicaTask, runnable
from benchmarks.replica_report import Plan, Report, results
from benchmarks.results import Row, Size, Table
from benchmarks.running import shown
from gitlab_jobs_async import PostgresStore, SqliteStore
from gitlab_jobs_async.cli.demo.nodes import most_in_a_minute
from gitlab_jobs_async.simulator import JobPlan, RealClock, Simulator, SimulatorSettings, World
from gitlab_jobs_async.simulator.records import Job
from tests.support.postgres import binaries

URL = "http://gitlab.test"
HISTORY = 130
"""Ended jobs of each project: more than a page."""
KEPT = "kept"
"""A group that reads nothing, so that all events are kept."""
LATEST = 240.0
"""Seconds to wait at the end for the events of the last jobs."""
LONG = JobPlan(queued=0.0, duration=7200.0)
DURATIONS = (0.2, 1.0, 3.0, 10.0)
"""Seconds of jobs: some end between two polls."""
SEED = 7


PLANS = (
    Plan(500.0, 4, 8, 120, 24, 40, 600, 0.4, DURATIONS, 4.0, 50, 7, ("sqlite", "postgres")),
    Plan(120.0, 3, 6, 60, 12, 20, 600, 0.4, DURATIONS, 3.0, 10, 2, ("sqlite", "postgres")),
    Plan(2.0, 2, 2, 3, 3, 0, 600, 0.2, (0.2, 0.5), 1.0, 1, 0, ("sqlite",)),
)


def measure(size: Size) -> Iterator[Row | Table]:
    """Run with each store that is installed."""
    plan = size.pick(*PLANS)
    for store in plan.stores:
        if store == "postgres" and binaries() is None:
            print("  replicas with postgres: skipped, PostgreSQL is not installed")
            continue
        yield from results(apart(run, plan, store))


def run(plan: Plan, store: str, *, is_shown: bool = False) -> Report:
    """Run the plan with a new store; *is_shown* prints what happens."""
    with tempfile.TemporaryDirectory() as folder:
        engine = ENGINES[store](Path(folder))
        try:
            return asyncio.run(Trial(plan, store, engine, is_shown).run(Path(folder)))
        finally:
            engine.close()


@define(eq=False)
class Trial:
    """One run: a world, a cluster that monitors it, and groups that read."""

    plan: Plan
    store: str
    engine: Engine
    is_shown: bool
    chance: random.Random = field(factory=lambda: random.Random(SEED))
    jobs: list[Job] = field(factory=list[Job])
    began: float = field(factory=time.monotonic)
    steady: Reader = field(factory=lambda: Reader("steady"))
    absent: Reader = field(factory=lambda: Reader("absent"))
    away: str = ""

    def say(self, line: str) -> None:
        """Print a line with the seconds since the start."""
        if self.is_shown:
            print(f"{time.monotonic() - self.began:6.1f} s  {line}", file=sys.stderr, flush=True)

    async def run(self, folder: Path) -> Report:
        """Do all, and judge."""
        clock = RealClock()
        world = World(clock.now())
        paths = [f"shop/p{number}" for number in range(self.plan.projects)]
        for path in paths:
            world.add_finished_jobs(world.add_project(path), HISTORY)
        for path in paths[: self.plan.busy]:
            # A project with a job that runs is polled every few seconds.
            world.add_job(world.add_pipeline(world.project(path)), "long", plan=LONG)
        settings = SimulatorSettings(external_url=URL, api_limit=self.plan.per_minute)
        async with AsyncExitStack() as stack:
            simulator = await stack.enter_async_context(Simulator(world, settings, clock))
            await self._join()
            cluster = Cluster(
                ReplicaTask(
                    url=URL,
                    token=simulator.token,
                    projects=paths,
                    store=self.engine.address,
                    shards=self.plan.shards,
                    per_minute=self.plan.per_minute,
                    port=int(simulator.url.rpartition(":")[2]),
                    lease_seconds=self.plan.lease,
                    ahead=0.0,
                    drift=0.0,
                ),
                self.engine,
                self.chance,
                self.say,
                stack.enter_context((folder / "errors").open("w+")),
            )
            stack.push_async_callback(cluster.close)
            for reader in (self.steady, self.absent):
                reader.start(self.engine.address, clock.now)
                stack.push_async_callback(reader.stop)
            await self._work(simulator, cluster, paths)
        recorded = await Recorded.read(self.engine.address, KEPT)
        self.say((folder / "errors").read_text())
        return self._report(recorded, cluster, simulator)

    async def _join(self) -> None:
        address = self.engine.address
        store = PostgresStore(address) if self.store == "postgres" else SqliteStore(address)
        await store.open(URL)
        for group in (KEPT, self.steady.group, self.absent.group):
            await store.join(group)
        await store.close()

    async def _work(self, simulator: Simulator, cluster: Cluster, paths: Sequence[str]) -> None:
        for _ in range(self.plan.nodes):
            await cluster.start()
        async with asyncio.timeout(LATEST):
            while not cluster.is_scanned:  # noqa: ASYNC110 - processes say it
                await asyncio.sleep(0.05)
        self.say(f"all projects are scanned, {len(simulator.requests)} requests")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._add_jobs(simulator, paths))
            tasks.create_task(self._leave_for_a_while())
            for at, fault, seconds in self._schedule(cluster):
                tasks.create_task(_later(at, fault, seconds))
        for path in paths[len(paths) - self.plan.quiet :]:
            self._add_job(simulator, path)
        self.say(f"the last of {len(self.jobs)} jobs were started")
        until = time.monotonic() + LATEST
        while time.monotonic() < until and not self._is_read():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.1)
        for job in self.jobs:
            if job.id not in self.steady.ends:
                self.say(f"not seen: job {job.id} of {job.project.path}, ended {job.finished_at}")
        self.say("the end")

    def _schedule(self, cluster: Cluster) -> Iterator[tuple[float, object, float]]:
        for number in range(self.plan.kills):
            yield self.plan.seconds * (number + 1) / (self.plan.kills + 1), cluster.kill, 0.0
        longer = self.plan.lease + 3
        others = (
            (cluster.leave, 0.0),
            (cluster.freeze, longer),
            (cluster.part_from_store, 2 * longer),
            (cluster.part_from_gitlab, 2 * longer),
            (cluster.outage, longer),
        )
        for number in range(self.plan.others):
            for place, (fault, seconds) in enumerate(others):
                part = (number + (place + self.chance.random()) / len(others)) / self.plan.others
                yield part * 0.95 * self.plan.seconds, fault, seconds

    async def _add_jobs(self, simulator: Simulator, paths: Sequence[str]) -> None:
        busy, usual = paths[: self.plan.busy], paths[: len(paths) - self.plan.quiet]
        until = time.monotonic() + self.plan.seconds
        while time.monotonic() < until:
            chosen = busy if self.chance.random() < 0.8 else usual
            self._add_job(simulator, self.chance.choice(chosen))
            await asyncio.sleep(self.plan.job_interval)

    def _add_job(self, simulator: Simulator, path: str) -> None:
        world = simulator.world  # settled, so that the job begins now
        duration = self.chance.choice(self.plan.durations)
        outcome = self.chance.choice(("success", "success", "failed"))
        plan = JobPlan(queued=0.2, duration=duration, outcome=outcome)
        self.jobs.append(world.add_job(world.add_pipeline(world.project(path)), "unit", plan=plan))

    async def _leave_for_a_while(self) -> None:
        await asyncio.sleep(self.plan.seconds * 0.25)
        await self.absent.stop()
        before = len(self.absent.keys)
        await asyncio.sleep(self.plan.seconds * 0.35)
        began, goal = time.monotonic(), len(self.steady.keys)
        self.absent.start(self.engine.address, RealClock().now)
        while len(self.absent.keys) < goal:  # noqa: ASYNC110 - read by another task
            await asyncio.sleep(0.01)
        seconds = time.monotonic() - began
        self.away = (
            f"{len(self.absent.keys) - before} events in {seconds:.2f} s after"
            f" {self.plan.seconds * 0.35:.0f} s away"
        )
        self.say(f"the absent group has read {self.away}")

    def _is_read(self) -> bool:
        wanted = {job.id for job in self.jobs}
        return all(wanted <= reader.ends.keys() for reader in (self.steady, self.absent))

    def _report(self, recorded: Recorded, cluster: Cluster, simulator: Simulator) -> Report:
        times = {kind: list[float]() for kind in sorted({one.fault for one in cluster.takeovers})}
        for one in cluster.takeovers:
            times[one.fault].append(one.seconds)
        readers = (self.steady, self.absent)
        return Report(
            store=self.store,
            plan=self.plan,
            faults=dict(Counter(cluster.faults)),
            jobs=len(self.jobs),
            events=len(recorded.events),
            wrong=dict(recorded.faults(self.jobs)),
            groups={one.group: dict(recorded.group_faults(one.keys)) for one in readers},
            takeovers={
                kind: (len(every), round(median(every), 2), round(max(every), 2))
                for kind, every in times.items()
            },
            most_requests=most_in_a_minute([one.at for one in simulator.requests]),
            refused=sum(one.status == 429 for one in simulator.requests),
            unreachable=recorded.unreachable,
            fenced=sum(cluster.every(lambda replica: replica.fenced)),
            blocks=[block for blocks in cluster.every(lambda one: one.blocks) for block in blocks],
            delays={one.group: delays(one.ends, self.jobs) for one in readers},
            away=self.away,
            starved=runnable() / (time.monotonic() - self.began),
        )


async def _later(at: float, fault: object, seconds: float) -> None:
    await asyncio.sleep(at)
    await fault(seconds)  # type: ignore[operator]


def main() -> int:
    """Run with one store, print tables in Markdown, and return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replicas", description=__doc__)
    parser.add_argument("--store", choices=sorted(ENGINES), default="sqlite")
    parser.add_argument("--quick", action="store_true", help="fewer processes, faults and seconds")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    report = run(PLANS[1 if options.quick else 0], options.store, is_shown=True)
    if options.json:
        print(json.dumps(asdict(report)))
    else:
        for result in results(report):
            if isinstance(result, Table):
                print(f"\n{result.title}\n", *table_lines(result.heads, result.rows), sep="\n")
            else:
                print(*shown(result), sep="\n")
    return 0 if report.is_right else 1


if __name__ == "__main__":
    sys.exit(main())
