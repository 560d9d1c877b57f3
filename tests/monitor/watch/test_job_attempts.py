"""Monitored jobs whose next attempts are monitored, too."""

import json

import pytest

from gitlab_jobs_async import JobTarget, NotFoundError
from gitlab_jobs_async.events import (
    JobAppeared,
    JobFinished,
    ProjectRecovered,
    ProjectUnreachable,
)
from gitlab_jobs_async.simulator import Fault, JobPlan
from tests.support.cancellation import cancel_half_way
from tests.support.connections import open_connections
from tests.support.tasks import others

APP = "group/app"


@pytest.fixture
def add_job(simulator):
    """Return a job whose attempts end so."""

    def add(*outcomes):
        world = simulator.world
        first, *later = (JobPlan(queued=1.0, duration=20.0, outcome=each) for each in outcomes)
        plan = JobPlan(
            queued=1.0,
            duration=20.0,
            outcome=first.outcome,
            attempts=tuple(later),
            auto_retry=len(later),
        )
        return world.add_job(world.add_pipeline(world.project(APP)), "test", plan=plan)

    return add


async def events_of(gitlab, target, **options):
    async with gitlab.monitor([target], **options) as events:
        return [event async for event in events]


def kinds(events):
    return [(event.job.id, type(event)) for event in events]


async def test_next_attempts_are_monitored(gitlab, add_job, simulator, clock):
    job = add_job("failed", "failed", "success")
    events = await events_of(gitlab, JobTarget(APP, job.id, follow_retries=True))
    first, second, third = sorted(j.id for j in simulator.world.jobs.values() if j.name == "test")
    seen = kinds(events)
    assert list(dict.fromkeys(number for number, _ in seen)) == [first, second, third]
    ends = [event for event in events if isinstance(event, JobFinished)]
    assert [(event.job.id, event.job.status) for event in ends] == [
        (first, "failed"), (second, "failed"), (third, "success"),
    ]  # fmt: skip
    assert len({event.key for event in events}) == len(events)
    begun = [event for event in events if isinstance(event, JobAppeared)]
    assert [event.is_new for event in begun] == [False, True, True]
    assert clock.now() - simulator.world.jobs[third].finished_at <= 15.0
    # Once it has ended, the first attempt is not read again.
    assert sum(request.path.endswith(f"/jobs/{first}") for request in simulator.requests) <= 7


async def test_earlier_attempts_are_caught_up(gitlab, add_job, simulator, clock):
    job = add_job("failed", "failed", "success")
    simulator.world.add_job(job.pipeline, "other")
    clock.stepped.advance(300.0)
    events = await events_of(gitlab, JobTarget(APP, job.id, follow_retries=True))
    begun = [event for event in events if isinstance(event, JobAppeared)]
    assert [(event.job.name, event.job.status) for event in begun] == [
        ("test", "failed"), ("test", "failed"), ("test", "success"),
    ]  # fmt: skip


async def test_job_without_a_pipeline_is_final(gitlab, add_job, simulator):
    def without_pipeline(body):
        job = json.loads(body)
        del job["pipeline"]
        return json.dumps(job).encode()

    job = add_job("failed", "success")
    simulator.faults.add(Fault(path=f"*/jobs/{job.id}", edit=without_pipeline, times=None))
    events = await events_of(gitlab, JobTarget(APP, job.id, follow_retries=True))
    assert kinds(events)[-1] == (job.id, JobFinished)


async def test_first_attempt_is_the_end_by_default(gitlab, add_job):
    job = add_job("failed", "success")
    events = await events_of(gitlab, JobTarget(APP, job.id))
    assert {number for number, _ in kinds(events)} == {job.id}


async def test_failed_job_is_final_after_the_grace(gitlab, add_job, simulator, clock):
    job = add_job("failed")
    events = await events_of(gitlab, JobTarget(APP, job.id, follow_retries=True))
    assert kinds(events)[-1] == (job.id, JobFinished)
    assert 4.0 <= clock.now() - job.finished_at <= 20.0
    assert sum("/pipelines/" in request.path for request in simulator.requests) == 2


async def test_deleted_pipeline_ends_the_target(gitlab, add_job, simulator):
    job = add_job("failed", "success")
    body = b'{"message":"404 Not found"}'
    simulator.faults.add(Fault(path="*/pipelines/*", status=404, body=body, times=None))
    events = await events_of(gitlab, JobTarget(APP, job.id, follow_retries=True))
    assert kinds(events)[-1] == (job.id, JobFinished)
    assert sum("/pipelines/" in request.path for request in simulator.requests) == 1


async def test_refused_listing_is_one_outage(gitlab, add_job, simulator, clock):
    job = add_job("failed", "success")
    simulator.faults.add(Fault(path="*/pipelines/*", status=403, times=4))
    begin = clock.now()
    events = await events_of(gitlab, JobTarget(APP, job.id, follow_retries=True))
    outages = [event for event in events if isinstance(event, ProjectUnreachable)]
    assert [event.status for event in outages] == [403]
    assert sum(isinstance(event, ProjectRecovered) for event in events) == 1
    ends = [event.job.status for event in events if isinstance(event, JobFinished)]
    assert ends == ["failed", "success"]
    # Back-off of 15, 30, 60 and 120 seconds.
    assert clock.now() - begin >= 225.0


async def test_outage_of_the_listing_is_tolerated(gitlab, add_job, simulator):
    job = add_job("failed", "success")
    simulator.faults.add(Fault(path="*/pipelines/*", status=502, times=8))
    events = await events_of(gitlab, JobTarget(APP, job.id, follow_retries=True))
    ends = [event.job.status for event in events if isinstance(event, JobFinished)]
    assert ends == ["failed", "success"]


async def test_restart_continues_with_the_attempt(gitlab, add_job, tmp_path):
    job = add_job("failed", "success")
    target, file = JobTarget(APP, job.id, follow_retries=True), tmp_path / "state"
    seen = []
    async with gitlab.monitor([target], checkpoint=file) as events:
        async for event in events:
            seen.append(event)
            if event.job.id != job.id:
                break
    assert not await others()
    seen += await events_of(gitlab, target, checkpoint=file)
    ends = [event for event in seen if isinstance(event, JobFinished)]
    assert [event.job.status for event in ends] == ["failed", "success"]
    # The event at which the first monitor was left is emitted again, with its key.
    assert len({event.key for event in seen}) >= len(seen) - 1


async def test_leaving_and_cancelling_leave_nothing(gitlab, add_job, simulator):
    job = add_job("failed", "success")
    target = JobTarget(APP, job.id, follow_retries=True)
    async with gitlab.monitor([target]) as events:
        async for event in events:
            if isinstance(event, JobFinished):
                break
    assert not await others()
    assert open_connections(gitlab) == 0
    await cancel_half_way(simulator, gitlab, events_of(gitlab, target))


async def test_follow_retries_must_be_a_boolean(gitlab, simulator):
    with pytest.raises(TypeError, match="follow_retries must be True or False, not 1"):
        await events_of(gitlab, JobTarget(APP, 1, follow_retries=1))
    assert not simulator.requests


async def test_unknown_job_is_reported(gitlab):
    with pytest.raises(NotFoundError):
        await gitlab.project(APP).wait_for_job(999, follow_retries=True)
