"""A restart loses nothing and costs no burst and no poll that is not due."""

import asyncio
from collections import Counter
from math import inf

import pytest

from gitlab_jobs_async import GitLab, JobTarget, MemoryStore, PipelineTarget
from gitlab_jobs_async.monitor.checkpoint.progress import PROGRESS
from gitlab_jobs_async.simulator import (
    NEVER,
    Fault,
    JobPlan,
    Simulator,
    World,
)
from tests.support.clocks import JumpClock
from tests.support.connections import open_connections
from tests.support.event_replay import Replay
from tests.support.stepped_time import settled
from tests.support.stores import content
from tests.support.tasks import others, until

APP = "shop/web"
QUICK = JobPlan(queued=0.1, duration=1.0)
HOUR = 3600.0
LONGEST = 180.0


def quiet_world(jobs, *, projects=1):
    """Return projects without an event for a day."""
    clock = JumpClock()
    world = World(clock.now())
    for number in range(projects):
        project = world.add_project(APP if not number else f"shop/p{number}")
        world.add_finished_jobs(project, jobs, gaps="dense")
    clock.stepped.advance(24 * HOUR)
    world.settle(clock.now())
    return world, clock


def add_pipeline(world, clock, names, project=APP, plan=QUICK):
    pipeline = world.add_pipeline(world.project(project))
    jobs = [world.add_job(pipeline, name, plan=plan) for name in names]
    world.settle(clock.now())
    return jobs


async def watch_for(
    gitlab, clock, seconds, checkpoint, targets=(APP,), replay=None, starts=0, ends=0, **how
):
    """Monitor until *seconds* have passed, *starts* jobs appeared and *ends* ended; close it."""
    replay, until_then = replay or Replay(), clock.now() + seconds
    async with gitlab.monitor(targets, checkpoint=checkpoint, **how) as events:

        async def consume():
            async for event in events:
                if event.key not in replay.keys:
                    replay.hear(event)

        consumer = asyncio.ensure_future(consume())
        async with asyncio.timeout(20):
            await until(
                lambda: (
                    consumer.done()
                    or (
                        clock.now() > until_then
                        and len(replay.appeared) >= starts
                        and len(replay.ends) >= ends
                    )
                )
            )
        is_over = consumer.done()
        consumer.cancel()
        await asyncio.wait([consumer])
        if is_over:
            consumer.result()
    return replay


