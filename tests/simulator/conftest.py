"""Serve a simulator per test on a stepped clock."""

import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from gitlab_jobs_async.simulator import (
    JobPlan,
    PipelinePlan,
    PlannedJob,
    Simulator,
    SimulatorSettings,
    SteppedClock,
    World,
)
from tests.support.gitlab_api import Api

START = 1_750_000_000.0


@pytest.fixture
def clock():
    return SteppedClock(START)


@pytest.fixture
async def serve(clock) -> AsyncIterator:
    """Serve a world: `api = await serve(world, byte_ranges=False)`."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(world=None, **settings):
            gitlab = Simulator(world, SimulatorSettings(**settings), clock)
            await stack.enter_async_context(gitlab)
            session = aiohttp.ClientSession(auto_decompress=False)
            await stack.enter_async_context(session)
            return Api(gitlab, session)

        yield start


@pytest.fixture
def world() -> World:
    """Return three projects with a member of every role; each job is named by its purpose."""
    world = World(START - 100)
    names = ("gus", "rita", "bob", "maria", "eve")
    gus, rita, bob, maria, _eve = (world.add_user(name) for name in names)
    world.add_user("bill", state="blocked")
    members = {gus: "guest", rita: "reporter", bob: "developer", maria: "maintainer"}
    app = world.add_project("group/app", members=members)
    world.add_project("group/closed", members=members, public_jobs=False)
    world.add_project("open/lib", visibility="public")
    push = world.add_pipeline(app, stages=("build", "test", "deploy"), user=bob)
    reports = {"reports/junit.xml": b"<testsuite/>", "app.txt": b"app"}
    add = world.add_job
    add(push, "compile", stage="build", plan=JobPlan(duration=10, artifacts=reports, coverage=87.5))
    add(push, "unit", plan=JobPlan(duration=600, log=b"line of the log\n" * 640))
    add(push, "flaky", plan=JobPlan(duration=10, outcome="failed", attempts=(JobPlan(),)))
    add(push, "graceful", plan=JobPlan(duration=600, after_script=20))
    add(push, "deploy", stage="build", plan=JobPlan(when="manual", inputs={"target": "staging"}))
    add(push, "stuck", plan=JobPlan(queued=1e9, tags=("gpu", "arm")))
    child = PipelinePlan(jobs=(PlannedJob("child job", plan=JobPlan(duration=600)),))
    world.add_bridge(push, "trigger", stage="build", downstream=child)
    add(push, "debug", stage="build", plan=JobPlan(duration=5, debug_trace=True))
    add(push, "ship", stage="deploy")
    world.settle(START)
    return world


@pytest.fixture
async def api(serve, world) -> Api:
    return await serve(world)


@pytest.fixture
def job(world):
    """Find the newest job with a name."""

    def find(name):
        found = [row for row in world.jobs.values() if row.name == name]
        return max(found, key=lambda row: row.id)

    return find


@pytest.fixture
def graphql(api):
    """Run a query as an administrator: `await graphql("{ metadata { version } }", name=value)`."""
    return api.graphql
