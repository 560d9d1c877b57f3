"""Hooks before and after each request: their values, their order, and their failures."""

import asyncio
import logging
from functools import partial

import pytest
from aiohttp import web

from gitlab_jobs_async import (
    ConnectionFailedError,
    GitLab,
    NotFoundError,
    RateLimitedError,
    Request,
    RequestBudget,
    RequestHooks,
    RetryPolicy,
    TimedOutError,
)
from gitlab_jobs_async.simulator import Fault
from tests.support.cancellation import cancel_half_way
from tests.support.clocks import JumpClock
from tests.support.credentials import CREDENTIALS, SECRET
from tests.support.exposure import exposed
from tests.support.servers import serving, serving_bytes
from tests.support.tasks import others, prompt, until

ONCE = RetryPolicy(attempts=1)
VERSION = Request("GET", "/version")
ARCHIVE = b"PK archive"


class Recorded:
    """Hooks that keep their values, and check that each start has one end."""

    def __init__(self):
        self.starts, self.ends = [], []
        self.hooks = RequestHooks(on_start=self.starts.append, on_end=self.ends.append)

    def shown(self):
        return [(end.start.method, end.start.route, end.status, end.error) for end in self.ends]

    def assert_paired(self):
        assert [end.start for end in self.ends] == self.starts


@pytest.fixture
def recorded():
    return Recorded()


@pytest.fixture
async def watched(simulator, clock, recorded):
    """A client with hooks."""
    settings = {"auth": simulator.token, "clock": clock, "hooks": recorded.hooks}
    async with GitLab(simulator.url, **settings) as client:
        yield client


async def archive(_request):
    return web.Response(body=ARCHIVE)


async def read_archive(gitlab):
    async with gitlab.project(1).stream_artifacts(1) as chunks:
        return b"".join([chunk async for chunk in chunks])


def to(location):
    async def handler(_request):
        return web.Response(status=302, headers={"Location": location})

    return handler


async def test_hooks_get_request_and_response(watched, simulator, recorded):
    response = await watched.send(Request("GET", "/projects/1/jobs", {"per_page": "2"}))
    (start,), (end,) = recorded.starts, recorded.ends
    assert end.start is start
    assert (start.method, start.route) == ("GET", "/projects/:id/jobs")
    assert start.url == f"{simulator.url}/api/v4/projects/1/jobs"
    assert (start.attempt, start.redirects, start.waited, start.is_stream) == (1, 0, 0.0, False)
    assert (end.status, end.error, end.is_retried) == (200, None, False)
    assert end.request_id == response.headers["x-request-id"]
    assert end.size == len(response.body)
    # GitLab counts the rows of other lists.
    assert end.total_pages is None
    response = await watched.send(Request("GET", "/projects/1/pipelines", {"per_page": "1"}))
    assert recorded.ends[-1].total_pages == int(response.headers["x-total"]) > 0


async def test_size_is_that_before_decompression(recorded):
    async def handler(_request):
        response = web.Response(body=b"[" + b" " * 10_000 + b"]")
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async with serving(handler) as server:
        async with GitLab(server.url, hooks=recorded.hooks) as gitlab:
            assert len((await gitlab.send(VERSION)).body) == 10_002
    assert 0 < recorded.ends[0].size < 1_000


async def test_seconds_are_those_of_the_server(recorded):
    clock = JumpClock()

    async def handler(request):
        clock.stepped.advance(2.0)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        await until(lambda: recorded.starts and clock.now() > 0)
        await response.write(b"}")
        return response

    async with serving(handler) as server:
        async with GitLab(server.url, hooks=recorded.hooks, clock=clock) as gitlab:
            response = await gitlab.send(VERSION)
    (end,) = recorded.ends
    assert end.head_seconds == 2.0
    assert end.seconds == response.seconds == 2.0


