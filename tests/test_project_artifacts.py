"""Artifacts by ref and job name, against the simulated GitLab over real HTTP."""

import io
import zipfile

import pytest

from gitlab_jobs_async import NotFoundError
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
