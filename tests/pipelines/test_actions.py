"""Pipelines are created, waited for, retried, canceled and deleted."""

import asyncio

import pytest

from gitlab_jobs_async import (
    BadRequestError,
    ConnectionFailedError,
    NotFoundError,
    WaitTimedOutError,
)
from gitlab_jobs_async.simulator import (
    Fault,
    JobPlan,
    PipelinePlan,
    PlannedJob,
)
from tests.support.cancellation import cancel_half_way
from tests.support.stepped_time import pass_time, stepped_gitlab
from tests.support.tasks import others


@pytest.fixture
def app(simulator):
    """A project whose next pipelines build and test."""
    return configured(simulator.world)


def configured(world):
    app = world.project("group/app")
    app.inputs = {"target": "staging"}
    app.configuration = PipelinePlan(
        jobs=(
            PlannedJob("compile", "build", JobPlan(duration=20)),
            PlannedJob("test", "test", JobPlan(duration=30)),
        )
    )
    return app


async def passing(gitlab, clock, seconds, call):
    """Return the result of *call*, which takes at most *seconds*."""
    task = asyncio.ensure_future(call)
    await pass_time(gitlab, clock, seconds, task.done)
    return await task


def add_manual_job(app):
    deploy = PlannedJob("deploy", "deploy", JobPlan(when="manual", allow_failure=False))
    app.configuration = PipelinePlan(jobs=(*app.configuration.jobs, deploy))


async def test_create_passes_variables_and_inputs(project, app):
    made = await project.create_pipeline(
        "main", variables={"A": "ä"}, inputs={"target": "production"}
    )
    assert (made.source, made.status.is_finished) == ("api", False)
    row = app.pipelines[-1]
    assert (row.id, row.variables, row.inputs) == (made.id, {"A": "ä"}, {"target": "production"})


@pytest.mark.parametrize(
    ("ref", "options", "text"),
    [
        ("none", {}, "HTTP 400: Reference not found"),
        ("main", {"inputs": {"x": 1}}, "HTTP 400: unknown input arguments: x"),
    ],
)
@pytest.mark.usefixtures("app")
async def test_refused_creation_says_why(project, ref, options, text):
    with pytest.raises(BadRequestError, match=text):
        await project.create_pipeline(ref, **options)


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        (("",), {}, "ref"),
        ((3,), {}, "ref"),
        (("main",), {"variables": ["A"]}, "variables must be a mapping"),
        (("main",), {"variables": {"A": 1}}, "variable 'A'"),
        (("main",), {"inputs": {"a": object()}}, "input 'a'"),
    ],
)
@pytest.mark.parametrize("name", ["create_pipeline", "run_pipeline"])
async def test_bad_argument_sends_nothing(project, simulator, name, arguments, options, text):
    with pytest.raises((TypeError, ValueError), match=text):
        await getattr(project, name)(*arguments, **options)
    assert not simulator.requests


@pytest.mark.parametrize(
    "options", [{"until": "done"}, {"timeout": 0}, {"progress": 3}, {"polling": 5}]
)
async def test_bad_wait_creates_no_pipeline(project, app, simulator, options):
    with pytest.raises((TypeError, ValueError)):
        await project.run_pipeline("main", **options)
    assert not simulator.requests
    assert len(app.pipelines) == 1


async def test_lost_answer_creates_one_pipeline(project, app, simulator):
    """A POST whose answer is lost may have had its effect, so it is not sent again."""
    simulator.faults.add(Fault(reset="unanswered"))
    with pytest.raises(ConnectionFailedError, match="POST"):
        await project.create_pipeline("main")
    assert (len(app.pipelines), len(simulator.requests)) == (2, 1)


async def test_run_returns_the_end(project, app, clock):
    seen = []
    ended = await project.run_pipeline(
        "main", progress=lambda pipeline, jobs: seen.append((pipeline.status, len(jobs)))
    )
    assert (ended.id, ended.status) == (app.pipelines[-1].id, "success")
    assert seen[0][1] == 2
    assert seen[-1] == ("success", 2)
    # Seen within two polls.
    assert clock.now() - app.pipelines[-1].finished_at <= 10


