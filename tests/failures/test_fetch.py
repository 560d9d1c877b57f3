"""`list_failures` groups failed jobs, marks flaky ones, and stops where the period begins."""

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from gitlab_jobs_async import FailureGroup, GitLab, NotFoundError, to_json
from gitlab_jobs_async.simulator import Fault, JobPlan
from tests.support.cancellation import cancel_half_way
from tests.support.servers import serving
from tests.support.tasks import others

HOUR = timedelta(hours=1)
PASSES = JobPlan(queued=0, duration=5)
FAILS = JobPlan(queued=0, duration=5, outcome="failed")


@pytest.fixture
def project(simulator):
    return simulator.world.add_project("shop/api")


@pytest.fixture
def run(simulator, project):
    """Run a pipeline of jobs, and return them when they have finished."""

    def run(names, plan=FAILS, **options):
        pipeline = simulator.world.add_pipeline(project, **options)
        jobs = [simulator.world.add_job(pipeline, name, plan=plan) for name in names]
        simulator.clock.advance(60)
        return jobs

    return run


async def test_failures_group_by_name_and_reason(gitlab, run):
    stuck = JobPlan(queued=0, duration=5, outcome="failed", failure_reason="no_updates_running")
    first = run(["unit", "lint"], ref="main")
    second = run(["unit"], ref="topic")
    third = run(["unit"], stuck)
    run(["unit"], PASSES)
    found = await gitlab.list_failures(["shop/api"], since=HOUR)
    ids = [(group.name, group.reason, group.job_ids) for group in found]
    assert ids == [
        ("unit", "script_failure", (second[0].id, first[0].id)),
        ("unit", "no_updates_running", (third[0].id,)),
        ("lint", "script_failure", (first[1].id,)),
    ]
    assert (found[0].count, found[0].newest.id) == (2, second[0].id)
    assert (found[0].project, found[0].refs) == ("shop/api", ("topic", "main"))
    assert not any(group.is_flaky for group in found)
    assert b'"flaky_ids":[]' in to_json(found[0])


async def test_failures_of_projects_are_apart(gitlab, run):
    run(["flaky"])
    found = await gitlab.list_failures(["shop/api", 1, "shop/api"], since=timedelta(days=1))
    assert [(group.project, group.count) for group in found] == [("shop/api", 1), (1, 1)]
    assert await gitlab.list_failures([], since=HOUR) == []


async def test_success_after_failure_is_flaky(gitlab, simulator, run):
    passes_again = JobPlan(queued=0, duration=5, outcome="failed", attempts=(FAILS, PASSES))
    [job] = run(["unit"], passes_again)
    second = simulator.world.retry(job)
    simulator.clock.advance(60)
    third = simulator.world.retry(second)
    simulator.clock.advance(60)
    [group] = await gitlab.list_failures(["shop/api"], since=HOUR)
    assert third.status == "success"
    assert group.job_ids == group.flaky_ids == (second.id, job.id)
    assert group.is_flaky


async def test_failure_after_success_is_not_flaky(gitlab, simulator, run):
    [job] = run(["unit"], JobPlan(queued=0, duration=5, attempts=(FAILS,)))
    failed = simulator.world.retry(job)
    simulator.clock.advance(60)
    [group] = await gitlab.list_failures(["shop/api"], since=HOUR)
    assert (group.job_ids, group.flaky_ids) == ((failed.id,), ())


async def test_success_elsewhere_is_not_flaky(gitlab, run):
    run(["unit"])
    run(["unit"], PASSES)
    run(["lint"], PASSES)
    [group] = await gitlab.list_failures(["shop/api"], since=HOUR)
    assert not group.is_flaky


async def test_project_without_failures_costs_one(gitlab, simulator, run):
    run(["unit"], PASSES)
    assert await gitlab.list_failures(["shop/api"], since=HOUR) == []
    assert len(simulator.requests) == 1


async def test_long_search_asks_the_pipeline(gitlab, simulator, run):
    plan = JobPlan(queued=0, duration=5, outcome="failed", attempts=(PASSES,))
    [job] = run(["unit"], plan)
    retried = simulator.world.retry(job)
    for _ in range(5):
        run([f"job {number}" for number in range(50)], PASSES)
    [group] = await gitlab.list_failures(["shop/api"], since=HOUR)
    assert retried.status == "success"
    assert group.flaky_ids == (job.id,)
    paths = [request.path.rpartition("/projects/")[2] for request in simulator.requests]
    assert [path.count("pipelines") for path in paths] == [0, 0, 1]


async def test_retried_success_counts_in_pipeline(gitlab, simulator, run):
    """The pipeline's listing leaves retried jobs out, unless it is asked for them."""
    plan = JobPlan(queued=0, duration=5, outcome="failed", attempts=(PASSES, FAILS))
    [first] = run(["unit"], plan)
    passed = simulator.world.retry(first)
    simulator.clock.advance(60)
    simulator.world.settle(simulator.clock.now())
    last = simulator.world.retry(passed)
    for _ in range(5):
        run([f"job {number}" for number in range(50)], PASSES)
    [group] = await gitlab.list_failures(["shop/api"], since=HOUR)
    assert (group.job_ids, group.flaky_ids) == ((last.id, first.id), (first.id,))
    assert "pipelines" in simulator.requests[-1].path


