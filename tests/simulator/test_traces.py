"""Traces: uploads, ranges of bytes, archived logs, erasure, huge logs (gitlab.md, 3)."""

import tracemalloc

import pytest

from gitlab_jobs_async.simulator import JobPlan, RepeatedLog

LINE = b"line of the log\n"
LOG = LINE * 640


@pytest.fixture
def path(job):
    return f"/projects/1/jobs/{job('unit').id}/trace"


@pytest.fixture
def fresh(world):
    """A job that starts at once and runs 100 s, writing 100 bytes a second."""

    def add(**plan):
        pipeline = world.add_pipeline(world.project("group/app"), at=world.now)
        options = {"queued": 0, "duration": 100, "log": b"0123456789" * 1000} | plan
        return world.add_job(pipeline, "fresh", plan=JobPlan(**options))

    return add


async def test_headers_of_a_log(api, path, job):
    reply = await api(f"GET {path}")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/plain"
    disposition = f'infile; filename="{job("unit").id}.log"'
    assert reply.headers["Content-Disposition"] == disposition
    assert "X-Page" not in reply.headers


async def test_log_grows_by_uploads_until_the_end(api, fresh, clock):
    row = fresh()
    sizes = {}
    for second in range(105):
        reply = await api(f"GET /projects/1/jobs/{row.id}/trace")
        sizes.setdefault(len(reply.body), second)
        clock.advance(1)
    assert sizes == {0: 0, 300: 3, 6300: 63, 10_000: 100}
    assert row.status == "success"


async def test_cadence_is_the_plans_or_the_settings(serve, world, fresh, clock):
    api = await serve(world, upload_interval=30, first_upload=10)
    slow, quick = fresh(), fresh(upload_interval=5, first_upload=1)
    clock.advance(42)
    assert len((await api(f"GET /projects/1/jobs/{slow.id}/trace")).body) == 4000
    assert len((await api(f"GET /projects/1/jobs/{quick.id}/trace")).body) == 4100


async def test_watched_runner_uploads_every_3_seconds(api, fresh, clock):
    row, sizes = fresh(duration=1000, watched=[(0, 9), (100, 130)]), {}
    for second in range(260):
        reply = await api(f"GET /projects/1/jobs/{row.id}/trace")
        sizes.setdefault(len(reply.body) // 10, second)
        clock.advance(1)
    assert list(sizes.values()) == [0, 3, 6, 9, 69, *range(129, 133, 3), 192, 252]


async def test_upload_times_replace_the_interval(api, fresh, clock):
    row, sizes = fresh(upload_times=(2, 5, 40)), {}
    for second in range(101):
        reply = await api(f"GET /projects/1/jobs/{row.id}/trace")
        sizes.setdefault(len(reply.body), second)
        clock.advance(1)
    assert sizes == {0: 0, 200: 2, 500: 5, 4000: 40, 10_000: 100}


async def test_log_goes_on_while_canceling(api, fresh, clock):
    row = fresh(after_script=30, upload_interval=5)
    clock.advance(20)
    assert (await api(f"POST /projects/1/jobs/{row.id}/cancel")).json["status"] == "canceling"
    before = (await api(f"GET /projects/1/jobs/{row.id}/trace")).body
    clock.advance(10)
    during = (await api(f"GET /projects/1/jobs/{row.id}/trace")).body
    clock.advance(100)
    after = (await api(f"GET /projects/1/jobs/{row.id}/trace")).body
    assert (len(before), len(during), len(after)) == (1800, 2800, 5000)
    assert after.startswith(during)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("byte_offset=0&byte_limit=4", LOG[:4]),
        ("byte_offset=5", LOG[5:]),
        ("byte_limit=512000", LOG),
        ("byte_offset=10239&byte_limit=99", LOG[10239:]),
        ("byte_offset=10240", b""),
        ("byte_offset=999999&byte_limit=5", b""),
    ],
)
async def test_byte_ranges(api, path, clock, query, expected):
    clock.advance(700)
    reply = await api(f"GET {path}?{query}")
    assert (reply.status, reply.body) == (200, expected)
    assert "Content-Range" not in reply.headers


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("byte_offset=-1", "byte_offset does not have a valid value"),
        ("byte_limit=0", "byte_limit does not have a valid value"),
        ("byte_limit=512001", "byte_limit does not have a valid value"),
        ("byte_offset=x", "byte_offset is invalid"),
    ],
)
async def test_bad_byte_ranges(api, path, query, text):
    reply = await api(f"GET {path}?{query}")
    assert (reply.status, reply.json) == (400, {"error": text})


