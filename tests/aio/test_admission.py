"""The door that every request passes: places, lanes, limits, and nothing left behind."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest
from attrs import define, field

from gitlab_jobs_async import (
    GitLab,
    Request,
    RequestBudget,
)
from gitlab_jobs_async.simulator import Simulator, SimulatorSettings, SteppedClock
from tests.conftest import others, until

VERSION = Request("GET", "/version")
JOBS = Request("GET", "/projects/1/jobs", {"per_page": "1"})


@define
class Wire:
    """What leaves and what comes, in order, as aiohttp's own tracing tells it."""

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
        """How many were in flight when the first 429 came: no more may get one."""
        first = self.events.index(("answered", 429))
        before = self.events[:first]
        return sum(1 if what == "sent" else -1 for what, _ in before)

    @property
    def refusals(self):
        return self.events.count(("answered", 429))


@asynccontextmanager
async def throttled(settings, wire=None, **arguments):
    """A simulated server with limits, and a client on its clock."""
    clock = SteppedClock()
    async with Simulator(settings=settings, clock=clock) as simulator:
        wire = wire or Wire()
        async with wire.session() as session:
            arguments = {"auth": simulator.token, "clock": clock, "session": session} | arguments
            async with GitLab(simulator.url, **arguments) as gitlab:
                yield simulator, gitlab


async def let_time_pass(gitlab, clock, tasks):
    """Step the clock to the next alarm whenever nothing is under way, until all are done."""
    door = gitlab._transport._admission
    places = door.answers.free

    def is_still():
        waiting = sum(not task.done() for task in tasks)
        return waiting == gitlab.budget.waiting and door.answers.free == places

    while not all(task.done() for task in tasks):
        await until(is_still)
        if clock.next_wake is not None:
            clock.advance(max(0.0, clock.next_wake - clock.now()))
        await asyncio.sleep(0)


LIMITS = {
    "always": SimulatorSettings(api_limit=100),
    "throttled": SimulatorSettings(api_limit=100, rate_limit_headers="throttled"),
    "jobs, not said how long": SimulatorSettings(
        jobs_index_limit=100, jobs_index_retry_after=False
    ),
    "jobs, the full interval": SimulatorSettings(jobs_index_limit=100, jobs_index_retry_after=True),
}


@pytest.mark.parametrize("concurrency", [16, 200])
@pytest.mark.parametrize("kind", LIMITS)
async def test_after_a_429_none_is_provoked_however_many_wait(kind, concurrency):
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
