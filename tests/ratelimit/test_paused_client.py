"""Long pauses of a client: reported, probed, and ended by a request that succeeds.

The server asks to wait for a year, for 10^30 seconds or until 2090, as broken proxies do.
"""

import asyncio
import logging
from itertools import pairwise

import pytest

from gitlab_jobs_async import (
    GitLab,
    RateLimitedError,
    Request,
    RetryPolicy,
    ServerError,
    TraceInterruptedError,
)
from gitlab_jobs_async.events import (
    JobLogEnded,
    JobLogFailed,
    MonitorPaused,
    MonitorResumed,
    ProjectRecovered,
    ProjectUnreachable,
)
from gitlab_jobs_async.monitor.schedule.scheduler import JITTER
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.simulator import Fault, Simulator, SteppedClock
from tests.monitor.test_monitor import APP, add_pipeline, ended, heard
from tests.support.connections import open_connections
from tests.support.stepped_time import pass_time
from tests.support.tasks import others, until

VERSION = Request("GET", "/version")
YEAR = "31536000"
ABSURD = [YEAR, "9" * 30, "9" * 5000, "Sun, 01 Jan 2090 00:00:00 GMT"]
KINDS = ["text/plain", "application/json"]


def refusal(wait, *, status=429, kind="text/plain", **rule):
    headers = {"Retry-After": wait}
    return Fault(status=status, body=b"{}", content_type=kind, headers=headers, **rule)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wait", ABSURD, ids=lambda wait: wait[:12])
async def test_monitor_outlasts_an_absurd_wait(simulator, gitlab, clock, wait, kind):
    async with asyncio.timeout(20), gitlab.monitor([APP]) as events:
        replay = await heard(events, lambda replay: len(replay.appeared) == 4)
        job = add_pipeline(simulator, "late", duration=10.0)[0]
        began, asked = clock.now(), len(simulator.requests)
        simulator.faults.add(refusal(wait, kind=kind, times=4))
        await heard(events, ended(job), replay)
    kinds = [type(event) for event in replay.events if event.project is None]
    assert kinds == [MonitorPaused, MonitorResumed]
    paused = next(event for event in replay.events if isinstance(event, MonitorPaused))
    assert paused.kind == ("" if kind == "text/plain" else "GET /projects/:id/jobs")
    assert 0 < paused.next_probe.timestamp() - began <= 200
    refused = [r.at for r in simulator.requests[asked:] if r.status == 429]
    gaps = [b - a for a, b in pairwise(refused)]
    assert gaps == sorted(gaps)
    assert clock.now() - began < 60 + 120 + 240 + 480 + 400


@pytest.mark.parametrize("targets", [1, 40])
async def test_pause_costs_one_request_a_probe(targets):
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        names = [simulator.world.add_project(f"many/{n}").path for n in range(targets)]
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            async with gitlab.monitor(names) as events:
                reading = asyncio.create_task(heard(events, lambda _: False))
                await pass_time(gitlab, clock, 300)
                simulator.faults.add(refusal(YEAR, times=None))
                began, asked = clock.now(), len(simulator.requests)
                await pass_time(gitlab, clock, 24 * 3600)
                at = [r.at for r in simulator.requests[asked:] if r.status == 429]
                reading.cancel()
                await asyncio.wait([reading])
            assert not await others()
    first = [time for time in at if time <= at[0] + 1]
    later = at[len(first) :]
    assert len(first) <= 16
    assert 24 <= len(later) <= 24 + 6
    assert max(b - a for a, b in pairwise([at[0], *later])) <= 3600 + 1
    assert at[0] - began < 200


@pytest.mark.parametrize("kind", KINDS)
async def test_scan_that_gets_through_ends_the_pause(kind):
    """It comes at most a minute, and the jitter of all polls, after the probe is due."""
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            async with gitlab.monitor([APP]) as events:
                late = []
                reading = asyncio.create_task(
                    heard(events, lambda replay: late and replay.ends.get(late[0].id))
                )
                await pass_time(gitlab, clock, 300)
                simulator.faults.add(refusal(YEAR, times=6, kind=kind))
                await pass_time(gitlab, clock, 3600)
                late += add_pipeline(simulator, "late", queued=0.0, duration=1.0)
                probe_at = gitlab.budget.snapshot(clock.now()).next_probe
                assert probe_at > clock.now() + 60
                latest = probe_at + 60 * (1 + JITTER) + 1
                await pass_time(gitlab, clock, latest - clock.now(), reading.done)
                await asyncio.wait_for(reading, 5)


