"""Monitors that answers by GraphQL only make poll emit no partial job, and each end once."""

import asyncio
from collections import Counter

import pytest

from gitlab_jobs_async import GitLab, RequestBudget
from gitlab_jobs_async.events import JobAppeared, JobChanged, JobFinished
from gitlab_jobs_async.simulator import JobPlan, Simulator, SteppedClock
from tests.support.stepped_time import pass_time
from tests.support.tasks import others

PROJECTS = 70
PER_MINUTE = 6
FIRST_ROUND = 3600.0
"""Seconds after which the jobs of all projects have been listed once."""


def add_job(world, project, now, **pipeline):
    """Create a job of 20 seconds in a new pipeline."""
    pipeline = world.add_pipeline(project, **pipeline)
    job = world.add_job(pipeline, "job", plan=JobPlan(queued=2, duration=20))
    world.settle(now)
    return job.id


async def events_of(**options):
    """Return the events of jobs that run in projects on a small budget, and the jobs' ids."""
    pytest.importorskip("graphql")
    clock, found, made = SteppedClock(), [], []
    record = found.append
    async with Simulator(clock=clock) as simulator:
        world = simulator.world
        projects = [world.add_project(f"many/{n}") for n in range(PROJECTS)]
        for project in projects:
            add_job(world, project, clock.now())
        clock.advance(600)
        budget = RequestBudget(per_minute=PER_MINUTE)
        async with GitLab(
            simulator.url, auth=simulator.token, clock=clock, budget=budget
        ) as gitlab:

            async def watch():
                async with gitlab.monitor([p.path for p in projects], **options) as events:
                    async for event in events:
                        record(event)

            before = await others()
            task = asyncio.create_task(watch())
            await pass_time(gitlab, clock, FIRST_ROUND)
            for minute in range(5):
                world.settle(clock.now())
                made.append(add_job(world, projects[minute * 9], clock.now()))
                child = projects[minute * 9 + 1]
                made.append(add_job(world, child, clock.now(), source="parent_pipeline"))
                await pass_time(gitlab, clock, 60)
            await pass_time(gitlab, clock, 900, lambda: len(ends(found)) >= len(made))
            # What is emitted twice comes with the next polls.
            await pass_time(gitlab, clock, 300)
            task.cancel()
            await asyncio.wait([task])
            assert await others() == before
    asked = [r for r in simulator.requests if r.path == "/api/graphql"]
    assert len(asked) > 20
    return [e for e in found if isinstance(e, JobAppeared | JobChanged | JobFinished)], made


def ends(events):
    """Return the number of ends of each job."""
    return Counter(event.job.id for event in events if isinstance(event, JobFinished))


@pytest.mark.parametrize("option", ["complete", "downstream"])
async def test_no_event_has_a_partial_job(option):
    events, made = await events_of(**{option: True})
    assert ends(events) == dict.fromkeys(made, 1)
    assert not any(event.job.is_partial for event in events)


async def test_answers_alone_have_partial_jobs():
    """Also those of child pipelines, which only the second list of a question shows."""
    events, made = await events_of()
    assert ends(events) == dict.fromkeys(made, 1)
    assert {e.job.id for e in events if e.job.is_partial} == set(made)
