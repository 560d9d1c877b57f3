"""Waits for a job or a pipeline: they return its end, tolerate outages and leave nothing."""

import asyncio
import logging
import pickle

import pytest
from aiohttp import web

from gitlab_jobs_async import (
    AuthenticationError,
    ConnectionFailedError,
    GitLab,
    GitLabError,
    JobStatus,
    NotFoundError,
    PermissionDeniedError,
    PollPolicy,
    RetryPolicy,
    ServerError,
    WaitTimedOutError,
)
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.simulator import (
    Fault,
    JobPlan,
    Simulator,
    SimulatorSettings,
    SteppedClock,
)
from tests.support.cancellation import cancel_half_way
from tests.support.connections import open_connections
from tests.support.servers import serving
from tests.support.tasks import others, prompt, until

COMPILE, UNIT, FLAKY, DEPLOY = 1, 2, 3, 4
ONCE = RetryPolicy(attempts=1)


def add_jobs(world, *plans):
    """Return the jobs of a new pipeline, one for each plan."""
    pipeline = world.add_pipeline(world.project("group/app"))
    return [world.add_job(pipeline, f"job {n}", plan=plan) for n, plan in enumerate(plans)]


def requests(simulator):
    return [
        (request.method, request.path.removeprefix("/api/v4")) for request in simulator.requests
    ]


class CountingClock(SteppedClock):
    """One clock for client and server; `driven` moves it."""

    @property
    def sleepers(self):
        return sum(not entry[3].done() for entry in self._sleepers)


async def driven(clock, call, sleepers=2):
    """Return the result of *call*; advance the clock whenever this many *sleepers* wait."""
    task = asyncio.ensure_future(call)
    while True:
        await until(lambda: task.done() or clock.sleepers >= sleepers)
        if task.done():
            return await task
        clock.advance(clock.next_wake - clock.now())
        await others()


async def test_wait_returns_ended_job(simulator, project, world):
    (job,) = add_jobs(world, JobPlan(queued=20.0, duration=100.0))
    seen = []
    ended = await project.wait_for_job(job.id, progress=lambda job: seen.append(job.status))
    assert (ended.id, ended.status) == (job.id, "success")
    assert seen == ["pending", "running", "success"]
    assert set(requests(simulator)) == {("GET", f"/projects/group%2Fapp/jobs/{job.id}")}
    assert len(simulator.requests) < 30


@pytest.mark.parametrize("outcome", ["success", "failed", "canceled", "skipped"])
async def test_wait_ends_with_any_final_status(project, world, outcome):
    (job,) = add_jobs(world, JobPlan(queued=5.0, duration=5.0, outcome=outcome))
    assert (await project.wait_for_job(job.id)).status == outcome


async def test_wait_outlasts_a_manual_job(simulator, project, world):
    deploy = world.jobs[DEPLOY]
    simulator.faults.add(Fault(skip=20, effect=lambda: world.play(deploy)))
    seen = []
    ended = await project.wait_for_job(DEPLOY, progress=lambda job: seen.append(job.status))
    assert ended.status == "success"
    assert seen[0] == "manual"
    assert seen[-1] == "success"


async def test_polls_are_frequent_after_a_change(simulator, project, world):
    (job,) = add_jobs(world, JobPlan(queued=1200.0, duration=70.0))
    counts = []
    await project.wait_for_job(job.id, progress=lambda _: counts.append(len(simulator.requests)))
    _, running, ended = counts
    assert ended - running >= 5


@prompt
async def test_wait_ends_before_an_automatic_retry(project, world):
    """GitLab retries a failed job as a new job with another id."""
    plan = JobPlan(queued=1.0, duration=9.0, outcome="failed", auto_retry=1, attempts=(JobPlan(),))
    (job,) = add_jobs(world, plan)
    ended = await project.wait_for_job(job.id)
    assert (ended.id, ended.status) == (job.id, "failed")
    (latest,) = await project.list_pipeline_jobs(ended.pipeline.id)
    assert (latest.name, latest.id > job.id) == (ended.name, True)
    assert (await project.wait_for_job(latest.id)).status == "success"


