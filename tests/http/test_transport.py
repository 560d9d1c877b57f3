"""Sessions, credentials, retries, redirects and timeouts, over real connections."""

import asyncio
import gzip
import logging
import random
import traceback

import aiohttp
import pytest
from aiohttp import web

from gitlab_jobs_async import (
    ConflictError,
    ConnectionFailedError,
    DecodeError,
    GitLab,
    GitLabError,
    JobToken,
    MethodNotAllowedError,
    NotFoundError,
    RateLimitedError,
    Request,
    ResponseError,
    RetryPolicy,
    ServerError,
    TimedOutError,
    __version__,
)
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.simulator import Fault, Simulator, SimulatorSettings
from tests.support.clocks import JumpClock
from tests.support.connections import open_connections
from tests.support.credentials import CREDENTIALS, SECRET
from tests.support.servers import serving, serving_bytes
from tests.support.tasks import others, prompt, until

VERSION = Request("GET", "/version")
ERASE = Request("POST", "/projects/1/jobs/1/erase")
ONCE = RetryPolicy(attempts=1)


async def ok(_request):
    return web.json_response({"ok": True})


async def read_trace(project, read=None):
    async with project.stream_trace(1) as chunks:
        async for chunk in chunks:
            (read if read is not None else []).append(chunk)


# Opening and closing


async def test_closed_client_raises_runtime_error():
    with pytest.raises(RuntimeError, match="use it inside 'async with GitLab"):
        await GitLab("http://127.0.0.1:1").send(VERSION)
    with pytest.raises(RuntimeError, match="use it inside 'async with GitLab"):
        async with GitLab("http://127.0.0.1:1").project(1).stream_trace(1):
            pass


async def test_client_may_be_reopened_after_close(simulator):
    client = GitLab(simulator.url, auth=simulator.token)
    for _ in range(2):
        async with client:
            assert (await client.send(VERSION)).status == 200
            with pytest.raises(RuntimeError, match="open already"):
                await client.__aenter__()
    with pytest.raises(RuntimeError, match="was closed meanwhile"):
        await client.send(VERSION)


def test_client_works_in_successive_loops():
    async def crowd():
        async with serving(ok) as server:
            transport.server = ServerUrl.parse(server.url)
            async with client:
                await asyncio.gather(*(client.send(VERSION) for _ in range(9)))

    client = GitLab("http://127.0.0.1", concurrency=2)
    transport = client._transport
    for _ in range(2):
        asyncio.run(crowd())


async def test_callers_session_is_used_unchanged(simulator):
    async with aiohttp.ClientSession(headers={"X-Gateway": "let me in"}) as session:
        async with GitLab(simulator.url, auth=simulator.token, session=session) as gitlab:
            await gitlab.send(VERSION)
        assert not session.closed
        assert dict(session.headers) == {"X-Gateway": "let me in"}
    assert simulator.requests[0].headers["x-gateway"] == "let me in"
    assert simulator.requests[0].headers["private-token"] == simulator.token


async def test_session_with_raise_for_status_works(simulator):
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        async with GitLab(simulator.url, auth=simulator.token, session=session) as gitlab:
            with pytest.raises(NotFoundError, match="404 Project Not Found"):
                await gitlab.project(99).get_job(1)


async def test_our_own_session_keeps_no_cookies():
    async def handler(request):
        response = web.json_response(dict(request.cookies))
        response.set_cookie("session", "x")
        return response

    async with serving(handler) as server, GitLab(server.url) as gitlab:
        for _ in range(2):
            assert (await gitlab.send(VERSION)).json() == {}


async def test_every_request_names_us_and_the_version(gitlab, simulator):
    await gitlab.send(VERSION)
    assert simulator.requests[0].headers["user-agent"].startswith("gitlab_jobs_async/0.")


@pytest.mark.parametrize("has_session", [False, True])
async def test_callers_product_comes_first(simulator, has_session):
    async with aiohttp.ClientSession(headers={"User-Agent": "other"}) as session:
        settings = {"session": session if has_session else None, "user_agent": "my-bot/1.2 (a; b)"}
        async with GitLab(simulator.url, auth=simulator.token, **settings) as gitlab:
            await gitlab.send(VERSION)
    sent = simulator.requests[0].headers["user-agent"]
    assert sent == f"my-bot/1.2 (a; b) gitlab_jobs_async/{__version__}"