async def test_probe_of_a_call_resumes_the_monitor():
    """The monitor sleeps while the probe is in flight; its response must wake it."""
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            async with gitlab.monitor([APP]) as events:
                reading = asyncio.create_task(
                    heard(events, lambda replay: isinstance(replay.events[-1], MonitorResumed))
                )
                await pass_time(gitlab, clock, 300)
                simulator.faults.add(refusal(YEAR, times=5))
                await pass_time(gitlab, clock, 1000)
                simulator.faults.add(Fault(path="*/version", latency=5.0))
                probe_at = gitlab.budget.snapshot(clock.now()).next_probe
                clock.advance(probe_at - clock.now())
                call = asyncio.create_task(gitlab.send(VERSION))
                await until(gitlab.budget.is_probing)
                asked = len(simulator.requests)
                for _ in range(50):
                    await asyncio.sleep(0)
                assert len(simulator.requests) == asked
                await until(lambda: clock.next_wake == clock.now() + 5)
                clock.advance(5)
                assert (await call).status == 200
                await asyncio.wait_for(reading, 5)


async def test_calls_fail_at_once_while_probes_continue(simulator, gitlab, clock):
    simulator.faults.add(refusal(YEAR, times=None))
    project = gitlab.project(1)
    with pytest.raises(RateLimitedError):
        await gitlab.send(VERSION)
    began = clock.now()
    for call in (
        lambda: gitlab.send(VERSION),
        project.list_jobs,
        lambda: gitlab._transport.send(VERSION, Priority.BACKGROUND),
        lambda: project.get_trace(1),
    ):
        with pytest.raises(RateLimitedError, match="next try at") as emitted:
            await call()
        assert emitted.value.retry_after > RetryPolicy().longest_retry_after
    assert len(simulator.requests) == 1
    assert clock.now() == began
    clock.stepped.advance(60)
    with pytest.raises(RateLimitedError):
        await gitlab.send(VERSION)
    assert len(simulator.requests) == 2
    simulator.faults.clear()
    clock.stepped.advance(120)
    assert len(await project.list_jobs()) == 4
    assert (await gitlab.send(VERSION)).status == 200


async def test_requests_await_the_probes_response(simulator, gitlab, clock):
    simulator.faults.add(refusal(YEAR))
    with pytest.raises(RateLimitedError):
        await gitlab.send(VERSION)
    clock.stepped.advance(60)
    answers = await asyncio.gather(*(gitlab.send(VERSION) for _ in range(20)))
    assert [answer.status for answer in answers] == [200] * 20
    simulator.faults.add(refusal(YEAR, times=None))
    with pytest.raises(RateLimitedError):
        await gitlab.send(VERSION)
    asked = len(simulator.requests)
    clock.stepped.advance(60)
    calls = (gitlab.send(VERSION) for _ in range(20))
    refused = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in refused} == {RateLimitedError}
    assert len(simulator.requests) == asked + 1
    assert gitlab.budget.snapshot().waiting == 0


async def test_patient_call_is_not_ended_by_probes(simulator, clock):
    """It waits for two hours; refused probes meanwhile do not count as its attempts."""
    simulator.faults.add(refusal("7000", times=6))
    patient = RetryPolicy(longest_retry_after=7200, attempts=2)
    async with GitLab(simulator.url, auth=simulator.token, retry=patient, clock=clock) as gitlab:
        began = clock.now()
        assert (await gitlab.send(VERSION)).status == 200
    assert clock.now() - began <= 7000
    assert len(simulator.requests) == 7


async def test_endless_outage_timeout_polls_hourly(simulator, clock):
    simulator.faults.add(refusal(YEAR, times=12))
    patient = RetryPolicy(longest_retry_after=float("inf"))
    async with GitLab(simulator.url, auth=simulator.token, retry=patient, clock=clock) as gitlab:
        began = clock.now()
        assert (await gitlab.send(VERSION)).status == 200
        assert clock.now() - began < 8 * 3600


