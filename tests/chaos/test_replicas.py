"""Processes with one store are killed and frozen, and no event is lost or recorded twice."""

import asyncio
import random
import signal
import subprocess
import sys
import time

import pytest
from attrs import define, field

from gitlab_jobs_async import consume
from gitlab_jobs_async.cli.demo.nodes import most_in_a_minute
from gitlab_jobs_async.events import JobAppeared, JobFinished, ProjectUnreachable
from gitlab_jobs_async.simulator import AcceleratedClock, JobPlan, Simulator, World
from tests.support import replica
from tests.support.replica import Errand

FACTOR = 20.0
START = 1_750_000_000.0
NODES, SHARDS, PROJECTS = 3, 4, 24
PER_MINUTE = 500
SECONDS, KILLS = 30.0, 6


def end(node):
    node.kill()
    with node:  # waits, and closes its input
        pass


@define
class Cluster:
    """The processes, which are ended at the latest with the block."""

    errand: Errand
    nodes: list = field(factory=list)

    def start(self):
        command = [sys.executable, "-m", replica.__name__]
        node = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        node.stdin.write(self.errand.line())
        node.stdin.flush()
        self.nodes.append(node)

    def kill(self, node):
        self.nodes.remove(node)
        end(node)
        assert node.returncode == -signal.SIGKILL

    def __enter__(self):
        for _ in range(NODES):
            self.start()
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            end(node)


def scanned(simulator):
    """Return of how many projects the second page of jobs was requested, by id."""
    paths = {request.path for request in simulator.requests}
    return sum(f"/api/v4/projects/{n + 1}/jobs" in paths for n in range(PROJECTS))


@pytest.mark.timeout(120)
@pytest.mark.no_cover("loads both cores for half a minute")
async def test_killed_processes_lose_nothing(store_address):
    chance = random.Random(3)
    clock, origin = AcceleratedClock(FACTOR, start=START), time.monotonic()
    world = World(START)
    paths = [f"shop/p{number}" for number in range(PROJECTS)]
    for path in paths:
        world.add_finished_jobs(world.add_project(path), 130)
    jobs, seen, keys = set(), {}, []
    async with Simulator(world, clock=clock) as simulator:
        errand = Errand(
            simulator.url,
            simulator.token,
            paths,
            store_address,
            SHARDS,
            PER_MINUTE,
            FACTOR,
            START,
            origin,
        )

        async def read():
            async with consume(errand.named_store(), "judge") as recorded:
                async for one in recorded:
                    keys.append(one.key)
                    assert not isinstance(one.event, ProjectUnreachable)
                    if isinstance(one.event, JobAppeared | JobFinished) and one.event.is_new:
                        seen.setdefault(one.event.job.id, []).append(type(one.event).__name__)

        # The group is registered before the first event.
        reader = asyncio.create_task(read())
        with Cluster(errand) as cluster:
            ends = time.monotonic() + SECONDS
            kills = None
            while time.monotonic() < ends or len(jobs) <= 30:
                await asyncio.sleep(0.25)
                if kills is None and scanned(simulator) == PROJECTS:
                    await asyncio.sleep(1)  # until it is recorded: later jobs are new
                    began = time.monotonic()
                    ends = max(ends, began + SECONDS - 5)
                    kills = [began + (ends - began) * (n + 1) / (KILLS + 1) for n in range(KILLS)]
                elif kills is not None:
                    # A few projects are busy, most are quiet.
                    path = (
                        paths[chance.randrange(6)]
                        if chance.random() < 0.8
                        else chance.choice(paths)
                    )
                    pipeline = world.add_pipeline(world.project(path))
                    jobs.add(world.add_job(pipeline, "unit", plan=JobPlan(duration=20.0)).id)
                if kills and time.monotonic() > kills[0]:
                    del kills[0]
                    cluster.kill(chance.choice(cluster.nodes))
                    cluster.start()
            async with asyncio.timeout(60):
                while not jobs <= {job for job, kinds in seen.items() if "JobFinished" in kinds}:  # noqa: ASYNC110 - read by another task
                    await asyncio.sleep(0.1)
        reader.cancel()
        await asyncio.wait([reader])
        sent = [request.at for request in simulator.requests]
    assert not kills
    assert {kinds.count("JobFinished") for job, kinds in seen.items() if job in jobs} == {1}
    assert {job: seen[job] for job in jobs if seen[job] != ["JobAppeared", "JobFinished"]} == {}
    assert len(keys) == len(set(keys))
    assert most_in_a_minute(sent) <= PER_MINUTE or not errand.is_local