async def test_project_path_is_quoted_once(gitlab, simulator):
    await gitlab.project("group/app").get_job(1)
    assert simulator.requests[0].path == "/api/v4/projects/group%2Fapp/jobs/1"


# Requests in flight


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_requests_in_flight_are_bounded(concurrency):
    now, most = 0, 0

    async def handler(_request):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.002)
        now -= 1
        return web.json_response({})

    async with serving(handler) as server:
        async with GitLab(server.url, concurrency=concurrency) as gitlab:
            await asyncio.gather(*(gitlab.send(VERSION) for _ in range(20)))
    assert most == concurrency


async def test_wait_before_retry_holds_no_slot():
    is_asleep, may_wake = asyncio.Event(), asyncio.Event()

    class Waiting(JumpClock):
        async def sleep(self, _seconds):
            is_asleep.set()
            await may_wake.wait()

    async def handler(request):
        failing = request.path.endswith("/failing") and not may_wake.is_set()
        return web.Response(status=503) if failing else web.json_response({})

    async with serving(handler) as server:
        async with GitLab(server.url, concurrency=1, clock=Waiting()) as gitlab:
            failing = asyncio.create_task(gitlab.send(Request("GET", "/failing")))
            await is_asleep.wait()
            assert (await gitlab.send(VERSION)).status == 200
            assert open_connections(gitlab) == 0
            may_wake.set()
            assert (await failing).status == 200


async def test_request_beside_a_stream_needs_no_slot(simulator, clock):
    async with GitLab(simulator.url, auth=simulator.token, concurrency=1, clock=clock) as gitlab:
        project = gitlab.project(1)
        async with project.stream_trace(1) as chunks:
            assert (await project.get_job(1)).id == 1
            assert b"".join([chunk async for chunk in chunks])


# Retries


@pytest.mark.parametrize(
    "fault",
    [
        Fault.bad_gateway(times=3),
        Fault(reset="before", times=3),
        Fault(reset="unanswered", times=3),
        Fault(reset="within", times=3),
        Fault(reset="truncated", times=3),
        Fault(status=500, times=3),
        Fault(status=408, times=3),
        Fault(status=425, times=3),
        Fault(status=529, times=3),
        Fault.throttled(times=3),
        Fault.throttled(times=3, retry_after="Fri, 01 Jan 2016 00:00:30 GMT"),
        Fault.too_many_requests(times=3),
    ],
    ids=lambda fault: f"{fault.status or fault.reset}",
)
async def test_get_retries_transient_errors(gitlab, simulator, clock, fault):
    simulator.faults.add(fault)
    assert (await gitlab.project(1).get_job(1)).id == 1
    assert len(simulator.requests) == 4
    assert len(clock.slept) == 3


@pytest.mark.parametrize("what", ["follow_trace", "wait_for_job", "wait_for_pipeline"])
@pytest.mark.parametrize("status", [408, 425, 521])
async def test_following_rides_out_not_now(gitlab, simulator, what, status):
    # A load balancer sends 408 on an idle connection; RFC 9110 15.5.9 allows a retry.
    simulator.faults.add(Fault(status=status, times=RetryPolicy().attempts + 2))
    async with asyncio.timeout(10):
        followed = getattr(gitlab.project(1), what)(1)
        if what == "follow_trace":
            assert b"".join([chunk.data async for chunk in followed])
        else:
            assert (await followed).id == 1


async def test_a_get_gives_up_with_the_last_error(gitlab, simulator):
    simulator.faults.add(Fault.bad_gateway(times=None))
    with pytest.raises(ServerError, match="an HTML page titled '502 Bad Gateway'"):
        await gitlab.project(1).get_job(1)
    assert len(simulator.requests) == RetryPolicy().attempts


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.bad_gateway(times=None), ServerError),
        (Fault(reset="before", times=None), ConnectionFailedError),
        (Fault(reset="unanswered", times=None), ConnectionFailedError),
        (Fault(reset="truncated", times=None), ConnectionFailedError),
    ],
)
async def test_possibly_processed_post_is_not_retried(gitlab, simulator, fault, kind):
    simulator.faults.add(fault)
    with pytest.raises(kind) as failed:
        await gitlab.project(1).retry_job(3)
    assert len(simulator.requests) == 1
    assert getattr(failed.value, "was_sent", True)


