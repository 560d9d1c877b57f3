"""Following a trace over real connections: every byte once, to the true end."""

import asyncio

import pytest
from aiohttp import web

from gitlab_jobs_async import (
    AuthenticationError,
    GitLab,
    JobToken,
    NotFoundError,
    ServerError,
    TraceInterruptedError,
)
from gitlab_jobs_async.simulator import Fault, JobPlan, Simulator, SimulatorSettings
from tests.conftest import JumpClock, open_connections, others, serving

KINDS = [{}, {"byte_ranges": False}, {"byte_ranges": False, "etags": False}, {"gzip": True}]


def log_of(lines):
    return b"".join(b"line %d of the log\n" % number for number in range(lines))


def add_job(simulator, log, **plan):
    world = simulator.world
    pipeline = world.add_pipeline(world.project("group/app"))
    job = world.add_job(pipeline, "logged", plan=JobPlan(log=log, **plan))
    world.settle(simulator.clock.now())
    return job


@pytest.mark.parametrize("settings", KINDS, ids=str)
@pytest.mark.parametrize("lines", [0, 1, 2_000])
async def test_every_byte_comes_once_until_the_job_has_ended(clock, settings, lines):
    log = log_of(lines)
    async with Simulator(settings=SimulatorSettings(**settings), clock=clock.stepped) as simulator:
        job = add_job(simulator, log, duration=300.0)
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            chunks = [chunk async for chunk in gitlab.project(1).follow_trace(job.id)]
    assert b"".join(chunk.data for chunk in chunks) == log
    assert [chunk.offset for chunk in chunks] == [
        sum(len(before.data) for before in chunks[:number]) for number in range(len(chunks))
    ]
    assert job.status == "success"


async def test_a_ranged_server_sends_the_log_about_once(simulator, gitlab):
    log = log_of(60_000)
    job = add_job(simulator, log, duration=600.0)
    async for _ in gitlab.project(1).follow_trace(job.id):
        pass
    received = sum(r.sent for r in simulator.requests if r.path.endswith("/trace"))
    assert len(log) <= received <= 1.02 * len(log)


@pytest.mark.parametrize("outcome", ["success", "failed", "canceled", "skipped"])
async def test_every_end_is_an_end(simulator, gitlab, outcome):
    job = add_job(simulator, b"bye\n", duration=5.0, outcome=outcome)
    lines = [line.text async for line in gitlab.project(1).tail(job.id)]
    assert lines in (["bye"], [])
    assert job.status == outcome


async def test_a_job_that_waits_is_waited_for(clock, simulator, gitlab):
    job = add_job(simulator, b"late\n", queued=7200.0, duration=5.0)
    assert [line.text async for line in gitlab.project(1).tail(job.id)] == ["late"]
    assert sum(clock.slept) > 7000


async def test_a_trace_is_followed_from_an_offset(clock, simulator, gitlab):
    job = add_job(simulator, log_of(500), duration=60.0)
    clock.stepped.advance(30)
    chunks = [chunk async for chunk in gitlab.project(1).follow_trace(job.id, offset=100)]
    assert b"".join(chunk.data for chunk in chunks) == log_of(500)[100:]
    assert chunks[0].offset == 100


@pytest.mark.parametrize("lines", [0, 1, 3, 1000])
@pytest.mark.parametrize("follow", [True, False])
async def test_the_last_lines_come_first(clock, simulator, gitlab, lines, follow):
    job = add_job(simulator, log_of(100), duration=1.0)
    clock.stepped.advance(60)
    tail = [line.text async for line in gitlab.project(1).tail(job.id, lines=lines, follow=follow)]
    every = log_of(100).decode().splitlines()
    assert tail == (every[-lines:] if lines else [])


async def test_without_follow_the_lines_there_now_are_all(clock, simulator, gitlab):
    job = add_job(simulator, log_of(100), duration=100.0)
    clock.stepped.advance(70)
    there = [line.text async for line in gitlab.project(1).tail(job.id, follow=False)]
    assert 0 < len(there) < 100
    assert clock.slept == []


async def test_lines_added_after_the_last_ones_come_too(clock, simulator, gitlab):
    job = add_job(simulator, log_of(100), duration=100.0)
    clock.stepped.advance(70)
    lines = [line async for line in gitlab.project(1).tail(job.id, lines=1)]
    numbers = [line.number for line in lines]
    assert numbers == list(range(numbers[0], 101))
    assert numbers[0] > 1


