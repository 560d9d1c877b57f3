"""Names that come close to a project or group that does not exist."""

import asyncio

import pytest

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.cli.config import missing_names
from gitlab_jobs_async.cli.config.missing_names import near_names
from gitlab_jobs_async.errors import NotFoundError
from gitlab_jobs_async.simulator import Fault
from tests.support.connections import open_connections
from tests.support.tasks import others, until

pytestmark = pytest.mark.usefixtures("signed_in")


def missing(path, message="404 Project Not Found"):
    return str(NotFoundError(404, message, "GET", f"http://h/api/v4/{path}/jobs"))


def test_id_of_another_kind_is_named(run, world, gitlab, assert_one_line):
    world.add_pipeline(world.project("group/app"), pipeline_id=900)
    meant = "900 is the id of a pipeline: expected --pipeline 900"
    for words in ("trace",), ("retry",), ("cancel",), ("tail",), ("wait",), ("erase", "-y"):
        name, *options = words
        assert_one_line(run(name, "group/app", 900, *options), 4, "jobs/900", meant)
    for words in ("timeline", "group/app", 4), ("retry", "group/app", "--pipeline", 4):
        assert_one_line(run(*words), 4, "pipelines/4", "; 4 is the id of a job")
    # Neither, and a job without artifacts.
    before = len(gitlab.requests)
    assert_one_line(run("trace", "group/app", 901), 4, "mistyped, deleted, or hidden")
    assert len(gitlab.requests) == before + 2
    assert_one_line(run("artifacts", "group/app", 4, "--list"), 4, "mistyped, or the artifacts")


def test_near_name_follows_the_error(run, gitlab, assert_one_line):
    for words, near in {
        ("list", "group/ap"): "did you mean group/app?",
        ("list", "croup/app"): "did you mean group/app?",
        ("list", "--group", "croup"): "did you mean group?",
        ("list", "group"): "did you mean --group group?",
        ("list", "--group", "group/app"): "did you mean group/app without --group?",
        ("show", "group/empti", "1"): "did you mean group/empty?",
        ("run", "-R", "group/appp"): "did you mean group/app?",
        ("failures", f"{gitlab.url}/group/app/pipelines"): "did you mean group/app?",
        ("list", "nothing/like/it"): "mistyped, deleted, or hidden",
        ("list", "99"): "mistyped, deleted, or hidden",
        # How words were read that may mean something else.
        ("retry", "224", "223"): "224 is read as the project; as a job it is: . 224 223",
        ("erase", "224", "223", "-y"): "224 is read as the project; as a job it is: . 224 223",
        ("trace", "a/b", "x y"): "a/b is read as the project; as a job it is: . a/b 'x y'",
        ("timeline", "feature/x"): "as a branch it is: . feature/x",
        ("show", "1", "999"): "1 is read as the project; as a job it is: . 1 999",
    }.items():
        assert_one_line(run(*words), 4, "HTTP 404", near)
    # Monitors end with the reason of their last target.
    for words in (("watch", "group/appp"), ("tail", "group/appp", "--jobs", "x")):
        assert run(*words).err.splitlines()[-1].endswith("; did you mean group/app?")
    # A path that exists was read right.
    assert "is read as" not in run("show", "group/app", "999").err


async def test_only_a_missing_name_is_searched(gitlab):
    async with GitLab(gitlab.url, auth=gitlab.token) as client:
        before = len(gitlab.requests)
        for error in (missing("projects/group%2Fap", "404 Not found"), missing("projects/17"),
                missing("version")):  # fmt: skip
            assert await near_names(client, error) == ""
        assert len(gitlab.requests) == before


async def test_failed_search_hides_no_error(gitlab, monkeypatch):
    monkeypatch.setattr(missing_names, "_SECONDS", 0.1)
    error = missing("projects/group%2Fap")
    faults = [Fault(status=403), Fault(latency=1000.0), Fault(status=200, body=b'[{"id": 1}]'),
        Fault(status=200, body=b"[1]"), Fault(status=200, body=b"<html>")]  # fmt: skip
    async with GitLab(gitlab.url, auth=gitlab.token) as client:
        for fault in faults:
            gitlab.faults.add(fault)
            assert await near_names(client, error) == ""


async def test_cancelled_near_names_leave_nothing(gitlab):
    gitlab.faults.add(Fault(latency=1000.0, times=None))
    before = await others()
    async with GitLab(gitlab.url, auth=gitlab.token) as client:
        task = asyncio.create_task(near_names(client, missing("projects/group%2Fap")))
        await until(lambda: open_connections(client))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert open_connections(client) == 0
    assert await others() == before
