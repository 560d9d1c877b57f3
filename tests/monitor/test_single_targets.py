"""Single pipelines and jobs as targets: their end is emitted soon, however long they take."""

import asyncio
from statistics import median

import pytest

from gitlab_jobs_async import GitLab, JobTarget, PipelineTarget, PollPolicy, RequestBudget
from gitlab_jobs_async.events import JobFinished
from gitlab_jobs_async.simulator import JobPlan, Simulator, SteppedClock
from tests.support.stepped_time import pass_time
from tests.support.tasks import others

MINUTE = 60


async def delays(targets_of, durations, per_minute=None, **how):
    """Return the seconds until the ends of jobs are emitted, and the requests a minute."""
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        world = simulator.world
        project = world.add_project("group/many")
        jobs = [
            world.add_job(world.add_pipeline(project), "job", plan=JobPlan(queued=1, duration=d))
            for d in durations
        ]
        ends = {job.id: clock.now() + 1 + d for job, d in zip(jobs, durations, strict=True)}
        budget, seen = RequestBudget(per_minute=per_minute), {}
        async with GitLab(
            simulator.url, auth=simulator.token, clock=clock, budget=budget
        ) as gitlab:

            async def watch():
                async with gitlab.monitor(map(targets_of, jobs), **how) as events:
                    async for event in events:
                        if isinstance(event, JobFinished):
                            seen[event.job.id] = clock.now()

            before = await others()
            task = asyncio.create_task(watch())
            await pass_time(gitlab, clock, max(durations) + 5 * MINUTE, task.done)
            await task
            assert await others() == before
        minutes = (max(seen.values()) - min(request.at for request in simulator.requests)) / 60
    assert seen.keys() == ends.keys()
    return [seen[i] - at for i, at in ends.items()], len(simulator.requests) / minutes


def pipeline_target(job):
    return PipelineTarget("group/many", job.pipeline.id)


def job_target(job):
    return JobTarget("group/many", job.id)


@pytest.mark.parametrize("target", [pipeline_target, job_target])
@pytest.mark.parametrize("minutes", [0.1, 2, 30])
async def test_end_is_emitted_within_ten_seconds(target, minutes):
    late, per_minute = await delays(target, [minutes * MINUTE])
    assert late[0] <= 10
    assert per_minute <= 15 or minutes < 1


async def test_many_ends_are_emitted_within_seconds():
    late, _ = await delays(pipeline_target, [40 + 7.3 * n for n in range(12)])
    assert median(late) <= 5
    assert max(late) <= 10


async def test_interval_of_policy_is_kept():
    late, per_minute = await delays(job_target, [900], polling=PollPolicy(interval=20))
    assert late[0] <= 25
    assert per_minute <= 3.5


async def test_small_budget_stretches_the_intervals():
    """Twenty pipelines want 240 polls a minute, and 54 are allowed."""
    late, per_minute = await delays(pipeline_target, [300] * 20, per_minute=60)
    assert max(late) <= 60
    assert per_minute <= 60