async def test_warning_is_logged_once_a_pause(simulator, gitlab, clock, caplog):
    caplog.set_level(logging.INFO, "gitlab_jobs_async")
    simulator.faults.add(refusal(YEAR, times=4))
    for _ in range(5):
        for _ in range(3):
            with pytest.raises(RateLimitedError):
                await gitlab.send(VERSION)
        clock.stepped.advance(3600)
        if len(simulator.requests) == 4:
            break
    await gitlab.send(VERSION)
    said = [r.getMessage() for r in caplog.records if "requests" in r.getMessage()]
    assert [line.partition(":")[0] for line in said] == [
        "requests paused by the server",
        "requests allowed again",
    ]
    assert said[0].endswith("no requests allowed until 2026-06-15 15:06:40 UTC")


async def test_remaining_of_zero_for_a_day_is_tested(simulator, gitlab, clock):
    def spent():
        return {
            "RateLimit-Limit": "2000",
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": str(int(clock.now()) + 23 * 3600),
        }

    simulator.world.add_project("group/quiet")
    headers = spent()
    simulator.faults.add(
        Fault(status=200, body=b"[]", content_type="application/json", headers=headers, times=2)
    )
    async with asyncio.timeout(20), gitlab.monitor(["group/quiet"]) as events:
        began = clock.now()
        paused = await anext(events)
        job = add_pipeline(simulator, "late", project="group/quiet", duration=10.0)[0]
        replay = await heard(events, ended(job))
    assert isinstance(paused, MonitorPaused)
    assert "RateLimit-Remaining" in paused.reason
    assert isinstance(replay.events[0], MonitorResumed)
    assert clock.now() - began < 400


@pytest.mark.parametrize("kind", KINDS)
async def test_maintenance_of_a_year_is_tested(simulator, gitlab, clock, kind):
    async with asyncio.timeout(20), gitlab.monitor([APP]) as events:
        replay = await heard(events, lambda replay: len(replay.appeared) == 4)
        job = add_pipeline(simulator, "late", duration=10.0)[0]
        began = clock.now()
        simulator.faults.add(refusal(YEAR, status=503, kind=kind, times=2))
        await heard(events, ended(job), replay)
    emitted = [type(event) for event in replay.events]
    assert emitted.count(ProjectUnreachable) == emitted.count(ProjectRecovered) == 1
    assert clock.now() - began < 60 + 120 + 300


@pytest.mark.parametrize("status", [429, 503])
async def test_log_of_a_monitor_outlasts_an_absurd_wait(simulator, gitlab, status):
    job = add_pipeline(simulator, "long", duration=2000.0)[0]
    async with asyncio.timeout(20), gitlab.monitor([APP], logs=True) as events:
        replay = await heard(events, lambda replay: replay.lines.get(job.id))
        times = 6 if status == 429 else 1
        simulator.faults.add(refusal(YEAR, status=status, times=times, path=f"*/jobs/{job.id}*"))
        is_over = (JobLogEnded, JobLogFailed)
        await heard(
            events,
            lambda replay: any(
                isinstance(event, is_over) and event.job.id == job.id for event in replay.events
            ),
            replay,
        )
    assert not any(isinstance(event, JobLogFailed) for event in replay.events)
    assert len(replay.lines[job.id]) > 5


async def test_maintenance_of_a_year_is_raised_at_once(simulator, gitlab):
    simulator.faults.add(refusal(YEAR, status=503, times=None))
    project = gitlab.project(1)
    with pytest.raises(ServerError):
        await project.list_jobs()
    with pytest.raises((ServerError, TraceInterruptedError)):
        async for _ in project.follow_trace(2):
            pass
    assert len(simulator.requests) == 2


@pytest.mark.parametrize("is_left_early", [False, True])
async def test_paused_monitor_leaves_nothing_behind(is_left_early):
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        simulator.faults.add(refusal(YEAR, times=None))
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            before = await others()

            async def watch():
                async with gitlab.monitor([APP]) as events:
                    async for event in events:
                        assert isinstance(event, MonitorPaused)
                        if is_left_early:
                            return

            task = asyncio.create_task(watch())
            await pass_time(gitlab, clock, 30, task.done)
            task.cancel()
            await asyncio.wait([task])
            assert await others() == before
            assert open_connections(gitlab) == 0
            assert not gitlab._transport._parts.limiter.pause_watchers
            assert gitlab.budget.snapshot().waiting == 0
