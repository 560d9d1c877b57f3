"""A monitor of a simulated GitLab that is restored from a backup."""

import asyncio
from contextlib import asynccontextmanager
from copy import deepcopy

import pytest

from gitlab_jobs_async import GitLab, JobTarget, PipelineTarget
from gitlab_jobs_async.events import JobFinished, ProjectReset
from gitlab_jobs_async.simulator import NEVER, JobPlan, PipelinePlan, PlannedJob, Simulator, World
from tests.support.clocks import JumpClock
from tests.support.connections import open_connections
from tests.support.event_replay import Replay
from tests.support.tasks import in_background, others, until

QUICK = JobPlan(queued=0.1, duration=1.0, log=b"one\n")
PATHS = ["shop/web", "shop/api"]


@asynccontextmanager
async def watched(gitlab, replay, targets, **how):
    """Collect all events for the length of the block."""
    async with gitlab.monitor(targets, **how) as events:

        async def consume():
            async for event in events:
                if event.key not in replay.keys:
                    replay.hear(event)

        async with in_background(consume()) as consumer:
            yield consumer


async def eventually(condition, consumer):
    async with asyncio.timeout(20):
        await until(lambda: condition() or consumer.done())
    assert condition()


@pytest.mark.parametrize("how", [{}, {"downstream": True, "logs": True}])
@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("back", [1, 8, 40])
async def test_restored_server_loses_no_event(back, stopped, how, tmp_path):
    clock = JumpClock()
    world, replay = World(clock.now()), Replay()
    for path in PATHS:
        world.add_finished_jobs(world.add_project(path), 120, gaps="dense")
    lib = world.add_project("shop/lib")
    clock.stepped.advance(1000.0)
    world.settle(clock.now())
    waiting = world.add_job(
        world.add_pipeline(world.project(PATHS[1])), "runs", plan=JobPlan(duration=NEVER)
    )
    world.settle(clock.now())
    before = await others()
    async with (
        Simulator(world, clock=clock.stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab,
    ):
        how = how | {"checkpoint": tmp_path / "ci.db"}
        async with watched(gitlab, replay, PATHS, **how) as consumer:
            await eventually(lambda: waiting.id in replay.appeared, consumer)
            backup = deepcopy(world)
            pipeline = world.add_pipeline(world.project(PATHS[0]))
            lost = [world.add_job(pipeline, f"lost {n}", plan=QUICK).id for n in range(back)]
            world.settle(clock.now())
            world.cancel(waiting)
            await eventually(lambda: all(replay.ends.get(i) for i in [*lost, waiting.id]), consumer)
            until_then = clock.now() + 200.0
            await eventually(lambda: clock.now() > until_then, consumer)
            if not stopped:
                new = restore(world, backup, clock, lib, downstream="downstream" in how)
                await eventually(lambda: are_told(replay, new, how, waiting), consumer)
        if stopped:
            new = restore(world, backup, clock, lib, downstream="downstream" in how)
            async with watched(gitlab, replay, PATHS, **how) as consumer:
                await eventually(lambda: are_told(replay, new, how, waiting), consumer)
        assert open_connections(gitlab) == 0
    assert await others() == before
    assert sorted(replay.resets) == sorted(PATHS)


def are_told(replay, new, how, waiting):
    """Return whether each id was emitted as its present job, with its end and its log."""
    return replay.status.get(waiting.id) == "running" and all(
        i in replay.appeared
        and replay.appeared[i].job.name == name
        and replay.ends.get(i)
        and (not how.get("logs") or name == "fork" or replay.lines.get(i))
        for i, name in new.items()
    )


def restore(world, backup, clock, lib, *, downstream):
    """Restore the world after ten minutes, add eight jobs, and return their names by id."""
    take_back(world, backup)
    clock.stepped.advance(600.0)
    world.settle(clock.now())
    pipeline = world.add_pipeline(world.project(PATHS[0]))
    jobs = [world.add_job(pipeline, f"new {n}", plan=QUICK) for n in range(8)]
    if downstream:
        plan = PipelinePlan(jobs=(PlannedJob("wheel", plan=QUICK),), project=lib.path)
        jobs.append(world.add_bridge(pipeline, "fork", downstream=plan))
    world.settle(clock.now() + 60.0)
    clock.stepped.advance(60.0)
    wheels = [job for job in world.jobs.values() if job.name == "wheel"]
    assert len(wheels) == downstream
    return {job.id: job.name for job in [*jobs, *wheels]}


def take_back(world, backup):
    """Restore in place, because the simulator keeps the world and its registry."""
    then = deepcopy(backup)
    for name in slots_of(world.registry):
        setattr(world.registry, name, getattr(then.registry, name))


def slots_of(value):
    named = {name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())}
    return (named | set(getattr(value, "__dict__", {}))) - {"__weakref__"}


@pytest.mark.parametrize("kind", ["job", "pipeline"])
async def test_restored_server_resets_other_targets(kind, tmp_path):
    """The pipeline ended, and then the server was restored to when it ran."""
    clock = JumpClock()
    world, replay = World(clock.now()), Replay()
    pipeline = world.add_pipeline(world.add_project(PATHS[0]))
    first = world.add_job(pipeline, "first", plan=JobPlan(duration=NEVER))
    other = world.add_job(pipeline, "other", plan=JobPlan(duration=NEVER))
    world.settle(clock.now())
    clock.stepped.advance(600.0)
    world.settle(clock.now())
    target = PipelineTarget(PATHS[0], pipeline.id)
    targets = [target] if kind == "pipeline" else [JobTarget(PATHS[0], first.id)]
    async with (
        Simulator(world, clock=clock.stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab,
    ):
        async with watched(gitlab, replay, targets, checkpoint=tmp_path / "c") as consumer:
            await eventually(lambda: replay.status.get(first.id) == "running", consumer)
            backup = deepcopy(world)
            if kind == "pipeline":
                world.cancel(first)
                await eventually(lambda: replay.status.get(first.id) == "canceled", consumer)
                take_back(world, backup)
                world.settle(clock.now())
            else:
                world.registry.jobs[first.id].created_at += 1000.0
            await eventually(lambda: replay.resets == [PATHS[0]], consumer)
            await eventually(lambda: replay.status.get(first.id) == "running", consumer)
            for job in tuple(world.jobs.values()):
                world.cancel(job)
            await eventually(lambda: replay.ends.get(first.id) == 1, consumer)
    assert isinstance(replay.events[-1], JobFinished)
    assert sum(isinstance(event, ProjectReset) for event in replay.events) == 1
    assert other.id