@pytest.mark.parametrize("settings", KINDS[:2], ids=str)
async def test_a_replaced_trace_begins_anew(clock, settings):
    async with Simulator(settings=SimulatorSettings(**settings), clock=clock.stepped) as simulator:
        job = add_job(simulator, log_of(200), duration=300.0)
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            chunks = []
            async for chunk in gitlab.project(1).follow_trace(job.id):
                chunks.append(chunk)
                if len(chunks) == 2:
                    simulator.world.replace_log(job, b"another log\n")
        again = [chunk.offset for chunk in chunks].index(0, 1)
    assert b"".join(chunk.data for chunk in chunks[again:]) == b"another log\n"


async def test_a_server_that_gives_less_than_asked_is_read_to_the_end():
    log = log_of(20_000)

    async def stingy(request):
        if not request.path.endswith("/trace"):
            job = {"id": 1, "status": "success", "stage": "a", "name": "b"}
            return web.json_response(job)
        offset, limit = int(request.query["byte_offset"]), int(request.query["byte_limit"])
        return web.Response(text=log[offset : offset + min(limit, 10_000)].decode())

    async with serving(stingy) as server, GitLab(server.url) as gitlab:
        chunks = [chunk.data async for chunk in gitlab.project(1).follow_trace(1)]
    assert b"".join(chunks) == log


async def test_a_server_that_ignores_the_offset_alone_does_not_keep_us_busy(clock):
    async def odd(request):
        if not request.path.endswith("/trace"):
            job = {"id": 1, "status": "success", "stage": "a", "name": "b"}
            return web.json_response(job)
        return web.Response(text=log_of(60_000).decode()[: int(request.query["byte_limit"])])

    async with serving(odd) as server, GitLab(server.url, clock=clock) as gitlab:
        async for _ in gitlab.project(1).follow_trace(1):
            pass
    assert len(server.requests) < 20


async def test_a_lost_connection_is_ridden_out(simulator, gitlab):
    simulator.faults.add(Fault(path="*/trace", reset="truncated", every=3, times=None))
    job = add_job(simulator, log_of(2_000), duration=300.0)
    chunks = [chunk.data async for chunk in gitlab.project(1).follow_trace(job.id)]
    assert b"".join(chunks) == log_of(2_000)


async def test_a_failure_is_an_error_and_no_end(simulator, gitlab):
    simulator.faults.add(Fault.bad_gateway(path="*/trace", times=None))
    job = add_job(simulator, log_of(10))
    with pytest.raises(TraceInterruptedError, match=r"502.*up to byte 0$") as given_up:
        await anext(gitlab.project(1).follow_trace(job.id))
    assert isinstance(given_up.value.__cause__, ServerError)
    with pytest.raises(ServerError):
        await anext(gitlab.project(1).follow_trace(job.id, patience=0))
    with pytest.raises(NotFoundError, match="404 Not found"):
        await anext(gitlab.project(1).tail(99_999))


async def test_a_job_token_that_may_not_read_says_so_at_once(simulator):
    async with GitLab(simulator.url, auth=JobToken(simulator.world.jobs[2].token)) as gitlab:
        with pytest.raises(AuthenticationError):
            await anext(gitlab.project(1).tail(2))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"offset": -1}, "offset must be a whole number from 0, not -1"),
        ({"offset": True}, "not True"),
        ({"lines": -1}, "lines must be a whole number from 0, not -1"),
        ({"lines": "10"}, "not '10'"),
    ],
)
async def test_bad_input_is_refused_before_any_request(gitlab, simulator, wrong, said):
    project = gitlab.project(1)
    with pytest.raises((TypeError, ValueError), match=said):
        (project.follow_trace if "offset" in wrong else project.tail)(2, **wrong)
    with pytest.raises(TypeError, match="job_id"):
        project.tail("2")
    assert simulator.requests == []


@pytest.mark.parametrize("way", ["break", "cancel"])
@pytest.mark.parametrize("name", ["follow_trace", "tail"])
async def test_a_follow_left_early_leaves_nothing(simulator, name, way):
    class Standing(JumpClock):
        async def sleep(self, _seconds):
            asleep.set()
            await asyncio.Event().wait()

    asleep = asyncio.Event()
    job = add_job(simulator, log_of(100), duration=100.0)
    simulator.clock.advance(80)
    async with GitLab(simulator.url, auth=simulator.token, clock=Standing()) as gitlab:
        before = await others()

        async def read():
            async for _ in getattr(gitlab.project(1), name)(job.id):
                if way == "break":
                    break

        task = asyncio.create_task(read())
        if way == "cancel":
            await asleep.wait()
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled() == (way == "cancel")
        assert await others() == before
        assert open_connections(gitlab) == 0
