"""A client whose clock is hours off loses nothing: the server's answers tell their time."""

import asyncio

import pytest
from attrs import frozen

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.monitor.targets import GroupTarget
from gitlab_jobs_async.simulator import JobPlan, Simulator, SteppedClock, World
from tests.support.stepped_time import pass_time
from tests.support.watched_groups import START, finished, run

OFF = pytest.mark.parametrize("ahead", [-7200.0, 0.0, 7200.0])
PATHS = [f"shop/p{number}" for number in range(12)]
QUICK = JobPlan(queued=0.2, duration=0.5)


@frozen
class WrongClock:
    """A clock that is *ahead* of the server's by some seconds."""

    server: SteppedClock
    ahead: float

    def now(self):
        return self.server.now() + self.ahead

    async def sleep(self, seconds):
        await self.server.sleep(seconds)


async def watch(gitlab, targets, seen):
    async with gitlab.monitor(targets) as monitor:
        async for event in monitor:
            seen.append(event)


async def seen_with(world, ahead, targets, steps):
    """Watch *targets* with a clock that is *ahead*; return the jobs that were seen to finish."""
    clock, seen = SteppedClock(START), []
    async with Simulator(world, clock=clock) as simulator:
        wrong = WrongClock(clock, ahead)
        async with GitLab(simulator.url, auth=simulator.token, clock=wrong) as gitlab:
            reading = asyncio.create_task(watch(gitlab, targets, seen))
            for seconds, change in steps:
                await pass_time(gitlab, clock, seconds)
                change()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    return sorted(finished(seen))


@OFF
async def test_change_after_the_first_poll_is_seen(ahead):
    world = World(START)
    for path in PATHS:
        world.add_finished_jobs(world.add_project(path), 3)

    def change():
        for path in PATHS:
            run(world, path, plan=QUICK)

    steps = [(4, change), (300, lambda: None)]
    assert await seen_with(world, ahead, PATHS, steps) == sorted((path, "job") for path in PATHS)


@OFF
async def test_jobs_of_a_new_project_are_seen(ahead):
    world = World(START)
    world.add_project("shop/web")

    def change():
        world.add_project("shop/new")
        run(world, "shop/new", plan=QUICK)

    steps = [(30, change), (360, lambda: None)]
    assert await seen_with(world, ahead, [GroupTarget("shop")], steps) == [("shop/new", "job")]
