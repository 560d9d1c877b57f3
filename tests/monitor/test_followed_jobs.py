"""Monitors beside followed logs and waits: they leave these what they need of a small budget."""

import asyncio
from itertools import pairwise

import pytest

from gitlab_jobs_async import GitLab, RequestBudget
from gitlab_jobs_async.simulator import JobPlan, Simulator, SteppedClock
from tests.support.connections import open_connections
from tests.support.stepped_time import pass_time
from tests.support.tasks import others

PROJECTS = 200
LENGTH = 300.0


async def follow(gitlab, job):
    async for _ in gitlab.project("group/followed").tail(job.id):
        pass


async def wait(gitlab, job):
    await gitlab.project("group/followed").wait_for_job(job.id)


async def beside_a_monitor(call, per_minute, count=1):
    """Call *call* for *count* jobs beside a monitor; return the delays and the requests.

    The requests are the times of those for the jobs, and the number of all others.
    """
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        world = simulator.world
        for number in range(PROJECTS):
            busy = world.add_project(f"group/watched-{number}")
            world.add_job(world.add_pipeline(busy), "job", plan=JobPlan(duration=9000))
        project = world.add_project("group/followed")
        plan = JobPlan(queued=600, duration=LENGTH)
        jobs = [world.add_job(world.add_pipeline(project), "job", plan=plan) for _ in range(count)]
        ends_at, late = clock.now() + 600 + LENGTH, []
        names = [f"group/watched-{number}" for number in range(PROJECTS)]
        budget = RequestBudget(per_minute=per_minute)
        async with GitLab(
            simulator.url, auth=simulator.token, clock=clock, budget=budget
        ) as gitlab:

            async def watch():
                async with gitlab.monitor(names) as events:
                    async for _ in events:
                        pass

            async def called(job):
                await call(gitlab, job)
                late.append(clock.now() - ends_at)

            before = await others()
            monitor = asyncio.create_task(watch())
            await pass_time(gitlab, clock, 500)
            calls = asyncio.gather(*(called(job) for job in jobs))
            began = clock.now()
            await pass_time(gitlab, clock, 3000, calls.done)
            await calls
            monitor.cancel()
            await asyncio.wait([monitor])
            assert await others() == before
            assert open_connections(gitlab) == 0
        sent = [request for request in simulator.requests if request.at >= began]
        times = [request.at for request in sent if "followed" in request.path]
        return late, times, len(sent) - len(times)


@pytest.mark.parametrize("call", [follow, wait])
async def test_followed_job_keeps_its_interval(call):
    """12 requests a minute of the 54 that polls may use."""
    (late,), times, monitored = await beside_a_monitor(call, 60)
    assert late <= 10
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) <= 7
    # The monitor has the rest: 42 a minute.
    assert monitored / ((times[-1] - times[0]) / 60) >= 35


async def test_monitor_keeps_half_of_the_rate():
    """Ten waits share listings; ten followed logs want 72 requests a minute, of 54."""
    late, times, monitored = await beside_a_monitor(follow, 60, count=10)
    assert max(late) <= 60
    assert monitored / ((times[-1] - times[0]) / 60) >= 20


@pytest.mark.parametrize("projects", [30, 40, 48])
async def test_first_round_of_polls_is_spread(projects):
    """All its polls at once would leave a wait little of the next minute."""
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        world = simulator.world
        names = [f"group/watched-{number}" for number in range(projects)]
        for name in names:
            busy = world.add_project(name)
            world.add_job(world.add_pipeline(busy), "job", plan=JobPlan(duration=9000))
        project = world.add_project("group/followed")
        job = world.add_job(world.add_pipeline(project), "job", plan=JobPlan(duration=300))
        budget = RequestBudget(per_minute=60)
        async with GitLab(
            simulator.url, auth=simulator.token, clock=clock, budget=budget
        ) as gitlab:
            waiting = asyncio.create_task(wait(gitlab, job))
            await pass_time(gitlab, clock, 90)
            async with gitlab.monitor(names):
                await pass_time(gitlab, clock, 600, waiting.done)
            await waiting
        times = [request.at for request in simulator.requests if "followed" in request.path]
    assert max(later - earlier for earlier, later in pairwise(times)) <= 7
    assert any("watched" in request.path for request in simulator.requests)