async def test_blocked_pipeline_ends_the_wait_if_asked(project, app):
    add_manual_job(app)
    ended = await project.run_pipeline("main", until="blocked")
    assert ended.status == "manual"
    assert (await project.wait_for_pipeline(ended.id, until="blocked")).status == "manual"


async def test_blocked_pipeline_has_not_finished():
    async with stepped_gitlab() as (clock, simulator, gitlab):
        add_manual_job(configured(simulator.world))
        run = gitlab.project("group/app").run_pipeline("main", timeout=200)
        with pytest.raises(WaitTimedOutError) as caught:
            await passing(gitlab, clock, 201, run)
    assert caught.value.last.status == "manual"


async def test_failure_before_the_manual_job_is_the_end(project, app):
    add_manual_job(app)
    compile_fails = PlannedJob("compile", "build", JobPlan(outcome="failed"))
    app.configuration = PipelinePlan(jobs=(compile_fails, *app.configuration.jobs[1:]))
    assert (await project.run_pipeline("main", until="blocked")).status == "failed"


async def test_two_waits_of_a_blocked_pipeline_share(project, app):
    add_manual_job(app)
    first = await project.run_pipeline("main", until="blocked")
    second = await project.create_pipeline("main")
    ended = await project.wait_for_pipeline(second.id, until="blocked")
    assert (first.status, ended.status) == ("manual", "manual")


async def test_timed_out_run_names_its_pipeline():
    async with stepped_gitlab() as (clock, simulator, gitlab):
        app = configured(simulator.world)
        run = gitlab.project("group/app").run_pipeline("main", timeout=10)
        with pytest.raises(WaitTimedOutError) as caught:
            await passing(gitlab, clock, 11, run)
    made = app.pipelines[-1]
    assert caught.value.last.id == made.id
    assert caught.value.__notes__ == [
        f"pipeline {made.id} was created: {caught.value.last.web_url}"
    ]
    assert made.status == "running"


async def test_note_of_a_run_has_no_control_characters(project, simulator):
    """A traceback shows it in a terminal."""
    made = b'{"id": 9, "status": "created", "web_url": "https://x/\\u001b[2J\\n9"}'
    simulator.faults.add(Fault(status=201, body=made, path="*/pipeline"))
    with pytest.raises(NotFoundError) as caught:
        await project.run_pipeline("main")
    assert caught.value.__notes__ == ["pipeline 9 was created: https://x/\ufffd[2J 9"]


async def test_deleted_pipeline_ends_the_run(project, app, simulator):
    def delete():
        simulator.world.delete_pipeline(app.pipelines[-1])

    simulator.faults.add(Fault(skip=3, effect=delete))
    with pytest.raises(NotFoundError) as caught:
        await project.run_pipeline("main")
    assert "was created" in caught.value.__notes__[0]
    assert not await others()


async def test_retry_creates_attempts_of_failed_jobs(project):
    assert (await project.retry_pipeline(1)).id == 1
    assert (await project.find_job(1, "flaky")).id > 4


async def test_cancel_ends_the_jobs(project):
    assert (await project.cancel_pipeline(1)).status.is_finished
    assert (await project.get_job(2)).status == "canceled"
    assert (await project.cancel_pipeline(1)).id == 1


async def test_delete_removes_pipeline_and_jobs(project):
    await project.delete_pipeline(1)
    with pytest.raises(NotFoundError):
        await project.get_pipeline(1)
    assert await project.list_jobs() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda p: p.create_pipeline("main"),
        lambda p: p.run_pipeline("main", timeout=60),
        lambda p: p.retry_pipeline(1),
        lambda p: p.cancel_pipeline(1),
        lambda p: p.delete_pipeline(1),
        lambda p: p.wait_for_pipeline(1, until="blocked"),
    ],
)
async def test_cancelled_call_leaves_nothing(simulator, gitlab, project, call):
    await cancel_half_way(simulator, gitlab, call(project))
