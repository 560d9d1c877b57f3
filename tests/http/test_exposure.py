"""Errors and their frames hold no token, proxy password or signed URL."""

import asyncio
import gzip
import json
import ssl
import traceback
from base64 import b64encode
from contextlib import asynccontextmanager

import aiohttp
import pytest
import trustme
from aiohttp import web

from gitlab_jobs_async import (
    BearerToken,
    GitLab,
    GitLabError,
    JobToken,
    Limits,
    PollPolicy,
    PrivateToken,
    Request,
    RequestHooks,
    RetryPolicy,
    TLSConfig,
)
from gitlab_jobs_async.http.error_mapping import clear_locals
from tests.support.clocks import JumpClock
from tests.support.coverage import measured_once
from tests.support.credentials import CREDENTIALS, SECRET, CredentialsFunction
from tests.support.exposure import exposed
from tests.support.servers import serving, serving_bytes
from tests.support.tasks import others, until

ONCE = RetryPolicy(attempts=1)
SMALL = Limits(page=20_000, trace=20_000, archive=20_000, header=2_000)
SIGNATURE = "s1gnature-of-a-storage"
PASSWORD = "hunter2-of-the-proxy"
EVERY = [*CREDENTIALS, SECRET, CredentialsFunction()]
# GraphQL refuses a job token with a ValueError.
ERRORS = (GitLabError, RuntimeError, TimeoutError, ValueError)
UNSENT = {"graphql", "mutation"}
QUICK = {"polling": PollPolicy(interval=0.01, max_interval=0.01, outage_timeout=0.0)}


async def drained(items):
    return [item async for item in items]


async def drained_block(block):
    async with block as items:
        return [item async for item in items]


OF_CLIENT = {
    "send": lambda g: g.send(Request("GET", "/x", {"page": "1"}, headers={"X-A": "b"})),
    "post": lambda g: g.send(Request("POST", "/x", json={"a": "b"})),
    "graphql": lambda g: g.graphql("query($a: X) { b(c: $a) }", {"a": "b"}),
    "mutation": lambda g: g.graphql("mutation { a { b } }"),
    "get_token_job": lambda g: g.get_token_job(),
    "get_allowed_agents": lambda g: g.get_allowed_agents(),
    "list_jobs of many": lambda g: g.list_jobs([1, "a/b"]),
    "stream_jobs": lambda g: drained_block(g.stream_jobs([1, "a/b"])),
    "tail_jobs": lambda g: drained_block(g.tail_jobs([(1, 1)], **QUICK)),
}
OF_PROJECT = {
    "list_jobs": lambda p: p.list_jobs(),
    "iter_jobs": lambda p: drained(p.iter_jobs()),
    "get_job": lambda p: p.get_job(1),
    "cancel_job": lambda p: p.cancel_job(1),
    "retry_job": lambda p: p.retry_job(1),
    "erase_job": lambda p: p.erase_job(1),
    "play_job": lambda p: p.play_job(1, variables={"A": "b"}),
    "wait_for_job": lambda p: p.wait_for_job(1, **QUICK),
    "get_trace": lambda p: p.get_trace(1),
    "stream_trace": lambda p: drained_block(p.stream_trace(1)),
    "follow_trace": lambda p: drained(p.follow_trace(1, **QUICK)),
    "tail": lambda p: drained(p.tail(1, follow=False)),
    "stream_artifacts": lambda p: drained_block(p.stream_artifacts(1)),
    "get_artifact_file": lambda p: p.get_artifact_file(1, "a.txt"),
    "stream_latest_artifacts": lambda p: drained_block(p.stream_latest_artifacts("a", job="b")),
    "get_latest_artifact_file": lambda p: p.get_latest_artifact_file("a", "a.txt", job="b"),
    "list_artifacts": lambda p: p.list_artifacts(1),
    "keep_artifacts": lambda p: p.keep_artifacts(1),
    "delete_artifacts": lambda p: p.delete_artifacts(1),
    "list_pipelines": lambda p: p.list_pipelines(),
    "get_pipeline": lambda p: p.get_pipeline(1),
    "list_pipeline_jobs": lambda p: p.list_pipeline_jobs(1),
    "list_bridges": lambda p: p.list_bridges(1),
    "walk_pipeline": lambda p: p.walk_pipeline(1),
    "wait_for_pipeline": lambda p: p.wait_for_pipeline(1, **QUICK),
}


def all_calls(gitlab):
    """Return one coroutine for each method of a client and a project."""
    project = gitlab.project(1)
    return {
        **{name: call(gitlab) for name, call in OF_CLIENT.items()},
        **{name: call(project) for name, call in OF_PROJECT.items()},
    }