async def test_older_servers_send_the_whole_log(serve, world, path, clock):
    api = await serve(world, byte_ranges=False)
    clock.advance(700)
    assert (await api(f"GET {path}?byte_offset=5&byte_limit=1")).body == LOG
    assert (await api(f"GET {path}", headers={"Range": "bytes=0-3"})).status == 200


async def test_ranges_of_a_cut_character(api, fresh, clock):
    row = fresh(log="ü".encode() * 10)
    clock.advance(200)
    reply = await api(f"GET /projects/1/jobs/{row.id}/trace?byte_offset=1&byte_limit=2")
    assert reply.body == b"\xbc\xc3"


@pytest.mark.parametrize(
    ("asked", "status", "expected", "content_range"),
    [
        ("bytes=0-3", 206, LOG[:4], "bytes 0-3/10240"),
        ("bytes=10000-", 206, LOG[10000:], "bytes 10000-10239/10240"),
        ("bytes=-5", 206, LOG[-5:], "bytes 10235-10239/10240"),
        ("bytes=99999-", 416, b"", "bytes */10240"),
        ("lines=1-2", 200, LOG, None),
        ("bytes=5-2", 200, LOG, None),
    ],
)
async def test_archived_logs_know_ranges(
    serve, world, path, clock, asked, status, expected, content_range
):
    api = await serve(world, archived_ranges=True)
    live = await api(f"GET {path}", headers={"Range": asked})
    assert live.status == 200
    clock.advance(700)
    reply = await api(f"GET {path}", headers={"Range": asked})
    assert (reply.status, reply.body) == (status, expected)
    assert reply.headers.get("Content-Range") == content_range
    assert not reply.headers.get("ETag", '"').startswith("W/")


async def test_if_none_match_applies_before_range(serve, world, path, clock):
    """RFC 9110 evaluates If-None-Match first, and net/http in Workhorse does so."""
    api = await serve(world, archived_ranges=True)
    clock.advance(700)
    etag = (await api(f"GET {path}")).headers["ETag"]
    for asked in ("bytes=0-3", "bytes=99999-"):
        reply = await api(f"GET {path}", headers={"Range": asked, "If-None-Match": etag})
        assert (reply.status, reply.body) == (304, b"")


async def test_archiving_can_be_delayed(serve, world, path, clock):
    api = await serve(world, archived_ranges=True, archive_after=300)
    clock.advance(700)
    assert (await api(f"GET {path}", headers={"Range": "bytes=0-3"})).status == 200
    clock.advance(300)
    assert (await api(f"GET {path}", headers={"Range": "bytes=0-3"})).status == 206


async def test_unchanged_log_is_a_304(api, path, clock):
    first = await api(f"GET {path}")
    condition = {"If-None-Match": first.headers["ETag"]}
    clock.advance(10)
    same = await api(f"GET {path}", headers=condition)
    assert (same.status, same.body) == (304, b"")
    clock.advance(60)
    assert (await api(f"GET {path}", headers=condition)).status == 200


async def test_empty_log_is_a_200(api, job):
    reply = await api(f"GET /projects/1/jobs/{job('ship').id}/trace")
    assert (reply.status, reply.body) == (200, b"")
    assert "ETag" not in reply.headers


async def test_log_can_shrink_or_be_replaced(api, world, path, job, clock):
    clock.advance(700)
    before = await api(f"GET {path}")
    world.replace_log(job("unit"), b"another")
    after = await api(f"GET {path}", headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status, after.body) == (200, b"another")


async def test_gzip_of_a_log(serve, world, path, clock):
    api = await serve(world, gzip=True)
    clock.advance(700)
    reply = await api(f"GET {path}", headers={"Accept-Encoding": "gzip, br"})
    assert reply.headers["Content-Encoding"] == "gzip"
    assert len(reply.body) < 200
    assert "ETag" not in reply.headers


async def test_huge_log_is_never_copied(api, fresh, clock):
    size = 64 * 1024 * 1024
    row = fresh(log=RepeatedLog(LINE, size))
    clock.advance(200)
    tracemalloc.start()
    got = 0
    url = f"{api.gitlab.url}/api/v4/projects/1/jobs/{row.id}/trace"
    async with api.session.get(url, headers={"PRIVATE-TOKEN": "glpat-root"}) as response:
        assert response.content_length == size
        async for piece in response.content.iter_chunked(1 << 20):
            got += len(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert got == size
    assert peak < 8 * 1024 * 1024
    assert api.gitlab.requests[-1].sent == size
