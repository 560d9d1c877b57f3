"""Follow a trace over real connections: every byte once, until the job has ended."""

import asyncio
import math
import os
import random
import tracemalloc
from bisect import bisect_left
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web
from attrs import define, field

from gitlab_jobs_async import (
    AuthenticationError,
    GitLab,
    JobToken,
    NotFoundError,
    PollPolicy,
    RequestBudget,
    ResponseError,
    RetryPolicy,
    ServerError,
    TraceChunk,
    TraceInterruptedError,
)
from gitlab_jobs_async.simulator import Fault, JobPlan, RepeatedLog, Simulator, SimulatorSettings
from tests.support.cancellation import cancel_half_way
from tests.support.clocks import JumpClock
from tests.support.connections import open_connections
from tests.support.servers import serving
from tests.support.tasks import others, prompt

KINDS = [{}, {"byte_ranges": False}, {"byte_ranges": False, "etags": False}, {"gzip": True}]
ALL_KINDS = [
    *KINDS,
    {"archived_ranges": True},
    {"byte_ranges": False, "archived_ranges": True},
    {"byte_ranges": False, "gzip": True},
]


def log_of(lines):
    return b"".join(b"line %d of the log\n" % number for number in range(lines))


def add_job(simulator, log, **plan):
    world = simulator.world
    pipeline = world.add_pipeline(world.project("group/app"))
    job = world.add_job(pipeline, "logged", plan=JobPlan(log=log, **plan))
    world.settle(simulator.clock.now())
    return job


@pytest.mark.parametrize("settings", ALL_KINDS, ids=str)
@pytest.mark.parametrize("lines", [0, 1, 2_000])
async def test_every_byte_comes_once_until_the_end(clock, settings, lines):
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


async def test_server_with_ranges_sends_bytes_once(simulator, gitlab):
    log = log_of(60_000)
    job = add_job(simulator, log, duration=600.0)
    async for _ in gitlab.project(1).follow_trace(job.id):
        pass
    received = sum(r.sent for r in simulator.requests if r.path.endswith("/trace"))
    assert len(log) <= received <= 1.02 * len(log)


@pytest.mark.parametrize("outcome", ["success", "failed", "canceled", "skipped"])
async def test_any_final_status_ends_the_log(simulator, gitlab, outcome):
    job = add_job(simulator, b"bye\n", duration=5.0, outcome=outcome)
    lines = [line.text async for line in gitlab.project(1).tail(job.id)]
    assert lines in (["bye"], [])
    assert job.status == outcome


async def test_queued_job_is_waited_for(clock, simulator, gitlab):
    job = add_job(simulator, b"late\n", queued=7200.0, duration=5.0)
    assert [line.text async for line in gitlab.project(1).tail(job.id)] == ["late"]
    assert sum(clock.slept) > 7000


async def test_trace_is_followed_from_an_offset(clock, simulator, gitlab):
    job = add_job(simulator, log_of(500), duration=60.0)
    clock.stepped.advance(30)
    chunks = [chunk async for chunk in gitlab.project(1).follow_trace(job.id, offset=100)]
    assert b"".join(chunk.data for chunk in chunks) == log_of(500)[100:]
    assert chunks[0].offset == 100


@pytest.mark.parametrize("lines", [0, 1, 3, 1000])
@pytest.mark.parametrize("follow", [True, False])
async def test_last_lines_come_first(clock, simulator, gitlab, lines, follow):
    job = add_job(simulator, log_of(100), duration=1.0)
    clock.stepped.advance(60)
    tail = [line.text async for line in gitlab.project(1).tail(job.id, lines=lines, follow=follow)]
    every = log_of(100).decode().splitlines()
    assert tail == (every[-lines:] if lines else [])


async def test_tail_without_follow_has_current_lines(clock, simulator, gitlab):
    job = add_job(simulator, log_of(100), duration=100.0)
    clock.stepped.advance(70)
    there = [line.text async for line in gitlab.project(1).tail(job.id, follow=False)]
    assert 0 < len(there) < 100
    assert clock.slept == []


