"""Many waits at once, over real connections: one listing a project, and every end within seconds.

A stepped clock passes time only while no request is in flight.
"""

import asyncio
from collections import Counter
from statistics import median

import pytest
from attrs import evolve

from gitlab_jobs_async import GitLab, NotFoundError, PollPolicy
from gitlab_jobs_async.simulator import (
    Fault,
    JobPlan,
    Simulator,
    SimulatorSettings,
    SteppedClock,
)
from tests.support.connections import open_connections
from tests.support.stepped_time import pass_time, settled
from tests.support.tasks import others, until

FAULTS = {
    "502": Fault.bad_gateway(),
    "reset": Fault(reset="unanswered"),
    "429": Fault.throttled(retry_after=1),
    "cut": Fault(reset="truncated"),
}


def add_jobs(world, path, durations, queued=2.0):
    """Return the jobs of a project by the seconds that they run, each in a pipeline of its own."""
    project = world.registry.paths.get(path) or world.add_project(path)
    plans = (JobPlan(queued=queued, duration=seconds) for seconds in durations)
    return [world.add_job(world.add_pipeline(project), "job", plan=plan) for plan in plans]


def kinds(simulator):
    """Return how many requests were listings, and how many named one job or pipeline."""
    last = (request.path.rsplit("/", 1)[-1] for request in simulator.requests)
    return Counter("single" if name.isdigit() else "listing" for name in last)


class Waits:
    """Waits for many jobs of one simulator, and the seconds by which each was late."""

    def __init__(self, simulator, gitlab, clock):
        self.simulator, self.gitlab, self.clock = simulator, gitlab, clock
        self.late = {}

    async def wait(self, project, job, *, pipeline=False, **options):
        end = self.clock.now() + job.plan.queued + job.plan.duration
        project = self.gitlab.project(project)
        if pipeline:
            ended = await project.wait_for_pipeline(job.pipeline.id, **options)
        else:
            ended = await project.wait_for_job(job.id, **options)
        assert ended.status == job.plan.outcome
        self.late[job.id] = self.clock.now() - end
        return ended

    async def run(self, *calls, seconds=3600):
        """Return the results of *calls* or their errors, and check that nothing is left."""
        before = await others()
        task = asyncio.gather(*calls, return_exceptions=True)
        await pass_time(self.gitlab, self.clock, seconds, task.done)
        results = await task
        assert await others() == before
        assert open_connections(self.gitlab) == 0
        return results


@pytest.fixture
async def waits(request):
    """Waits on a server with the settings that a test may name."""
    clock = SteppedClock()
    settings = SimulatorSettings(**getattr(request, "param", {}))
    async with Simulator(clock=clock, settings=settings) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            yield Waits(simulator, gitlab, clock)


@pytest.mark.parametrize("pipeline", [False, True])
async def test_waits_of_a_project_share_listings(waits, pipeline):
    durations = [20 + 6.18 * number for number in range(30)]
    jobs = add_jobs(waits.simulator.world, "group/many", durations)
    await waits.run(*(waits.wait("group/many", job, pipeline=pipeline) for job in jobs))
    assert len(waits.late) == 30
    assert median(waits.late.values()) <= 5
    assert max(waits.late.values()) <= 10
    found = kinds(waits.simulator)
    # Four minutes have 48 intervals, and the first polls may need pages of their own.
    assert found["listing"] <= 60
    # The end of each, and for a pipeline each change of its status.
    assert found["single"] <= 30 * (4 if pipeline else 2)


@pytest.mark.parametrize("pipeline", [False, True])
@pytest.mark.parametrize("waits", [{"api_limit": 600}], indirect=True)
@pytest.mark.no_cover("repeats the same lines for 300 waits")
async def test_three_hundred_waits_fit_the_limit(waits, pipeline):
    world, calls = waits.simulator.world, []
    for number in range(10):
        path = f"group/app-{number}"
        jobs = add_jobs(world, path, [60 + 4.1 * n + number / 3 for n in range(30)])
        calls += [waits.wait(path, job, pipeline=pipeline) for job in jobs]
    await waits.run(*calls)
    assert len(waits.late) == 300
    assert median(waits.late.values()) <= 15
    assert not [request for request in waits.simulator.requests if request.status == 429]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_every_third_response_may_fail(waits, fault):
    waits.simulator.faults.add(evolve(fault, every=3, times=None))
    jobs = add_jobs(waits.simulator.world, "group/many", [10 + 7.7 * n for n in range(10)])
    await waits.run(*(waits.wait("group/many", job) for job in jobs))
    assert len(waits.late) == 10
    assert max(waits.late.values()) <= 12


