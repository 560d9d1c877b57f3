"""Listings that are refused, fail or lie: no followed or awaited job ends early, late or in error.

The faults strike the listing of a project alone; each job may be read.
"""

import asyncio
import json

import pytest

from gitlab_jobs_async import GitLab, TailEnded, TailFailed
from gitlab_jobs_async.simulator import Fault, JobPlan, Simulator, SteppedClock, World
from tests.support.connections import open_connections
from tests.support.stepped_time import pass_time
from tests.support.tasks import others

LISTING = "/api/v4/projects/*/jobs"
DURATIONS = (20.0, 47.0, 90.0)


def edited(change):
    """Return an edit that applies *change* to the rows of a listing."""
    return lambda body: json.dumps(change(json.loads(body))).encode()


HOSTILE = {
    "403": Fault(path=LISTING, status=403, body=b'{"message":"403 Forbidden"}', times=None),
    "404": Fault(path=LISTING, status=404, body=b'{"message":"404 Not Found"}', times=None),
    "400": Fault(path=LISTING, status=400, body=b'{"error":"scope is invalid"}', times=None),
    "405": Fault(path=LISTING, status=405, body=b'{"error":"not allowed"}', times=None),
    "500": Fault(path=LISTING, status=500, body=b"{}", times=None),
    "web page": Fault.sign_in_page(path=LISTING, times=None),
    "cut": Fault(path=LISTING, reset="truncated", times=None),
    "empty": Fault(path=LISTING, edit=edited(lambda _: []), times=None),
    "one missing": Fault(path=LISTING, edit=edited(lambda rows: rows[1:]), times=None),
    "odd rows": Fault(path=LISTING, edit=edited(lambda _: [{"id": "x"}]), times=None),
}


@pytest.fixture(params=HOSTILE)
async def server(request):
    clock = SteppedClock()
    world = World(clock.now())
    project = world.add_project("group/many")
    jobs = [
        world.add_job(world.add_pipeline(project), "job", plan=JobPlan(queued=2, duration=seconds))
        for seconds in DURATIONS
    ]
    async with Simulator(world, clock=clock) as simulator:
        simulator.faults.add(HOSTILE[request.param])
        simulator.jobs = jobs
        yield simulator


async def run(server, call, seconds=200):
    """Run *call* with a client until it ends, and check that nothing is left."""
    async with GitLab(server.url, auth=server.token, clock=server.clock) as gitlab:
        before = await others()
        task = asyncio.ensure_future(call(gitlab))
        await pass_time(gitlab, server.clock, seconds, task.done)
        assert task.done()
        result = await task
        assert await others() == before
        assert open_connections(gitlab) == 0
    return result


async def test_waits_see_each_end(server):
    late = {}

    async def wait(gitlab, job):
        ended = await gitlab.project("group/many").wait_for_job(job.id)
        assert ended.status == "success"
        late[job.id] = server.clock.now() - job.finished_at

    async def wait_for_all(gitlab):
        await asyncio.gather(*(wait(gitlab, job) for job in server.jobs))

    await run(server, wait_for_all)
    assert max(late.values()) <= 10


async def test_logs_see_each_end(server):
    late = {}

    async def tail(gitlab):
        jobs = {job.id: job for job in server.jobs}
        async with gitlab.tail_jobs([(1, job_id) for job_id in jobs]) as items:
            async for item in items:
                assert not isinstance(item, TailFailed), item.error
                if isinstance(item, TailEnded):
                    late[item.job_id] = server.clock.now() - jobs[item.job_id].finished_at

    await run(server, tail)
    assert late.keys() == {job.id for job in server.jobs}
    assert max(late.values()) <= 10
