"""The request limiter: slots, priorities, limits, and clean-up."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from attrs import define, field

from gitlab_jobs_async import (
    GitLab,
    GitLabError,
    RateLimitedError,
    Request,
    RequestBudget,
    Response,
    RetryPolicy,
)
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.ratelimit.limiter import RequestLimiter
from gitlab_jobs_async.simulator import Fault, Simulator, SimulatorSettings, SteppedClock
from tests.support.connections import open_connections
from tests.support.servers import serving
from tests.support.tasks import others, prompt, until

VERSION = Request("GET", "/version")
JOBS = Request("GET", "/projects/1/jobs", {"per_page": "1"})


@define
class Wire:
    """Requests and responses in order, as aiohttp's tracing reports them."""

    events: list[tuple[str, int]] = field(factory=list)

    def session(self):
        config = aiohttp.TraceConfig()

        async def begins(_session, _context, _params):
            self.events.append(("sent", 0))

        async def ends(_session, _context, params):
            self.events.append(("answered", params.response.status))

        config.on_request_start.append(begins)
        config.on_request_end.append(ends)
        connector = aiohttp.TCPConnector(limit=0)
        return aiohttp.ClientSession(trace_configs=[config], connector=connector)

    @property
    def most_refusals(self):
        """Requests in flight at the first 429: no more may be refused."""
        first = self.events.index(("answered", 429))
        before = self.events[:first]
        return sum(1 if what == "sent" else -1 for what, _ in before)

    @property
    def refusals(self):
        return self.events.count(("answered", 429))


@asynccontextmanager
async def throttled(settings, wire=None, **arguments):
    """Yield a simulated server with limits, and a client on its clock."""
    clock = SteppedClock()
    async with Simulator(settings=settings, clock=clock) as simulator:
        wire = wire or Wire()
        async with wire.session() as session:
            arguments = {"auth": simulator.token, "clock": clock, "session": session} | arguments
            async with GitLab(simulator.url, **arguments) as gitlab:
                yield simulator, gitlab


async def let_time_pass(gitlab, clock, tasks):
    """Step the clock to the next timer while no request is in flight, until *tasks* are done."""

    def is_still():
        waiting = sum(not task.done() for task in tasks)
        usage = gitlab.budget.snapshot()
        return waiting == usage.waiting and usage.in_flight == 0

    while not all(task.done() for task in tasks):
        await until(is_still)
        if clock.next_wake is not None:
            clock.advance(max(0.0, clock.next_wake - clock.now()))
        await asyncio.sleep(0)


def limiter_of(budget):
    return RequestLimiter(
        budget, SteppedClock(), concurrency=1, longest_retry_after=120.0, shown=lambda _: "u"
    )


LIMITS = {
    "always": SimulatorSettings(api_limit=100),
    "throttled": SimulatorSettings(api_limit=100, rate_limit_headers="throttled"),
    "jobs, without Retry-After": SimulatorSettings(
        jobs_index_limit=100, jobs_index_retry_after=False
    ),
    "jobs, the full interval": SimulatorSettings(jobs_index_limit=100, jobs_index_retry_after=True),
}


@pytest.mark.parametrize("concurrency", [16, 200])
@pytest.mark.parametrize("kind", LIMITS)
async def test_no_request_is_sent_into_a_known_429(kind, concurrency):
    wire = Wire()
    budget = RequestBudget(jobs_index_per_minute=None)
    async with throttled(LIMITS[kind], wire, concurrency=concurrency, budget=budget) as (
        simulator,
        gitlab,
    ):
        before = await others()
        tasks = [asyncio.create_task(gitlab.send(JOBS)) for _ in range(200)]
        await let_time_pass(gitlab, simulator.clock, tasks)
        assert [task.result().status for task in tasks] == [200] * 200
        assert await others() == before
        assert gitlab.budget.snapshot().waiting == 0
    assert [record.status for record in simulator.requests].count(200) == 200
    if kind == "always" and concurrency == 16:
        assert wire.refusals == 0
    else:
        assert 1 <= wire.refusals <= wire.most_refusals


async def test_callers_limit_holds_in_every_minute():
    budget = RequestBudget(per_minute=10)
    async with throttled(SimulatorSettings(), budget=budget) as (simulator, gitlab):
        tasks = [asyncio.create_task(gitlab.send(VERSION)) for _ in range(35)]
        await let_time_pass(gitlab, simulator.clock, tasks)
        times = [record.at for record in simulator.requests]
    assert len(times) == 35
    assert max(sum(at <= other < at + 60 for other in times) for at in times) == 10
    assert times[-1] - times[0] == 180


async def test_a_tenth_is_reserved_for_foreground_calls():
    budget = RequestBudget(per_minute=20)
    async with throttled(SimulatorSettings(), budget=budget) as (simulator, gitlab):
        polls = [
            asyncio.create_task(gitlab._transport.send(VERSION, priority))
            for priority in (Priority.BACKGROUND, Priority.LISTING)
            for _ in range(20)
        ]
        await until(lambda: len(simulator.requests) == 18)
        await until(lambda: budget.snapshot().waiting == 22)
        assert (await gitlab.send(VERSION)).status == 200
        assert simulator.clock.now() == simulator.requests[0].at
        await let_time_pass(gitlab, simulator.clock, polls)
    assert len(simulator.requests) == 41