async def test_each_attempt_is_reported(watched, simulator, recorded):
    simulator.faults.add(Fault(status=502, times=2))
    await watched.project(1).get_job(1)
    assert [end.start.attempt for end in recorded.ends] == [1, 2, 3]
    assert [end.status for end in recorded.ends] == [502, 502, 200]
    assert [end.error for end in recorded.ends] == ["ServerError", "ServerError", None]
    assert [end.is_retried for end in recorded.ends] == [True, True, False]
    recorded.assert_paired()


async def test_final_error_is_not_retried(watched, recorded):
    with pytest.raises(NotFoundError):
        await watched.project(1).get_job(10_000)
    assert recorded.shown() == [("GET", "/projects/:id/jobs/:id", 404, "NotFoundError")]
    assert not recorded.ends[0].is_retried
    assert recorded.ends[0].size > 0


@pytest.mark.parametrize("attempts", [1, 2])
async def test_lost_connection_has_no_status(recorded, attempts):
    policy = RetryPolicy(attempts=attempts, base=0.0)
    async with serving_bytes(b"") as url:
        async with GitLab(url, hooks=recorded.hooks, retry=policy) as gitlab:
            with pytest.raises(ConnectionFailedError):
                await gitlab.send(VERSION)
    end = recorded.ends[-1]
    assert recorded.shown() == [("GET", "/version", None, "ConnectionFailedError")] * attempts
    assert (end.head_seconds, end.size, end.request_id, end.is_retried) == (None, 0, None, False)
    assert recorded.ends[0].is_retried is (attempts == 2)


async def test_timeout_after_the_head_has_a_status(recorded):
    async def handler(request):
        response = web.StreamResponse(headers={"Content-Length": "9", "X-Request-Id": "abc"})
        await response.prepare(request)
        await response.write(b"[")
        await asyncio.sleep(60)

    settings = {"hooks": recorded.hooks, "retry": ONCE, "timeout": 0.1}
    async with serving(handler) as server, GitLab(server.url, **settings) as gitlab:
        with pytest.raises(TimedOutError):
            await gitlab.send(VERSION)
    (end,) = recorded.ends
    assert (end.status, end.error, end.size, end.request_id) == (200, "TimedOutError", 1, "abc")


async def test_wait_for_the_rate_limit_is_reported(simulator, clock, recorded):
    settings = {"auth": simulator.token, "clock": clock, "hooks": recorded.hooks}
    budget = RequestBudget(per_minute=2)
    async with GitLab(simulator.url, **settings, budget=budget) as gitlab:
        await asyncio.gather(*(gitlab.send(VERSION) for _ in range(3)))
    waits = sorted(start.waited for start in recorded.starts)
    assert waits[:2] == [0.0, 0.0]
    assert 30 <= waits[2] <= 61


async def test_refusal_of_the_limiter_reports_nothing(simulator, clock, recorded):
    settings = {"auth": simulator.token, "clock": clock, "hooks": recorded.hooks}
    async with GitLab(simulator.url, **settings) as gitlab:
        simulator.faults.add(Fault(status=429, headers={"Retry-After": "1000"}))
        for _ in range(2):
            with pytest.raises(RateLimitedError):
                await gitlab.send(VERSION)
    assert recorded.shown() == [("GET", "/version", 429, "RateLimitedError")]


async def test_echoed_token_is_redacted(recorded):
    async def handler(request):
        return web.json_response({}, headers={"X-Request-Id": f"\x80{request.path}"})

    async with serving(handler) as server:
        async with GitLab(server.url, auth=SECRET, hooks=recorded.hooks) as gitlab:
            await gitlab.send(Request("GET", f"/x/{SECRET}"))
    assert recorded.starts[0].url == f"{server.url}/api/v4/x/[token]"
    assert recorded.ends[0].request_id.endswith("/api/v4/x/[token]")
    assert recorded.ends[0].request_id.isprintable()


# Redirects and streams


