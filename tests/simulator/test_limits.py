"""Both rate limits and their two kinds of 429 (gitlab.md, 6)."""

import pytest

JOBS = "GET /projects/1/jobs"
TOO_MANY = {
    "message": {"error": "This endpoint has been requested too many times. Try again later."}
}


async def test_jobs_index_has_a_limit_by_default(serve, world, clock):
    """GitLab's own default; the limits of Rack::Attack are off."""
    api = await serve(world)
    replies = [await api(f"{JOBS}?per_page=1") for _ in range(601)]
    assert {reply.status for reply in replies[:600]} == {200}
    assert (replies[-1].status, replies[-1].json) == (429, TOO_MANY)
    assert (await api("GET /version")).status == 200
    clock.advance(60)
    assert (await api(JOBS)).status == 200


async def test_no_headers_of_limits_by_default(api):
    assert not [name for name in (await api(JOBS)).headers if name.startswith("RateLimit")]


async def test_throttle_counts_down_to_a_429(serve, world, clock):
    api = await serve(world, api_limit=2)
    first = await api("GET /version")
    assert first.headers["RateLimit-Limit"] == "2"
    assert first.headers["RateLimit-Name"] == "throttle_authenticated_api"
    assert first.headers["RateLimit-Observed"] == "1"
    assert first.headers["RateLimit-Remaining"] == "1"
    assert first.headers["RateLimit-Reset"] == "1750000020"
    lost = await api("GET /nothing")
    assert (lost.status, lost.headers["RateLimit-Observed"]) == (404, "2")
    refused = await api("GET /version")
    assert (refused.status, refused.body) == (429, b"Retry later\n")
    assert refused.headers["Content-Type"] == "text/plain"
    assert refused.headers["Retry-After"] == "20"
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert refused.headers["RateLimit-ResetTime"] == "Sun, 15 Jun 2025 15:07:00 GMT"
    assert (await api("GET /version", token="glpat-bob")).status == 200
    world.add_token(world.root, "another")
    assert (await api("GET /version", token="another")).status == 429
    clock.advance(20)
    assert (await api("GET /version")).status == 200


async def test_anonymous_requests_share_one_limit(serve, world):
    """Rack::Attack counts unauthenticated requests under one key here, as behind one address."""
    api = await serve(world, api_limit=1)
    first = await api("GET /projects", token=None)
    assert first.headers["RateLimit-Name"] == "throttle_unauthenticated_api"
    assert (await api("GET /version", token="unknown")).status == 429
    assert (await api("GET /version")).status == 200


async def test_wait_reaches_beyond_the_window(serve, world, clock):
    api = await serve(world, api_limit=1)
    clock.advance(0.7)
    await api("GET /version")
    clock.advance(float((await api("GET /version")).headers["Retry-After"]))
    assert (await api("GET /version")).status == 200


async def test_errors_carry_the_headers_too(serve, world):
    api = await serve(world, api_limit=9)
    assert (await api("GET /projects/99/jobs")).headers["RateLimit-Observed"] == "1"


async def test_older_servers_send_limits_on_429_only(serve, world):
    """Before 18.6 the headers were sent with the refusal alone."""
    api = await serve(world, api_limit=1, rate_limit_headers="throttled")
    assert "RateLimit-Limit" not in (await api("GET /version")).headers
    assert (await api("GET /version")).headers["RateLimit-Limit"] == "1"


@pytest.mark.parametrize(
    ("limit", "window", "expected"),
    [(100, 3600, "2"), (61, 3600, "2"), (60, 3600, "1"), (5, 10, "30")],
)
async def test_limit_header_is_per_minute_rounded_up(serve, world, limit, window, expected):
    """Rack::Attack's headers state the limit per minute, whatever its window."""
    api = await serve(world, api_limit=limit, api_window=window)
    first = await api("GET /version")
    assert first.headers["RateLimit-Limit"] == expected
    assert first.headers["RateLimit-Remaining"] == str(limit - 1)


async def test_jobs_index_limit_spans_projects(serve, world, clock):
    """The application limiter counts by user and endpoint, and sends no headers."""
    api = await serve(world, jobs_index_limit=2)
    assert (await api(JOBS)).status == 200
    assert (await api("GET /projects/2/jobs")).status == 200
    refused = await api(JOBS)
    assert (refused.status, refused.json) == (429, TOO_MANY)
    assert refused.headers["Retry-After"] == "60"
    assert not [name for name in refused.headers if name.startswith("RateLimit")]
    assert (await api("GET /projects/1/jobs/1")).status == 200
    assert (await api("GET /projects/1/pipelines/1/jobs")).status == 200
    clock.advance(60)
    assert (await api(JOBS)).status == 200


async def test_jobs_index_opens_at_the_whole_minute(serve, world, clock):
    """`Retry-After` is the interval, not the wait: the window is the minute of the epoch."""
    api = await serve(world, jobs_index_limit=1)
    await api(JOBS)
    assert clock.now() % 60 == 40
    clock.advance(19)
    assert (await api(JOBS)).headers["Retry-After"] == "60"
    clock.advance(1)
    assert (await api(JOBS)).status == 200


@pytest.mark.parametrize(
    ("path", "status", "counts"),
    [
        ("/projects/1/jobs", 200, True),
        ("/projects/99/jobs", 404, True),
        ("/projects/2/jobs", 403, True),
        ("/projects/1/jobs?pagination=keyset&cursor=garbage", 500, True),
        ("/projects/1/jobs?pagination=keyset&sort=asc", 405, True),
        ("/projects/1/jobs?scope=nonsense", 400, False),
        ("/projects/1/jobs?per_page=x", 400, False),
        ("/projects/1/jobs?a=%00", 400, False),
        ("/projects/1/jobs/1", 200, False),
    ],
)
async def test_requests_that_count_for_jobs_index(serve, world, path, status, counts):
    """`check_rate_limit!` is the endpoint's first line, behind the check of its parameters."""
    api = await serve(world, jobs_index_limit=1)
    assert (await api(f"GET {path}", token="glpat-gus")).status == status
    assert (await api(JOBS, token="glpat-gus")).status == (429 if counts else 200)
    assert (await api(JOBS)).status == 200


async def test_jobs_index_ignores_strangers(serve, world):
    api = await serve(world, jobs_index_limit=1)
    assert [(await api(JOBS, token=None)).status for _ in range(3)] == [401] * 3


@pytest.mark.parametrize(
    ("version", "status", "wait"), [("16.4", 200, None), ("16.5", 429, None), ("18.0", 429, "60")]
)
async def test_jobs_index_follows_the_version(serve, world, version, status, wait):
    api = await serve(world, version=version)
    replies = [await api(f"{JOBS}?per_page=1") for _ in range(601)]
    assert {reply.status for reply in replies[:600]} == {200}
    assert replies[-1].status == status
    assert replies[-1].headers.get("Retry-After") == wait


async def test_older_jobs_index_sends_no_retry_after(serve, world):
    """The application limiter sends the header since 18.0 only."""
    api = await serve(world, jobs_index_limit=1, jobs_index_retry_after=False)
    await api(JOBS)
    assert "Retry-After" not in (await api(JOBS)).headers
