"""The server itself: its two forms, its records, what it leaves behind and costs to load."""

import asyncio
import subprocess
import sys
import threading
import urllib.request

import aiohttp
import pytest

from gitlab_jobs_async import simulator
from gitlab_jobs_async.simulator import Simulator, SimulatorSettings


def ask(gitlab, path):
    request = urllib.request.Request(
        f"{gitlab.url}/api/v4{path}", headers={"PRIVATE-TOKEN": gitlab.token}
    )
    with urllib.request.urlopen(request) as response:
        return response.status, response.read()


def test_from_a_thread_without_asyncio():
    with Simulator() as gitlab:
        assert ask(gitlab, "/version")[0] == 200
        url = gitlab.url
    assert "gitlab-simulator" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url)


async def test_records_each_request(api):
    await api("POST /projects/group%2Fapp/jobs/999/retry?a=1&a=%2F", json={"inputs": {}})
    (record,) = api.gitlab.requests
    assert (record.method, record.path) == ("POST", "/api/v4/projects/group%2Fapp/jobs/999/retry")
    assert record.query == [("a", "1"), ("a", "/")]
    assert record.headers["private-token"] == "glpat-root"
    assert record.body == b'{"inputs": {}}'
    assert (record.status, record.at) == (404, api.gitlab.clock.now())
    assert record.sent == len(b'{"message":"404 Not found"}')
    assert "glpat" not in repr(record)


async def test_kept_requests_bounds_the_record(serve, world):
    api = await serve(world, kept_requests=2)
    replies = [await api(f"GET /version?n={number}") for number in range(4)]
    assert [dict(record.query)["n"] for record in api.gitlab.requests] == ["2", "3"]
    assert len({reply.headers["X-Request-Id"] for reply in replies}) == 4


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/projects/%C2%B2/jobs", 404),
        (f"/projects/{'9' * 5000}/jobs", 404),
        (f"/projects/1/jobs/{'9' * 5000}", 404),
        ("/projects/1/jobs?per_page=1_0", 200),  # Ruby's Integer() takes it for 10
        ("/projects/1/jobs?per_page=1__0", 400),
        ("/projects/1/jobs/2/trace?byte_offset=%D9%A1", 400),
    ],
)
async def test_every_request_gets_a_response(api, path, status):
    reply = await api(f"GET {path}")
    assert (reply.status, reply.headers["Content-Type"]) == (status, "application/json")


async def test_bug_is_a_500(api, world, caplog):
    world.jobs[1].created_at = "yesterday"
    reply = await api("GET /projects/1/jobs/1")
    assert (reply.status, reply.json) == (500, {"message": "500 Internal Server Error"})
    assert "Traceback" in caplog.text


async def test_taken_port_raises():
    async with Simulator() as gitlab:
        port = int(gitlab.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            async with Simulator(port=port):
                pass
        with pytest.raises(OSError, match="in use"), Simulator(port=port):
            pass


async def test_nothing_is_left_behind():
    before = asyncio.all_tasks()
    async with (
        Simulator() as gitlab,
        aiohttp.ClientSession() as session,
        session.get(gitlab.url) as response,
    ):
        assert response.status == 404
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_it_stops_though_someone_waits(clock):
    gitlab = Simulator(clock=clock)
    async with gitlab, aiohttp.ClientSession() as session:
        gitlab.faults.add(simulator.Fault(latency=1e6))
        waiting = asyncio.create_task(session.get(gitlab.url))
        while clock.next_wake is None:  # noqa: ASYNC110 - the clock has no event
            await asyncio.sleep(0)
    with pytest.raises(aiohttp.ClientError):
        await waiting


async def test_requests_of_gone_clients_end(clock):
    before = asyncio.all_tasks()
    gitlab = Simulator(clock=clock)
    gitlab.faults.add(simulator.Fault(latency=1e6))
    async with gitlab:
        _, writer = await asyncio.open_connection(*gitlab.url.removeprefix("http://").split(":"))
        writer.write(b"GET /api/v4/version HTTP/1.1\r\nHost: gitlab\r\n\r\n")
        while clock.next_wake is None:  # noqa: ASYNC110 - the clock has no event
            await asyncio.sleep(0)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before


async def test_disconnect_in_request_is_no_error(caplog):
    async with Simulator() as gitlab:
        _, writer = await asyncio.open_connection(*gitlab.url.removeprefix("http://").split(":"))
        writer.write(b"POST /api/v4/job HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
        await asyncio.sleep(0.01)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.01)
    assert not caplog.records
    assert not gitlab.requests


def test_settings_are_checked():
    with pytest.raises(ValueError, match="upload_interval"):
        SimulatorSettings(upload_interval=0)
    with pytest.raises(ValueError, match="api_window"):
        SimulatorSettings(api_window=0)
    for url in ("https://gitlab.example.com/", "gitlab.example.com", "https://u:p@host"):
        with pytest.raises(ValueError, match="external_url"):
            SimulatorSettings(external_url=url)
    with pytest.raises(ValueError, match="cursor_form"):
        SimulatorSettings(cursor_form="xml")
    with pytest.raises(ValueError, match="rate_limit_headers"):
        SimulatorSettings(rate_limit_headers="never")


def test_every_setting_is_documented():
    for name in SimulatorSettings.__attrs_attrs__:
        assert f"{name.name}: " in SimulatorSettings.__doc__


def test_names_are_all_there():
    for name in simulator.__all__:
        assert getattr(simulator, name)
    assert set(dir(simulator)) == set(simulator.__all__)
    with pytest.raises(AttributeError, match="Nothing"):
        simulator.Nothing  # noqa: B018


def loaded(statement):
    code = f"import sys; {statement}; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "statement",
    ["import gitlab_jobs_async.simulator", "import gitlab_jobs_async.simulator.plugin"],
)
def test_costs_nothing_when_unused(statement):
    modules = loaded(statement)
    assert not {"aiohttp", "asyncio", "attr", "attrs", "orjson", "yarl"} & modules - (
        loaded("import pytest") if "plugin" in statement else set()
    )
    ours = {name for name in modules if name.startswith("gitlab_jobs_async.simulator.")}
    assert ours <= {"gitlab_jobs_async.simulator.plugin"}


def test_only_the_server_imports_aiohttp():
    statement = "import gitlab_jobs_async.simulator as s; [s.World, s.demo_world, s.Fault]"
    modules = loaded(f"{statement}; import gitlab_jobs_async.simulator.api.application")
    assert "aiohttp" not in modules
    ours = {name for name in loaded(f"{statement}; s.Simulator") if "gitlab_jobs_async." in name}
    assert all(name.startswith("gitlab_jobs_async.simulator") for name in ours)


async def test_log_record_holds_no_query(api, caplog):
    caplog.set_level("DEBUG")
    await api("GET /projects/1/jobs?private_token=glpat-root", token=None)
    assert api.gitlab.requests[0].status == 200
    assert "glpat-root" not in caplog.text
