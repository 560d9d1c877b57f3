"""Connections of actions, the caller's pool and long headers, with raw servers."""

import asyncio
import contextlib
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from gitlab_jobs_async import (
    ConnectionFailedError,
    DecodeError,
    GitLab,
    Limits,
    Request,
    ResponseTooLargeError,
    RetryPolicy,
    TimedOutError,
)
from tests.support.clocks import JumpClock
from tests.support.connections import CountingConnector
from tests.support.servers import serving
from tests.support.tasks import others, until

JOB = {"id": 1, "name": "build", "stage": "test", "status": "success"}
ONCE = RetryPolicy(attempts=1)
SESSIONS = {
    "ours": None,
    "given": {},
    "limit": {"limit": 3},
    "limit_per_host": {"limit_per_host": 2},
}
ACTIONS = {
    "cancel_job": lambda project: project.cancel_job(1),
    "retry_job": lambda project: project.retry_job(1),
    "delete_artifacts": lambda project: project.delete_artifacts(1),
}


def answer(status=200, body=JOB):
    said = b"" if status == 204 else json.dumps(body).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(said), said)


@asynccontextmanager
async def speaking(connection):
    """Run a raw server that calls *connection* for each connection."""
    writers, failures = [], []

    async def serve(reader, writer):
        writers.append(writer)
        served = 0
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if not await connection(head.split()[0].decode(), served, writer):
                    break
                served += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception as error:  # noqa: BLE001 - raised below
            failures.append(error)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()
    assert not failures


@asynccontextmanager
async def given(name):
    """Yield a session of the caller, or `None`."""
    how = SESSIONS[name]
    if how is None:
        yield None
        return
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(**how)) as session:
        yield session


def closing_when_asked_again(acted):
    """A server whose keep-alive time ends as the next request arrives."""

    async def connection(method, served, writer):
        if served:
            return False
        acted.append(method)
        writer.write(answer(204 if method == "DELETE" else 200))
        return True

    return connection


@pytest.mark.parametrize("session", SESSIONS)
@pytest.mark.parametrize("action", ACTIONS)
async def test_action_survives_closed_pooled_connection(session, action):
    acted = []
    async with speaking(closing_when_asked_again(acted)) as url, given(session) as own:
        async with GitLab(url, session=own, retry=ONCE) as gitlab:
            for _ in range(10):
                await gitlab.project(1).get_job(1) if not acted else None
                await ACTIONS[action](gitlab.project(1))
    assert len([method for method in acted if method != "GET"]) == 10


@pytest.mark.parametrize("session", SESSIONS)
@pytest.mark.parametrize("action", ACTIONS)
async def test_action_without_answer_is_sent_once(session, action):
    # The server acts and closes without a response: a retry could act twice.
    acted = []

    async def connection(method, _served, writer):
        acted.append(method)
        if method == "GET":
            writer.write(answer())
        return method == "GET"

    async with speaking(connection) as url, given(session) as own:
        async with GitLab(url, session=own, clock=JumpClock()) as gitlab:
            await gitlab.project(1).get_job(1)
            with pytest.raises(ConnectionFailedError) as failed:
                await ACTIONS[action](gitlab.project(1))
    assert failed.value.was_sent
    assert [method for method in acted if method != "GET"] == acted[-1:]


@pytest.mark.parametrize("session", SESSIONS)
async def test_actions_leave_pooled_connections(session):
    peers = []

    async def handler(request):
        peers.append((request.method, request.transport.get_extra_info("peername")))
        return web.json_response(JOB)

    async with serving(handler) as server, given(session) as own:
        async with GitLab(server.url, session=own) as gitlab:
            for _ in range(3):
                await gitlab.project(1).get_job(1)
                await gitlab.project(1).cancel_job(1)
    assert len({peer for method, peer in peers if method == "GET"}) == 1
    assert len({peer for method, peer in peers if method == "POST"}) == 3


async def test_get_is_retried_by_policy_only():
    # aiohttp resends a GET on a lost pooled connection by itself, in a caller's session, too.
    acted = []
    async with speaking(closing_when_asked_again(acted)) as url:
        async with aiohttp.ClientSession() as session:
            async with GitLab(url, session=session, retry=ONCE) as gitlab:
                await gitlab.project(1).get_job(1)
                with pytest.raises(ConnectionFailedError, match="closed the connection"):
                    await gitlab.project(1).get_job(1)
    assert acted == ["GET"]


async def test_callers_middlewares_still_run():
    async def signed(request, handler):
        request.headers["X-Signed"] = "yes"
        return await handler(request)

    async def handler(request):
        return web.json_response(JOB | {"name": request.headers["X-Signed"]})

    async with serving(handler) as server:
        async with aiohttp.ClientSession(middlewares=(signed,)) as session:
            async with GitLab(server.url, session=session) as gitlab:
                assert (await gitlab.project(1).get_job(1)).name == "yes"
                assert (await gitlab.project(1).cancel_job(1)).name == "yes"
            assert session._middlewares == (signed,)
            assert session.trace_configs == []


@pytest.mark.parametrize("how", [{"limit": 2}, {"limit_per_host": 2}], ids=str)
@pytest.mark.parametrize("stream", [False, True])
async def test_waiting_for_callers_pool_is_no_timeout(how, stream):
    async def slow(request):
        await asyncio.sleep(0.1)
        is_trace = request.path.endswith("/trace")
        return web.Response(body=b"log") if is_trace else web.json_response(JOB)

    async def read(project):
        if not stream:
            return await project.get_job(1)
        async with project.stream_trace(1) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async with serving(slow) as server:
        connector = aiohttp.TCPConnector(**how)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with GitLab(server.url, session=session, timeout=1.0, retry=ONCE) as gitlab:
                project = gitlab.project(1)
                # Two at a time: the last one waits for longer than the timeout.
                async with asyncio.timeout(10):
                    found = await asyncio.gather(*[read(project) for _ in range(24)])
    assert len(found) == 24


