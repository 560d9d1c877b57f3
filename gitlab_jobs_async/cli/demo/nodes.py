"""The command `demo --nodes`: processes with one store, one of which is killed now and then.

Each has its own client and monitors its part of the projects. A consumer reads what they record,
which is compared with what has happened on the simulated server.
"""

import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from gitlab_jobs_async.cli.demo import node as node_program
from gitlab_jobs_async.cli.demo.node import NodeTask
from gitlab_jobs_async.cli.demo.node_process import NodeProcess
from gitlab_jobs_async.cli.errors import OK, CommandError
from gitlab_jobs_async.cli.terminal import write, write_json
from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.cli.views.rows import json_line
from gitlab_jobs_async.clock import Clock, SystemClock
from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.consumers import consume
from gitlab_jobs_async.events import JobFinished
from gitlab_jobs_async.simulator import JobPlan, Simulator, World
from gitlab_jobs_async.simulator.records import Job as SimulatedJob
from gitlab_jobs_async.store import store_named
from gitlab_jobs_async.store.sqlite import SqliteStore

_PROJECTS: Final = 20
_BUSY: Final = 4
_HISTORY: Final = 120
_SHARDS_PER_NODE: Final = 2
_PER_MINUTE: Final = 600
_JOB_SECONDS: Final = 3.0
_LONG_SECONDS: Final = 7200.0
_JOB_EACH: Final = 0.4
_KILL_EACH: Final = 5.0
_LATEST: Final = 60.0
"""Seconds to wait at the end for the events of the last jobs."""


@frozen(kw_only=True)
class NodesReport:
    """Count the jobs whose end was lost or repeated while *kills* processes were killed."""

    nodes: int
    kills: int
    jobs: int
    lost: int
    repeated: int
    most_requests_a_minute: int
    requests_allowed: int
    seconds: float


@define(eq=False, repr=False)
class Cluster:
    """The processes of *task*, and when what happened, in lines."""

    task: NodeTask
    clock: Clock
    quiet: bool
    began: float
    nodes: list[NodeProcess] = field(factory=list[NodeProcess])
    kills: int = 0
    started: int = 0

    def say(self, line: str) -> None:
        """Print a line with the seconds since the start."""
        if not self.quiet:
            write(f"{self.clock.now() - self.began:6.1f} s  {line}\n")

    async def start(self) -> None:
        """Start one more process."""
        self.started += 1
        node = await NodeProcess.start(self.started, node_program.__name__, self.task.line())
        self.nodes.append(node)
        self.say(f"node {self.started} starts")

    async def watch(self, one: NodeProcess) -> None:
        """Print which shards a process holds, until it ends."""
        async for shards in one.reports():
            one.shards = shards
            held = f"holds shards {one.held}" if shards else "stands by"
            self.say(f"node {one.number} {held}")

    async def kill(self) -> None:
        """Kill the process that holds most shards, as `kill -9` does."""
        victim = max(self.nodes, key=lambda one: len(one.shards))
        self.nodes.remove(victim)
        self.kills += 1
        await victim.kill()
        self.say(f"node {victim.number} is killed with shards {victim.held}")

    async def close(self) -> None:
        """End all processes."""
        for one in self.nodes:
            await one.kill()


async def demo_nodes(count: int, store: str | None, *, seconds: float, json: bool) -> int:
    """Run *count* processes for *seconds*, and report what was lost.

    Raises:
        CommandError: an event was lost or repeated, or the limit of requests was exceeded.
        StoreError: *store* is unusable.
    """
    with tempfile.TemporaryDirectory() as folder:
        address = str(Path(folder) / "ci.db") if store is None else store
        report = await _observed(count, address, seconds, quiet=json)
    if json:
        write_json(json_line(report))
    else:
        write(
            f"\n{report.kills} of {counted(report.nodes, 'node')} killed, "
            f"{counted(report.jobs, 'job')} ended: {report.lost} lost, "
            f"{report.repeated} repeated;\nat most {report.most_requests_a_minute} of "
            f"{report.requests_allowed} requests a minute\n"
        )
    if report.lost or report.repeated or report.most_requests_a_minute > report.requests_allowed:
        raise CommandError("events were lost or repeated, or requests exceeded the limit")
    return OK