async def test_unknown_status_is_not_final():
    """Newer servers may have statuses that are unknown here."""
    statuses = ["levitating"] * 5 + ["success"]

    async def answer(_request):
        found = {"id": 7, "status": statuses.pop(0), "stage": "a", "name": "b"}
        return web.json_response(found)

    clock = CountingClock()
    async with serving(answer) as server, GitLab(server.url, auth="t", clock=clock) as gitlab:
        seen = []
        waiting = gitlab.project(1).wait_for_job(7, progress=seen.append)
        assert (await driven(clock, waiting, sleepers=1)).status == "success"
    assert [job.status for job in seen] == ["levitating", "success"]


FAULTS = {
    "bad gateway": Fault(status=502, skip=2, times=4),
    "sign-in page": Fault.sign_in_page(times=3),
    "reset": Fault(reset="before", times=5),
    "cut": Fault(reset="truncated", skip=1, times=5),
    "throttled": Fault.throttled(times=2),
    "none": Fault(times=0),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_outage_is_tolerated_and_logged_once(simulator, clock, world, fault, caplog):
    caplog.set_level(logging.WARNING)
    (job,) = add_jobs(world, JobPlan(queued=5.0, duration=50.0))
    simulator.faults.clear()
    simulator.faults.add(fault)
    async with GitLab(simulator.url, auth=simulator.token, clock=clock, retry=ONCE) as gitlab:
        assert (await gitlab.project(1).wait_for_job(job.id)).status == "success"
        pipeline = await gitlab.project(1).wait_for_pipeline(job.pipeline.id)
        assert pipeline.status == "success"
    assert len(caplog.records) == (fault is not FAULTS["none"])


async def test_success_ends_an_outage(simulator, clock, world):
    (job,) = add_jobs(world, JobPlan(duration=600.0))
    simulator.faults.add(Fault(status=502, every=2, times=None))
    async with GitLab(simulator.url, auth=simulator.token, clock=clock, retry=ONCE) as gitlab:
        ended = await gitlab.project(1).wait_for_job(
            job.id, polling=PollPolicy(outage_timeout=40.0)
        )
    assert ended.status == "success"


@pytest.mark.parametrize("outage_timeout", [0, 100.0])
async def test_wait_raises_error_after_outage_timeout(simulator, clock, world, outage_timeout):
    (job,) = add_jobs(world, JobPlan(duration=5.0))
    began = clock.now()
    simulator.faults.add(Fault.bad_gateway(times=None))
    async with GitLab(simulator.url, auth=simulator.token, clock=clock, retry=ONCE) as gitlab:
        with pytest.raises(ServerError, match="502"):
            await gitlab.project(1).wait_for_job(
                job.id, polling=PollPolicy(outage_timeout=outage_timeout)
            )
    assert clock.now() - began == pytest.approx(outage_timeout, abs=0.01)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthenticationError), (403, PermissionDeniedError), (404, NotFoundError)],
)
@pytest.mark.parametrize("name", ["wait_for_job", "wait_for_pipeline"])
@prompt
async def test_refusal_is_raised_at_once(simulator, project, name, status, kind):
    simulator.faults.add(Fault(status=status, body=b"{}", skip=3, times=None))
    with pytest.raises(kind):
        await getattr(project, name)(1 if name == "wait_for_pipeline" else UNIT)
    assert len(simulator.requests) == 4
    assert not await others()


@pytest.fixture
async def driven_gitlab():
    """A client and the default world on one clock, which `driven` moves."""
    clock = CountingClock()
    async with Simulator(clock=clock) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            yield clock, simulator, gitlab


@pytest.mark.parametrize("timeout", [None, 1])
@prompt
async def test_ended_job_costs_one_request(driven_gitlab, timeout):
    clock, simulator, gitlab = driven_gitlab
    seen = []
    waiting = gitlab.project(1).wait_for_job(COMPILE, timeout=timeout, progress=seen.append)
    assert seen == [await driven(clock, waiting)]
    assert len(simulator.requests) == 1
    assert not clock.sleepers