async def test_attempts_are_independent(recorded):
    answers = iter(
        [
            web.Response(status=302, headers={"Location": "/api/v4/elsewhere"}),
            web.Response(status=502, headers={"X-Request-Id": "abc"}),
            None,
        ]
    )

    async def handler(request):
        answer = next(answers, None)
        if answer is None:
            request.transport.abort()
        return answer or web.Response()

    settings = {"hooks": recorded.hooks, "retry": RetryPolicy(attempts=2), "clock": JumpClock()}
    async with serving(handler) as server, GitLab(server.url, **settings) as gitlab:
        with pytest.raises(ConnectionFailedError):
            await gitlab.send(VERSION)
    assert [end.start.redirects for end in recorded.ends] == [0, 1, 0]
    assert [end.start.attempt for end in recorded.ends] == [1, 1, 2]
    assert [end.status for end in recorded.ends] == [302, 502, None]
    assert [end.request_id for end in recorded.ends] == [None, "abc", None]


async def test_other_host_is_not_waited_for(recorded):
    clock = JumpClock()

    async def redirect(request):
        clock.stepped.advance(5.0)
        return await to(f"{storage.url}/a.zip")(request)

    async with serving(archive) as storage, serving(redirect) as server:
        async with GitLab(server.url, hooks=recorded.hooks, clock=clock) as gitlab:
            await read_archive(gitlab)
    assert [end.seconds for end in recorded.ends] == [5.0, 0.0]
    assert [start.waited for start in recorded.starts] == [0.0, 0.0]


@pytest.mark.parametrize("auth", CREDENTIALS, ids=lambda auth: f"{auth!r}")
async def test_storage_is_shown_by_its_host_only(recorded, auth):
    async with serving(archive) as storage:
        where = f"{storage.url}/bucket/{SECRET}?X-Amz-Signature={SECRET}"
        async with serving(to(where)) as server:
            async with GitLab(server.url, auth=auth, hooks=recorded.hooks) as gitlab:
                with pytest.raises(Exception, match="token in its URL"):
                    await gitlab.project(1).get_artifact_file(1, "a.txt")
        where = f"{storage.url}/bucket/a.zip?X-Amz-Signature=abc"
        async with serving(to(where)) as server:
            async with GitLab(server.url, auth=auth, hooks=recorded.hooks) as gitlab:
                assert await read_archive(gitlab) == ARCHIVE
    refused, redirected, stored = recorded.ends
    assert (refused.status, refused.error) == (302, "ResponseError")
    assert (redirected.status, redirected.error, redirected.start.redirects) == (302, None, 0)
    assert (stored.status, stored.start.redirects, stored.size) == (200, 1, len(ARCHIVE))
    assert (stored.start.url, stored.start.route) == (storage.url, "")
    assert stored.start.is_stream
    assert exposed(KeyError(recorded.starts, recorded.ends), SECRET, "X-Amz") == []
    recorded.assert_paired()


async def test_each_redirect_is_a_request(watched, simulator, recorded):
    world = simulator.world
    world.move_project(world.project("group/app"), "group/renamed")
    assert (await watched.project("group/app").get_job(1)).id == 1
    paths = [start.url.rpartition("/projects/")[2] for start in recorded.starts]
    assert paths == ["group%2Fapp/jobs/1", "1/jobs/1"]
    assert [end.status for end in recorded.ends] == [301, 200]
    assert [start.redirects for start in recorded.starts] == [0, 1]
    recorded.assert_paired()


async def test_stream_ends_with_its_last_byte(watched, recorded):
    async with watched.project(1).stream_trace(1) as chunks:
        assert recorded.ends == []
        read = b"".join([chunk async for chunk in chunks])
        assert recorded.ends[0].size == len(read)
    assert recorded.shown() == [("GET", "/projects/:id/jobs/:id/trace", 200, None)]