async def hold(_request):
    await asyncio.sleep(60)


async def drip(request):
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"[")
    await asyncio.sleep(60)
    return response


def echo(status=200, *, wrap=str, **headers):
    """Echo the whole request in a response of the server."""

    async def handler(request):
        said = f"{request.path_qs} {dict(request.headers)}"
        if status == 200 and request.path.endswith("/trace"):
            said = "whatever a log holds is the log's"
        return web.Response(status=status, text=wrap(said), headers=headers)

    return handler


def to(location):
    async def handler(request):
        target = location.format(path=request.path_qs)
        return web.Response(status=302, headers={"Location": target})

    return handler


def encoded(name, body):
    async def handler(_request):
        return web.Response(body=body, headers={"Content-Encoding": name})

    return handler


HANDLERS = {
    "silence": hold,
    "drip": drip,
    "400": echo(400),
    "401": echo(401, wrap=lambda said: json.dumps({"message": said})),
    "403": echo(403, wrap=lambda said: json.dumps({"error": "x", "error_description": said})),
    "404": echo(404, wrap=lambda said: f"<html><title>{said}</title>"),
    "409": echo(409),
    "429": echo(429, **{"Retry-After": "3600"}),
    "500": echo(500),
    "503": echo(503, **{"Retry-After": "9999"}),
    "304": echo(304),
    "oversize": echo(wrap=lambda said: json.dumps([said] * 1000)),
    "long header": echo(**{"X-Long": "x" * 3000}),
    "bad JSON": echo(),
    "HTML": echo(wrap=lambda said: f"<html>{said}", **{"Content-Type": "text/html"}),
    "wrong JSON": echo(wrap=lambda said: json.dumps([{"id": said, "name": said}])),
    "GraphQL errors": echo(
        wrap=lambda said: json.dumps({"errors": [{"message": said}, said], "data": {said: [said]}})
    ),
    "wrong object": echo(wrap=lambda said: json.dumps({"id": said, "status": {said: said}})),
    "redirect with all": to("http://localhost:9/{path}"),
    "redirect to itself": to("{path}"),
    "redirect to no URL": to("http://[::1/{path}"),
    "storage refuses": to(f"http://127.0.0.1:9/b/a.zip?X-Amz-Signature={SIGNATURE}"),
    "storage is nowhere": to(f"https://storage.invalid/b/a.zip?X-Amz-Signature={SIGNATURE}"),
    "storage is odd": to(f"http://a..b/b/a.zip?X-Amz-Signature={SIGNATURE}"),
    "unknown encoding": encoded("br", b"x"),
    "no gzip": encoded("gzip", b"x" * 100),
    "cut gzip": encoded("gzip", gzip.compress(b"[" * 100)[:-5]),
}
RAW = {
    "no answer": b"",
    "garbage": b"HTTP/1.1 abc " + SECRET.encode() + b"\r\n\r\n",
    "reset mid-body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[",
    "cut error": b"HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\n" + SECRET.encode(),
    "cut chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@asynccontextmanager
async def server_that(fault):
    """Yield the URL of a server with *fault*."""
    if fault in HANDLERS:
        async with serving(HANDLERS[fault]) as server:
            yield server.url
    elif fault in RAW:
        async with serving_bytes(RAW[fault]) as url:
            yield url
    elif fault == "no TLS":
        async with serving(hold) as server:
            yield server.url.replace("http", "https")
    elif fault == "unknown CA":
        shows = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(shows)
        async with serving(hold, shows) as server:
            yield server.url
    else:
        yield "http://127.0.0.1:9"


async def raised_by(call):
    try:
        await call
    except ERRORS as error:
        return error
    return None


async def failures(url, auth):
    """Return the errors of all calls, made concurrently."""
    starts, ends = [], []
    hooks = RequestHooks(on_start=starts.append, on_end=ends.append)
    settings = {"auth": auth, "retry": ONCE, "timeout": 0.3, "limits": SMALL, "clock": JumpClock()}
    async with GitLab(url, **settings, concurrency=100, hooks=hooks) as gitlab:
        calls = all_calls(gitlab)
        raised = await asyncio.gather(*map(raised_by, calls.values()))
    assert exposed(KeyError(starts, ends), SECRET, SIGNATURE, PASSWORD) == []
    assert {end.start for end in ends} == set(starts)
    return dict(zip(calls, raised, strict=True))


def assert_nothing_shows(raised, *secrets):
    shown = {name: places for name, e in raised.items() if e and (places := exposed(e, *secrets))}
    assert shown == {}
    assert len([error for error in raised.values() if error]) > len(raised) / 2


@pytest.mark.parametrize("auth", measured_once(EVERY), ids=lambda auth: f"{auth!r}")
@pytest.mark.parametrize("fault", [*HANDLERS, *RAW, "no TLS", "unknown CA", "no listener"])
async def test_no_frame_of_an_error_holds_a_secret(auth, fault):
    async with asyncio.timeout(20), server_that(fault) as url:
        raised = await failures(url, auth)
    assert_nothing_shows(raised, SECRET, SIGNATURE)


@pytest.mark.parametrize("auth", measured_once(EVERY), ids=lambda auth: f"{auth!r}")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", None])
async def test_no_frame_holds_a_proxys_password(monkeypatch, auth, scheme, answer):
    async with asyncio.timeout(20), serving_bytes(answer or b"") as proxy:
        port = "9" if answer is None else proxy.rpartition(":")[2]
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://user:{PASSWORD}@127.0.0.1:{port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        raised = await failures(f"{scheme}://gitlab.invalid", auth)
    assert_nothing_shows(raised, SECRET, PASSWORD)


@pytest.mark.parametrize("auth", measured_once(EVERY), ids=lambda auth: f"{auth!r}")
@pytest.mark.parametrize("answers", [hold, drip])
@pytest.mark.parametrize("how", ["cancel", "timeout", "close"])
async def test_no_frame_holds_a_secret_when_ended(auth, answers, how):
    ended = {}

    async def ended_by(name, call):
        try:
            async with asyncio.timeout(0.1 if how == "timeout" else 20):
                await call
        except (*ERRORS, asyncio.CancelledError) as error:
            ended[name] = error

    async with serving(answers) as server, asyncio.timeout(20):
        async with GitLab(server.url, auth=auth, retry=ONCE, concurrency=100) as gitlab:
            calls = all_calls(gitlab)
            tasks = [asyncio.create_task(ended_by(name, call)) for name, call in calls.items()]
            if how != "timeout":
                unsent = UNSENT if isinstance(auth, JobToken) else set()
                await until(lambda: len(server.requests) >= len(calls.keys() - unsent))
            if how == "cancel":
                for task in tasks:
                    task.cancel()
            if how != "close":
                await asyncio.wait(tasks)
        await asyncio.wait(tasks)
        assert not await others()
    assert set(ended) == set(calls)
    assert_nothing_shows(ended, SECRET)


@pytest.mark.parametrize("auth", measured_once(EVERY), ids=lambda auth: f"{auth!r}")
async def test_callers_error_in_a_stream_shows_nothing(auth):
    async def storage(_request):
        return web.Response(body=b"PK archive")

    async with serving(storage) as other:
        where = f"{other.url}/a.zip?X-Amz-Signature={SIGNATURE}"
        async with serving(to(where)) as server, GitLab(server.url, auth=auth) as gitlab:

            async def read():
                async with gitlab.project(1).stream_artifacts(1) as chunks:
                    async for _ in chunks:
                        raise KeyError("the caller's own")

            with pytest.raises(KeyError) as raised:
                await read()
    assert exposed(raised.value, SECRET, SIGNATURE) == []


@pytest.mark.parametrize("auth", measured_once(EVERY), ids=lambda auth: f"{auth!r}")
async def test_a_monitors_error_shows_nothing(auth):
    async with asyncio.timeout(20), serving(HANDLERS["401"]) as server:
        async with GitLab(server.url, auth=auth, retry=ONCE, clock=JumpClock()) as gitlab:
            with pytest.raises(GitLabError) as raised:
                await drained_block(gitlab.monitor([1]))
    assert exposed(raised.value, SECRET) == []


@pytest.mark.parametrize("auth", measured_once(EVERY), ids=lambda auth: f"{auth!r}")
async def test_group_of_errors_shows_nothing(auth):
    async def fail_together(gitlab):
        async with asyncio.TaskGroup() as group:
            for job_id in (1, 2, 3):
                group.create_task(gitlab.project(1).get_job(job_id))

    async with serving(hold) as server:
        async with GitLab(server.url, auth=auth, retry=ONCE, timeout=0.1) as gitlab:
            with pytest.raises(ExceptionGroup) as raised:
                await fail_together(gitlab)
    assert raised.value.exceptions
    assert exposed(raised.value, SECRET) == []


async def test_the_callers_own_locals_are_kept():
    def fail(local):
        raise KeyError(local)

    async with serving(echo(500)) as server, GitLab(server.url, retry=ONCE) as gitlab:
        try:
            fail("the caller's own")
        except KeyError:
            with pytest.raises(GitLabError) as raised:
                await gitlab.project(1).get_job(1)
    own = raised.value.__context__.__traceback__.tb_next.tb_frame
    assert own.f_locals == {"local": "the caller's own"}
    lines = {frame.name for frame in traceback.extract_tb(raised.value.__traceback__)}
    assert {"get_job", "send", "_checked"} <= lines


@pytest.mark.parametrize(
    "make",
    [
        lambda: GitLab(auth=f"{SECRET}\n"),
        lambda: GitLab(auth=SECRET.encode()),
        lambda: GitLab(auth=SECRET, timeout=0),
        lambda: GitLab(auth=SECRET, user_agent="no\nproduct"),
        lambda: GitLab(auth=SECRET, hooks=print),
        lambda: GitLab("gitlab.com", auth=SECRET),
        lambda: GitLab("https://h", auth=SECRET, ssl=TLSConfig(ca_file="/no/such/file")),
        lambda: GitLab.from_env(auth=f"{SECRET}\n"),
        lambda: GitLab.from_env(auth=SECRET, concurrency=0),
        lambda: GitLab.from_env(auth=SECRET, url="x"),
        lambda: GitLab.from_env(url="https://other"),
        lambda: PrivateToken(f"{SECRET} "),
        lambda: BearerToken(f"{SECRET}é"),
        lambda: JobToken(SECRET.encode()),
        lambda: JobToken(SECRET, via="cookie"),
    ],
)
def test_refused_argument_shows_no_secret(environment, make):
    for name in ("GITLAB_TOKEN", "GITLAB_OAUTH_TOKEN"):
        environment.setenv(name, SECRET)
    environment.setenv("GITLAB_URL", "https://gitlab.example")
    with pytest.raises((TypeError, ValueError)) as raised:
        make()
    assert exposed(raised.value, SECRET) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"GITLAB_URL": "https://one", "GITLAB_HOST": "two"},
        {"GITLAB_DOMAIN": "gitlab.example"},
        {"GITLAB_HOST": f"https://user:{PASSWORD}@h"},
        {"GITLAB_TOKEN": f"{SECRET}\t"},
        {"GITLAB_URL": "https://h", "SSL_CERT_FILE": "/no/such/file"},
        {"GITLAB_URL": "https://h", "CI_SERVER_TLS_KEY_FILE": "/k"},
        {"GITLAB_URL": "https://h", "https_proxy": f"socks5://user:{PASSWORD}@proxy"},
        {"GITLAB_URL": "https://h", "https_proxy": f"http://user:{PASSWORD}@proxy:port"},
    ],
)
async def test_refused_environment_shows_no_secret(environment, variables):
    async def opened():
        async with GitLab.from_env():
            pass

    for name, value in {"GITLAB_TOKEN": SECRET, "CI_JOB_TOKEN": SECRET, **variables}.items():
        environment.setenv(name, value)
    with pytest.raises(ValueError, match=r".") as raised:
        await opened()
    assert exposed(raised.value, SECRET, PASSWORD) == []


