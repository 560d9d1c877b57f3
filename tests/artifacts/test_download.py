"""Download an archive to a file, over real HTTP and lost connections."""

import hashlib

import pytest
from aiohttp import web

from gitlab_jobs_async import (
    ConnectionFailedError,
    GitLab,
    Limits,
    NotFoundError,
    ResponseError,
    ResponseTooLargeError,
    RetryPolicy,
)
from gitlab_jobs_async.simulator import Fault
from tests.artifacts.conftest import FILES, STORED
from tests.support.cancellation import cancel_half_way
from tests.support.connections import open_connections
from tests.support.servers import serving as serving_handler

HALF = 200_000


def lost(**options):
    return Fault(path=STORED, reset="truncated", cut_at=HALF, **options)


def requested_ranges(simulator):
    return [record.headers.get("range") for record in simulator.storage_requests]


async def test_whole_archive_is_written(serving, archive, tmp_path):
    async with serving() as (_, gitlab):
        done = await gitlab.project(1).download_artifacts(1, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == archive
    assert done.path == tmp_path / "a.zip"
    assert (done.size, done.sha256) == (len(archive), hashlib.sha256(archive).hexdigest())


async def test_latest_archive_is_written(gitlab, simulator, tmp_path):
    simulator.world.pipelines[1].status = "success"
    project = gitlab.project(1)
    by_id = await project.download_artifacts(1, tmp_path / "a.zip")
    latest = await project.download_latest_artifacts(
        "main", str(tmp_path / "b.zip"), job=simulator.world.jobs[1].name
    )
    assert (latest.size, latest.sha256) == (by_id.size, by_id.sha256)


@pytest.mark.parametrize("ranges", [True, False])
async def test_lost_connection_is_made_up_for(serving, archive, tmp_path, ranges):
    async with serving(ranges=ranges) as (simulator, gitlab):
        simulator.faults.add(lost())
        seen = []
        done = await gitlab.project(1).download_artifacts(
            1, tmp_path / "a.zip", progress=lambda *sizes: seen.append(sizes)
        )
        assert requested_ranges(simulator) == [None, f"bytes={HALF}-" if ranges else None]
    assert (tmp_path / "a.zip").read_bytes() == archive
    assert done.sha256 == hashlib.sha256(archive).hexdigest()
    assert seen[-1] == (len(archive), len(archive))
    # Without ranges, the archive is read again from its beginning.
    assert ([size for size, _ in seen] == sorted(size for size, _ in seen)) == ranges


@pytest.mark.parametrize("ranges", [True, False])
async def test_replaced_archive_is_never_mixed(serving, tmp_path, ranges):
    async with serving(ranges=ranges) as (simulator, gitlab):
        other = {"a/b.bin": bytes(100_000), "c.txt": b"d"}

        def replace():
            simulator.world.jobs[1].artifacts = other

        simulator.faults.add(lost(), Fault(path=STORED, effect=replace, skip=1))
        done = await gitlab.project(1).download_artifacts(1, tmp_path / "a.zip")
        await gitlab.project(1).download_artifacts(1, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert done.sha256 == hashlib.sha256((tmp_path / "b.zip").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("status", "headers"),
    [(206, {"Content-Range": "bytes 0-9/10"}), (206, {}), (416, {"Content-Range": "bytes */9"})],
)
async def test_wrong_part_is_read_anew(serving, archive, tmp_path, status, headers):
    wrong = Fault(
        path=STORED, status=status, headers=headers, body=b"x", content_type="application/zip"
    )
    async with serving() as (simulator, gitlab):
        simulator.faults.add(lost(), wrong)
        await gitlab.project(1).download_artifacts(1, tmp_path / "a.zip")
        assert requested_ranges(simulator) == [None, f"bytes={HALF}-", None]
    assert (tmp_path / "a.zip").read_bytes() == archive


@pytest.mark.parametrize("sent", [b"x" * 10, b"x" * 300_000])
async def test_part_of_another_size_is_not_the_end(archive, tmp_path, clock, sent):
    """A chunked part has no Content-Length, so only its Content-Range says how long it is."""
    etag = {"ETag": '"a"'}
    half = archive[:HALF]

    async def serve(request):
        if request.headers.get("Range") == f"bytes={HALF}-":
            rest = f"bytes {HALF}-{len(archive) - 1}/{len(archive)}"
            response = web.StreamResponse(status=206, headers=etag | {"Content-Range": rest})
            await response.prepare(request)
            await response.write(sent)
        elif len(server.requests) == 1:
            response = web.StreamResponse(headers=etag | {"Content-Length": str(len(archive))})
            await response.prepare(request)
            await response.write(half)
            request.transport.close()
        else:
            start = int(request.headers.get("Range", "bytes=0-")[6:-1])
            rest = {"Content-Range": f"bytes {start}-{len(archive) - 1}/{len(archive)}"}
            status, more = (206, rest) if start else (200, {})
            response = web.Response(status=status, headers=etag | more, body=archive[start:])
        return response

    async with serving_handler(serve) as server, GitLab(server.url, clock=clock) as gitlab:
        done = await gitlab.project(1).download_artifacts(1, tmp_path / "a.zip")
    written = (tmp_path / "a.zip").read_bytes()
    assert len(written) == done.size == len(archive)
    assert done.sha256 == hashlib.sha256(written).hexdigest()


async def test_compressed_archive_is_complete(archive, tmp_path):
    """A proxy may compress it, although that is not asked for; the length is that of the gzip."""

    async def serve(_request):
        response = web.Response(body=archive)
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async with serving_handler(serve) as server, GitLab(server.url) as gitlab:
        done = await gitlab.project(1).download_artifacts(1, tmp_path / "a.zip")
    assert (done.size, done.sha256) == (len(archive), hashlib.sha256(archive).hexdigest())
    assert (tmp_path / "a.zip").read_bytes() == archive


async def test_416_to_a_whole_request_is_raised(serving, tmp_path):
    async with serving() as (simulator, gitlab):
        beyond = Fault(path=STORED, status=416, times=None)
        simulator.faults.add(lost(), beyond)
        with pytest.raises(ResponseError) as raised:
            await gitlab.project(1).download_artifacts(1, tmp_path / "a.zip")
        assert requested_ranges(simulator) == [None, f"bytes={HALF}-", None]
    assert raised.value.status == 416
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ranges", [True, False])
async def test_attempts_are_limited(serving, tmp_path, ranges):
    file = tmp_path / "a.zip"
    file.write_text("old")
    async with serving(ranges=ranges, retry=RetryPolicy(attempts=4)) as (simulator, gitlab):
        simulator.faults.add(Fault(path=STORED, reset="truncated", cut_at=10, times=None))
        with pytest.raises(ConnectionFailedError):
            await gitlab.project(1).download_artifacts(1, file)
        assert len(simulator.storage_requests) == 4
        assert open_connections(gitlab) == 0
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


async def test_progress_renews_the_attempts(serving, tmp_path):
    """Five losses with three attempts: each time more than a megabyte is new."""
    async with serving() as (simulator, gitlab):
        simulator.world.jobs[1].artifacts = {"a": bytes(8_000_000)}
        broken = Fault(path=STORED, reset="truncated", cut_at=1_500_000, times=5)
        simulator.faults.add(broken)
        done = await gitlab.project(1).download_artifacts(1, tmp_path / "a.zip")
        assert len(simulator.storage_requests) == 6
    assert done.size == (tmp_path / "a.zip").stat().st_size > 8_000_000


async def test_archive_limit_counts_all_parts(serving, tmp_path):
    async with serving(limits=Limits(archive=300_000)) as (simulator, gitlab):
        simulator.faults.add(lost())
        with pytest.raises(ResponseTooLargeError):
            await gitlab.project(1).download_artifacts(1, tmp_path / "a.zip")
    assert not list(tmp_path.iterdir())


async def test_missing_artifacts_leave_no_file(gitlab, tmp_path):
    with pytest.raises(NotFoundError):
        await gitlab.project(1).download_artifacts(2, tmp_path / "a.zip")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "no/a.zip"])
