"""Monitored pipelines that end where only a manual job can continue them."""

import pytest

from gitlab_jobs_async import PipelineTarget
from gitlab_jobs_async.events import JobAppeared, JobFinished, JobLogEnded
from gitlab_jobs_async.simulator import JobPlan
from tests.support.cancellation import cancel_half_way
from tests.support.connections import open_connections
from tests.support.tasks import others

APP = "group/app"


@pytest.fixture
def pipeline(simulator):
    """A pipeline that is blocked after 21 seconds, until `deploy` is played."""
    world = simulator.world
    added = world.add_pipeline(world.project(APP))
    world.add_job(added, "unit", plan=JobPlan(queued=1.0, duration=20.0))
    manual = JobPlan(queued=1.0, duration=20.0, when="manual", allow_failure=False)
    world.add_job(added, "deploy", stage="deploy", plan=manual)
    return added


def blocked(pipeline):
    return PipelineTarget(APP, pipeline.id, until="blocked")


async def events_of(gitlab, target, **options):
    async with gitlab.monitor([target], **options) as events:
        return [event async for event in events]


def ends(events):
    found = [event for event in events if isinstance(event, JobFinished)]
    return [(event.job.name, event.job.status) for event in found]


def job_named(pipeline, name):
    (job,) = [job for job in pipeline.jobs if job.name == name]
    return job


async def test_blocked_pipeline_ends_the_target(gitlab, pipeline, clock):
    events = await events_of(gitlab, blocked(pipeline))
    assert ends(events) == [("unit", "success")]
    assert clock.now() - job_named(pipeline, "unit").finished_at <= 10.0
    assert {event.job.name for event in events if isinstance(event, JobAppeared)} == {
        "unit", "deploy",
    }  # fmt: skip


async def test_logs_end_before_the_target(gitlab, pipeline):
    events = await events_of(gitlab, blocked(pipeline), logs=True)
    assert [event.job.name for event in events if isinstance(event, JobLogEnded)] == ["unit"]


async def test_finished_pipeline_ends_the_target(gitlab, pipeline, simulator):
    simulator.world.cancel(job_named(pipeline, "deploy"))
    assert ends(await events_of(gitlab, blocked(pipeline)))[-1] == ("unit", "success")


async def test_blocked_is_not_the_end_by_default(gitlab, pipeline, simulator):
    deploy, seen = job_named(pipeline, "deploy"), []
    async with gitlab.monitor([PipelineTarget(APP, pipeline.id)]) as events:
        async for event in events:
            seen.append(event)
            if isinstance(event, JobFinished) and event.job.name == "unit":
                simulator.world.call_at(
                    simulator.clock.now() + 60.0, lambda _: simulator.world.play(deploy)
                )
    assert ends(seen) == [("unit", "success"), ("deploy", "success")]


async def test_restart_ends_again_while_blocked(gitlab, pipeline, tmp_path):
    file = tmp_path / "state"
    assert await events_of(gitlab, blocked(pipeline), checkpoint=file)
    assert await events_of(gitlab, blocked(pipeline), checkpoint=file) == []


@pytest.mark.parametrize("until", ["blocked", "finished"])
async def test_restart_continues_after_the_play(gitlab, pipeline, simulator, tmp_path, until):
    file = tmp_path / "state"
    await events_of(gitlab, blocked(pipeline), checkpoint=file)
    simulator.world.play(job_named(pipeline, "deploy"))
    target = PipelineTarget(APP, pipeline.id, until=until)
    assert ends(await events_of(gitlab, target, checkpoint=file)) == [("deploy", "success")]
    assert await events_of(gitlab, target, checkpoint=file) == []


async def test_added_again_it_continues(gitlab, pipeline, simulator):
    world, seen = simulator.world, []
    later = world.add_pipeline(world.add_project("group/other"))
    world.add_job(later, "later", plan=JobPlan(duration=90.0))
    async with gitlab.monitor([blocked(pipeline), "group/other"]) as events:
        async for event in events:
            seen.append(event)
            if ends([event]) == [("later", "success")]:
                world.play(job_named(pipeline, "deploy"))
                events.add(blocked(pipeline))
                events.remove("group/other")
    assert ends(seen) == [(name, "success") for name in ("unit", "later", "deploy")]


async def test_leaving_and_cancelling_leave_nothing(gitlab, pipeline, simulator):
    async with gitlab.monitor([blocked(pipeline)]) as events:
        async for _ in events:
            break
    assert not await others()
    assert open_connections(gitlab) == 0
    await cancel_half_way(simulator, gitlab, events_of(gitlab, blocked(pipeline)))


@pytest.mark.parametrize("until", ["manual", None])
async def test_until_must_be_known(gitlab, simulator, until):
    with pytest.raises(ValueError, match=f"until {until!r}: expected one of finished, blocked"):
        await events_of(gitlab, PipelineTarget(APP, 1, until=until))
    assert not simulator.requests
