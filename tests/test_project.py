"""Every endpoint of one project, against the simulated GitLab over real HTTP."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from gitlab_jobs_async import (
    AuthenticationError,
    BadRequestError,
    Bridge,
    GitLab,
    Job,
    JobStatus,
    NotFoundError,
    PermissionDeniedError,
)
from gitlab_jobs_async.simulator import (
    JobPlan,
    PipelinePlan,
    PlannedJob,
    Simulator,
    SimulatorSettings,
)
from tests.support.cancellation import cancel_half_way
from tests.support.tasks import prompt

COMPILE, UNIT, FLAKY, DEPLOY = 1, 2, 3, 4


@pytest.fixture
def world(simulator):
    return simulator.world


async def test_project_jobs_are_listed_newest_first(project):
    jobs = await project.list_jobs()
    assert [job.id for job in jobs] == [4, 3, 2, 1]
    assert [job.id async for job in project.iter_jobs()] == [4, 3, 2, 1]
    assert jobs[3].artifacts_file.filename == "artifacts.zip"
    assert jobs[3].coverage == 87.5
    assert jobs[3].project_id == 1
    assert jobs[2].runner.description == "shared-1"
    assert jobs[1].failure_reason == "script_failure"


@pytest.mark.parametrize(
    ("scope", "ids"),
    [
        ("failed", [FLAKY]),
        (JobStatus.SUCCESS, [COMPILE]),
        (["failed", JobStatus.MANUAL], [DEPLOY, FLAKY]),
        (list(JobStatus), [4, 3, 2, 1]),
        ("canceled", []),
    ],
)
async def test_a_scope_chooses_jobs(project, scope, ids):
    assert [job.id for job in await project.list_jobs(scope=scope)] == ids
    assert [job.id for job in await project.list_pipeline_jobs(1, scope=scope)] == ids


async def test_a_ref_chooses_jobs(project, world):
    other = world.add_pipeline(world.project("group/app"), ref="other")
    job = world.add_job(other, "lint")
    assert [found.id for found in await project.list_jobs(ref="other")] == [job.id]


async def test_unknown_scope_is_the_servers_error(project):
    with pytest.raises(BadRequestError, match="scope does not have a valid value"):
        await project.list_jobs(scope=JobStatus("levitating"))


async def test_pipeline_jobs_exclude_retried_by_default(project):
    again = await project.retry_job(FLAKY)
    listed = [job.id for job in await project.list_pipeline_jobs(1)]
    assert listed == [again.id, 4, 2, 1]
    every = [job.id async for job in project.iter_pipeline_jobs(1, include_retried=True)]
    assert every == [again.id, 4, 3, 2, 1]


async def test_bridges_have_their_child_pipeline(project, world, clock):
    child = PipelinePlan(jobs=(PlannedJob("child job"),))
    pipeline = world.add_pipeline(world.project("group/app"))
    bridge = world.add_bridge(pipeline, "trigger", downstream=child)
    clock.stepped.advance(10)
    (found,) = await project.list_bridges(pipeline.id)
    assert isinstance(found, Bridge)
    assert (found.id, found.name) == (bridge.id, "trigger")
    assert found.downstream_pipeline.source == "parent_pipeline"
    assert await project.list_bridges(pipeline.id, scope="failed") == []
    jobs = await project.list_pipeline_jobs(found.downstream_pipeline.id)
    assert [job.name for job in jobs] == ["child job"]


async def test_a_job_is_read(project):
    job = await project.get_job(UNIT)
    assert (job.id, job.name, job.status) == (UNIT, "unit", JobStatus.RUNNING)
    assert job.started_at.tzinfo is not None
    assert job.duration > 0
    assert job.user.username == "bob"
    with pytest.raises(NotFoundError, match="404 Not found"):
        await project.get_job(99)


async def test_a_trace_is_read_whole_and_streamed(project):
    whole = await project.get_trace(COMPILE)
    assert b"Running with gitlab-runner" in whole
    async with project.stream_trace(COMPILE) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == whole
    assert await project.get_trace(DEPLOY) == b""


async def test_a_job_is_canceled(project, world):
    assert (await project.cancel_job(UNIT)).status == "canceled"
    assert (await project.cancel_job(COMPILE)).status == "success"
    pipeline = world.add_pipeline(world.project("group/app"))
    job = world.add_job(pipeline, "slow", plan=JobPlan(queued=0, duration=900, after_script=60))
    assert (await project.cancel_job(job.id)).status == "canceling"
    assert (await project.cancel_job(job.id, force=True)).status == "canceled"


async def test_a_job_is_retried_as_a_new_one(project, world):
    again = await project.retry_job(FLAKY)
    assert again.id not in {1, 2, 3, 4}
    assert (again.name, again.status.is_finished) == ("flaky", False)
    with pytest.raises(PermissionDeniedError, match="Job is not retryable"):
        await project.retry_job(FLAKY)
    pipeline = world.add_pipeline(world.project("group/app"))
    plan = JobPlan(queued=0, duration=0, inputs={"level": "low"})
    job = world.add_job(pipeline, "with inputs", plan=plan)
    assert (await project.retry_job(job.id, inputs={"level": "high"})).id > job.id


async def test_an_unknown_input_is_the_servers_error(project):
    with pytest.raises(BadRequestError, match="400 Bad request - Unknown input: foo"):
        await project.retry_job(FLAKY, inputs={"foo": 1})


async def test_a_job_is_erased(project):
    erased = await project.erase_job(COMPILE)
    assert erased.erased_at is not None
    assert await project.get_trace(COMPILE) == b""
    with pytest.raises(PermissionDeniedError, match="Job is not erasable!"):
        await project.erase_job(COMPILE)


async def test_a_manual_job_is_played_with_variables(project, simulator):
    played = await project.play_job(DEPLOY, variables={"TARGET": "prod", "EMPTY": ""})
    assert isinstance(played, Job)
    assert played.id == DEPLOY
    assert played.status in {"pending", "running"}
    sent = json.loads(simulator.requests[-1].body)
    assert sent == {
        "job_variables_attributes": [
            {"key": "TARGET", "value": "prod"},
            {"key": "EMPTY", "value": ""},
        ]
    }
    with pytest.raises(BadRequestError, match="Unplayable Job"):
        await project.play_job(COMPILE)


async def test_a_manual_job_is_played_with_inputs(project, world):
    pipeline = world.add_pipeline(world.project("group/app"))
    plan = JobPlan(when="manual", inputs={"level": "low"})
    job = world.add_job(pipeline, "ask", plan=plan)
    assert (await project.play_job(job.id, inputs={"level": "high"})).id == job.id


async def test_a_played_bridge_comes_back_as_a_bridge(project, world):
    pipeline = world.add_pipeline(world.project("group/app"))
    downstream = PipelinePlan(jobs=(PlannedJob("child job"),))
    bridge = world.add_bridge(
        pipeline, "trigger", downstream=downstream, plan=JobPlan(when="manual")
    )
    played = await project.play_job(bridge.id)
    assert isinstance(played, Bridge)


async def test_pipelines_are_listed_and_read(project):
    (listed,) = await project.list_pipelines()
    assert (listed.id, listed.source, listed.project_id) == (1, "push", 1)
    read = await project.get_pipeline(1)
    assert read.user.username == "bob"
    assert read.detailed_status.group == "running"
    with pytest.raises(NotFoundError):
        await project.get_pipeline(99)


async def test_pipelines_are_filtered(project, world):
    later = world.add_pipeline(world.project("group/app"), ref="other", source="schedule")
    world.add_job(later, "x", plan=JobPlan(queued=0, duration=5, outcome="failed"))
    world.settle(world.now + 30)
    now = datetime.fromtimestamp(world.now, UTC)

    async def ids(**filters):
        return [pipeline.id for pipeline in await project.list_pipelines(**filters)]

    assert await ids() == [later.id, 1]
    assert await ids(sort="asc") == [1, later.id]
    assert await ids(order_by="updated_at", sort="desc")
    assert await ids(ref="other") == [later.id]
    assert await ids(source="schedule") == [later.id]
    assert await ids(scope="branches") == [later.id, 1]
    assert await ids(username="bob") == [1]
    assert await ids(created_after=now + timedelta(days=1)) == []
    assert await ids(created_before=now + timedelta(days=1)) == [later.id, 1]
    assert await ids(updated_before=now - timedelta(days=1)) == []
    assert await ids(yaml_errors=True) == []
    assert await ids(status=JobStatus.RUNNING) == [1]
    assert [p.id async for p in project.iter_pipelines(sha=(await project.get_pipeline(1)).sha)]


@pytest.mark.parametrize("object_storage", [False, True])
async def test_artifacts_are_streamed_listed_and_read(clock, object_storage):
    settings = SimulatorSettings(object_storage=object_storage)
    async with Simulator(settings=settings, clock=clock.stepped) as simulator:
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            project = gitlab.project(1)
            async with project.stream_artifacts(COMPILE) as chunks:
                archive = zipfile.ZipFile(io.BytesIO(b"".join([c async for c in chunks])))
            entries = await project.list_artifacts(COMPILE, recursive=True)
            files = [entry for entry in entries if entry.type == "file"]
            assert {entry.path for entry in files} == set(archive.namelist())
            for entry in files:
                content = await project.get_artifact_file(COMPILE, entry.path)
                assert content == archive.read(entry.path)
                assert len(content) == entry.size
            directory = next(entry for entry in entries if entry.type == "directory")
            below = await project.list_artifacts(COMPILE, path=directory.path.rstrip("/"))
            assert below
            assert all(entry.path.startswith(directory.path.rstrip("/")) for entry in below)


async def test_artifacts_are_kept_and_deleted(project):
    assert (await project.get_job(COMPILE)).artifacts_expire_at is not None
    assert (await project.keep_artifacts(COMPILE)).artifacts_expire_at is None
    assert await project.delete_artifacts(COMPILE) is None
    assert (await project.get_job(COMPILE)).artifacts_file is None
    with pytest.raises(NotFoundError):
        async with project.stream_artifacts(COMPILE):
            pass
    with pytest.raises(NotFoundError, match="404 Artifacts Not Found"):
        await project.list_artifacts(COMPILE)


async def test_missing_artifact_file_raises_not_found(project):
    with pytest.raises(NotFoundError):
        await project.get_artifact_file(COMPILE, "no/such/file")


@pytest.mark.parametrize(
    ("user", "kind"),
    [("glpat-bob", None), ("glpat-eve", NotFoundError), ("glpat-unknown", AuthenticationError)],
)
async def test_errors_are_told_apart_by_who_asks(simulator, user, kind):
    simulator.world.add_user("eve")
    async with GitLab(simulator.url, auth=user) as gitlab:
        if kind is None:
            assert await gitlab.project(1).list_jobs()
        else:
            with pytest.raises(kind):
                await gitlab.project(1).list_jobs()


BAD = [
    ("list_jobs", (), {"scope": "faild"}),
    ("iter_jobs", (), {"scope": ["failed", "x"]}),
    ("iter_jobs", (), {"ref": ""}),
    ("list_pipeline_jobs", (0,), {}),
    ("iter_pipeline_jobs", (True,), {}),
    ("list_bridges", ("5",), {}),
    ("list_pipelines", (), {"colour": "red"}),
    ("get_pipeline", (-1,), {}),
    ("get_job", (0,), {}),
    ("get_trace", (None,), {}),
    ("cancel_job", (1.0,), {}),
    ("cancel_job", (1,), {"force": "yes"}),
    ("retry_job", (1,), {"inputs": {"k": None}}),
    ("erase_job", (False,), {}),
    ("play_job", (1,), {"variables": {"K": 1}}),
    ("play_job", (1,), {"inputs": []}),
    ("get_artifact_file", (1, "../x"), {}),
    ("get_latest_artifact_file", ("main", "../x"), {"job": "a"}),
    ("get_latest_artifact_file", ("a/../b", "x"), {"job": "a"}),
    ("get_latest_artifact_file", ("main", "x"), {"job": ""}),
    ("stream_latest_artifacts", ("",), {"job": "a"}),
    ("stream_latest_artifacts", ("main",), {"job": "a", "search_recent": 1}),
    ("list_artifacts", (1,), {"recursive": 1}),
    ("keep_artifacts", (0,), {}),
    ("delete_artifacts", (0,), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), BAD)
async def test_bad_input_is_refused_before_any_request(project, simulator, name, args, kwargs):
    async def call():
        result = getattr(project, name)(*args, **kwargs)
        return await result

    with pytest.raises((TypeError, ValueError)):
        await call()
    assert simulator.requests == []


@pytest.mark.parametrize("name", ["stream_trace", "stream_artifacts"])
async def test_stream_of_invalid_job_is_rejected(project, simulator, name):
    with pytest.raises(ValueError, match="job_id must be a whole number above 0, not 0"):
        getattr(project, name)(0)
    assert simulator.requests == []


CALLS = [
    ("list_jobs", ()),
    ("list_pipeline_jobs", (1,)),
    ("list_bridges", (1,)),
    ("list_pipelines", ()),
    ("get_pipeline", (1,)),
    ("get_job", (UNIT,)),
    ("get_trace", (UNIT,)),
    ("cancel_job", (UNIT,)),
    ("retry_job", (FLAKY,)),
    ("erase_job", (COMPILE,)),
    ("play_job", (DEPLOY,)),
    ("get_artifact_file", (COMPILE, "x")),
    ("list_artifacts", (COMPILE,)),
    ("keep_artifacts", (COMPILE,)),
    ("delete_artifacts", (COMPILE,)),
]


@pytest.mark.parametrize(("name", "args"), CALLS)
@prompt
async def test_cancelled_call_leaves_nothing(simulator, gitlab, name, args):
    await cancel_half_way(simulator, gitlab, getattr(gitlab.project(1), name)(*args))