async def test_wrong_file_is_an_error_at_once(simulator, gitlab, tmp_path, name):
    with pytest.raises(OSError, match=tmp_path.name):
        await gitlab.project(1).download_artifacts(1, tmp_path / name)
    assert not simulator.requests


async def test_permissions_of_the_file_are_kept(gitlab, tmp_path):
    file = tmp_path / "a.zip"
    file.touch(0o600)
    await gitlab.project(1).download_artifacts(1, file)
    assert file.stat().st_mode & 0o777 == 0o600


async def test_credentials_are_not_sent_to_the_storage(serving, tmp_path):
    async with serving() as (simulator, gitlab):
        simulator.faults.add(lost())
        await gitlab.project(1).download_artifacts(1, tmp_path / "a.zip")
        sent = [set(record.headers) for record in simulator.storage_requests]
    assert not {"private-token", "authorization"} & sent[0]
    assert sent[1] == sent[0] | {"range", "if-range"}


@pytest.mark.parametrize("path", [STORED, "*/jobs/1/artifacts"])
async def test_cancelled_download_leaves_nothing(serving, tmp_path, path):
    async with serving() as (simulator, gitlab):
        simulator.faults.add(Fault(path=path, latency=1.0))
        call = gitlab.project(1).download_artifacts(1, tmp_path / "a.zip")
        await cancel_half_way(simulator, gitlab, call)
    assert not list(tmp_path.iterdir())


async def test_cancelled_body_leaves_nothing(serving, tmp_path):
    async with serving() as (simulator, gitlab):
        simulator.faults.add(Fault(path=STORED, drip=len(FILES["a/b.bin"]) // 4))
        call = gitlab.project(1).download_artifacts(1, tmp_path / "a.zip")
        await cancel_half_way(simulator, gitlab, call)
    assert not list(tmp_path.iterdir())