async def test_requests_are_sent_by_priority():
    may_answer = asyncio.Event()

    async def slow(_request):
        await may_answer.wait()
        return web.json_response({})

    async with serving(slow) as server, GitLab(server.url, concurrency=1) as gitlab:
        first = asyncio.create_task(gitlab.send(VERSION))
        await until(lambda: server.requests)
        tasks = [
            asyncio.create_task(
                gitlab._transport.send(Request("GET", f"/{priority.name}{n}"), priority)
            )
            for priority in reversed(Priority)
            for n in range(2)
        ]
        await until(lambda: gitlab.budget.snapshot().waiting == 6)
        assert gitlab._transport.idle_slots() == 0
        may_answer.set()
        await asyncio.gather(first, *tasks)
        assert gitlab._transport.idle_slots() == 1
    order = [request.path.rpartition("/")[2] for request in server.requests[1:]]
    names = ["DIRECT", "LISTING", "BACKGROUND"]
    assert order == [f"{name}{n}" for name in names for n in range(2)]


# Pauses longer than allowed


@prompt
async def test_pause_of_an_hour_raises_at_once(gitlab, simulator, clock):
    simulator.faults.add(Fault.throttled(retry_after=3600))
    with pytest.raises(RateLimitedError, match="Retry later"):
        await gitlab.send(VERSION)
    for ask in (gitlab.send(VERSION), gitlab.project(1).list_jobs(), read_trace(gitlab)):
        with pytest.raises(
            RateLimitedError, match="used up until 2025-06-15 16:06:40 UTC"
        ) as raised:
            await ask
        assert raised.value.retry_after == 3600
        assert raised.value.status == 429
    assert len(simulator.requests) == 1
    assert clock.slept == []


async def read_trace(gitlab):
    async with gitlab.project(1).stream_trace(1):
        pass


async def test_waiting_requests_are_rejected_too(simulator, clock):
    simulator.faults.add(Fault.throttled(retry_after=3600))
    async with GitLab(simulator.url, concurrency=1, clock=clock) as gitlab:
        tasks = [asyncio.create_task(gitlab.send(VERSION)) for _ in range(9)]
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert gitlab.budget.snapshot().waiting == 0
    assert [type(end) for end in ended] == [RateLimitedError] * 9
    assert len(simulator.requests) == 1


async def test_blocked_kind_does_not_block_others(gitlab, simulator, clock):
    simulator.faults.add(Fault.too_many_requests(retry_after=3600))
    for _ in range(2):
        with pytest.raises(RateLimitedError):
            await gitlab.project(1).list_jobs()
    assert len(simulator.requests) == 1
    assert (await gitlab.project(1).get_job(1)).id == 1
    assert clock.slept == []


async def test_longest_retry_after_allows_an_hour(simulator, clock):
    simulator.faults.add(Fault.throttled(retry_after=3600))
    patient = RetryPolicy(longest_retry_after=7200)
    async with GitLab(simulator.url, auth=simulator.token, retry=patient, clock=clock) as gitlab:
        assert (await gitlab.send(VERSION)).status == 200
    assert clock.slept == [3600]


async def test_waiters_of_a_blocked_kind_hold_no_slot():
    async with throttled(SimulatorSettings(), concurrency=2) as (simulator, gitlab):
        simulator.faults.add(Fault.too_many_requests(path="*/jobs/1", retry_after=10))
        project = gitlab.project(1)
        tasks = [asyncio.create_task(project.get_job(1)) for _ in range(20)]
        await until(lambda: simulator.clock.next_wake)
        await until(lambda: gitlab.budget.snapshot().in_flight == 0)
        shut = gitlab.budget.snapshot().waiting
        assert shut >= 18
        for _ in range(3):
            assert (await gitlab.send(VERSION)).status == 200
            assert len(await project.list_jobs()) == 4
        assert gitlab.budget.snapshot().waiting == shut
        await let_time_pass(gitlab, simulator.clock, tasks)
        assert [record.status for record in simulator.requests].count(429) == 1
        assert simulator.clock.now() - simulator.requests[0].at == 10


# Counting


async def test_redirects_and_retries_count(gitlab, simulator):
    simulator.world.move_project(simulator.world.project("group/app"), "group/renamed")
    await gitlab.project("group/app").get_job(1)
    assert gitlab.budget.snapshot().used == 2
    await read_trace(gitlab)
    assert gitlab.budget.snapshot().used == 3
    simulator.faults.add(Fault(reset="unanswered"))
    await gitlab.project(1).get_job(1)
    assert gitlab.budget.snapshot(simulator.clock.now()).used == len(simulator.requests) == 5


async def test_unsent_request_does_not_count(unused_tcp_port, clock):
    async with GitLab(f"http://127.0.0.1:{unused_tcp_port}", clock=clock) as gitlab:
        with pytest.raises(GitLabError):
            await gitlab.send(VERSION)
        assert gitlab.budget.snapshot().used == 0