@pytest.mark.parametrize("ends_by", [None, KeyError])
async def test_stream_that_is_left_early_ends(recorded, ends_by):
    async def handler(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await asyncio.sleep(60)

    async def leave(gitlab):
        async with gitlab.project(1).stream_artifacts(1) as chunks:
            async for _ in chunks:
                if ends_by is not None:
                    raise ends_by
                break

    async with serving(handler) as server:
        async with GitLab(server.url, hooks=recorded.hooks) as gitlab:
            if ends_by is None:
                await leave(gitlab)
            else:
                with pytest.raises(ends_by):
                    await leave(gitlab)
            assert not await others()
    assert [(end.status, end.error, end.size) for end in recorded.ends] == [(200, None, 5)]


async def test_broken_stream_reports_its_error(recorded):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[["
    async with serving_bytes(head) as url, GitLab(url, hooks=recorded.hooks) as gitlab:
        with pytest.raises(ConnectionFailedError):
            await read_archive(gitlab)
    (end,) = recorded.ends
    assert (end.status, end.error, end.size) == (200, "ConnectionFailedError", 2)
    assert not end.is_retried


async def test_graphql_has_a_route(watched, simulator, recorded):
    await watched.graphql("{ metadata { version } }")
    assert recorded.shown() == [("POST", "/graphql", 200, None)]
    assert recorded.starts[0].url == f"{simulator.url}/api/graphql"


# Ends of another kind


@prompt
async def test_cancelled_request_ends(watched, simulator, recorded):
    await cancel_half_way(simulator, watched, watched.project(1).list_jobs())
    assert recorded.ends
    assert {end.error for end in recorded.ends} == {"CancelledError"}
    recorded.assert_paired()


@prompt
async def test_request_ends_when_the_client_closes(recorded):
    async def hold(_request):
        await asyncio.sleep(60)

    async with serving(hold) as server:
        async with GitLab(server.url, hooks=recorded.hooks) as gitlab:
            call = asyncio.create_task(gitlab.send(VERSION))
            await until(lambda: server.requests)
        with pytest.raises(RuntimeError, match="closed meanwhile"):
            await call
    assert recorded.shown() == [("GET", "/version", None, "RuntimeError")]


@prompt
async def test_all_requests_of_a_monitor_are_paired(watched, recorded):
    async with watched.monitor([1], logs=True) as events:
        async for _ in events:
            break
    assert recorded.ends
    assert {end.start for end in recorded.ends} == set(recorded.starts)


# Hooks themselves


@pytest.mark.parametrize("which", ["on_start", "on_end"])
async def test_cancelled_hook_is_logged_only(simulator, caplog, which):
    """The result of a cancelled future raises it; the task of the request is not cancelled."""

    def cancelled(_value):
        raise asyncio.CancelledError

    hooks = RequestHooks(**{which: cancelled})
    async with GitLab(simulator.url, auth=simulator.token, hooks=hooks) as gitlab:
        assert (await gitlab.send(VERSION)).status == 200
    assert [record.getMessage().partition(" ")[0] for record in caplog.records] == ["hook"]


@pytest.mark.parametrize("which", ["on_start", "on_end"])
async def test_failing_hook_is_logged_only(simulator, caplog, which):
    def fail(_secret, _value):
        raise KeyError("a bug")

    hooks = RequestHooks(**{which: partial(fail, SECRET)})
    async with GitLab(simulator.url, auth=simulator.token, hooks=hooks) as gitlab:
        assert (await gitlab.send(VERSION)).status == 200
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "hook partial failed"
    assert record.exc_info[0] is KeyError


async def test_interrupt_of_a_hook_is_raised(simulator):
    def interrupt(_value):
        raise SystemExit

    hooks = RequestHooks(on_start=interrupt)
    async with GitLab(simulator.url, auth=simulator.token, hooks=hooks) as gitlab:
        with pytest.raises(SystemExit):
            await gitlab.send(VERSION)
    assert simulator.requests == []


def test_invalid_hook_is_refused():
    async def later(_value):
        pass

    class Later:
        async def __call__(self, _value):
            pass

    for hook in (later, Later(), partial(later)):
        with pytest.raises(TypeError, match=r"on_end .* not a coroutine function"):
            RequestHooks(on_end=hook)
    with pytest.raises(TypeError, match="on_start must be a plain function of one argument, not 7"):
        RequestHooks(on_start=7)
    with pytest.raises(TypeError, match="hooks must be RequestHooks, not"):
        GitLab(hooks=print)