async def test_timeout_has_the_last_state(driven_gitlab):
    clock, simulator, gitlab = driven_gitlab
    before, began = await others(), clock.now()
    for name, number in [("job", UNIT), ("pipeline", 1)]:
        wait = getattr(gitlab.project(1), f"wait_for_{name}")
        with pytest.raises(WaitTimedOutError) as raised:
            await driven(clock, wait(number, timeout=60))
        error = raised.value
        assert isinstance(error, TimeoutError)
        assert isinstance(error, GitLabError)
        assert (error.last.id, error.last.status, error.timeout) == (number, "running", 60)
        said = f"{name} {number} has not ended within 60 s; it was last seen running"
        assert str(error) == said
        copy = pickle.loads(pickle.dumps(error))
        assert (str(copy), copy.last) == (said, error.last)
        assert await others() == before
    assert clock.now() - began == 120
    assert {method for method, _ in requests(simulator)} == {"GET"}
    assert not simulator.world.jobs[UNIT].complete


async def test_timeout_ends_a_pending_request(driven_gitlab):
    clock, simulator, gitlab = driven_gitlab
    simulator.faults.add(Fault(latency=10_000.0, times=None))
    began = clock.now()
    with pytest.raises(WaitTimedOutError) as raised:
        await driven(clock, gitlab.project(1).wait_for_job(UNIT, timeout=60))
    assert raised.value.last is None
    assert "never seen" in str(raised.value)
    assert clock.now() - began == 60
    assert open_connections(gitlab) == 0
    clock.advance(10_000)


@pytest.mark.parametrize("ends_at", [40.0, 50.0, 55.0, 57.9])
async def test_end_just_before_timeout_is_seen(driven_gitlab, ends_at):
    clock, simulator, gitlab = driven_gitlab
    (job,) = add_jobs(simulator.world, JobPlan(queued=0.0, duration=ends_at))
    waiting = gitlab.project(1).wait_for_job(job.id, timeout=62, polling=PollPolicy(interval=30))
    assert (await driven(clock, waiting)).status == "success"


@pytest.mark.parametrize("name", ["wait_for_job", "wait_for_pipeline"])
@prompt
async def test_wait_cancelled_half_way_leaves_nothing(simulator, gitlab, project, name):
    call = getattr(project, name)(1, progress=print, timeout=None)
    await cancel_half_way(simulator, gitlab, call)


@pytest.mark.parametrize("timeout", [None, 500])
@prompt
async def test_wait_cancelled_while_idle_leaves_nothing(driven_gitlab, timeout):
    clock, simulator, gitlab = driven_gitlab
    before = await others()
    task = asyncio.create_task(gitlab.project(1).wait_for_job(UNIT, timeout=timeout))
    await until(lambda: clock.sleepers == (1 if timeout is None else 2))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await others() == before
    assert open_connections(gitlab) == 0
    assert {method for method, _ in requests(simulator)} == {"GET"}


async def test_outer_timeout_leaves_nothing(driven_gitlab):
    clock, _, gitlab = driven_gitlab
    before = await others()
    task = asyncio.create_task(gitlab.project(1).wait_for_pipeline(1, timeout=500))
    await until(lambda: clock.sleepers == 2)
    with pytest.raises(TimeoutError) as raised:
        async with asyncio.timeout(0):
            await task
    assert not isinstance(raised.value, GitLabError)
    assert await others() == before


async def test_progress_may_be_a_coroutine_function(project, world):
    (job,) = add_jobs(world, JobPlan(queued=5.0, duration=20.0))
    seen = []

    async def progress(job):
        await asyncio.sleep(0)
        seen.append(job.status)

    await project.wait_for_job(job.id, progress=progress)
    assert seen == ["pending", "running", "success"]


async def test_end_counts_despite_slow_progress(driven_gitlab):
    clock, _, gitlab = driven_gitlab

    async def progress(_job):
        await clock.sleep(1000)

    waiting = gitlab.project(1).wait_for_job(COMPILE, timeout=60, progress=progress)
    assert (await driven(clock, waiting)).status == "success"
    assert not clock.sleepers


@pytest.mark.parametrize("timeout", [None, 60])
@prompt
async def test_error_in_progress_ends_the_wait(driven_gitlab, timeout):
    clock, _, gitlab = driven_gitlab

    def progress(_job):
        raise ConnectionFailedError("my own", "GET", "http://elsewhere.example")

    with pytest.raises(ConnectionFailedError, match="my own"):
        await driven(
            clock, gitlab.project(1).wait_for_job(UNIT, progress=progress, timeout=timeout)
        )
    assert not await others()
    assert open_connections(gitlab) == 0


