"""Older releases, as gitlab.md dates what changed."""

import pytest
from attrs import evolve, fields

from gitlab_jobs_async.simulator import SimulatorSettings
from gitlab_jobs_async.simulator.versions import NEWEST, Features, features_of

KEYSET = "GET /projects/1/jobs?pagination=keyset&per_page=2"
BELOW_ALL = "eyJpZCI6IjEiLCJfa2QiOiJuIn0="


@pytest.mark.parametrize(
    ("given", "version"),
    [("16.0", "16.0.0"), ("18.2.1", "18.2.1"), ("19.5.0-ee", "19.5.0-ee"), ("20.1", "20.1.0")],
)
def test_versions_have_three_numbers(given, version):
    assert SimulatorSettings(version=given).version == version


@pytest.mark.parametrize(
    "text",
    ["", "x", "16", "v16.0", "16.0.0.0", "16.x", " 16.0", "1\u0666.0", None, f"16.{'9' * 9}"],
)
def test_invalid_version_is_refused(text):
    with pytest.raises(ValueError, match=r"invalid version .*: expected one such as 16\.0 or 19"):
        SimulatorSettings(version=text)


@pytest.mark.parametrize("text", ["14.10", "9.0.0", "0.1"])
def test_too_old_versions_are_refused(text):
    with pytest.raises(ValueError, match=f"version {text} is too old .*: expected 15.0 or newer"):
        SimulatorSettings(version=text)


def test_newest_knows_all_and_oldest_nothing():
    newest = [getattr(features_of(NEWEST), field.name) for field in fields(Features)]
    assert set(newest) == {True}
    assert features_of("99.0") == features_of(NEWEST)
    oldest = [getattr(features_of("15.0"), field.name) for field in fields(Features)]
    assert set(oldest) == {False}


def test_features_are_documented():
    for field in fields(Features):
        assert f"{field.name}: " in Features.__doc__


def test_switches_override_the_version():
    settings = SimulatorSettings(version="16.0", byte_ranges=True, keyset=False)
    assert (settings.features.byte_ranges, settings.features.keyset) == (True, False)
    newer = evolve(settings, version="19.5", byte_ranges=None)
    assert newer.features == evolve(features_of("19.5"), keyset=False)
    throttled = SimulatorSettings(rate_limit_headers="throttled")
    assert not throttled.features.rate_limit_headers
    assert SimulatorSettings(version="16.0", jobs_index_limit=5).jobs_per_minute == 5
    assert SimulatorSettings(jobs_index_limit=0).jobs_per_minute == 0


async def test_server_returns_its_version(serve, world):
    api = await serve(world, version="17.3")
    assert (await api("GET /version")).json["version"] == "17.3.0"
    assert (await api("GET /metadata")).json["version"] == "17.3.0"


@pytest.mark.parametrize(
    ("version", "status"), [("15.9", 200), ("18.0", 200), ("18.2", 500), ("19.5", 500)]
)
async def test_empty_cursor_by_version(serve, world, version, status):
    api = await serve(world, version=version)
    assert (await api(f"{KEYSET}&cursor={BELOW_ALL}")).status == status
    headers = (await api(KEYSET)).headers
    assert "Link" in headers
    assert ("X-NEXT-CURSOR" in headers) == (status == 500)


async def test_before_15_9_keyset_is_ignored(serve, world):
    api = await serve(world, version="15.8")
    assert (await api(KEYSET)).headers["X-Next-Page"] == "2"


async def test_byte_ranges_and_ref_came_with_19_1(serve, world, job, clock):
    clock.advance(700)
    for version, length, count in (("19.0", 10_240, 9), ("19.1", 5, 0)):
        api = await serve(world, version=version)
        trace = await api(f"GET /projects/1/jobs/{job('unit').id}/trace?byte_limit=5")
        assert len(trace.body) == length
        assert len((await api("GET /projects/1/jobs?ref=no-such-branch")).json) == count


async def test_rate_limit_headers_by_version(serve, world):
    for version, emitted in (("18.5", False), ("18.6", True)):
        api = await serve(world, version=version, api_limit=9)
        assert ("RateLimit-Limit" in (await api("GET /version")).headers) == emitted


@pytest.mark.parametrize(
    ("status", "since"), [("canceling", (16, 17)), ("waiting_for_callback", (15, 17))]
)
@pytest.mark.parametrize("path", ["/projects/1/jobs?scope[]=", "/projects/1/pipelines?status="])
async def test_older_servers_refuse_newer_statuses(serve, world, status, since, path):
    before, after = since
    assert (await (await serve(world, version=f"{before}.0"))(f"GET {path}{status}")).status == 400
    assert (await (await serve(world, version=f"{after}.0"))(f"GET {path}{status}")).status == 200


async def test_before_17_0_a_cancel_is_at_once(serve, world, job):
    api = await serve(world, version="16.11")
    reply = await api(f"POST /projects/1/jobs/{job('graceful').id}/cancel")
    assert (reply.status, reply.json["status"]) == (201, "canceled")


async def test_force_is_ignored_before_17_11(serve, world, job):
    api = await serve(world, version="17.10")
    path = f"POST /projects/1/jobs/{job('graceful').id}/cancel"
    assert (await api(path)).json["status"] == "canceling"
    assert (await api(f"{path}?force=true")).json["status"] == "canceling"
    today = await serve(world)
    assert (await today(f"{path}?force=true")).json["status"] == "canceled"


async def test_bridges_are_retried_since_17_0(serve, world, job, clock):
    clock.advance(700)
    path = f"POST /projects/1/jobs/{job('trigger').id}/retry"
    assert (await (await serve(world, version="16.11"))(path)).status == 404
    assert (await (await serve(world, version="17.0"))(path)).status == 201


async def test_tree_is_a_file_before_19_1(serve, world, job, clock):
    clock.advance(30)
    path = f"GET /projects/1/jobs/{job('compile').id}/artifacts/tree"
    reply = await (await serve(world, version="19.0"))(path)
    assert (reply.status, reply.json) == (404, {"message": "404 Not Found"})
    assert (await (await serve(world))(path)).status == 200
