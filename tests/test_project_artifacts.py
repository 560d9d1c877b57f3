"""Artifacts by ref and job name, against the simulated GitLab over real HTTP."""

import io
import zipfile

import pytest

from gitlab_jobs_async import (
    AuthenticationError,
    GitLab,
    JobToken,
    NotFoundError,
    PermissionDeniedError,
)
from gitlab_jobs_async.simulator import JobPlan

MERGE_REQUEST = "refs/merge-requests/7/head"


def plan(content):
    files = {} if content is None else {"a b/ä.txt": content}
    return JobPlan(duration=1.0, artifacts=files)


@pytest.fixture
async def build(simulator, clock):
    async def build(ref, *contents):
        app = simulator.world.project("group/app")
        for content in contents:
            pipeline = simulator.world.add_pipeline(app, ref=ref)
            simulator.world.add_job(pipeline, "build: [a/b]", plan=plan(content))
            clock.stepped.advance(60.0)

    return build


@pytest.mark.parametrize("ref", ["other", "feature/a#1", MERGE_REQUEST])
async def test_latest_artifacts_are_read_by_ref(gitlab, build, ref):
    await build(ref, b"old", b"new")
    project = gitlab.project("group/app")
    found = await project.get_latest_artifact_file(ref, "a b/ä.txt", job="build: [a/b]")
    assert found == b"new"
    async with project.stream_latest_artifacts(ref, job="build: [a/b]") as chunks:
        archive = zipfile.ZipFile(io.BytesIO(b"".join([c async for c in chunks])))
    assert archive.read("a b/ä.txt") == b"new"


async def test_recent_pipelines_are_searched_if_asked(gitlab, build):
    await build("other", b"old", None)
    project = gitlab.project(1)
    with pytest.raises(NotFoundError):
        await project.get_latest_artifact_file("other", "a b/ä.txt", job="build: [a/b]")
    found = await project.get_latest_artifact_file(
        "other", "a b/ä.txt", job="build: [a/b]", search_recent=True
    )
    assert found == b"old"


@pytest.mark.parametrize(("ref", "job"), [("other", "no"), ("no", "build: [a/b]")])
async def test_unknown_ref_or_job_raises_not_found(gitlab, build, ref, job):
    await build("other", b"new")
    with pytest.raises(NotFoundError):
        async with gitlab.project(1).stream_latest_artifacts(ref, job=job):
            pass


@pytest.fixture
async def as_job(simulator, clock, build):
    """A client with the token of a running job of group/app, which has artifacts."""
    await build("other", b"new")
    token = simulator.world.jobs[2].token
    simulator.world.jobs[2].status = "running"
    async with GitLab(simulator.url, auth=JobToken(token), clock=clock) as client:
        yield client


async def read_all(project, ref, job, folder):
    """Return the file as every call by ref reads it."""
    path, name = "a b/ä.txt", {"job": job}
    found = [await project.get_latest_artifact_file(ref, path, **name)]
    await project.download_latest_artifacts(ref, folder / "a.zip", **name)
    found.append(zipfile.ZipFile(folder / "a.zip").read(path))
    await project.unpack_latest_artifacts(ref, folder / "build", **name)
    found.append((folder / "build" / path).read_bytes())
    return found


async def test_job_token_reads_artifacts_by_ref(as_job, tmp_path):
    """`job_token_allowed` in lib/api/ci/job_artifacts.rb."""
    found = await read_all(as_job.project(1), "other", "build: [a/b]", tmp_path)
    assert found == [b"new"] * 3


async def test_job_token_reads_allowed_projects(as_job, simulator, clock, tmp_path):
    members = {simulator.world.jobs[2].user: "developer"}
    closed = simulator.world.add_project("group/closed", members=members)
    pipeline = simulator.world.add_pipeline(closed, ref="main")
    simulator.world.add_job(pipeline, "pack", plan=plan(b"theirs"))
    clock.stepped.advance(60.0)
    closed.job_token_allowlist = frozenset({1})
    found = await read_all(as_job.project("group/closed"), "main", "pack", tmp_path)
    assert found == [b"theirs"] * 3


async def test_job_token_outside_the_allowlist(as_job, simulator, tmp_path):
    members = {simulator.world.jobs[2].user: "developer"}
    closed = simulator.world.add_project("group/closed", members=members)
    closed.job_token_allowlist = frozenset()
    words = f"not allowed from group/app to project #{closed.id}"
    for call in (
        as_job.project(closed.id).get_latest_artifact_file("main", "a", job="pack"),
        as_job.project(closed.id).download_latest_artifacts("main", tmp_path / "a.zip", job="pack"),
        as_job.project(closed.id).unpack_latest_artifacts("main", tmp_path / "build", job="pack"),
    ):
        with pytest.raises(PermissionDeniedError, match=words):
            await call
    assert not list(tmp_path.iterdir())


async def test_job_token_ends_with_its_job(as_job, clock, tmp_path):
    clock.stepped.advance(10_000)
    with pytest.raises(AuthenticationError):
        await as_job.project(1).download_latest_artifacts("other", tmp_path / "a", job="x")
    assert not list(tmp_path.iterdir())