@pytest.mark.parametrize("downstream", [False, True])
@pytest.mark.parametrize("jobs", [0, 99, 100, 101, 150, 1000, 2300])
async def test_restart_keeps_quiet_projects(jobs, downstream, tmp_path):
    world, clock = quiet_world(jobs)
    async with (
        Simulator(world, clock=clock.stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab,
    ):
        how = {"checkpoint": tmp_path / "ci.db", "downstream": downstream}
        assert not (await watch_for(gitlab, clock, 5.0, **how)).events
        new = {job.id for job in add_pipeline(world, clock, "abcde")}
        clock.stepped.advance(HOUR)
        replay = await watch_for(gitlab, clock, 2 * LONGEST, ends=5, **how)
    assert {i for i, event in replay.appeared.items() if event.is_new} == new
    assert replay.ends == dict.fromkeys(new, 1)


@pytest.mark.parametrize("answers", [0, 1, 2, 3, 4])
async def test_stop_within_a_baseline_resumes_it(answers, tmp_path):
    """Stop after *answers* responses: open jobs are emitted afterwards, once."""
    world, clock = quiet_world(250)
    waiting = add_pipeline(world, clock, "xy", plan=JobPlan(when="manual"))
    how = {"checkpoint": tmp_path / "ci.db", "downstream": True}
    async with (
        Simulator(world, clock=clock.stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab,
    ):
        before = await others()
        simulator.faults.add(Fault(latency=100.0, skip=answers, times=None))
        begun = clock.now()
        async with gitlab.monitor([APP], **how) as events:
            taking = asyncio.ensure_future(anext(events))
            await until(lambda: simulator.clock.next_wake or clock.now() > begun + 5.0)
            taking.cancel()
            await asyncio.wait([taking])
        assert await others() == before
        clock.stepped.advance(100.0)
        assert open_connections(gitlab) == 0
        simulator.faults.clear()
        replay = await watch_for(gitlab, clock, 5.0, **how)
        new = add_pipeline(world, clock, "abc")
        clock.stepped.advance(HOUR)
        await watch_for(gitlab, clock, 2 * LONGEST, replay=replay, ends=3, **how)
    assert replay.ends == dict.fromkeys([job.id for job in new], 1)
    assert replay.status.keys() == {job.id for job in [*waiting, *new]}


@pytest.mark.parametrize("kind", ["pipeline", "empty pipeline", "job"])
async def test_restart_keeps_pipelines_and_jobs(kind, tmp_path):
    """The first monitor emits the target if it exists; the next one emits only its end."""
    world, clock = quiet_world(150)
    pipeline = world.add_pipeline(world.project(APP))
    first = [world.add_job(pipeline, "ship", plan=JobPlan(duration=NEVER))]
    if kind == "empty pipeline":
        world.delete_job(first.pop())
    world.settle(clock.now())
    target = JobTarget(APP, first[0].id) if kind == "job" else PipelineTarget(APP, pipeline.id)
    how = {"checkpoint": tmp_path / "ci.db", "targets": [target], "downstream": True}
    async with (
        Simulator(world, clock=clock.stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab,
    ):
        replay = await watch_for(gitlab, clock, 5.0, starts=len(first), **how)
        assert replay.appeared.keys() == {job.id for job in first}
        late = world.add_job(pipeline, "late", plan=QUICK)
        clock.stepped.advance(HOUR)
        for job in first:
            world.cancel(job)
        await watch_for(gitlab, clock, LONGEST, replay=replay, ends=1, **how)
    new = [] if kind == "job" else [late]
    assert replay.ends == dict.fromkeys([job.id for job in [*first, *new]], 1)
    assert {i for i, event in replay.appeared.items() if event.is_new} == {job.id for job in new}


async def test_target_added_in_a_baseline_is_kept(tmp_path):
    world, clock = quiet_world(300, projects=2)
    async with (
        Simulator(world, clock=clock.stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab,
    ):
        path = tmp_path / "ci.db"
        async with gitlab.monitor([APP], checkpoint=path) as events:
            await until(lambda: simulator.requests)
            events.add("shop/p1")
            await until(lambda: len(simulator.requests) > 5)
        new = [
            job.id for path in (APP, "shop/p1") for job in add_pipeline(world, clock, "ab", path)
        ]
        clock.stepped.advance(HOUR)
        replay = await watch_for(
            gitlab, clock, 2 * LONGEST, tmp_path / "ci.db", [APP, "shop/p1"], ends=4
        )
    assert replay.ends == dict.fromkeys(new, 1)


def polls(simulator, since):
    """Return the requests by project, and how many there were in the busiest second."""
    later = [request for request in simulator.requests if request.at >= since]
    seconds = Counter(int(request.at - since) for request in later)
    projects = Counter(request.path.split("/")[4] for request in later)
    return projects, max(seconds.values(), default=0)


@pytest.mark.parametrize("stopped", [1.0, 24 * HOUR])
async def test_restart_polls_no_more_than_is_due(stopped):
    """Half of the thirty projects have an open job below a hundred others."""
    world, clock = quiet_world(0, projects=30)
    paths = [project.path for project in world.projects]
    for number, path in enumerate(paths):
        if number % 2:
            add_pipeline(world, clock, ["ship"], path, JobPlan(when="manual"))
        world.add_finished_jobs(world.project(path), 150, gaps="dense")
    clock.stepped.advance(24 * HOUR)
    checkpoint = MemoryStore()
    async with (
        Simulator(world, clock=clock.stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab,
    ):
        # This clock passes while a question is in flight.
        gitlab._capabilities.graphql_refused_until = inf
        await watch_for(gitlab, clock, HOUR / 3, checkpoint, paths)
        usual, _ = polls(simulator, clock.now() - LONGEST * 0.95)
        clock.stepped.advance(stopped)
        begun = clock.now()
        await watch_for(gitlab, clock, LONGEST * 0.95, checkpoint, paths)
        after, busiest = polls(simulator, begun)
    assert len(after) == 30 or stopped < LONGEST
    assert sum(after.values()) <= sum(usual.values()) + 30
    assert max(after.values()) <= 4
    assert busiest <= 10


async def test_progress_is_written_rarely():
    """Write two rows a second at most: 102 projects are two rows."""
    world, clock = quiet_world(1, projects=102)
    checkpoint = MemoryStore()
    written = Counter()
    record = checkpoint.record

    async def counted(lease, batch):
        for change in batch.changes:
            written[change.name, int(clock.now())] += change.name.startswith(PROGRESS)
        await record(lease, batch)

    checkpoint.record = counted
    async with (
        Simulator(world, clock=clock.stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab,
    ):
        paths = [project.path for project in world.projects]
        await watch_for(gitlab, clock, 60.0, checkpoint, paths)
        rounds = len(simulator.requests)
    seconds = Counter()
    for (_, second), count in written.items():
        seconds[second] += count
    assert sum(seconds.values()) < rounds
    assert all(count <= 3 for second, count in seconds.items() if second < int(clock.now()))
    assert {name for name, _ in written if name.startswith(PROGRESS)} == {
        f"{PROGRESS}{number}" for number in range(2)
    }


@pytest.mark.parametrize("fails", [False, True])
async def test_schedule_is_written_at_the_end(fails):
    """Stop the clock, so that only one of two rows is written before the end."""
    world, clock = quiet_world(1, projects=102)
    checkpoint = MemoryStore()
    async with (
        Simulator(world, clock=clock.stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=clock.stepped) as gitlab,
    ):
        paths = [project.path for project in world.projects]

        async def watch():
            async with gitlab.monitor(paths, checkpoint=checkpoint):
                await until(lambda: len(simulator.requests) == 102)
                await settled(gitlab)
                if fails:
                    raise LookupError

        async with asyncio.timeout(20):
            if fails:
                with pytest.raises(LookupError):
                    await watch()
            else:
                await watch()
    rows = [name for name in (await content(checkpoint)).states if name.startswith(PROGRESS)]
    assert sorted(rows) == [f"{PROGRESS}0", f"{PROGRESS}1"]
