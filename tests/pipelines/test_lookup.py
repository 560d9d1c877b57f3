"""Pipelines are found by ref, commit and merge request, and jobs by name."""

import pytest

from gitlab_jobs_async import LookupFailedError, NotFoundError, PermissionDeniedError
from gitlab_jobs_async.simulator import Fault, JobPlan, MergeRequest
from tests.support.cancellation import cancel_half_way


@pytest.fixture
def topic(world):
    """A branch with a slash, and three pipelines."""
    app = world.project("group/app")
    return [world.add_pipeline(app, ref="feature/a b") for _ in range(3)]


def sent(simulator):
    return [request.path.removeprefix("/api/v4/projects/") for request in simulator.requests]


async def test_latest_of_default_branch(project, simulator):
    found = await project.get_latest_pipeline()
    assert (found.id, found.ref, found.detailed_status.group) == (1, "main", "running")
    assert len(simulator.requests) == 1


async def test_latest_of_a_branch(project, topic, simulator):
    assert (await project.get_latest_pipeline("feature/a b")).id == topic[-1].id
    assert len(simulator.requests) == 1


@pytest.mark.parametrize("digits", [7, 12, 40])
async def test_latest_of_a_commit(project, topic, simulator, digits):
    found = await project.get_latest_pipeline(sha=topic[1].sha[:digits].upper())
    assert found.id == topic[1].id
    assert found.detailed_status is not None
    assert len(simulator.requests) == 2


async def test_latest_of_a_merge_request(project, world, simulator):
    app, request = world.project("group/app"), MergeRequest(iid=12, source_branch="topic")
    first = world.add_pipeline(app, ref="topic")
    second = world.add_pipeline(app, merge_request=request)
    assert (await project.get_latest_pipeline(merge_request=12)).id == second.id
    assert len(simulator.requests) == 2
    listed = await project.list_merge_request_pipelines(12)
    assert [pipeline.id for pipeline in listed] == [second.id, first.id]


async def test_pipelines_of_a_branch_come_last(project, world):
    """GitLab sorts those of the merge request first, so ids rise again on a later page."""
    app, request = world.project("group/app"), MergeRequest(iid=12, source_branch="topic")
    made = [
        world.add_pipeline(app, ref="topic", merge_request=request if number % 5 else None).id
        for number in range(1, 271)
    ]
    listed = await project.list_merge_request_pipelines(12)
    assert [pipeline.id for pipeline in listed] == made[::-1]
    assert (await project.get_latest_pipeline(merge_request=12)).id == made[-1]


async def test_merge_request_from_a_fork_is_read_there(gitlab, world, simulator):
    """The head pipeline of such a merge request belongs to the fork."""
    fork = world.add_project("bob/app")
    theirs = world.add_pipeline(fork)
    row = (
        f'[{{"id": {theirs.id}, "iid": 1, "project_id": {fork.id}, "status": "success",'
        ' "sha": "a", "ref": "main"}]'
    )
    simulator.faults.add(Fault(status=200, body=row.encode(), path="*/merge_requests/*"))
    found = await gitlab.project("group/app").get_latest_pipeline(merge_request=5)
    assert (found.id, found.project_id) == (theirs.id, fork.id)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"ref": "none"}, "no pipeline of the newest commit of 'none'"),
        ({"sha": "0" * 40}, f"no pipeline of commit {'0' * 40}"),
        ({"merge_request": 12}, "no pipeline of merge request !12"),
    ],
)
async def test_missing_pipeline_is_a_lookup_error(project, world, asked, text):
    world.add_merge_request(world.project("group/app"), MergeRequest(iid=12))
    with pytest.raises(LookupFailedError) as caught:
        await project.get_latest_pipeline(**asked)
    assert str(caught.value) == text


async def test_project_without_pipelines(gitlab, world):
    world.add_project("group/empty")
    with pytest.raises(LookupFailedError, match="of the default branch"):
        await gitlab.project("group/empty").get_latest_pipeline()


async def test_refusal_is_not_taken_for_no_pipeline(project, simulator):
    simulator.faults.add(Fault(status=403, body=b"{}", path="*/pipelines*", times=None))
    with pytest.raises(PermissionDeniedError):
        await project.get_latest_pipeline()


@pytest.mark.parametrize("asked", [{"sha": "abcdef0"}, {"merge_request": 99}])
async def test_unknown_commit_is_not_found(project, asked):
    with pytest.raises(NotFoundError):
        await project.get_latest_pipeline(**asked)


@pytest.mark.parametrize(
    ("asked", "kind", "text"),
    [
        ({"ref": ""}, ValueError, "invalid ref ''"),
        ({"ref": 1}, TypeError, "ref must be a string, not 1"),
        ({"sha": "abc"}, ValueError, "invalid sha 'abc': expected 7 to 64 hexadecimal digits"),
        ({"sha": "a/../../x"}, ValueError, "invalid sha"),
        ({"sha": 1234567}, TypeError, "sha must be a string"),
        ({"merge_request": 0}, ValueError, "merge request iid must be a whole number above 0"),
        ({"ref": "a", "sha": "abcdef0"}, TypeError, "only one of"),
    ],
)
async def test_bad_argument_sends_nothing(project, simulator, asked, kind, text):
    with pytest.raises(kind, match=text):
        await project.get_latest_pipeline(**asked)
    assert not simulator.requests


async def test_job_is_found_by_name(project, world):
    again = world.retry(world.jobs[3])
    assert (await project.find_job(1, "flaky")).id == again.id
    attempts = await project.find_jobs(1, "flaky", include_retried=True)
    assert [job.id for job in attempts] == [again.id, 3]
    assert [job.id for job in await project.find_jobs(1, "flaky")] == [again.id]


async def test_parallel_jobs_are_found_together(project, world):
    pipeline = world.add_pipeline(world.project("group/app"))
    for number in range(1, 151):
        world.add_job(pipeline, f"test {number}/150", plan=JobPlan())
    assert len(await project.find_jobs(pipeline.id, "test")) == 150
    assert (await project.find_job(pipeline.id, "test 7/150")).name == "test 7/150"
    with pytest.raises(LookupFailedError, match="and 140 more"):
        await project.find_job(pipeline.id, "test")
    assert await project.find_jobs(pipeline.id, "other") == []


@pytest.mark.parametrize("name", ["", 3, None])
async def test_bad_name_sends_nothing(project, simulator, name):
    with pytest.raises((TypeError, ValueError), match="name"):
        await project.find_job(1, name)
    assert not simulator.requests


@pytest.mark.parametrize(
    "call",
    [
        lambda p: p.get_latest_pipeline("main"),
        lambda p: p.get_latest_pipeline(sha="abcdef0"),
        lambda p: p.get_latest_pipeline(merge_request=1),
        lambda p: p.list_merge_request_pipelines(1),
        lambda p: p.find_job(1, "unit"),
        lambda p: p.find_jobs(1, "unit"),
    ],
)
async def test_cancelled_look_up_leaves_nothing(simulator, gitlab, project, call):
    await cancel_half_way(simulator, gitlab, call(project))