async def test_pipeline_poll_is_one_request(simulator, project, world):
    jobs = add_jobs(world, JobPlan(duration=40.0), JobPlan(duration=90.0, outcome="failed"))
    ended = await project.wait_for_pipeline(jobs[0].pipeline.id)
    assert (ended.status, ended.finished_at is not None) == ("failed", True)
    (path,) = {path for _, path in requests(simulator)}
    assert path == f"/projects/group%2Fapp/pipelines/{ended.id}"
    assert len(simulator.requests) < 30


async def test_polls_have_background_priority(gitlab, project):
    send, priorities = gitlab._transport.send, set()

    def noted(request, priority=Priority.DIRECT, **options):
        priorities.add(priority)
        return send(request, priority, **options)

    gitlab._transport.send = noted
    await project.wait_for_job(UNIT)
    await project.play_job(DEPLOY)
    assert priorities == {Priority.BACKGROUND, Priority.DIRECT}
    priorities.clear()
    await project.wait_for_pipeline(1, progress=print)
    assert priorities == {Priority.BACKGROUND}


async def test_pipeline_progress_has_its_jobs(project, world):
    jobs = add_jobs(world, JobPlan(queued=3.0, duration=40.0), JobPlan(queued=3.0, duration=90.0))
    seen = []

    def progress(pipeline, jobs):
        seen.append((pipeline.status, [job.status for job in reversed(jobs)]))

    ended = await project.wait_for_pipeline(jobs[0].pipeline.id, progress=progress)
    assert ended.status == "success"
    assert seen == [
        ("pending", ["pending", "pending"]),
        ("running", ["running", "running"]),
        ("running", ["success", "running"]),
        ("success", ["success", "success"]),
    ]


async def test_status_of_the_pipeline_decides(clock):
    """GitLab updates a pipeline some time after its last job has ended."""
    settings = SimulatorSettings(pipeline_status_delay=45.0)
    async with Simulator(settings=settings, clock=clock.stepped) as simulator:
        (job,) = add_jobs(simulator.world, JobPlan(queued=1.0, duration=30.0))
        seen = []
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            ended = await gitlab.project(1).wait_for_pipeline(
                job.pipeline.id, progress=lambda pipeline, jobs: seen.append((pipeline, jobs))
            )
    assert ended.status == "success"
    lagging = [jobs for pipeline, jobs in seen if not pipeline.status.is_finished]
    assert [job.status for job in lagging[-1]] == ["success"]


async def test_wait_outlasts_a_blocked_pipeline(simulator, project, world):
    (job,) = add_jobs(world, JobPlan(when="manual", allow_failure=False))
    simulator.faults.add(Fault(skip=15, effect=lambda: world.play(job)))
    seen = []
    ended = await project.wait_for_pipeline(
        job.pipeline.id, progress=lambda pipeline, _: seen.append(pipeline.status)
    )
    assert seen[0] == JobStatus.MANUAL
    assert ended.status == "success"


async def test_hundred_concurrent_waits(project, world):
    jobs = add_jobs(world, *[JobPlan(duration=float(10 * n)) for n in range(100)])
    ended = await asyncio.gather(*(project.wait_for_job(job.id) for job in jobs))
    assert [job.id for job in ended] == [job.id for job in jobs]
    assert {job.status for job in ended} == {"success"}


@pytest.mark.parametrize("name", ["wait_for_job", "wait_for_pipeline"])
@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((0,), {}, "_id must be a whole number above 0, not 0"),
        ((True,), {}, "_id must be"),
        ((1,), {"timeout": 0}, "timeout must be a number of seconds above 0, not 0"),
        ((1,), {"timeout": "5"}, "timeout must be"),
        ((1,), {"progress": 7}, "progress must be a function or a coroutine function, not 7"),
        ((1,), {"polling": 5}, "polling must be a PollPolicy"),
    ],
)
async def test_invalid_input_is_refused_at_once(simulator, project, name, args, kwargs, said):
    with pytest.raises((TypeError, ValueError), match=said):
        await getattr(project, name)(*args, **kwargs)
    assert simulator.requests == []