async def test_delete_on_lost_connection_is_not_retried(gitlab, simulator):
    await gitlab.project(1).get_job(1)
    simulator.faults.add(Fault(reset="unanswered", times=None))
    with pytest.raises(ConnectionFailedError, match=r"closed|reset") as failed:
        await gitlab.project(1).delete_artifacts(1)
    assert failed.value.was_sent
    assert len(simulator.requests) == 2


async def test_attempts_follow_the_policy(simulator, clock):
    async with GitLab(simulator.url, auth=simulator.token, retry=ONCE, clock=clock) as gitlab:
        await gitlab.send(VERSION)
        simulator.faults.add(Fault(reset="before", times=None))
        with pytest.raises(ConnectionFailedError):
            await gitlab.send(VERSION)
    assert len(simulator.requests) == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault.throttled(),
        Fault(status=409, body='{"message":"409 Conflict: Resource lock"}'),
    ],
)
async def test_rejected_post_is_retried(gitlab, simulator, fault):
    simulator.faults.add(fault)
    assert (await gitlab.project(1).retry_job(3)).id > 4
    assert len(simulator.requests) == 2


async def test_another_conflict_is_not_sent_again(gitlab, simulator):
    simulator.faults.add(Fault(status=409, body='{"message":"409 Conflict"}'))
    with pytest.raises(ConflictError, match="409 Conflict"):
        await gitlab.project(1).erase_job(1)
    assert len(simulator.requests) == 1


async def test_unconnected_post_is_retried(unused_tcp_port, clock):
    async with GitLab(f"http://127.0.0.1:{unused_tcp_port}", clock=clock) as gitlab:
        with pytest.raises(ConnectionFailedError, match="no connection to 127") as failed:
            await gitlab.send(ERASE)
    assert not failed.value.was_sent
    assert len(clock.slept) == RetryPolicy().attempts - 1


async def test_the_server_says_how_long_to_wait(gitlab, simulator, clock):
    simulator.faults.add(Fault.throttled(retry_after=60))
    await gitlab.project(1).get_job(1)
    assert 60 <= clock.slept[0] <= 60.5


async def test_retry_after_of_an_hour_is_raised(gitlab, simulator, clock):
    simulator.faults.add(Fault.throttled(retry_after=3600))
    with pytest.raises(RateLimitedError, match="retry after 3600 s") as limited:
        await gitlab.project(1).get_job(1)
    assert limited.value.retry_after == 3600
    assert clock.slept == []


@pytest.mark.parametrize("stream", [False, True])
async def test_silent_server_times_out(stream):
    async def silent(_request):
        await asyncio.sleep(60)

    async with serving(silent) as server:
        async with GitLab(server.url, timeout=0.05, retry=ONCE) as gitlab:
            project = gitlab.project(1)
            ask = read_trace(project) if stream else project.get_job(1)
            with pytest.raises(TimedOutError, match=r"after 0\.05 s"):
                await ask
            assert open_connections(gitlab) == 0


async def test_web_page_instead_of_json_raises(gitlab, simulator):
    simulator.faults.add(Fault.sign_in_page())
    with pytest.raises(DecodeError, match="expected JSON, got an HTML page") as refused:
        await gitlab.project(1).get_job(1)
    assert refused.value.url.endswith("/api/v4/projects/1/jobs/1")


async def test_error_with_truncated_body_counts(gitlab, simulator):
    simulator.faults.add(Fault(status=404, body=b"x" * 1000, reset="truncated", cut_at=5))
    with pytest.raises(NotFoundError):
        await gitlab.project(1).get_job(1)


async def test_invalid_http_is_a_failed_connection():
    async with serving_bytes(b"SSH-2.0-OpenSSH_9.6\r\n\r\n") as url:
        async with GitLab(url, auth=SECRET, retry=ONCE) as gitlab:
            with pytest.raises(ConnectionFailedError, match="invalid HTTP response"):
                await gitlab.send(VERSION)


def answering(status, body=b"", **headers):
    async def handler(_request):
        return web.Response(status=status, body=body, headers=headers)

    return handler


