"""All monitors of one client share one poll rate: many detect changes as soon as one."""

import asyncio
from statistics import mean

import pytest

from gitlab_jobs_async import GitLab, RequestBudget
from gitlab_jobs_async.events import JobFinished
from gitlab_jobs_async.simulator import JobPlan, Simulator, SteppedClock
from tests.support.stepped_time import pass_time
from tests.support.tasks import others

PROJECTS = 200
PER_MINUTE = 200


async def delays(monitors):
    """Return the seconds until ends of jobs are emitted, in projects that are busy in turn."""
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        world = simulator.world
        projects = [world.add_project(f"many/{n}") for n in range(PROJECTS)]
        budget = RequestBudget(per_minute=PER_MINUTE)
        made, emitted = {}, {}
        async with GitLab(
            simulator.url, auth=simulator.token, clock=clock, budget=budget
        ) as gitlab:

            async def watch(part):
                async with gitlab.monitor([project.path for project in part]) as events:
                    async for event in events:
                        if isinstance(event, JobFinished):
                            emitted[event.job.id] = clock.now()

            before = await others()
            tasks = [asyncio.create_task(watch(projects[n::monitors])) for n in range(monitors)]
            await pass_time(gitlab, clock, 120)
            for minute in range(4):
                world.settle(clock.now())
                for project in projects[minute::10]:
                    job = world.add_job(
                        world.add_pipeline(project), "job", plan=JobPlan(queued=2, duration=20)
                    )
                    made[job.id] = clock.now() + 22
                world.settle(clock.now())
                await pass_time(gitlab, clock, 60)
            await pass_time(gitlab, clock, 180, lambda: len(emitted) == len(made))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert await others() == before
            assert gitlab._schedule.free_slots == 16
            assert gitlab._schedule.targets == 0
    assert emitted.keys() == made.keys()
    most = max(
        sum(1 for r in simulator.requests if at <= r.at < at + 60)
        for at in {r.at for r in simulator.requests}
    )
    assert most <= PER_MINUTE
    return [emitted[job] - ended for job, ended in made.items()]


@pytest.mark.no_cover("measures time under load")
async def test_many_monitors_detect_as_soon_as_one():
    """Without one shared rate it took twice as long: 35 s against 17."""
    one, many = await delays(1), await delays(8)
    assert mean(many) <= 1.25 * mean(one)
    assert mean(one) < 30