async def test_lines_after_the_last_ones_come_too(clock, simulator, gitlab):
    job = add_job(simulator, log_of(100), duration=100.0)
    clock.stepped.advance(70)
    lines = [line async for line in gitlab.project(1).tail(job.id, lines=1)]
    numbers = [line.number for line in lines]
    assert numbers == list(range(numbers[0], 101))
    assert numbers[0] > 1


def stamped(*records):
    return b"".join(
        b"2026-01-02T10:00:%02d.000000Z %s\n" % (second, record)
        for second, record in enumerate(records)
    )


@define
class GrowingLog:
    """A log that grows with each poll, and whose job ends after the last."""

    polls: list
    asked: int = 0

    async def __call__(self, request):
        if not request.path.endswith("/trace"):
            status = "success" if self.asked > len(self.polls) else "running"
            return web.json_response({"id": 1, "status": status, "stage": "a", "name": "b"})
        self.asked += 1
        there = b"".join(self.polls[: self.asked])
        start = int(request.query.get("byte_offset", 0))
        return web.Response(body=there[start:])


async def test_newest_windows_line_comes_at_once():
    """On Windows and behind a terminal each line ends with CR LF."""
    log = GrowingLog([stamped(b"01O Deploying, this takes an hour\r"), *[b""] * 1000])
    async with serving(log) as server, GitLab(server.url) as gitlab, asyncio.timeout(10):
        lines = gitlab.project(1).tail(1, polling=PollPolicy(interval=0.01, max_interval=0.02))
        assert (await anext(lines)).text == "Deploying, this takes an hour"
        await lines.aclose()


WINDOWS = stamped(b"01O one\r", b"01E two\r", b"01O 1%\r", b"01O+2%\r", b"01O three\r")


@pytest.mark.parametrize("last", [None, 2])
@pytest.mark.parametrize("size", [7, 50, 100, 1000])
async def test_lines_do_not_depend_on_polls(clock, size, last):
    log = GrowingLog([WINDOWS[at : at + size] for at in range(0, len(WINDOWS), size)])
    async with serving(log) as server, GitLab(server.url, clock=clock) as gitlab:
        lines = [line.text async for line in gitlab.project(1).tail(1, lines=last)]
    expected = ["one", "two", "2%", "three"]
    assert lines == (expected[2:] if last and size == 1000 else expected)


async def test_log_is_tailed_from_an_offset(simulator, gitlab):
    job = add_job(simulator, WINDOWS, duration=1.0)
    lines = [line async for line in gitlab.project(1).tail(job.id)]
    for number, line in enumerate(lines, start=1):
        rest = [one async for one in gitlab.project(1).tail(job.id, offset=line.end)]
        assert [(one.text, one.at) for one in rest] == [(o.text, o.at) for o in lines[number:]]


@pytest.mark.parametrize("settings", KINDS[:2], ids=str)
async def test_replaced_trace_starts_over(clock, settings):
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
    assert [chunk.data for chunk in chunks].count(b"") == 1
    assert chunks[again].data == b""


async def test_short_ranges_are_read_to_the_end():
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


async def test_ignored_offset_causes_few_requests(clock):
    async def odd(request):
        if not request.path.endswith("/trace"):
            job = {"id": 1, "status": "success", "stage": "a", "name": "b"}
            return web.json_response(job)
        return web.Response(text=log_of(60_000).decode()[: int(request.query["byte_limit"])])

    async with serving(odd) as server, GitLab(server.url, clock=clock) as gitlab:
        async for _ in gitlab.project(1).follow_trace(1):
            pass
    assert len(server.requests) < 20