@pytest.mark.parametrize("cut", [1, 20, 300])
async def test_truncated_compressed_body_raises(cut):
    body = gzip.compress(random.Random(1).randbytes(5000))[:-cut]
    handler = answering(200, body, **{"Content-Encoding": "gzip"})
    async with serving(handler) as server:
        async with GitLab(server.url, retry=ONCE) as gitlab:
            with pytest.raises(ConnectionFailedError, match="truncated compressed body"):
                await gitlab.project(1).get_trace(1)
            with pytest.raises(ConnectionFailedError, match="truncated compressed body"):
                await read_trace(gitlab.project(1))
            assert open_connections(gitlab) == 0


async def test_body_in_unexpected_encoding_raises():
    handler = answering(200, b"x", **{"Content-Encoding": "br"})
    async with serving(handler) as server, GitLab(server.url, concurrency=1) as gitlab:
        with pytest.raises(DecodeError, match="unexpected Content-Encoding 'br'"):
            await gitlab.project(1).get_trace(1)
        for _ in range(2):
            with pytest.raises(DecodeError, match="unexpected Content-Encoding 'br'"):
                await read_trace(gitlab.project(1))
        assert open_connections(gitlab) == 0


async def test_callers_session_reads_compressed_bodies(clock):
    settings = SimulatorSettings(gzip=True)
    async with Simulator(settings=settings, clock=clock.stepped) as simulator:
        async with aiohttp.ClientSession() as session:
            async with GitLab(simulator.url, auth=simulator.token, session=session) as gitlab:
                assert b"gitlab-runner" in await gitlab.project(1).get_trace(1)
                assert len(await gitlab.project(1).list_jobs()) == 4


@pytest.mark.parametrize("status", [202, 206, 304])
async def test_partial_or_empty_response_is_not_a_trace(status):
    async with serving(answering(status, b"x" if status != 304 else b"")) as server:
        async with GitLab(server.url) as gitlab:
            with pytest.raises(GitLabError):
                await gitlab.project(1).get_trace(1)
            with pytest.raises(GitLabError):
                await read_trace(gitlab.project(1))
            with pytest.raises(GitLabError):
                await gitlab.project(1).get_artifact_file(1, "a.txt")


async def test_web_page_is_not_an_archive_or_deletion(gitlab, simulator):
    simulator.faults.add(Fault.sign_in_page(times=2))
    with pytest.raises(DecodeError, match="expected an archive, got an HTML page"):
        async with gitlab.project(1).stream_artifacts(1):
            pass
    with pytest.raises(DecodeError, match="expected 204 for a deletion, got HTTP 200"):
        await gitlab.project(1).delete_artifacts(1)


async def test_the_sign_in_page_is_no_answer():
    handler = answering(302, Location="/users/sign_in")
    async with serving(handler) as server, GitLab(server.url) as gitlab:
        with pytest.raises(ResponseError, match="redirected to the sign-in page"):
            await gitlab.project(1).get_artifact_file(1, "report.html")


async def test_a_redirect_keeps_method_and_headers(gitlab, simulator):
    simulator.world.move_project(simulator.world.project("group/app"), "group/renamed")
    headers = {"If-None-Match": "never"}
    request = Request("GET", "/projects/group%2Fapp/jobs/1", headers=headers)
    await gitlab.send(request)
    assert [r.headers.get("if-none-match") for r in simulator.requests] == ["never", "never"]


@pytest.mark.parametrize("location", ["http://a..b/x", "http://[::1/x", "/api/v4/é x", "\\\\x"])
@prompt
async def test_an_odd_redirect_ends_in_an_error_of_ours(location):
    async def redirect(_request):
        return web.Response(status=302, headers={"Location": location})

    async with serving(redirect) as server, GitLab(server.url, retry=ONCE) as gitlab:
        with pytest.raises(GitLabError):
            await gitlab.send(VERSION)


async def test_error_without_body_keeps_its_status():
    async def dripping(request):
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        for _ in range(50):
            await response.write(b"x")
            await asyncio.sleep(0.02)
        return response

    async with serving(dripping) as server:
        async with GitLab(server.url, timeout=0.1, retry=ONCE) as gitlab:
            with pytest.raises(ServerError) as failed:
                await read_trace(gitlab.project(1))
            assert failed.value.status == 500
            assert gitlab.budget.snapshot().streams == 0
            assert open_connections(gitlab) == 0


