"""Both rate limits and their two kinds of 429 (gitlab.md, 6)."""

import pytest

JOBS = "GET /projects/1/jobs"
TOO_MANY = {
    "message": {"error": "This endpoint has been requested too many times. Try again later."}
}


async def test_no_limits_by_default(api):
    assert not [name for name in (await api(JOBS)).headers if name.startswith("RateLimit")]


async def test_throttle_counts_down_and_then_says_retry_later(serve, world, clock):
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


async def test_all_who_are_nobody_share_a_limit_of_their_own(serve, world):
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


async def test_older_servers_tell_only_the_throttled(serve, world):
    api = await serve(world, api_limit=1, rate_limit_headers="throttled")
    assert "RateLimit-Limit" not in (await api("GET /version")).headers
    assert (await api("GET /version")).headers["RateLimit-Limit"] == "1"


@pytest.mark.parametrize(
    ("limit", "window", "told"), [(100, 3600, "2"), (61, 3600, "2"), (60, 3600, "1"), (5, 10, "30")]
)
async def test_limit_is_told_per_minute_rounded_up(serve, world, limit, window, told):
    api = await serve(world, api_limit=limit, api_window=window)
    first = await api("GET /version")
    assert first.headers["RateLimit-Limit"] == told
    assert first.headers["RateLimit-Remaining"] == str(limit - 1)


async def test_jobs_index_is_limited_across_projects_and_never_in_headers(serve, world, clock):
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


async def test_jobs_index_of_older_servers_gives_no_retry_after(serve, world):
    api = await serve(world, jobs_index_limit=1, jobs_index_retry_after=False)
    await api(JOBS)
    assert "Retry-After" not in (await api(JOBS)).headers