async def test_search_ends_at_oldest_failure(gitlab, simulator, run):
    for _ in range(5):
        run([f"job {number}" for number in range(50)], PASSES)
    run(["unit"])
    await gitlab.list_failures(["shop/api"], since=timedelta(days=1))
    assert len(simulator.requests) == 2


@pytest.mark.parametrize("failing", [1, 3, 12])
async def test_cost_is_bounded_by_pipelines(gitlab, simulator, run, failing):
    for _ in range(failing):
        run(["unit", *[f"job {number}" for number in range(9)]])
    for _ in range(30):
        run([f"job {number}" for number in range(50)], PASSES)
    groups = await gitlab.list_failures(["shop/api"], since=timedelta(days=1))
    assert sum(group.count for group in groups) == 10 * failing
    pages = 2 + 10 * failing // 100  # a short page may be followed by one that proves the end
    assert len(simulator.requests) <= pages + 2 * failing


async def test_deleted_pipeline_is_no_error(gitlab, simulator, run):
    run(["unit"])
    run([f"job {number}" for number in range(101)], PASSES)
    simulator.faults.add(Fault(path="*/pipelines/*/jobs", status=404))
    [group] = await gitlab.list_failures(["shop/api"], since=HOUR)
    assert group.flaky_ids == ()


async def test_unknown_pipelines_have_no_retries():
    """A row whose pipeline is missing or odd has the pipeline id 0."""
    row = {"name": "unit", "stage": "test", "created_at": datetime.now(UTC).isoformat()}
    rows = {
        "failed": [row | {"id": 2, "status": "failed"}, row | {"id": 1, "status": "failed"}],
        "success": [row | {"id": 9, "status": "success", "pipeline": None}],
    }

    async def answer(request):
        return web.json_response(rows[request.query["scope[]"]])

    async with serving(answer) as server, GitLab(server.url) as client:
        (group,) = await client.list_failures([1], since=timedelta(days=1))
    assert (group.job_ids, group.flaky_ids) == ((2, 1), ())
    assert len(server.requests) == 1


async def test_end_counts_not_creation(gitlab, simulator, project):
    """A job that was created before `since` and failed after it."""
    pipeline = simulator.world.add_pipeline(project)
    slow = JobPlan(queued=0, duration=7200, outcome="failed")
    simulator.world.add_job(pipeline, "slow", plan=slow)
    simulator.world.add_job(pipeline, "fast", plan=FAILS)
    simulator.clock.advance(7300)
    assert [group.name for group in await gitlab.list_failures(["shop/api"], since=HOUR)] == [
        "slow"
    ]
    none = await gitlab.list_failures(["shop/api"], since=HOUR, lookback=timedelta(0))
    assert none == []
    since = datetime.fromtimestamp(simulator.clock.now(), UTC) - timedelta(hours=3)
    assert len(await gitlab.list_failures(["shop/api"], since=since)) == 2


async def test_listing_stops_at_lookback(gitlab, simulator, run):
    run([f"old {number}" for number in range(350)])
    simulator.clock.advance(7200)
    [job] = run(["new"])
    [group] = await gitlab.list_failures(["shop/api"], since=HOUR, lookback=HOUR)
    assert group.newest.id == job.id
    assert len(simulator.requests) == 2  # failed jobs, and successful ones


async def test_ref_limits_the_failures(gitlab, run):
    run(["unit"], ref="main")
    [job] = run(["unit"], ref="topic")
    [group] = await gitlab.list_failures(["shop/api"], since=HOUR, ref="topic")
    assert group.job_ids == (job.id,)


async def test_endless_period_reads_everything(gitlab, run):
    run(["unit"])
    spans = [timedelta.max, datetime.min.replace(tzinfo=UTC)]
    for since in spans:
        [group] = await gitlab.list_failures(["shop/api"], since=since, lookback=timedelta.max)
        assert isinstance(group, FailureGroup)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"since": datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)},
            "^since must be a timedelta or a datetime with a time",
        ),
        ({"since": 3600}, "^since must be .*, not 3600$"),
        ({"since": -HOUR}, "^since must be a timedelta above 0, not"),
        ({"since": HOUR, "lookback": 5}, "^lookback must be a timedelta, not 5$"),
        ({"since": HOUR, "lookback": -HOUR}, "^lookback must not be negative, not"),
        ({"since": HOUR, "ref": ""}, "^invalid ref ''"),
        ({"since": HOUR, "projects": "shop/api"}, "^projects must be several ids or paths"),
        ({"since": HOUR, "projects": [1, "a b"]}, "^invalid project 'a b'"),
    ],
)
async def test_bad_argument_sends_nothing(gitlab, simulator, arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        await gitlab.list_failures(**{"projects": [1], **arguments})
    assert not simulator.requests


async def test_unknown_project_ends_the_call(gitlab, run):
    run(["unit"])
    with pytest.raises(NotFoundError, match="404 Project Not Found"):
        await gitlab.list_failures(["shop/api", "no/such"], since=HOUR)
    assert not [task for task in await others() if "list_failures" in repr(task)]


async def test_cancelled_call_leaves_nothing(simulator, gitlab):
    await cancel_half_way(simulator, gitlab, gitlab.list_failures([1, "group/app"], since=HOUR))