# Streams


async def test_stream_is_retried_until_its_head(gitlab, simulator):
    simulator.faults.add(Fault.bad_gateway(times=2))
    async with gitlab.project(1).stream_trace(1) as chunks:
        read = b"".join([chunk async for chunk in chunks])
    assert read == await gitlab.project(1).get_trace(1)


@pytest.mark.parametrize("reset", ["within", "truncated"])
async def test_truncated_stream_raises(gitlab, simulator, reset):
    simulator.faults.add(Fault(reset=reset, cut_at=100))
    read = []
    with pytest.raises(ConnectionFailedError):
        await read_trace(gitlab.project(1), read)
    assert len(b"".join(read)) <= 100
    assert open_connections(gitlab) == 0


async def test_web_page_is_not_a_trace(gitlab, simulator):
    simulator.faults.add(Fault.sign_in_page(times=2))
    with pytest.raises(DecodeError, match="expected a trace, got"):
        await gitlab.project(1).get_trace(1)
    with pytest.raises(DecodeError, match="expected a trace, got"):
        async with gitlab.project(1).stream_trace(1):
            pass
    assert open_connections(gitlab) == 0


# Redirects


@pytest.mark.parametrize("auth", CREDENTIALS, ids=lambda c: f"{c}")
@pytest.mark.parametrize("own_session", [True, False])
async def test_another_host_gets_no_credential(auth, own_session):
    async def store(_request):
        return web.Response(body=b"PK archive")

    async with serving(store) as storage:

        async def redirect(_request):
            raise web.HTTPFound(f"{storage.url}/bucket/a.zip?X-Amz-Signature=abc")

        headers = {"Private-Token": SECRET, "Cookie": "session=1"}
        async with serving(redirect) as server, aiohttp.ClientSession(headers=headers) as session:
            given = None if own_session else session
            async with GitLab(server.url, auth=auth, session=given) as gitlab:
                async with gitlab.project(1).stream_artifacts(1) as chunks:
                    assert [chunk async for chunk in chunks] == [b"PK archive"]
    (asked,) = storage.requests
    assert asked.path_qs == "/bucket/a.zip?X-Amz-Signature=abc"
    assert SECRET not in f"{asked.path_qs} {dict(asked.headers)}"
    assert set(asked.headers) <= {"Host", "Accept", "Accept-Encoding", "User-Agent"}


async def test_object_storage_gets_no_credential(clock):
    settings = SimulatorSettings(object_storage=True)
    async with Simulator(settings=settings, clock=clock.stepped) as simulator:
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            async with gitlab.project(1).stream_artifacts(1) as chunks:
                archive = b"".join([chunk async for chunk in chunks])
        assert archive.startswith(b"PK")
        assert simulator.token not in f"{simulator.storage_requests[0].headers}"


async def test_moved_project_gets_the_credential(gitlab, simulator, caplog):
    simulator.world.move_project(simulator.world.project("group/app"), "group/renamed")
    with caplog.at_level(logging.INFO, "gitlab_jobs_async"):
        assert (await gitlab.project("group/app").get_job(1)).id == 1
    assert "/projects/group%2Fapp/jobs/1 has moved to" in caplog.text
    with pytest.raises(MethodNotAllowedError, match="Non GET methods are not allowed for moved"):
        await gitlab.project("group/app").erase_job(1)


async def test_moved_project_behind_port_forward(clock):
    settings = SimulatorSettings(external_url="https://gitlab.internal")
    async with Simulator(settings=settings, clock=clock.stepped) as simulator:
        simulator.world.move_project(simulator.world.project("group/app"), "group/renamed")
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            assert (await gitlab.project("group/app").get_job(1)).id == 1


@pytest.mark.parametrize(
    ("request_", "location", "said"),
    [
        (VERSION, "https://127.0.0.1/api/v4/version", "from http to https on the same host"),
        (VERSION, "/api/v4/version", "redirected to itself"),
        (VERSION, "file:///etc/passwd", "expected an http"),
        (ERASE, "/api/v4/projects/2/jobs/1/erase", "only a GET is redirected"),
    ],
)
async def test_forbidden_redirect_raises(request_, location, said):
    async def redirect(_request):
        return web.Response(status=301, headers={"Location": location})

    async with serving(redirect) as server, GitLab(server.url, auth=SECRET) as gitlab:
        with pytest.raises(ResponseError, match=said) as refused:
            await gitlab.send(request_)
    assert refused.value.status == 301
    assert len(server.requests) == 1


