"""Waits that follow the attempts of a job, as far as GitLab or a person retries it."""

import asyncio

import pytest

from gitlab_jobs_async import (
    NotFoundError,
    PermissionDeniedError,
    PollPolicy,
    ServerError,
    WaitTimedOutError,
)
from gitlab_jobs_async.simulator import Fault, JobPlan
from gitlab_jobs_async.simulator.lifecycle import try_again
from tests.support.cancellation import cancel_once
from tests.support.stepped_time import pass_time, stepped_gitlab
from tests.support.tasks import in_background, prompt


def add_job(world, name="test", **plan):
    pipeline = world.add_pipeline(world.project("group/app"))
    return world.add_job(pipeline, name, plan=JobPlan(queued=1.0, **plan))


def flaky(*outcomes, **options):
    """Return the plan of a job whose attempts end so."""
    first, *later = (JobPlan(queued=1.0, duration=20.0, outcome=each) for each in outcomes)
    return {"duration": 20.0, "outcome": first.outcome, "attempts": tuple(later), **options}


def listings(simulator):
    return sum("/pipelines/" in request.path for request in simulator.requests)


def attempts_of(world, name="test"):
    return sorted(job.id for job in world.jobs.values() if job.name == name)


async def test_wait_returns_the_last_attempt(project, world, clock):
    job = add_job(world, **flaky("failed", "failed", "success", auto_retry=2))
    seen = []
    ended = await project.wait_for_job(
        job.id, follow_retries=True, progress=lambda job: seen.append((job.id, job.status))
    )
    ids = attempts_of(world)
    assert len(ids) == 3
    assert (ended.id, ended.status) == (ids[-1], "success")
    assert list(dict.fromkeys(number for number, _ in seen)) == ids
    assert clock.now() - ended.finished_at.timestamp() <= 10.0


async def test_failed_job_is_final_after_the_grace(project, world, simulator, clock):
    job = add_job(world, duration=20.0, outcome="failed")
    ended = await project.wait_for_job(job.id, follow_retries=True)
    assert (ended.id, ended.status) == (job.id, "failed")
    assert 4.0 <= clock.now() - job.finished_at <= 15.0
    assert listings(simulator) == 2


@pytest.mark.parametrize("outcome", ["success", "canceled"])
async def test_other_end_costs_one_listing(project, world, simulator, outcome):
    job = add_job(world, duration=20.0, outcome=outcome)
    ended = await project.wait_for_job(job.id, follow_retries=True)
    assert (ended.id, ended.status) == (job.id, outcome)
    assert listings(simulator) == 1


async def test_earlier_attempt_leads_to_the_last(project, world):
    job = add_job(world, **flaky("failed", "success", auto_retry=1))
    last = await project.wait_for_job(job.id, follow_retries=True)
    assert (await project.wait_for_job(job.id, follow_retries=True)).id == last.id
    assert (await project.wait_for_job(job.id)).id == job.id


async def test_other_names_are_no_attempts(project, world):
    """Jobs of a matrix differ by the values in their names."""
    job = add_job(world, "test: [linux]", duration=20.0, outcome="failed")
    world.add_job(job.pipeline, "test: [mac]", plan=JobPlan(queued=1.0, duration=1.0))
    world.add_job(job.pipeline, "test", plan=JobPlan(queued=1.0, duration=1.0))
    ended = await project.wait_for_job(job.id, follow_retries=True)
    assert ended.id == job.id


async def test_retry_within_the_grace_is_followed():
    async with stepped_gitlab() as (clock, simulator, gitlab):
        world = simulator.world
        job = add_job(world, **flaky("failed", "success"))
        call = gitlab.project("group/app").wait_for_job(job.id, follow_retries=True)
        async with in_background(call) as task:
            await pass_time(gitlab, clock, 60, lambda: job.status == "failed")
            await pass_time(gitlab, clock, 60, lambda: listings(simulator))
            assert not task.done()
            again = try_again(world.registry, job, clock.now(), None)
            await pass_time(gitlab, clock, 60, task.done)
            assert (await task).id == again.id


@pytest.mark.parametrize(
    ("timeout", "outcomes", "retries"), [(30.0, ("failed", "success"), 1), (24.0, ("failed",), 0)]
)
async def test_timeout_has_the_present_attempt(timeout, outcomes, retries):
    """A failed job is returned if the time is up within the grace."""
    async with stepped_gitlab() as (clock, simulator, gitlab):
        job = add_job(simulator.world, **flaky(*outcomes, auto_retry=retries))
        call = gitlab.project("group/app").wait_for_job(
            job.id, follow_retries=True, timeout=timeout
        )
        task = asyncio.ensure_future(call)
        await pass_time(gitlab, clock, 60, task.done)
        if retries:
            with pytest.raises(WaitTimedOutError) as caught:
                await task
            assert caught.value.last.id == attempts_of(simulator.world)[-1]
        else:
            assert (await task).status == "failed"


async def test_outage_of_the_listing_is_tolerated(project, world, simulator):
    job = add_job(world, **flaky("failed", "success", auto_retry=1))
    simulator.faults.add(Fault(path="*/pipelines/*", status=502, times=5))
    ended = await project.wait_for_job(job.id, follow_retries=True)
    assert ended.status == "success"


@pytest.mark.parametrize(
    ("status", "kind"), [(403, PermissionDeniedError), (404, NotFoundError), (502, ServerError)]
)
async def test_refused_listing_is_raised(project, world, simulator, status, kind):
    job = add_job(world, duration=20.0, outcome="failed")
    simulator.faults.add(Fault(path="*/pipelines/*", status=status, times=None))
    with pytest.raises(kind):
        await project.wait_for_job(
            job.id, follow_retries=True, polling=PollPolicy(outage_timeout=20.0)
        )


async def test_follow_retries_must_be_a_boolean(project, simulator):
    with pytest.raises(TypeError, match="follow_retries must be True or False, not 'yes'"):
        await project.wait_for_job(1, follow_retries="yes")
    assert not simulator.requests


@prompt
async def test_cancelled_listing_leaves_nothing(simulator, gitlab, project, world):
    job = add_job(world, duration=1.0, outcome="failed")
    simulator.clock.advance(60)
    simulator.faults.add(Fault(path="*/pipelines/*", latency=1000.0, times=None))
    waiting = project.wait_for_job(job.id, follow_retries=True)
    await cancel_once(lambda: simulator.clock.next_wake, gitlab, waiting)
    simulator.clock.advance(2000)
