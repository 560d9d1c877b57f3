"""Pipelines of a simulated GitLab: counted when they end, also over a restart."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gitlab_jobs_async import GitLab, StoreError
from gitlab_jobs_async.events import MonitorResumed
from gitlab_jobs_async.simulator import (
    Fault,
    JobPlan,
    PipelinePlan,
    PlannedJob,
    Simulator,
    SteppedClock,
    World,
)
from gitlab_jobs_async.telemetry import JobMetrics
from gitlab_jobs_async.telemetry.metrics_file import MetricsFile
from tests.support.connections import open_connections
from tests.support.stepped_time import pass_time
from tests.support.tasks import others, prompt

START = 1_750_000_000.0
QUICK = JobPlan(queued=2, duration=20, coverage=80.0)


@pytest.fixture
def world():
    world = World(START)
    world.add_project("shop/web")
    return world


@pytest.fixture
async def simulator(world):
    async with Simulator(world, clock=SteppedClock(START)) as running:
        yield running


@pytest.fixture
async def gitlab(simulator):
    clock = simulator.clock
    async with GitLab(simulator.url, auth=simulator.token, clock=clock) as client:
        yield client


@asynccontextmanager
async def exported(gitlab, simulator, **options):
    """Yield the metrics of a monitor of "shop/web", and `step(seconds)`."""
    clock = simulator.clock

    async def read(monitor, metrics):
        async for event in monitor:
            metrics.observe(event)

    async def step(seconds):
        await pass_time(gitlab, clock, seconds)

    checkpoint = options.pop("checkpoint", None)
    monitoring = gitlab.monitor(["shop/web"], complete=True, checkpoint=checkpoint)
    with JobMetrics(clock=clock, **options) as metrics:
        async with metrics.follow_pipelines(gitlab), monitoring as monitor:
            reading = asyncio.create_task(read(monitor, metrics))
            await step(30)
            try:
                yield metrics, step
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)


def samples(metrics, name):
    """Return the samples of a metric by their labels, which are in order of name."""
    registry = CollectorRegistry()
    registry.register(metrics)
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
        if sample.name == name
    }


def ends(metrics):
    return samples(metrics, "gitlab_pipelines_finished_total")


def requests(simulator):
    return sum(
        "/pipelines/" in entry.path and not entry.path.endswith("/jobs")
        for entry in simulator.requests
    )


PUSHED = {("branch", "shop/web", "push", "success"): 1}


async def test_finished_pipeline_is_counted(world, gitlab, simulator):
    async with exported(gitlab, simulator) as (metrics, step):
        pipeline = world.add_pipeline(world.project("shop/web"))
        world.add_job(pipeline, "unit", plan=QUICK)
        world.add_job(pipeline, "deploy", stage="deploy", plan=QUICK)
        await step(20)
        assert sum(samples(metrics, "gitlab_pipelines").values()) == 1
        assert not ends(metrics)
        await step(120)
        assert ends(metrics) == PUSHED
        assert not samples(metrics, "gitlab_pipelines")
        labels = ("shop/web", "push")
        assert samples(metrics, "gitlab_pipeline_duration_seconds_sum")[labels] == pytest.approx(
            40, abs=5
        )
        queued = samples(metrics, "gitlab_pipeline_queued_duration_seconds_sum")
        assert queued[labels] == pytest.approx(2, abs=1)
        assert samples(metrics, "gitlab_pipeline_coverage_percent") == {("branch", "shop/web"): 80}
        assert requests(simulator) == 1


async def test_history_counts_nothing(world, gitlab, simulator):
    world.add_job(world.add_pipeline(world.project("shop/web")), "unit", plan=QUICK)
    simulator.clock.advance(600)
    async with exported(gitlab, simulator) as (metrics, step):
        await step(600)
        assert not ends(metrics)
        assert requests(simulator) == 0


async def test_trigger_job_delays_the_end(world, gitlab, simulator):
    """GitLab's list of jobs has no trigger jobs, but the pipeline waits for this one."""
    async with exported(gitlab, simulator) as (metrics, step):
        pipeline = world.add_pipeline(world.project("shop/web"))
        world.add_job(pipeline, "generate", plan=QUICK)
        child = PipelinePlan(
            jobs=[PlannedJob("child", "test", JobPlan(duration=300, outcome="failed"))],
            depend=True,
        )
        world.add_bridge(pipeline, "trigger", stage="deploy", downstream=child)
        await step(120)
        assert not ends(metrics)
        await step(600)
        found = ends(metrics)
        assert found["branch", "shop/web", "push", "failed"] == 1
        assert found["branch", "shop/web", "parent_pipeline", "failed"] == 1