async def test_redirects_end_after_five():
    async def redirect(request):
        number = int(request.path.rpartition("/")[2])
        return web.Response(status=302, headers={"Location": f"/api/v4/hop/{number + 1}"})

    async with serving(redirect) as server, GitLab(server.url) as gitlab:
        with pytest.raises(ResponseError, match="redirected more than 5 times"):
            await gitlab.send(Request("GET", "/hop/0"))
    assert len(server.requests) == 6


async def test_other_host_cannot_obtain_the_credential():
    async def handler(request):
        if request.headers.get("Private-Token"):
            raise web.HTTPFound(request.query["via"])
        raise web.HTTPFound(f"{gitlab_url}/api/v4/projects/1/jobs")

    async with serving(handler) as elsewhere, serving(handler) as server:
        gitlab_url = server.url
        async with GitLab(server.url, auth=SECRET) as gitlab:
            with pytest.raises(ResponseError, match="redirected back from"):
                await gitlab.send(Request("GET", "/x", {"via": elsewhere.url}))
    assert len(server.requests) == 1


# Secrets


def all_that_a_person_may_see(error):
    """Return the texts of an error, its causes, contexts and tracebacks."""
    seen = "".join(traceback.format_exception(error))
    links = [error]
    while links:
        link = links.pop()
        seen += f"{link} {link!r} {link.args} {vars(link)}"
        links += [other for other in (link.__cause__, link.__context__) if other is not None]
    return seen


async def echo(request):
    """Respond with an error that echoes the request, as debug pages of proxies do."""
    return web.Response(status=404, text=f"{request.path_qs} {dict(request.headers)}")


async def redirect_with_all(request):
    return web.Response(status=301, headers={"Location": f"https://127.0.0.1{request.path_qs}"})


@pytest.mark.parametrize("auth", CREDENTIALS, ids=lambda c: f"{c}")
@pytest.mark.parametrize(
    "fault",
    [
        "echo",
        "redirect",
        "garbage",
        "cut",
        "refused",
        "silence",
        "title",
        "id",
        "heads",
        "time",
        "tls",
    ],
)
async def test_no_error_and_no_log_shows_a_token(auth, fault, caplog, unused_tcp_port):
    caplog.set_level(logging.DEBUG)
    handlers = {"echo": echo, "redirect": redirect_with_all, "silence": hold}
    raw = {
        "title": b"HTTP/1.1 200 OK\r\n\r\n<!DOCTYPE html><title>" + SECRET.encode(),
        "id": b"HTTP/1.1 404 Not\r\nX-Request-Id: " + SECRET.encode() + b"\r\n\r\n",
        "heads": b"HTTP/1.1 200 OK\r\nSet-Cookie: " + SECRET.encode() + b"\r\n",
        "time": b'HTTP/1.1 200 OK\r\n\r\n{"created_at": "%b"}' % SECRET.encode(),
        "garbage": b"HTTP/1.1 abc " + SECRET.encode() + b"\r\n\r\n",
        "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[",
    }

    async def ask(gitlab, name):
        if name == "stream":
            async with gitlab._transport.stream(Request("GET", "/job", {"page": "1"})):
                pass
        await gitlab.get_token_job()

    async def provoke(url):
        seen = ""
        for name in ("stream", "send"):
            async with GitLab(url, auth=auth, retry=ONCE, timeout=0.2) as gitlab:
                with pytest.raises(GitLabError) as failed:
                    await ask(gitlab, name)
            seen += all_that_a_person_may_see(failed.value)
            assert "/api/v4/job" in str(failed.value)
        return seen

    if fault in handlers:
        async with serving(handlers[fault]) as server:
            seen = await provoke(server.url)
    elif fault in raw:
        async with serving_bytes(raw[fault]) as url:
            seen = await provoke(url)
    elif fault == "tls":
        async with serving(hold) as server:
            seen = await provoke(server.url.replace("http", "https"))
    else:
        seen = await provoke(f"http://127.0.0.1:{unused_tcp_port}")
    assert SECRET not in seen
    assert SECRET not in caplog.text


