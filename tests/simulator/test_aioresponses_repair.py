"""aioresponses mocks a client with every supported aiohttp, within a block only."""

import inspect
import sys
from importlib import import_module

import aiohttp
import pytest
from aioresponses import CallbackResult, aioresponses

from gitlab_jobs_async import ConnectionFailedError, GitLab, NotFoundError, Request, RetryPolicy
from gitlab_jobs_async.simulator import repaired_aioresponses as repair
from tests.support.connections import open_connections
from tests.support.tasks import others

URL = "https://gitlab.example.com"
API = f"{URL}/api/v4"
JOB = {"id": 7, "status": "failed", "stage": "test", "name": "unit"}
NEEDS_WRITER = "stream_writer" in inspect.signature(aiohttp.ClientResponse).parameters


@pytest.mark.parametrize("has_session", [False, True])
async def test_client_gets_mocked_answers(repaired_aioresponses, has_session):
    session = aiohttp.ClientSession() if has_session else None
    with repaired_aioresponses() as server:
        server.get(f"{API}/projects/group%2Fapp/jobs/7", payload=JOB, headers={"X-Request-Id": "a"})
        server.get(f"{API}/projects/1/jobs/7/trace", body=b"a\nb\n", content_type="text/plain")
        server.post(f"{API}/projects/1/jobs/7/cancel", payload=JOB | {"status": "canceled"})
        server.get(f"{API}/projects/1/jobs/8", status=404, payload={"message": "404 Not found"})
        async with GitLab(URL, auth="glpat-1234567890", session=session) as gitlab:
            assert (await gitlab.project("group/app").get_job(7)).name == "unit"
            async with gitlab.project(1).stream_trace(7) as chunks:
                assert b"".join([chunk async for chunk in chunks]) == b"a\nb\n"
            assert (await gitlab.project(1).cancel_job(7)).status == "canceled"
            with pytest.raises(NotFoundError, match="404 Not found"):
                await gitlab.project(1).get_job(8)
            assert not await others()
            assert open_connections(gitlab) == 0
        sent = [call.kwargs["headers"]["PRIVATE-TOKEN"] for (call,) in server.requests.values()]
    assert sent == ["glpat-1234567890"] * 4
    if session is not None:
        await session.close()


async def test_callback_answers_are_repaired(repaired_aioresponses):
    def answer(_url, **_options):
        return CallbackResult(status=200, payload={"version": "19.0.0"})

    with repaired_aioresponses() as server:
        server.get(f"{API}/version", callback=answer)
        async with GitLab(URL) as gitlab:
            assert (await gitlab.send(Request("GET", "/version"))).json() == {"version": "19.0.0"}


async def test_unmatched_request_is_not_sent(repaired_aioresponses):
    with repaired_aioresponses():
        async with GitLab(URL, retry=RetryPolicy(attempts=1)) as gitlab:
            with pytest.raises(ConnectionFailedError, match="Connection refused"):
                await gitlab.send(Request("GET", "/version"))


@pytest.mark.usefixtures("repaired_aioresponses")
async def test_imported_class_is_repaired_too():
    with aioresponses() as server:
        server.get(f"{API}/projects/1/jobs/7", payload=JOB)
        async with GitLab(URL) as gitlab:
            assert (await gitlab.project(1).get_job(7)).id == 7


def test_repair_ends_with_its_block():
    core = import_module("aioresponses.core")
    assert core.ClientResponse is aiohttp.ClientResponse
    with repair() as mocked:
        assert mocked is aioresponses
        assert (core.ClientResponse is aiohttp.ClientResponse) is not NEEDS_WRITER
    assert core.ClientResponse is aiohttp.ClientResponse


@pytest.mark.skipif(not NEEDS_WRITER, reason="aiohttp before 3.14 has no writer")
def test_given_writer_is_kept(monkeypatch):
    """A release of aioresponses that mends it gives one."""
    given = []
    with repair():
        made_of = import_module("aioresponses.core").ClientResponse

        def record(_response, **options):
            given.append(options["stream_writer"])

        monkeypatch.setattr(aiohttp.ClientResponse, "__init__", record)
        made_of(stream_writer="its own")
        made_of()
    assert given[0] == "its own"
    assert given[1].output_size == 0


def test_missing_aioresponses_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "aioresponses.core", None)
    with pytest.raises(ModuleNotFoundError, match="aioresponses"), repair():
        pass