async def _observed(count: int, store: str, seconds: float, *, quiet: bool) -> NodesReport:
    clock = SystemClock()
    world = World(clock.now())
    paths = [f"shop/app-{number}" for number in range(_PROJECTS)]
    for path in paths:
        world.add_finished_jobs(world.add_project(path), _HISTORY)
    for path in paths[:_BUSY]:
        _add_long_job(world, path)
    jobs: list[SimulatedJob] = []
    ended: Counter[int] = Counter()
    async with Simulator(world, clock=clock) as simulator:
        takeover = await _check(store, simulator.url)
        task = NodeTask(
            simulator.url,
            simulator.token,
            paths,
            store,
            count * _SHARDS_PER_NODE,
            _PER_MINUTE,
        )
        cluster = Cluster(task, clock, quiet, clock.now())
        cluster.say(f"{counted(count, 'node')} share {task.shards} shards of {_PROJECTS} projects")
        cluster.say(f"every {_KILL_EACH:g} s one is killed; others go on {takeover}")
        async with task_pool() as tasks:
            try:
                # The group exists before the first event.
                tasks.start("consumer", _count(store, ended))
                for _ in range(count):
                    await cluster.start()
                for one in cluster.nodes:
                    tasks.start(one, cluster.watch(one))
                async for moment in _moments(clock, seconds):
                    if moment == "job":
                        world.settle(clock.now())  # else the job begins at the last request
                        _add_job(world, paths, jobs)
                        continue
                    await cluster.kill()
                    cluster.say(_state(jobs, ended, simulator, clock))
                    await cluster.start()
                    tasks.start(cluster.nodes[-1], cluster.watch(cluster.nodes[-1]))
                cluster.say("waiting for the events of the last jobs")
                until = clock.now() + _LATEST
                while clock.now() < until and any(not ended[job.id] for job in jobs):
                    await clock.sleep(0.2)
                cluster.say(_state(jobs, ended, simulator, clock))
            finally:
                await cluster.close()
        sent = [request.at for request in simulator.requests]
    return NodesReport(
        nodes=cluster.started,
        kills=cluster.kills,
        jobs=len(jobs),
        lost=sum(not ended[job.id] for job in jobs),
        repeated=sum(ended[job.id] > 1 for job in jobs),
        most_requests_a_minute=most_in_a_minute(sent),
        requests_allowed=_PER_MINUTE,
        seconds=round(clock.now() - cluster.began, 1),
    )


async def _check(store: str, url: str) -> str:
    """Return how soon other processes go on after a kill.

    Raises:
        StoreError: *store* is unusable.
    """
    opened = store_named(store)
    await opened.open(url)
    await opened.close()
    if isinstance(opened, SqliteStore):
        return "at once"
    return f"when its lease of {opened.lease_seconds:g} s is over"


async def _moments(clock: Clock, seconds: float) -> AsyncIterator[str]:
    """Yield "job" and "kill" when one is due, until *seconds* have passed."""
    began = clock.now()
    next_job, next_kill = began + 2 * _KILL_EACH / 5, began + _KILL_EACH
    while (now := clock.now()) < began + seconds:
        if now >= next_kill:
            next_kill += _KILL_EACH
            yield "kill"
        elif now >= next_job:
            next_job = now + _JOB_EACH
            yield "job"
        else:
            await clock.sleep(min(next_job, next_kill) - now)


def _add_long_job(world: World, path: str) -> None:
    # An active project is polled every few seconds from the start.
    pipeline = world.add_pipeline(world.project(path))
    world.add_job(pipeline, "end-to-end", plan=JobPlan(queued=0.0, duration=_LONG_SECONDS))


def _add_job(world: World, paths: Sequence[str], jobs: list[SimulatedJob]) -> None:
    # The other projects are quiet most of the time.
    place = len(jobs) % _BUSY if len(jobs) % 10 else len(jobs) // 10 % len(paths)
    pipeline = world.add_pipeline(world.project(paths[place]))
    jobs.append(world.add_job(pipeline, "unit", plan=JobPlan(queued=0.5, duration=_JOB_SECONDS)))


async def _count(store: str, ended: Counter[int]) -> None:
    async with consume(store, "demo") as recorded:
        async for one in recorded:
            if isinstance(one.event, JobFinished) and one.event.is_new:
                ended[one.event.job.id] += 1


def _state(
    jobs: Sequence[SimulatedJob], ended: Counter[int], simulator: Simulator, clock: Clock
) -> str:
    now = clock.now()
    requests = sum(request.at > now - 60 for request in simulator.requests)
    repeated = sum(count > 1 for count in ended.values())
    return (
        f"{counted(len(jobs), 'job')}, {counted(len(ended), 'end')} recorded, {repeated} repeated; "
        f"{requests} of {_PER_MINUTE} requests/min"
    )


def most_in_a_minute(times: Sequence[float]) -> int:
    """Return the most requests in any 60 seconds."""
    ordered = sorted(times)
    return max(
        (bisect_right(ordered, at + 60) - number for number, at in enumerate(ordered)), default=0
    )