FAULTS = {
    "lost before": Fault(path="*/jobs/*", reset="before", every=2, times=None),
    "unanswered": Fault(path="*/jobs/*", reset="unanswered", every=2, times=None),
    "cut": Fault(path="*/trace", reset="truncated", every=3, times=None),
    "reset": Fault(path="*/trace", reset="within", every=2, times=None),
    "bad gateway": Fault(path="*/jobs/*", status=502, every=2, times=None),
    "throttled": Fault.throttled(path="*/jobs/*", times=20, retry_after=7),
    "sign-in page": Fault.sign_in_page(path="*/jobs/*", times=3),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("settings", KINDS[:3], ids=str)
async def test_outage_loses_and_repeats_no_byte(clock, settings, fault):
    log = log_of(40_000)
    async with Simulator(settings=SimulatorSettings(**settings), clock=clock.stepped) as simulator:
        simulator.faults.add(fault)
        job = add_job(simulator, log, duration=900.0)
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            emitted = b""
            async for chunk in gitlab.project(1).follow_trace(job.id):
                assert chunk.offset == len(emitted)
                emitted += chunk.data
    assert simulator.faults.count(fault) > 2
    assert emitted == log


async def test_missing_response_is_retried(clock):
    async def slow(request):
        if not request.path.endswith("/trace"):
            return web.json_response({"id": 1, "status": "success", "stage": "a", "name": "b"})
        if len(server.requests) < 6:
            await asyncio.sleep(60)
        return web.Response(body=b"here\n")

    retry = RetryPolicy(attempts=1)
    async with serving(slow) as server:
        async with GitLab(server.url, clock=clock, timeout=0.05, retry=retry) as gitlab:
            assert [line.text async for line in gitlab.project(1).tail(1)] == ["here"]


async def test_lasting_outage_has_the_offset(simulator, gitlab):
    log = log_of(5_000)
    job = add_job(simulator, log, duration=600.0)
    down = Fault.bad_gateway(path="*/trace", times=None)
    emitted = b""

    async def read():
        nonlocal emitted
        async for chunk in gitlab.project(1).follow_trace(
            job.id, polling=PollPolicy(outage_timeout=60)
        ):
            emitted += chunk.data
            simulator.faults.add(down)

    with pytest.raises(TraceInterruptedError) as given_up:
        await read()
    assert given_up.value.offset == len(emitted) > 0
    simulator.faults.clear()
    async for chunk in gitlab.project(1).follow_trace(job.id, offset=given_up.value.offset):
        emitted += chunk.data
    assert emitted == log


async def test_outage_is_logged_once(simulator, gitlab, caplog):
    job = add_job(simulator, b"a\nb\n", duration=600)
    lines = gitlab.project(1).tail(job.id, polling=PollPolicy(outage_timeout=3600))
    assert [line.text async for line in lines] == ["a", "b"]
    assert "log unavailable" not in caplog.text
    simulator.faults.add(Fault(path="*/trace", status=502, times=12))
    assert [line.text async for line in gitlab.project(1).tail(job.id)] == ["a", "b"]
    emitted = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(emitted) == 1
    assert "HTTP 502" in emitted[0].getMessage()


async def test_quiet_log_is_not_an_outage(clock, simulator, gitlab):
    job = add_job(simulator, b"one line\n", duration=7200.0, first_upload=7000.0)
    lines = [
        line.text
        async for line in gitlab.project(1).tail(job.id, polling=PollPolicy(outage_timeout=60))
    ]
    assert lines == ["one line"]
    assert sum(clock.slept) > 7000


@pytest.mark.parametrize("status", [401, 403, 404])
@prompt
async def test_refusal_is_raised_at_once(simulator, gitlab, status):
    job = add_job(simulator, log_of(500), duration=600.0)
    simulator.faults.add(Fault(path="*/trace", status=status, body="{}", skip=3, times=None))
    with pytest.raises(ResponseError) as refused:
        _ = [chunk async for chunk in gitlab.project(1).follow_trace(job.id)]
    assert refused.value.status == status
    assert sum("trace" in request.path for request in simulator.requests) == 4


def most_in_a_minute(simulator):
    times = [request.at for request in simulator.requests]
    return max(bisect_left(times, at + 60) - number for number, at in enumerate(times))


@pytest.mark.parametrize("interval", [3, 30, 60])
@pytest.mark.parametrize("settings", ALL_KINDS, ids=str)
async def test_log_and_end_come_soon(clock, settings, interval):
    """The bars of one followed log while the budget has room; no line says that the job ends."""
    uploads, log = 20, log_of(30_000)
    duration = 3.5 + interval * (uploads - 1)
    plan = {"first_upload": 3.0, "upload_interval": interval, "duration": duration}

    def uploaded(offset):
        """Return when the byte at *offset* was uploaded."""
        written = duration * (offset + 2) / len(log)
        steps = max(0, math.ceil((written - 3.0) / interval))
        return job.started_at + min(3.0 + interval * steps, duration)

    is_ranged = settings.get("byte_ranges", True)
    async with Simulator(settings=SimulatorSettings(**settings), clock=clock.stepped) as simulator:
        job, emitted, delays = add_job(simulator, log, queued=0, **plan), b"", []
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            async for chunk in gitlab.project(1).follow_trace(job.id):
                delays.append(clock.now() - uploaded(chunk.offset))
                emitted += chunk.data
        assert clock.now() - job.finished_at <= 10.001
    assert emitted == log
    assert most_in_a_minute(simulator) <= 15
    # A whole log is read when an upload is due, and at worst at the next chance after it.
    assert max(delays) <= (10.001 if is_ranged else 20.001)
    traces = [r for r in simulator.requests if r.path.endswith("/trace")]
    if is_ranged:
        assert sum(r.sent for r in traces) <= 1.05 * len(log) + 128 * len(traces)
    else:
        assert sum(r.sent > 0 for r in traces) <= uploads + 12


@pytest.mark.parametrize("ending", ["Job succeeded", "ERROR: Job failed: exit code 1", ""])
@pytest.mark.parametrize("duration", [5.0, 45.0, 133.0, 600.0])
@pytest.mark.parametrize("settings", [{}, {"byte_ranges": False}], ids=str)
async def test_end_is_seen_at_once_after_its_line(clock, settings, duration, ending):
    log = log_of(400) + ending.encode() + b"\n"
    async with Simulator(settings=SimulatorSettings(**settings), clock=clock.stepped) as simulator:
        job = add_job(simulator, log, duration=duration)
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            emitted = [chunk.data async for chunk in gitlab.project(1).follow_trace(job.id)]
        assert clock.now() - job.finished_at <= (5.001 if ending and not settings else 10.001)
    assert b"".join(emitted) == log
    assert most_in_a_minute(simulator) <= 15


THIRDS = {
    "502": {"status": 502},
    "reset": {"reset": "within"},
    "unanswered": {"reset": "unanswered"},
    "429": {"status": 429, "body": b"Retry later\n", "headers": {"Retry-After": "1"}},
    "cut": {"reset": "truncated"},
}


@pytest.mark.parametrize("settings", [{}, {"byte_ranges": False}], ids=str)
@pytest.mark.parametrize("fault", [*THIRDS, "in turn"])
@pytest.mark.parametrize("duration", [8.0, 133.0])
async def test_end_is_seen_though_a_third_fails(clock, settings, fault, duration):
    """No limit is learned from the 429s that would slow down the polls."""
    rules = [THIRDS[fault]] if fault in THIRDS else THIRDS.values()
    log = log_of(400) + b"Job succeeded\n"
    async with Simulator(settings=SimulatorSettings(**settings), clock=clock.stepped) as simulator:
        for number, rule in enumerate(rules):
            every = 3 * len(rules)
            simulator.faults.add(Fault(**rule, times=None, every=every, skip=3 * number))
        job = add_job(simulator, log, duration=duration)
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            emitted = [chunk.data async for chunk in gitlab.project(1).follow_trace(job.id)]
        assert clock.now() - job.finished_at <= 10.0
    assert b"".join(emitted) == log
    if not settings:
        traces = [r for r in simulator.requests if r.path.endswith("/trace")]
        assert sum(r.sent for r in traces) <= 1.05 * len(log) + 128 * len(traces)


@pytest.mark.parametrize("settings", [{}, {"byte_ranges": False}], ids=str)
async def test_short_budget_stretches_the_polls(clock, settings):
    """Two logs share 12 requests a minute; each upload is still read, and no 429 is caused."""
    log = log_of(5_000)
    async with Simulator(settings=SimulatorSettings(**settings), clock=clock.stepped) as simulator:
        first, second = (add_job(simulator, log, duration=900.0) for _ in range(2))
        budget = RequestBudget(per_minute=12)
        async with GitLab(
            simulator.url, auth=simulator.token, clock=clock, budget=budget
        ) as gitlab:
            async with gitlab.tail_jobs([(1, first.id), (1, second.id)]) as lines:
                items = Counter([type(item).__name__ async for item in lines])
        assert clock.now() - first.finished_at <= 60.0
    assert items == {"TailedLine": 10_000, "TailEnded": 2}
    assert most_in_a_minute(simulator) <= 12


async def test_mixed_servers_behind_one_address(clock):
    log, asked = log_of(20_000), 0

    async def balanced(request):
        nonlocal asked
        now = clock.now() - began
        if not request.path.endswith("/trace"):
            status = "success" if now > 600 else "running"
            return web.json_response({"id": 1, "status": status, "stage": "a", "name": "b"})
        asked += 1
        there = log[: int(len(log) * min(1, int(now / 60) / 10))]
        if asked % 3 == 0:
            start = int(request.query["byte_offset"])
            return web.Response(body=there[start : start + int(request.query["byte_limit"])])
        return web.Response(body=there, headers={"ETag": f'W/"{len(there)}"'} if asked % 3 else {})

    began = clock.now()
    async with serving(balanced) as server, GitLab(server.url, clock=clock) as gitlab:
        chunks = [chunk async for chunk in gitlab.project(1).follow_trace(1)]
    assert b"".join(chunk.data for chunk in chunks) == log
    assert all(chunk.data for chunk in chunks)


@define
class FaultyServer:
    """A server of a log in 30 uploads that fails, or answers in any way, at random."""

    clock: JumpClock
    rng: random.Random
    kinds: list
    began: float = field(init=False)
    uploads: list = field(init=False)

    def __attrs_post_init__(self):
        self.began = self.clock.now()
        pieces = [
            b"same\n" * 30,
            self.rng.randbytes(900),
            b"x" * 5,
            self.rng.randbytes(300_000),
        ]
        times = sorted(self.rng.uniform(0, 1500) for _ in range(30))
        self.uploads = [(at, self.rng.choices(pieces, [9, 9, 9, 1])[0]) for at in times]

    async def __call__(self, request):
        match self.rng.randrange(12):
            case 0:
                request.transport.abort()
            case 1:
                return web.Response(status=self.rng.choice([500, 502, 503, 429]), text="<html>")
            case 2:
                return web.Response(body=b"<html>sign in</html>", content_type="text/html")
        if not request.path.endswith("/trace"):
            status = "failed" if self.clock.now() - self.began > 1510 else "running"
            return web.json_response({"id": 1, "status": status, "stage": "a", "name": "b"})
        answer = self.trace(request)
        is_cut = answer.body and self.rng.randrange(12) == 0
        return await self.cut(request, answer) if is_cut else answer

    def trace(self, request):
        now, kind = self.clock.now() - self.began, self.rng.choice(self.kinds)
        there = b"".join(piece for at, piece in self.uploads if at <= now)
        if kind == "ranged" and "byte_offset" in request.query:
            start = int(request.query["byte_offset"])
            return web.Response(body=there[start : start + int(request.query["byte_limit"])])
        etag = f'W/"{len(there)}"'
        if kind == "etag" and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        return web.Response(body=there, headers={"ETag": etag} if kind == "etag" else {})

    async def cut(self, request, answer):
        body = answer.body
        cut = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await cut.prepare(request)
        await cut.write(body[: self.rng.randrange(len(body))])
        request.transport.close()
        return cut


@pytest.mark.parametrize("seed", range(12))
async def test_random_faults_lose_no_byte(clock, seed):
    kinds = ["ranged", "etag", "whole"][: 1 + seed % 3]
    faulty, emitted = FaultyServer(clock, random.Random(seed), kinds), b""
    async with serving(faulty) as server, GitLab(server.url, clock=clock) as gitlab:
        async for chunk in gitlab.project(1).follow_trace(
            1, polling=PollPolicy(outage_timeout=100_000)
        ):
            assert chunk.offset == len(emitted)
            emitted += chunk.data
    assert emitted == b"".join(piece for _, piece in faulty.uploads)


async def test_trace_support_is_known_to_the_next_log(clock):
    settings = SimulatorSettings(byte_ranges=False, etags=False)
    async with Simulator(settings=settings, clock=clock.stepped) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            bodies = []
            for _ in range(2):
                job = add_job(simulator, log_of(5_000), duration=1190.0, queued=0)
                async for _ in gitlab.project(1).follow_trace(job.id):
                    pass
                path = f"/api/v4/projects/1/jobs/{job.id}/trace"
                sent = [r.sent for r in simulator.requests if r.path == path]
                bodies.append(sum(map(bool, sent)))
    assert bodies[1] <= bodies[0] <= 20 + 12


@pytest.mark.parametrize("status", ["canceling", "brand_new"])
async def test_unknown_status_does_not_end_the_log(clock, status):
    async def odd(request):
        now = clock.now() - began
        if not request.path.endswith("/trace"):
            said = status if now < 500 else "canceled"
            return web.json_response({"id": 1, "status": said, "stage": "a", "name": "b"})
        return web.Response(body=b"started\n" + (b"ended\n" if now > 400 else b""))

    began = clock.now()
    async with serving(odd) as server, GitLab(server.url, clock=clock) as gitlab:
        assert [line.text async for line in gitlab.project(1).tail(1)] == ["started", "ended"]
    assert clock.now() - began > 500


async def test_erased_log_has_an_end(clock, simulator, gitlab):
    job = add_job(simulator, log_of(100), duration=5.0)
    clock.stepped.advance(60)
    await gitlab.project(1).erase_job(job.id)
    assert [line async for line in gitlab.project(1).tail(job.id)] == []
    assert [chunk async for chunk in gitlab.project(1).follow_trace(job.id)] == []


async def test_log_erased_while_read_is_one_chunk(clock, simulator, gitlab):
    job = add_job(simulator, log_of(100_000), duration=5.0)
    clock.stepped.advance(60)
    chunks = []
    async for chunk in gitlab.project(1).follow_trace(job.id):
        chunks.append(chunk)
        if len(chunks) == 1:
            await gitlab.project(1).erase_job(job.id)
    assert chunks[-1] == TraceChunk(0, b"")
    assert sum(not chunk.data for chunk in chunks) == 1


async def test_endless_replacements_are_an_error(clock):
    async def torn(request):
        if not request.path.endswith("/trace"):
            return web.json_response({"id": 1, "status": "success", "stage": "a", "name": "b"})
        which = b"this log\n" if len(server.requests) // 3 % 2 else b"that log\n"
        return web.Response(body=which * (100 + len(server.requests)))

    async with serving(torn) as server, GitLab(server.url, clock=clock) as gitlab:
        with pytest.raises(TraceInterruptedError, match="trace replaced at every poll"):
            _ = [chunk async for chunk in gitlab.project(1).follow_trace(1)]
    assert len(server.requests) < 100


@pytest.mark.parametrize("ranged", [True, False])
async def test_huge_log_takes_little_memory(clock, ranged):
    size, piece = 32 * 1024 * 1024, b"0123456789abcdef" * 4096

    async def huge(request):
        if not request.path.endswith("/trace"):
            return web.json_response({"id": 1, "status": "success", "stage": "a", "name": "b"})
        if ranged:
            start = int(request.query["byte_offset"])
            stop = min(size, start + int(request.query["byte_limit"]))
            turned = piece[start % len(piece) :] + piece * 9
            return web.Response(body=turned[: max(0, stop - start)])
        response = web.StreamResponse()
        response.content_length = size
        await response.prepare(request)
        for _ in range(size // len(piece)):
            await response.write(piece)
        return response

    async with serving(huge) as server, GitLab(server.url, clock=clock) as gitlab:
        tracemalloc.start()
        emitted = 0
        async for chunk in gitlab.project(1).follow_trace(1):
            assert chunk.offset == emitted
            emitted = chunk.end
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert emitted == size
    assert peak < 10 * 1024 * 1024


@pytest.mark.parametrize("settings", KINDS[:2], ids=str)
async def test_last_lines_take_little_memory(clock, settings):
    log = RepeatedLog(b"0123456789abcdef" * 6 + b"line\n", 2_000_000)
    async with Simulator(settings=SimulatorSettings(**settings), clock=clock.stepped) as simulator:
        job = add_job(simulator, log, duration=1.0)
        clock.stepped.advance(60)
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            tracemalloc.start()
            lines = [line async for line in gitlab.project(1).tail(job.id, lines=5)]
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert [line.number for line in lines] == list(range(19_798, 19_803))
    assert peak < 10 * 1024 * 1024


async def test_failure_is_an_error_not_an_end(simulator, gitlab):
    simulator.faults.add(Fault.bad_gateway(path="*/trace", times=None))
    job = add_job(simulator, log_of(10))
    with pytest.raises(TraceInterruptedError, match=r"502.*up to byte 0$") as given_up:
        await anext(gitlab.project(1).follow_trace(job.id))
    assert isinstance(given_up.value.__cause__, ServerError)
    with pytest.raises(ServerError):
        await anext(gitlab.project(1).follow_trace(job.id, polling=PollPolicy(outage_timeout=0)))
    with pytest.raises(NotFoundError, match="404 Not found"):
        await anext(gitlab.project(1).tail(99_999))


@prompt
async def test_job_token_without_access_fails_at_once(simulator):
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
        ({"lines": 1, "offset": -1}, "offset must be a whole number from 0, not -1"),
        ({"offset": 0, "polling": 5}, "polling must be a PollPolicy, not 5"),
        ({"lines": 1, "polling": 5}, "polling must be a PollPolicy, not 5"),
    ],
)
async def test_invalid_input_is_refused_at_once(gitlab, simulator, wrong, said):
    project = gitlab.project(1)
    with pytest.raises((TypeError, ValueError), match=said):
        (project.tail if "lines" in wrong else project.follow_trace)(2, **wrong)
    with pytest.raises(TypeError, match="job_id"):
        project.tail("2")
    assert simulator.requests == []