async def test_restart_counts_the_end_once(world, gitlab, simulator, tmp_path):
    files = {"checkpoint": tmp_path / "ci.db", "file": tmp_path / "ci.db.metrics"}
    async with exported(gitlab, simulator, **files) as (metrics, step):
        done = world.add_pipeline(world.project("shop/web"))
        world.add_job(done, "unit", plan=QUICK)
        late = world.add_pipeline(world.project("shop/web"))
        world.add_job(late, "unit", plan=JobPlan(duration=200))
        await step(100)
        assert ends(metrics) == PUSHED
    simulator.clock.advance(600)
    async with exported(gitlab, simulator, **files) as (metrics, step):
        assert ends(metrics).keys() == PUSHED.keys()
        for _ in range(10):  # a slow disk takes time that the clock of the test does not measure
            await step(60)
            if ends(metrics) != PUSHED:
                break
        assert ends(metrics) == dict.fromkeys(PUSHED, 2)
        assert requests(simulator) == 2


async def test_pending_request_survives_a_restart(world, gitlab, simulator, tmp_path):
    """The last event is stored, and the process is killed before the request."""
    files = {"checkpoint": tmp_path / "ci.db", "file": tmp_path / "ci.db.metrics"}
    async with exported(gitlab, simulator, **files) as (metrics, step):
        world.add_job(world.add_pipeline(world.project("shop/web")), "unit", plan=QUICK)
        simulator.faults.add(Fault(path="*/pipelines/*", status=500, times=None))
        await step(120)
        assert not ends(metrics)
    simulator.faults.clear()
    async with exported(gitlab, simulator, **files) as (metrics, step):
        await step(120)
        assert ends(metrics) == PUSHED


async def test_deleted_pipeline_is_forgotten(world, gitlab, simulator):
    async with exported(gitlab, simulator) as (metrics, step):
        simulator.faults.add(Fault(path="*/pipelines/*", status=404, times=None))
        world.add_job(world.add_pipeline(world.project("shop/web")), "unit", plan=QUICK)
        await step(120)
        assert not ends(metrics)
        assert not samples(metrics, "gitlab_pipelines")


@prompt
async def test_cancelled_request_leaves_nothing(world, gitlab, simulator):
    before, held = await others(), Fault(path="*/pipelines/*", latency=1000.0, times=None)
    simulator.faults.add(held)
    async with exported(gitlab, simulator):
        world.add_job(world.add_pipeline(world.project("shop/web")), "unit", plan=QUICK)
        while not simulator.faults.count(held):
            simulator.clock.advance(1.0)
            await asyncio.sleep(0.005)
        assert open_connections(gitlab)
    assert await others() == before
    assert open_connections(gitlab) == 0
    simulator.clock.advance(2000)


async def test_early_exit_leaves_no_task(gitlab, simulator):
    before = await others()
    metrics = JobMetrics(clock=simulator.clock)
    with pytest.raises(ZeroDivisionError):
        async with metrics.follow_pipelines(gitlab):
            raise ZeroDivisionError
    assert await others() == before
    assert open_connections(gitlab) == 0


async def test_unwritable_file_fails_the_next_event(
    world, gitlab, simulator, tmp_path, monkeypatch
):
    def store(_file, _jobs, key=None):
        if key is None:
            raise StoreError("x.metrics", "disk full")

    async def observe_after_the_failure():
        async with exported(gitlab, simulator, file=tmp_path / "x.metrics") as (metrics, step):
            world.add_job(world.add_pipeline(world.project("shop/web")), "unit", plan=QUICK)
            monkeypatch.setattr(MetricsFile, "store", store)
            await step(100)
            with pytest.raises(StoreError, match="disk full"):
                metrics.observe(MonitorResumed(key="a", kind=""))

    with pytest.raises(StoreError, match="disk full"):
        await observe_after_the_failure()
