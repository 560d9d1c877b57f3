"""A 401 is retried before it ends a monitor, and refused targets are reported."""

import asyncio

import pytest

from gitlab_jobs_async import AuthenticationError, GitLab
from gitlab_jobs_async.events import (
    AllTargetsUnreachable,
    JobLogEnded,
    JobLogFailed,
    ProjectRecovered,
    ProjectUnreachable,
)
from gitlab_jobs_async.simulator import Fault, Simulator, SteppedClock
from tests.monitor.test_monitor import APP, add_pipeline, ended, heard
from tests.support.connections import open_connections
from tests.support.stepped_time import pass_time
from tests.support.tasks import others

OTHER = "group/other"


def denial(**rule):
    return Fault(status=401, body=b'{"message":"401 Unauthorized"}', **rule)


def is_told(kind, times=1):
    return lambda replay: sum(isinstance(event, kind) for event in replay.events) >= times


@pytest.mark.parametrize("targets", [[APP], [APP, OTHER]])
@pytest.mark.parametrize("skip", range(4))
async def test_single_401_is_retried(simulator, gitlab, targets, skip):
    simulator.world.add_project(OTHER)
    async with asyncio.timeout(10), gitlab.monitor(targets) as events:
        simulator.faults.add(denial(skip=skip))
        job = add_pipeline(simulator, "new", duration=30.0)[0]
        replay = await heard(events, ended(job))
    assert not [event for event in replay.events if isinstance(event, ProjectUnreachable)]


async def test_401_of_one_project_affects_no_other(simulator, gitlab):
    """A proxy or single sign-on in front of GitLab may deny one project only."""
    simulator.world.add_project(OTHER)
    simulator.faults.add(denial(path="*group%2Fother/*", times=8))
    async with asyncio.timeout(10), gitlab.monitor([OTHER, APP]) as events:
        replay = await heard(events, is_told(ProjectUnreachable))
        assert (replay.events[-1].project, replay.events[-1].status) == (OTHER, 401)
        job = add_pipeline(simulator, "new", duration=30.0)[0]
        await heard(events, ended(job), replay)
        late = add_pipeline(simulator, "late", project=OTHER, duration=9000.0)[0]
        await heard(events, ended(late), replay)
    emitted = [type(event) for event in replay.events]
    assert emitted.count(ProjectUnreachable) == emitted.count(ProjectRecovered) == 1
    assert AllTargetsUnreachable not in emitted


@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize("targets", [1, 50])
async def test_revoked_token_ends_promptly(targets, has_begun):
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        names = [simulator.world.add_project(f"many/{n}").path for n in range(targets)]
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            async with gitlab.monitor(names) as events:
                reading = asyncio.create_task(heard(events, lambda _: False))
                if has_begun:
                    await pass_time(gitlab, clock, 60)
                simulator.faults.add(denial(times=None))
                asked = len(simulator.requests)
                await pass_time(gitlab, clock, 240, lambda: len(simulator.requests) > asked)
                began = clock.now()
                await pass_time(gitlab, clock, 30, reading.done)
                with pytest.raises(AuthenticationError):
                    await asyncio.wait_for(reading, 5)
                assert clock.now() - began <= (10 if has_begun else 3)
                assert len(simulator.requests) - asked <= 2 * 16 + 2 * 3
            assert not await others()


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_401_of_a_log_is_retried(simulator, gitlab, times):
    job = add_pipeline(simulator, "new", duration=60.0)[0]
    async with asyncio.timeout(10), gitlab.monitor([APP], logs=True) as events:
        simulator.faults.add(denial(path=f"*/jobs/{job.id}*", times=times, skip=2))
        replay = await heard(
            events,
            lambda replay: any(
                isinstance(event, JobLogEnded) and event.job.id == job.id for event in replay.events
            ),
        )
    assert not any(isinstance(event, JobLogFailed) for event in replay.events)


async def test_permanent_401_of_a_log_fails_it_alone(simulator, gitlab):
    job = add_pipeline(simulator, "new", duration=600.0)[0]
    async with asyncio.timeout(10), gitlab.monitor([APP], logs=True) as events:
        simulator.faults.add(denial(path=f"*/jobs/{job.id}*", times=None, skip=2))
        replay = await heard(events, is_told(JobLogFailed))
        simulator.faults.clear()
        new = add_pipeline(simulator, "next", duration=30.0)[0]
        await heard(events, ended(new), replay)
    failed = next(event for event in replay.events if isinstance(event, JobLogFailed))
    assert failed.job.id == job.id
    assert "401" in failed.reason


async def test_cancelled_token_check_leaves_no_task():
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            before = await others()

            async def watch():
                async with gitlab.monitor([APP, 2]) as events:
                    simulator.faults.add(denial(times=None))
                    await heard(events, lambda _: False)

            task = asyncio.create_task(watch())
            await pass_time(gitlab, clock, 0.4)
            assert simulator.requests
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert await others() == before
            assert open_connections(gitlab) == 0
            assert gitlab._schedule.free_slots == 16


# No target can be reached


@pytest.mark.parametrize("targets", [["group/none"], ["group/none", 999]])
async def test_missing_targets_are_reported_once(gitlab, targets):
    async with asyncio.timeout(10), gitlab.monitor(targets) as events:
        replay = await heard(events, is_told(AllTargetsUnreachable))
        last = replay.events[-1]
        assert (last.targets, last.status, last.project) == (len(targets), 404, None)
        assert "404 Project Not Found" in last.reason
        assert last.key.startswith("monitor/")
        events.add(APP)
        await heard(events, lambda replay: len(replay.appeared) == 4, replay)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert sum(isinstance(event, AllTargetsUnreachable) for event in replay.events) == 1
        events.remove(APP)
        await heard(events, is_told(AllTargetsUnreachable, 2), replay)


async def test_single_refusal_after_success_is_retried(simulator, gitlab, clock):
    async with asyncio.timeout(10), gitlab.monitor([APP]) as events:
        replay = await heard(events, lambda replay: len(replay.appeared) == 4)
        simulator.faults.add(Fault(path="*/jobs", status=404, body=b"{}", times=1))
        await heard(events, is_told(ProjectRecovered), replay)
        assert not any(isinstance(event, AllTargetsUnreachable) for event in replay.events)
        simulator.faults.add(Fault(path="*/jobs", status=404, body=b"{}", times=2))
        began = clock.now()
        await heard(events, is_told(AllTargetsUnreachable), replay)
        assert clock.now() - began < 240
        await heard(events, is_told(ProjectRecovered, 2), replay)


async def test_outage_does_not_report_all_unreachable(simulator, gitlab):
    simulator.faults.add(Fault(status=502, times=30))
    async with asyncio.timeout(10), gitlab.monitor([APP]) as events:
        replay = await heard(events, lambda replay: len(replay.appeared) == 4)
    assert not any(isinstance(event, AllTargetsUnreachable) for event in replay.events)