async def test_timeout_counts_once_a_slot_is_free():
    async def silent(_request):
        await asyncio.sleep(60)

    async with serving(silent) as server:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with GitLab(server.url, session=session, timeout=0.2, retry=ONCE) as gitlab:
                before = await others()
                async with asyncio.timeout(5):
                    ended = await asyncio.gather(
                        *(gitlab.project(1).get_job(1) for _ in range(3)), return_exceptions=True
                    )
                assert await others() == before
    assert {type(end) for end in ended} == {TimedOutError}


async def test_long_wait_for_a_slot_is_logged(caplog):
    # One slot, held by the stream around the other request.
    async def handler(request):
        if not request.path.endswith("/artifacts"):
            return web.json_response(JOB)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"PK")
        await asyncio.sleep(60)
        return response

    async with serving(handler) as server:
        connector = aiohttp.TCPConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with GitLab(server.url, session=session, timeout=0.1, retry=ONCE) as gitlab:
                async with gitlab.project(1).stream_artifacts(1):
                    for wait in (0.02, 0.5):
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(wait):
                                await gitlab.project(1).get_job(1)
                        await asyncio.sleep(0.15)
                assert (await gitlab.project(1).get_job(1)).id == 1
                await asyncio.sleep(0.15)
    assert caplog.messages == ["request has waited for a connection slot of the session for 0.1 s"]


@pytest.mark.parametrize("way", ["cancel", "close", "session"])
async def test_waiting_for_callers_pool_ends_at_once(way):
    async def silent(_request):
        await asyncio.sleep(60)

    async with serving(silent) as server:
        connector = CountingConnector(limit=1)
        async with aiohttp.ClientSession(connector=connector) as session:
            client = GitLab(server.url, session=session, retry=ONCE)
            async with asyncio.timeout(5), client as gitlab:
                before = await others()
                tasks = [asyncio.create_task(gitlab.project(1).get_job(1)) for _ in range(3)]
                await until(lambda: server.requests and connector.connecting)
                if way == "cancel":
                    for task in tasks:
                        task.cancel()
                elif way == "session":
                    await session.close()
                else:
                    await gitlab._transport.close()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert await others() == before
            assert connector.in_use == 0
    kinds = {
        "cancel": asyncio.CancelledError,
        "close": RuntimeError,
        "session": ConnectionFailedError,
    }
    assert {type(end) for end in ended} == {kinds[way]}


async def test_action_not_connected_in_time_is_retried(monkeypatch):
    # The connection times out before anything is sent, so an action may be retried.
    tried = []

    async def never(_self, req, *_):
        tried.append(req.method)
        await asyncio.sleep(60)

    monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", never)
    async with GitLab("http://127.0.0.1:1", timeout=0.05, clock=JumpClock()) as gitlab:
        with pytest.raises(TimedOutError) as failed:
            await gitlab.project(1).cancel_job(1)
    assert not failed.value.was_sent
    assert tried == ["POST"] * RetryPolicy().attempts


# Long headers


def with_headers(**headers):
    async def handler(_request):
        return web.json_response(JOB, headers=headers)

    return handler


@pytest.mark.parametrize("session", ["ours", "given"])
async def test_long_and_many_headers_are_read(session):
    headers = {"Content-Security-Policy": "a" * 60_000} | {f"X-{i}": "b" for i in range(400)}
    async with serving(with_headers(**headers)) as server, given(session) as own:
        async with GitLab(server.url, session=own) as gitlab:
            answered = await gitlab.send(Request("GET", "/version"))
    assert len(answered.headers["content-security-policy"]) == 60_000
    assert answered.headers["x-399"] == "b"


@pytest.mark.parametrize("session", ["ours", "given"])
async def test_header_beyond_limit_names_the_limit(session):
    async with serving(with_headers(Policy="a" * 9000)) as server, given(session) as own:
        limits = Limits(header=8190)
        async with GitLab(server.url, session=own, limits=limits) as gitlab:
            with pytest.raises(ResponseTooLargeError, match=r"Limits\(header=\.\.\.\)") as refused:
                await gitlab.send(Request("GET", "/version"))
    assert (refused.value.limit, refused.value.most) == ("header", 8190)
    assert len(server.requests) == 1


async def test_headers_are_bounded_together():
    headers = {f"X-{i}": "b" * 8000 for i in range(200)}
    async with serving(with_headers(**headers)) as server:
        async with GitLab(server.url) as gitlab:
            with pytest.raises(ResponseTooLargeError, match="1048576 bytes"):
                await gitlab.send(Request("GET", "/version"))


async def test_too_many_headers_raise():
    async with serving(with_headers(**{f"X-{i}": "b" for i in range(600)})) as server:
        async with GitLab(server.url) as gitlab:
            with pytest.raises(DecodeError, match="more than 512 header lines"):
                await gitlab.send(Request("GET", "/version"))
    assert len(server.requests) == 1


async def test_repeated_headers_are_joined_in_time():
    async def handler(_request):
        response = web.json_response(JOB)
        for _ in range(480):
            response.headers.add("X-Same", "a" * 2000)
        return response

    async with serving(handler) as server, GitLab(server.url) as gitlab:
        async with asyncio.timeout(2):
            answered = await gitlab.send(Request("GET", "/version"))
    assert len(answered.headers["x-same"]) == 480 * 2002 - 2
