"""A monitor of groups on a clock that the test moves."""

import asyncio
from contextlib import asynccontextmanager

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.events import JobFinished
from gitlab_jobs_async.simulator import JobPlan, Simulator, SteppedClock
from tests.support.connections import open_connections
from tests.support.stepped_time import pass_time

START = 1_750_000_000.0
QUICK = JobPlan(queued=1, duration=20)


@asynccontextmanager
async def watched(world, *targets, settled=30, clock=None, port=0, **options):
    """Watch *targets* on a clock that the test moves; yield `step(seconds)` and the events."""
    clock = clock or SteppedClock(START)
    async with Simulator(world, clock=clock, port=port) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            seen = []

            async def read(monitor):
                async for event in monitor:
                    seen.append(event)  # noqa: PERF401 - the test reads it meanwhile

            async with gitlab.monitor(targets, **options) as monitor:
                reading = asyncio.create_task(read(monitor))

                async def step(seconds):
                    await pass_time(gitlab, clock, seconds)

                await step(settled)
                try:
                    yield step, seen, monitor, simulator
                finally:
                    reading.cancel()
                    await asyncio.gather(reading, return_exceptions=True)
            assert open_connections(gitlab) == 0


def run(world, path, name="job", plan=QUICK):
    return world.add_job(world.add_pipeline(world.project(path)), name, plan=plan)


def finished(seen):
    ends = [event for event in seen if isinstance(event, JobFinished)]
    return [(event.project_path, event.job.name) for event in ends]


def listings(simulator):
    return [request for request in simulator.requests if "/groups/" in request.path]
