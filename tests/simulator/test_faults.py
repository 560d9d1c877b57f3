"""Scripted faults, as decided and as a client meets them."""

import asyncio
import contextlib
from email.utils import parsedate_to_datetime

import aiohttp
import pytest
from attrs import evolve

from gitlab_jobs_async.simulator import Fault, Faults

JOBS = "GET /projects/1/jobs"


async def someone_sleeps(clock):
    while clock.next_wake is None:  # noqa: ASYNC110 - the clock has no event
        await asyncio.sleep(0)


def struck(faults, count, method="GET", path="/api/v4/x"):
    return [faults.decide(method, path).fault is not None for _ in range(count)]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(status=502), [True, False, False, False]),
        (Fault(status=502, times=2), [True, True, False, False]),
        (Fault(status=502, times=None), [True, True, True, True]),
        (Fault(status=502, skip=2), [False, False, True, False]),
        (Fault(status=502, every=2, times=None), [True, False, True, False]),
        (Fault(status=502, method="POST"), [False] * 4),
        (Fault(status=502, path="*/trace"), [False] * 4),
        (Fault(status=502, path="/api/v4/*", times=None), [True] * 4),
    ],
)
def test_which_requests_are_struck(fault, expected):
    faults = Faults()
    faults.add(fault)
    assert struck(faults, 4) == expected
    assert faults.count(fault) == sum(expected)


def test_probability_is_repeatable():
    def run(seed):
        faults = Faults(seed)
        faults.add(Fault(status=500, times=None, probability=0.3))
        return struck(faults, 200)

    assert run(1) == run(1) != run(2)
    assert 30 < sum(run(1)) < 90


def test_delays_add_up_and_the_first_harm_wins():
    faults = Faults()
    broken = Fault(status=500)
    faults.add(Fault(latency=1), Fault(latency=2), broken, Fault(status=502), Fault(latency=3))
    trouble = faults.decide("GET", "/")
    assert (trouble.delay, trouble.fault) == (6, broken)
    assert faults.decide("GET", "/").fault.status == 502
    faults.clear()
    assert faults.decide("GET", "/").fault is None


@pytest.mark.parametrize(
    ("fault", "status", "kind", "body"),
    [
        (Fault.bad_gateway(), 502, "text/html", b"<html>"),
        (Fault.sign_in_page(), 200, "text/html", b"<!DOCTYPE html>"),
        (Fault.throttled(), 429, "text/plain", b"Retry later\n"),
        (Fault.too_many_requests(), 429, "application/json", b'{"message":{"error":"This'),
        (Fault(status=500, body='{"message":"x"}', content_type="application/json"), 500,
         "application/json", b'{"message":"x"}'),
    ],
)  # fmt: skip
async def test_other_answers(api, fault, status, kind, body):
    api.gitlab.faults.add(fault)
    reply = await api(JOBS)
    assert (reply.status, reply.headers["Content-Type"]) == (status, kind)
    assert reply.body.startswith(body)
    assert (await api(JOBS)).status == 200
    assert [record.status for record in api.gitlab.requests] == [status, 200]


@pytest.mark.parametrize("value", ["7", "Wed, 21 Oct 2026 07:28:00 GMT", None])
async def test_retry_after_in_all_forms(api, value):
    api.gitlab.faults.add(Fault.throttled(retry_after=value))
    assert (await api(JOBS)).headers.get("Retry-After") == value


async def test_retry_date_follows_the_clock(api, clock):
    fault = evolve(Fault.throttled(retry_after=None, times=None), retry_date=30)
    api.gitlab.faults.add(fault)
    for _ in range(2):
        clock.advance(10)
        date = (await api(JOBS)).headers["Retry-After"]
        assert parsedate_to_datetime(date).timestamp() == clock.now() + 30


async def test_jitter_adds_to_latency():
    faults = Faults(seed=1)
    faults.add(Fault(latency=2, jitter=3, times=None))
    delays = [faults.decide("GET", "/").delay for _ in range(50)]
    assert all(2 <= delay <= 5 for delay in delays)
    assert max(delays) - min(delays) > 1