@pytest.mark.parametrize("waits", [{"version": "15.0"}], indirect=True)
async def test_old_server_lists_open_jobs(waits):
    """It has no keyset pagination of jobs, and refuses a scope of newer statuses."""
    jobs = add_jobs(waits.simulator.world, "group/many", [30 + 7.7 * n for n in range(10)])
    await waits.run(*(waits.wait("group/many", job) for job in jobs))
    assert len(waits.late) == 10
    assert max(waits.late.values()) <= 10
    assert kinds(waits.simulator)["single"] <= 12
    refused = [request for request in waits.simulator.requests if request.status >= 400]
    assert len(refused) <= 2


async def test_jobs_by_path_and_by_id_share_listings(waits):
    world = waits.simulator.world
    jobs = add_jobs(world, "group/many", [60.0 + n for n in range(8)])
    number = world.registry.paths["group/many"].id
    names = ("group/many", number)
    await waits.run(*(waits.wait(names[job.id % 2], job) for job in jobs))
    assert len(waits.late) == 8
    assert max(waits.late.values()) <= 10
    # Both names list at first, until one answer has shown that they are the same.
    assert kinds(waits.simulator)["listing"] <= 17


async def test_deleted_job_ends_only_its_own_wait(waits):
    world = waits.simulator.world
    jobs = add_jobs(world, "group/many", [100.0, 100.0, 100.0])
    gone = jobs[1]
    waits.simulator.faults.add(Fault(skip=4, effect=lambda: world.delete_job(gone)))
    results = await waits.run(*(waits.wait("group/many", job) for job in jobs))
    assert isinstance(results[1], NotFoundError)
    assert waits.late.keys() == {jobs[0].id, jobs[2].id}
    assert max(waits.late.values()) <= 10


async def test_cancelled_wait_leaves_the_others_alone(waits):
    """It is cancelled while the listing that it sent for all is in flight."""
    jobs = add_jobs(waits.simulator.world, "group/many", [30.0, 30.0, 30.0])
    before = await others()
    waits.simulator.faults.add(Fault(latency=2.0, path="*/jobs"))
    # The first one asks for its own job, as it knows of no other yet; the second one lists.
    first, sender, third = (asyncio.ensure_future(waits.wait("group/many", job)) for job in jobs)
    await until(lambda: waits.clock.next_wake)
    sender.cancel()
    await asyncio.wait([sender])
    rest = first, third
    await pass_time(waits.gitlab, waits.clock, 120, lambda: all(one.done() for one in rest))
    for one in rest:
        assert (await one).status == "success"
    assert max(waits.late.values()) <= 10
    assert await others() == before
    assert open_connections(waits.gitlab) == 0


async def test_cancelled_waits_leave_nothing(waits):
    jobs = add_jobs(waits.simulator.world, "group/many", [3000.0] * 20)
    before = await others()
    tasks = [asyncio.ensure_future(waits.wait("group/many", job)) for job in jobs]
    await pass_time(waits.gitlab, waits.clock, 12)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await settled(waits.gitlab)
    sent = len(waits.simulator.requests)
    await pass_time(waits.gitlab, waits.clock, 60)
    assert len(waits.simulator.requests) == sent
    assert await others() == before
    assert open_connections(waits.gitlab) == 0


@pytest.mark.parametrize("minutes", [0.1, 2, 30])
@pytest.mark.parametrize("pipeline", [False, True])
async def test_end_of_one_is_seen_within_ten_seconds(waits, pipeline, minutes):
    (job,) = add_jobs(waits.simulator.world, "group/one", [60 * minutes], queued=3.7)
    await waits.run(waits.wait("group/one", job, pipeline=pipeline))
    assert waits.late[job.id] <= 10
    took = job.plan.queued + job.plan.duration + waits.late[job.id]
    assert len(waits.simulator.requests) <= 2 + took / 5


async def test_interval_of_policy_is_kept(waits):
    (job,) = add_jobs(waits.simulator.world, "group/one", [600.0])
    await waits.run(waits.wait("group/one", job, polling=PollPolicy(interval=20)))
    assert waits.late[job.id] <= 20
    assert len(waits.simulator.requests) <= 32


async def test_old_job_costs_no_deep_listing(waits):
    """Two waits: one for a job below 400 newer ones that are open."""
    world = waits.simulator.world
    (old,) = add_jobs(world, "group/many", [100.0])
    add_jobs(world, "group/many", [3000.0] * 400)
    (new,) = add_jobs(world, "group/many", [100.0])
    await waits.run(*(waits.wait("group/many", job) for job in (old, new)))
    assert max(waits.late.values()) <= 10
    # As many as two waits that share nothing.
    assert len(waits.simulator.requests) <= 2 * (110 / 5 + 2)
