"""All monitors of one client have one pace: what is in many is seen as soon as what is in one."""

import asyncio
from statistics import mean

import pytest

from gitlab_jobs_async import GitLab, RequestBudget
from gitlab_jobs_async.events import JobFinished
from gitlab_jobs_async.monitor.schedule.poll_slots import PollSlots, held_slots
from gitlab_jobs_async.simulator import JobPlan, Simulator, SteppedClock
from tests.support.stepped_time import pass_time
from tests.support.tasks import others

PROJECTS = 200
PER_MINUTE = 200


async def delays(monitors):
    """Seconds until the ends of jobs are told, in projects that take turns at being busy."""
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        world = simulator.world
        projects = [world.add_project(f"many/{n}") for n in range(PROJECTS)]
        budget = RequestBudget(per_minute=PER_MINUTE)
        made, told = {}, {}
        async with GitLab(
            simulator.url, auth=simulator.token, clock=clock, budget=budget
        ) as gitlab:

            async def watch(part):
                async with gitlab.monitor([project.path for project in part]) as events:
                    async for event in events:
                        if isinstance(event, JobFinished):
                            told[event.job.id] = clock.now()

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
            await pass_time(gitlab, clock, 180, lambda: len(told) == len(made))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert await others() == before
            assert gitlab._schedule.slots.free == 16
            assert gitlab._schedule.rate.targets == 0
    assert told.keys() == made.keys()
    most = max(
        sum(1 for r in simulator.requests if at <= r.at < at + 60)
        for at in {r.at for r in simulator.requests}
    )
    assert most <= PER_MINUTE
    return [told[job] - ended for job, ended in made.items()]


async def test_many_monitors_are_as_quick_as_one():
    """Without one pace for all it took twice as long: 35 s against 17."""
    one, many = await delays(1), await delays(8)
    assert mean(many) <= 1.25 * mean(one)
    assert mean(one) < 30


@pytest.mark.parametrize("consumers", [1, 3])
async def test_slots_are_given_in_the_order_of_asking(consumers):
    slots = PollSlots(1)
    first, *rest = (asyncio.Event() for _ in range(consumers + 1))
    assert slots.take(first)
    for event in rest:
        assert not slots.take(event)
    slots.give_back()
    assert rest[0].is_set()
    assert not slots.take(first)
    assert slots.take(rest[0])


async def test_slot_that_is_not_wanted_is_passed_on():
    slots = PollSlots(1)
    holder, second, third = (asyncio.Event() for _ in range(3))
    with held_slots(slots, holder) as held:
        assert held.take()
        assert not slots.take(second)
        assert not slots.take(third)
    assert second.is_set()
    slots.give_up(second)
    assert third.is_set()
    assert slots.take(third)
    assert slots.free == 0


async def test_monitor_that_ends_gives_its_slots_back():
    slots = PollSlots(2)
    with held_slots(slots, asyncio.Event()) as held:
        assert held.take()
        assert held.take()
        assert not held.take()
        held.give_back()
    assert slots.free == 2