FAILING = """
def fail(token):
    raise OSError("lost")

def wrap(token):
    try:
        fail(token)
    except OSError as error:
        raise aiohttp.ClientPayloadError(token) from error

def wrap_again(token):
    try:
        wrap(token)
    except aiohttp.ClientError:
        raise RuntimeError("a bug")

def chain(token):
    try:
        fail(token)
    except OSError as error:
        raise RuntimeError("a bug") from error
"""


@pytest.mark.parametrize("function", ["fail", "wrap_again", "chain"])
def test_clear_locals_follows_causes_and_contexts(function):
    scope = {"__name__": "aiohttp.client", "aiohttp": aiohttp}
    exec(compile(FAILING, "/elsewhere/client.py", "exec"), scope)
    with pytest.raises((OSError, RuntimeError)) as raised:
        scope[function](SECRET)
    assert exposed(raised.value, SECRET)
    clear_locals(raised.value)
    assert exposed(raised.value, SECRET) == []


@pytest.mark.parametrize("held", [{"a": [SECRET]}, {"a": {"b": SECRET.encode()}}, {SECRET: 1}])
def test_exposed_finds_a_secret_in_a_container(held):
    scope = {}
    exec(compile("def fail(local): raise KeyError", "/elsewhere/module.py", "exec"), scope)
    with pytest.raises(KeyError) as raised:
        scope["fail"](held)
    assert exposed(raised.value, SECRET)
    assert not exposed(raised.value, "another")


@pytest.mark.parametrize(
    "text", [SECRET, "x?a=b%2Fc", b64encode(b"user:b/c").decode(), b64encode(b"b/cd").decode()]
)
def test_exposed_finds_a_secret_however_written(text):
    assert exposed(KeyError(f"<{text}>"), SECRET, "b/c")