async def test_query_token_stays_with_the_server():
    async def elsewhere(_request):
        return web.json_response([])

    async def handler(request):
        if request.path.endswith("/jobs"):
            link = f'<http://other{request.path_qs}&page=2>; rel="next"'
            return web.json_response([], headers={"Link": link})
        raise web.HTTPFound(f"{other.url}{request.path_qs}")

    async with serving(elsewhere) as other, serving(handler) as server:
        async with GitLab(server.url, auth=JobToken(SECRET, via="query")) as gitlab:
            with pytest.raises(ResponseError, match="with the token in its URL"):
                await gitlab.send(Request("GET", "/job"))
            answer = await gitlab.send(Request("GET", "/projects/1/jobs"))
    assert other.requests == []
    assert SECRET not in f"{answer.headers}"


async def test_a_proxys_password_is_in_no_error(monkeypatch):
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://user:hunter2@127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for url in ("http://gitlab.invalid", "https://gitlab.invalid"):
        async with GitLab(url, retry=ONCE) as gitlab:
            with pytest.raises(ConnectionFailedError) as failed:
                await gitlab.send(VERSION)
        assert "hunter2" not in all_that_a_person_may_see(failed.value)


async def test_client_repr_shows_its_server_only():
    client = GitLab("https://gitlab.example.com/", auth=SECRET)
    assert repr(client) == "GitLab('https://gitlab.example.com')"
    assert repr(client.project("g/a")) == "Project(id='g/a')"


# Clean-up


async def hold(_request):
    await asyncio.sleep(60)


async def drip(request):
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    await response.write(b"first")
    await asyncio.sleep(60)
    return response


@prompt
async def test_cancelled_request_leaves_nothing():
    async with serving(hold) as server, GitLab(server.url, concurrency=2) as gitlab:
        before = await others()
        tasks = [asyncio.create_task(gitlab.send(VERSION)) for _ in range(5)]
        await until(lambda: len(server.requests) == 2)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        assert open_connections(gitlab) == 0
        assert gitlab.budget.snapshot().in_flight == 0
        assert await others() == before


@pytest.mark.parametrize("way", ["break", "error", "cancel"])
@prompt
async def test_a_stream_left_early_leaves_nothing(way):
    async with serving(drip) as server, GitLab(server.url, concurrency=1) as gitlab:
        has_begun = []

        async def read():
            async with gitlab.project(1).stream_trace(1) as chunks:
                async for chunk in chunks:
                    has_begun.append(chunk)
                    if way == "break":
                        break
                    if way == "error":
                        raise KeyError("the caller's own")

        task = asyncio.create_task(read())
        if way == "cancel":
            await until(lambda: has_begun)
            task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        kinds = {"break": type(None), "error": KeyError, "cancel": asyncio.CancelledError}
        assert isinstance(ended, kinds[way])
        assert open_connections(gitlab) == 0
        assert gitlab.budget.snapshot().streams == 0


@prompt
async def test_stream_cancelled_before_head():
    async with serving(hold) as server, GitLab(server.url, concurrency=1) as gitlab:
        stream = gitlab.project(1).stream_trace(1)
        task = asyncio.create_task(stream.__aenter__())
        await until(lambda: server.requests)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert open_connections(gitlab) == 0
        assert gitlab.budget.snapshot().streams == 0


@prompt
async def test_wait_before_retry_is_cancelled_at_once(simulator):
    simulator.faults.add(Fault.throttled(times=None))
    async with GitLab(simulator.url, auth=simulator.token) as gitlab:
        task = asyncio.create_task(gitlab.project(1).get_job(1))
        await until(lambda: simulator.requests)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# Proxies


async def test_environment_proxy_is_used_without_netrc(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine gitlab.invalid login ada password hunter2\n")
    netrc.chmod(0o600)
    async with serving(ok) as proxy:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("NETRC", str(netrc))
        async with GitLab("http://gitlab.invalid", auth=SECRET) as gitlab:
            assert (await gitlab.send(VERSION)).json() == {"ok": True}
    assert proxy.requests[0].headers["Host"] == "gitlab.invalid"
    assert "Authorization" not in proxy.requests[0].headers