async def test_429_of_another_host_does_not_pause(clock):
    async def busy(_request):
        return web.Response(status=429, headers={"Retry-After": "30"})

    async with serving(busy) as storage:

        async def redirect(_request):
            raise web.HTTPFound(storage.url)

        async with serving(redirect) as server:
            async with GitLab(server.url, clock=clock) as gitlab:
                with pytest.raises(RateLimitedError):
                    await gitlab.send(VERSION)
                assert gitlab.budget.blocked_for(Priority.DIRECT, clock.now()) <= 0
    assert len(storage.requests) == RetryPolicy().attempts
    assert all(30 <= seconds <= 30.5 for seconds in clock.slept)


async def test_budget_serves_one_open_client(simulator):
    budget = RequestBudget()
    for _ in range(2):
        async with GitLab(simulator.url, budget=budget) as gitlab:
            assert gitlab.budget is budget
            with pytest.raises(RuntimeError, match="in use by another open GitLab"):
                async with GitLab(simulator.url, budget=budget):
                    pass


# Clean-up


def limited(simulator, clock):
    """Return a client that sends one request a minute."""
    budget = RequestBudget(per_minute=1)
    return GitLab(simulator.url, auth=simulator.token, budget=budget, clock=clock)


@pytest.mark.parametrize("stream", [False, True])
@prompt
async def test_cancelled_waiter_leaves_nothing(stream):
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        async with limited(simulator, clock) as gitlab:
            await gitlab.send(VERSION)
            before = await others()
            ask = read_trace(gitlab) if stream else gitlab.send(VERSION)
            task = asyncio.create_task(ask)
            await until(lambda: clock.next_wake)
            assert gitlab.budget.snapshot().waiting == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await others() == before
            assert clock.next_wake is None
            assert gitlab.budget.snapshot().waiting == 0
            assert gitlab._transport.idle_slots() == 16
        assert len(simulator.requests) == 1


async def test_cancelled_waiters_permit_is_passed_on():
    async def slow(_request):
        await may_answer.wait()
        return web.json_response({})

    async def hold():
        await gitlab.send(VERSION)
        called.cancel()

    may_answer = asyncio.Event()
    async with serving(slow) as server, GitLab(server.url, concurrency=1) as gitlab:
        holder = asyncio.create_task(hold())
        await until(lambda: server.requests)
        called, behind = (asyncio.create_task(gitlab.send(VERSION)) for _ in range(2))
        await until(lambda: gitlab.budget.snapshot().waiting == 2)
        may_answer.set()
        ended = await asyncio.gather(holder, called, behind, return_exceptions=True)
        assert isinstance(ended[1], asyncio.CancelledError)
        assert ended[2].status == 200
        assert gitlab._transport.idle_slots() == 1
        assert gitlab.budget.snapshot().used == len(server.requests) == 2


@prompt
async def test_close_rejects_waiters():
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        async with limited(simulator, clock) as gitlab:
            await gitlab.send(VERSION)
            before = await others()
            tasks = [asyncio.create_task(gitlab.send(VERSION)) for _ in range(3)]
            await until(lambda: clock.next_wake)
        assert clock.next_wake is None
        for end in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(end, RuntimeError)
            assert "was closed meanwhile" in str(end)
        assert await others() == before


async def test_permit_before_429_and_close_is_rejected():
    """The 429 returns the request to the queue, which is closed."""
    budget = RequestBudget()
    limiter = limiter_of(budget)
    holding = await limiter.acquire(VERSION, Priority.DIRECT)
    refused = await limiter.acquire(VERSION, Priority.DIRECT, stream=True)
    task = asyncio.create_task(limiter.acquire(VERSION, Priority.DIRECT))
    await until(lambda: budget.snapshot().waiting == 1)
    holding.answered(Response(200, {}, b"", "GET", "u"))
    holding.release()
    refused.answered(Response(429, {}, b"", "GET", "u"))
    await limiter.close()
    with pytest.raises(RuntimeError, match="was closed meanwhile"):
        async with asyncio.timeout(5):
            await task
    assert budget.snapshot().waiting == 0


async def test_failing_clock_rejects_all_waiters(simulator):
    class Broken(SteppedClock):
        async def sleep(self, _seconds):
            raise OSError("no such clock")

    async with limited(simulator, Broken()) as gitlab:
        await gitlab.send(VERSION)
        tasks = [asyncio.create_task(gitlab.send(VERSION)) for _ in range(3)]
        for end in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(end, OSError)
        assert gitlab.budget.snapshot().waiting == 0


async def test_ten_thousand_waiters_may_be_cancelled():
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        async with limited(simulator, clock) as gitlab:
            await gitlab.send(VERSION)
            before = await others()
            paths = (Request("GET", f"/projects/{n % 100 + 1}/jobs") for n in range(10_000))
            tasks = [asyncio.create_task(gitlab.send(path)) for path in paths]
            await until(lambda: gitlab.budget.snapshot().waiting == 10_000)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert await others() == before
            assert gitlab.budget.snapshot().waiting == 0
            assert open_connections(gitlab) == 0