@pytest.mark.parametrize("name", ["follow_trace", "tail"])
@prompt
async def test_cancelled_poll_leaves_nothing(simulator, gitlab, name):
    job = add_job(simulator, log_of(100), duration=100.0)

    async def first():
        return await anext(getattr(gitlab.project(1), name)(job.id))

    await cancel_half_way(simulator, gitlab, first())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed there")
@prompt
async def test_leaving_early_closes_the_spool_file():
    async def large(request):
        if not request.path.endswith("/trace"):
            return web.json_response({"id": 1, "status": "success", "stage": "a", "name": "b"})
        return web.Response(body=b"0123456789abcde\n" * 300_000)

    def open_files():
        return {fd for fd in Path("/proc/self/fd").iterdir() if "deleted" in os.path.realpath(fd)}

    before = open_files()
    async with serving(large) as server, GitLab(server.url) as gitlab:
        async for chunk in gitlab.project(1).follow_trace(1):
            assert chunk.end < 4_800_000
            break
        assert not await others()
        assert open_connections(gitlab) == 0
        assert open_files() == before


@pytest.mark.parametrize("way", ["break", "cancel"])
@pytest.mark.parametrize("name", ["follow_trace", "tail"])
@prompt
async def test_leaving_early_leaves_nothing(simulator, name, way):
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