async def test_seed_changes_random_faults(serve, world):
    api = await serve(world)
    api.gitlab.faults = Faults(seed=3)
    api.gitlab.faults.add(Fault(status=500, times=None, probability=0.5))
    same = Faults(seed=3)
    same.add(Fault(status=500, times=None, probability=0.5))
    expected = [500 if is_struck else 200 for is_struck in struck(same, 20)]
    assert [(await api(JOBS)).status for _ in range(20)] == expected


@pytest.mark.parametrize(("reset", "handled"), [("before", False), ("unanswered", True)])
async def test_lost_before_an_answer(api, job, reset, handled):
    api.gitlab.faults.add(Fault(method="POST", reset=reset))
    with pytest.raises(aiohttp.ClientConnectionError):
        await api(f"POST /projects/1/jobs/{job('unit').id}/cancel")
    assert (job("unit").status == "canceled") is handled
    assert api.gitlab.requests[-1].sent == 0


@pytest.mark.parametrize("reset", ["within", "truncated"])
@pytest.mark.parametrize("cut_at", [None, 0, 10])
async def test_lost_within_the_body(api, reset, cut_at):
    whole = len((await api(JOBS)).body)
    api.gitlab.faults.add(Fault(reset=reset, cut_at=cut_at))
    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientConnectionError)):
        await api(JOBS)
    assert api.gitlab.requests[-1].sent == (whole // 2 if cut_at is None else cut_at)
    assert (await api(JOBS)).status == 200


async def test_lost_after_the_body(api):
    api.gitlab.faults.add(Fault(reset="after"))
    with contextlib.suppress(aiohttp.ClientError):  # the reset may overtake the end of the body
        assert (await api(JOBS)).status == 200
    assert (await api(JOBS)).status == 200


async def test_latency_is_the_clocks(api, clock):
    api.gitlab.faults.add(Fault(latency=30, jitter=0))
    waiting = asyncio.create_task(api(JOBS))
    await someone_sleeps(clock)
    assert clock.next_wake == clock.now() + 30
    clock.advance(30)
    assert (await waiting).status == 200


async def test_drip(api, clock):
    api.gitlab.faults.add(Fault(drip=1000))
    waiting = asyncio.create_task(api("GET /projects/1/pipelines/1"))
    steps = 0
    while not waiting.done():
        if clock.next_wake is not None:
            clock.advance(1)
            steps += 1
        await asyncio.sleep(0)
    assert (await waiting).json["id"] == 1
    assert steps >= 1


async def test_effects_change_the_world(api, world):
    pipeline = world.pipelines[1]
    insert = Fault(times=None, every=2, effect=lambda: world.add_job(pipeline, "new"))
    api.gitlab.faults.add(insert)
    counts = [len((await api(JOBS)).json) for _ in range(4)]
    assert counts == [10, 10, 11, 11]


async def test_object_storage_has_its_troubles_too(serve, world):
    api = await serve(world, object_storage=True)
    api.gitlab.faults.add(Fault(path="/artifacts/*", reset="truncated"))
    location = (await api("GET /projects/1/jobs/1/artifacts")).headers["Location"]
    with pytest.raises(aiohttp.ClientPayloadError):
        async with api.session.get(location) as response:
            await response.read()
    async with api.session.get(location) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reset", "never"), ("status", 99), ("status", 600), ("times", -1), ("skip", -1),
        ("every", 0), ("probability", -0.1), ("probability", 1.1), ("latency", -1), ("jitter", -1),
        ("cut_at", -1), ("drip", 0),
    ],
)  # fmt: skip
def test_bad_faults_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        Fault(**{name: value})


async def test_disconnect_in_response_is_no_error(api, clock, caplog):
    """The client of a cancelled call closes its connection at any time."""
    api.gitlab.faults.add(Fault(drip=100))
    waiting = asyncio.create_task(api(JOBS))
    await someone_sleeps(clock)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    for _ in range(50):
        clock.advance(1)
        await asyncio.sleep(0.001)
    assert (await api(JOBS)).status == 200
    assert [record.levelname for record in caplog.records if record.levelno >= 30] == []
