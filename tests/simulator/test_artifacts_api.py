"""Artifacts: archive, one file, tree, keep, delete; and object storage on another origin (1.3)."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from gitlab_jobs_async.simulator.api.archives import pack, packed_size

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
PATH = "/projects/1/jobs/1/artifacts"


def names(archive: bytes) -> list[str]:
    return sorted(zipfile.ZipFile(io.BytesIO(archive)).namelist())


@pytest.fixture
def succeeded(world):
    """The one pipeline of main, as if all of it had succeeded."""
    world.pipelines[1].status = "success"
    return world.pipelines[1]


@pytest.mark.usefixtures("succeeded")
@pytest.mark.parametrize("path", [PATH, "/projects/1/jobs/artifacts/main/download?job=compile"])
async def test_archive(api, path):
    reply = await api(f"GET {path}")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/zip"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="artifacts.zip"'
    assert names(reply.body) == ["app.txt", "reports/junit.xml"]


async def test_archive_redirects_to_object_storage(serve, world):
    """With direct download GitLab answers with a signed URL of another origin."""
    api = await serve(world, object_storage=True)
    reply = await api(f"GET {PATH}")
    assert reply.status == 302
    location = reply.headers["Location"]
    assert URL(location).origin() != URL(api.gitlab.url).origin()
    async with api.session.get(location) as stored:
        assert names(await stored.read()) == ["app.txt", "reports/junit.xml"]
    async with api.session.get(location, headers={"PRIVATE-TOKEN": "x"}) as refused:
        assert refused.status == 400
    async with api.session.get(location.replace("Signature=", "Signature=0")) as forged:
        assert forged.status == 403
    assert [record.status for record in api.gitlab.storage_requests] == [200, 400, 403]
    assert api.gitlab.storage_requests[1].headers["private-token"] == "x"


@pytest.mark.usefixtures("succeeded")
@pytest.mark.parametrize(
    "path",
    [
        f"{PATH}/reports/junit.xml",
        f"{PATH}/reports%2Fjunit.xml",
        "/projects/1/jobs/artifacts/main/raw/reports/junit.xml?job=compile",
    ],
)
async def test_one_file(api, path):
    reply = await api(f"GET {path}")
    assert (reply.status, reply.body) == (200, b"<testsuite/>")
    assert reply.headers["Content-Disposition"] == 'attachment; filename="junit.xml"'


async def test_by_a_ref_with_slashes(api, succeeded):
    succeeded.ref = "feature/x"
    assert (
        await api("GET /projects/1/jobs/artifacts/feature/x/download?job=compile")
    ).status == 200


@pytest.mark.parametrize(
    ("call", "status", "text"),
    [
        (f"GET {PATH}/no.txt", 404, "404 Not Found"),
        (f"GET {PATH}/a/../../etc/passwd", 400, "400 Bad request"),
        ("GET /projects/1/jobs/2/artifacts", 404, "404 Not Found"),
        ("GET /projects/1/jobs/2/artifacts/tree", 404, "404 Artifacts Not Found"),
        (f"GET {PATH}/tree?path=nowhere", 404, "404 Path Not Found"),
        ("POST /projects/1/jobs/2/artifacts/keep", 404, "404 Not Found"),
        ("GET /projects/1/jobs/artifacts/main/download?job=none", 404, "404 Not found"),
    ],
)
async def test_what_is_not_there(api, call, status, text):
    reply = await api(call)
    assert (reply.status, reply.json) == (status, {"message": text})


async def test_by_ref_uses_latest_successful_pipeline(api, world, succeeded):
    path = "/projects/1/jobs/artifacts/main/download"
    missing = await api(f"GET {path}")
    assert (missing.status, missing.json) == (400, {"error": "job is missing"})
    later = world.add_pipeline(world.project("group/app"))
    assert (await api(f"GET {path}?job=compile")).status == 200
    later.status = "success"
    reply = await api(f"GET {path}?job=compile")
    assert (reply.status, reply.json) == (404, {"message": "404 Not found"})
    recent = "search_recent_successful_pipelines=true"
    assert (await api(f"GET {path}?job=compile&{recent}")).status == 200
    succeeded.status = "running"
    # Only the search names what it lacks: lib/api/ci/job_artifacts.rb.
    reply = await api(f"GET {path}?job=compile&{recent}")
    assert (reply.status, reply.json) == (404, {"message": "404 Job Not Found"})


async def test_tree(api):
    reply = await api(f"GET {PATH}/tree")
    assert reply.json == [
        {"name": "reports", "path": "reports/", "type": "directory", "mode": "040755"},
        {"name": "app.txt", "path": "app.txt", "type": "file", "mode": "100644", "size": 3},
    ]
    assert reply.headers["X-Total"] == "2"
    inner = (await api(f"GET {PATH}/tree?path=reports")).json
    path = "reports/junit.xml"
    file = {"name": "junit.xml", "path": path, "type": "file", "mode": "100644", "size": 12}
    assert inner == [file]
    everything = (await api(f"GET {PATH}/tree?recursive=true&per_page=2&page=2")).json
    assert [row["path"] for row in everything] == ["reports/junit.xml"]


async def test_keep_is_a_200_and_lifts_the_date(api):
    assert (await api("GET /projects/1/jobs/1")).json["artifacts_expire_at"]
    reply = await api(f"POST {PATH}/keep")
    assert (reply.status, reply.json["artifacts_expire_at"]) == (200, None)


async def test_expired_artifacts_are_gone(api, clock):
    clock.advance(31 * 86_400)
    assert (await api(f"GET {PATH}")).status == 404
    assert "artifacts_file" not in (await api("GET /projects/1/jobs/1")).json
    assert (await api(f"POST {PATH}/keep")).status == 404
    assert (await api(f"GET {PATH}")).status == 404


async def test_size_is_that_of_the_download(api):
    row = (await api("GET /projects/1/jobs/1")).json
    assert row["artifacts_file"]["size"] == len((await api(f"GET {PATH}")).body)
    assert row["artifacts"][0]["size"] == row["artifacts_file"]["size"]


@given(st.dictionaries(st.text(LETTERS, min_size=1, max_size=9), st.binary(max_size=9)))
def test_archive_size_is_computed_without_packing(files):
    assert packed_size(files) == len(pack(files))


@pytest.mark.parametrize("path", [PATH, "/projects/1/artifacts"])
async def test_delete_conflicts_with_statistics_refresh(api, world, path):
    """GitLab answers 409 while a refresh of the build artifact statistics runs."""
    world.project("group/app").refreshing_artifacts = True
    assert (await api(f"DELETE {path}")).status == 409
    assert (await api(f"GET {PATH}")).status == 200


@pytest.mark.parametrize(("method", "status"), [("POST", 404), ("DELETE", 403)])
async def test_keep_checks_the_job_before_the_caller(api, method, status):
    """In lib/api/ci/job_artifacts.rb keep finds the build before it authorizes."""
    path = "/projects/1/jobs/999/artifacts" + ("/keep" if method == "POST" else "")
    assert (await api(f"{method} {path}", token="glpat-rita")).status == status


async def test_delete(api):
    reply = await api(f"DELETE {PATH}")
    assert (reply.status, reply.body) == (204, b"")
    assert (await api(f"GET {PATH}")).status == 404


async def test_delete_all(api):
    reply = await api("DELETE /projects/1/artifacts")
    assert (reply.status, reply.json) == (202, {"message": "202 Accepted"})
    assert (await api(f"GET {PATH}")).status == 404
