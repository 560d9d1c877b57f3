"""Credentials that a function returns: when it is called, for whom, and how it may fail."""

import asyncio
import pickle
import traceback

import aiohttp
import pytest
from aiohttp import web

from gitlab_jobs_async import (
    AuthenticationError,
    BearerToken,
    CredentialsError,
    GitLab,
    JobToken,
    PollPolicy,
    PrivateToken,
    Request,
    RequestHooks,
    RetryPolicy,
)
from gitlab_jobs_async.simulator import Fault
from tests.monitor.test_monitor import APP, add_pipeline, ended, heard
from tests.support.connections import open_connections
from tests.support.credentials import SECRET
from tests.support.exposure import exposed
from tests.support.rotation import Rotation
from tests.support.servers import serving
from tests.support.tasks import others, prompt, until

VERSION = Request("GET", "/version")
ONCE = RetryPolicy(attempts=1)
CLOSED = "this GitLab was closed meanwhile"


@pytest.fixture
def rotation(simulator):
    return Rotation(simulator)


@pytest.fixture
async def client(simulator, clock, rotation):
    """A client whose function always returns the valid token, and that never retries."""
    settings = {"auth": rotation.current, "clock": clock, "retry": ONCE}
    async with GitLab(simulator.url, **settings) as gitlab:
        yield gitlab


def tokens_sent(simulator):
    return [request.headers.get("private-token") for request in simulator.requests]


# When the function is called


async def test_function_is_called_at_first_use(client, rotation):
    assert rotation.calls == 0
    await asyncio.gather(*(client.send(VERSION) for _ in range(5)))
    await client.send(VERSION)
    assert rotation.calls == 1


@pytest.mark.parametrize("kind", [str, PrivateToken, BearerToken])
@pytest.mark.parametrize("is_async", [False, True])
async def test_function_may_be_async(simulator, kind, is_async):
    async def later():
        await asyncio.sleep(0)
        return kind(simulator.token)

    auth = later if is_async else lambda: kind(simulator.token)
    async with GitLab(simulator.url, auth=auth) as gitlab:
        assert (await gitlab.send(VERSION)).status == 200
    assert simulator.token not in repr(gitlab)


async def test_refused_token_is_replaced_once(client, simulator, rotation):
    await client.send(VERSION)
    rotation.rotate()
    assert (await client.send(VERSION)).status == 200
    assert rotation.calls == 2
    assert tokens_sent(simulator) == ["glpat-rotated-0", "glpat-rotated-0", "glpat-rotated-1"]


async def test_refused_action_is_sent_again(client, simulator, rotation):
    """A 401 comes before the action: lib/api/api_guard.rb."""
    await client.send(VERSION)
    rotation.rotate()
    assert (await client.project(1).cancel_job(1)).id == 1
    assert [request.method for request in simulator.requests] == ["GET", "POST", "POST"]


async def test_refused_stream_is_opened_again(client, rotation):
    await client.send(VERSION)
    rotation.rotate()
    async with client.project(1).stream_trace(1) as chunks:
        assert [chunk async for chunk in chunks]
    assert rotation.calls == 2


async def test_unchanged_token_is_not_sent_again(client, simulator, rotation):
    await client.send(VERSION)
    rotation.revoke()
    with pytest.raises(AuthenticationError, match="revoked"):
        await client.send(VERSION)
    assert (rotation.calls, len(simulator.requests)) == (2, 2)


async def test_second_401_is_raised(simulator):
    auth = iter([f"glpat-wrong-{number}" for number in range(9)]).__next__
    async with GitLab(simulator.url, auth=auth) as gitlab:
        with pytest.raises(AuthenticationError):
            await gitlab.send(VERSION)
    assert tokens_sent(simulator) == ["glpat-wrong-0", "glpat-wrong-1"]


async def test_many_401s_call_the_function_once(simulator, clock, rotation):
    settings = {"auth": rotation.current_later, "clock": clock, "retry": ONCE, "concurrency": 50}
    async with GitLab(simulator.url, **settings) as gitlab:
        await asyncio.gather(*(gitlab.send(VERSION) for _ in range(5)))
        assert rotation.calls == 1
        rotation.rotate()
        jobs = await asyncio.gather(*(gitlab.project(1).get_job(1) for _ in range(50)))
    assert [job.id for job in jobs] == [1] * 50
    assert rotation.calls == 2


async def test_many_401s_of_one_token_ask_once(simulator, rotation):
    """An unchanged answer holds for all requests that were sent before it."""
    async with GitLab(simulator.url, auth=rotation.current, retry=ONCE, concurrency=50) as gitlab:
        await gitlab.send(VERSION)
        rotation.revoke()
        calls = (gitlab.send(VERSION) for _ in range(50))
        raised = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in raised} == {AuthenticationError}
    assert rotation.calls == 2


async def test_retries_count_without_the_renewal(simulator, clock, rotation):
    ends = []
    settings = {"hooks": RequestHooks(on_end=ends.append), "retry": RetryPolicy(attempts=2)}
    async with GitLab(simulator.url, auth=rotation.current, clock=clock, **settings) as gitlab:
        await gitlab.send(VERSION)
        rotation.rotate()
        simulator.faults.add(Fault(status=502, skip=1))
        await gitlab.send(VERSION)
    assert [end.status for end in ends] == [200, 401, 502, 200]
    assert [end.start.attempt for end in ends] == [1, 1, 2, 3]
    assert [end.is_retried for end in ends] == [False, True, True, False]


async def test_reopened_client_keeps_its_token(simulator, rotation):
    client = GitLab(simulator.url, auth=rotation.current)
    for _ in range(2):
        async with client:
            await client.send(VERSION)
    assert rotation.calls == 1


async def test_storages_401_renews_nothing(rotation):
    async def refuse(_request):
        return web.Response(status=401)

    async with serving(refuse) as storage:

        async def redirect(_request):
            return web.Response(status=302, headers={"Location": f"{storage.url}/a.zip"})

        async with serving(redirect) as server:
            async with GitLab(server.url, auth=rotation.current) as gitlab:
                with pytest.raises(AuthenticationError):
                    await gitlab.project(1).get_artifact_file(1, "a.txt")
    assert rotation.calls == 1
    assert "private-token" not in storage.requests[0].headers


async def test_old_and_new_tokens_are_redacted():
    tokens = iter(["glpat-first-one", "glpat-second-one"])

    async def echo(request):
        said = f"{request.headers['PRIVATE-TOKEN']} glpat-first-one"
        return web.json_response({"message": said}, status=401)

    async with serving(echo) as server, GitLab(server.url, auth=tokens.__next__) as gitlab:
        with pytest.raises(AuthenticationError) as raised:
            await gitlab.send(VERSION)
    assert raised.value.message == "[token] [token]"
    assert exposed(raised.value, "glpat-first-one", "glpat-second-one") == []


async def test_job_token_of_a_function_has_no_graphql(simulator):
    async with GitLab(simulator.url, auth=lambda: JobToken(SECRET)) as gitlab:
        with pytest.raises(ValueError, match="GraphQL accepts no job token"):
            await gitlab.graphql("{ metadata { version } }")
    assert simulator.requests == []


# Failures of the function


def fail():
    local = SECRET
    raise KeyError(f"no {local[:2]}")


async def fail_with_request():
    async with aiohttp.ClientSession(headers={"X-Vault-Token": SECRET}) as session:
        await session.get("http://127.0.0.1:9")


async def cancel_itself():
    raise asyncio.CancelledError


async def never():
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("auth", "reason", "cause"),
    [
        (fail, "the function raised KeyError", KeyError),
        (fail_with_request, "the function raised ClientConnectorError", None),
        (cancel_itself, "the function was cancelled by itself", None),
        (never, "the function did not return within 0.05 s", None),
        (lambda: None, "the function returned a NoneType: expected a private token", None),
        (SECRET.encode, "the function returned a bytes: expected a private", None),
        (lambda: "", "the token is empty", None),
        (lambda: f"{SECRET}\n", r"invalid token \(not shown\)", None),
        (lambda: never, "the function returned a function: expected", None),
    ],
)
@prompt
async def test_failing_function_is_an_error(auth, reason, cause):
    async def ok(_request):
        return web.json_response({})

    async with serving(ok) as server, GitLab(server.url, auth=auth, timeout=0.05) as gitlab:
        with pytest.raises(CredentialsError, match=f"^no credentials: {reason}") as raised:
            await gitlab.send(VERSION)
        assert not await others()
        assert open_connections(gitlab) == 0
    assert server.requests == []
    assert type(raised.value.__cause__) is (cause or type(None))
    assert exposed(raised.value, SECRET) == []
    for error in (raised.value, raised.value.__cause__):
        for frame, _ in traceback.walk_tb(error and error.__traceback__):
            assert SECRET not in repr(frame.f_locals.get("local"))
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


@pytest.mark.parametrize("is_task", [False, True])
@prompt
async def test_function_must_not_use_its_own_client(simulator, clock, is_task):
    async def auth():
        call = client.send(VERSION)
        await (asyncio.create_task(call) if is_task else call)

    async with GitLab(simulator.url, auth=auth, clock=clock, timeout=600) as client:
        with pytest.raises(CredentialsError, match="use another GitLab in it"):
            await client.send(VERSION)
        assert not await others()
    assert simulator.requests == []


@prompt
async def test_function_may_use_another_client(simulator, clock):
    async def auth():
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as other:
            return (await other.send(VERSION)) and simulator.token

    async with GitLab(simulator.url, auth=auth, clock=clock) as gitlab:
        assert (await gitlab.send(VERSION)).status == 200


@prompt
async def test_function_may_start_a_task(simulator, clock, rotation):
    """A task that outlives the call of the function uses the client like any other."""
    returned, tasks = asyncio.Event(), []

    async def later():
        await returned.wait()
        return (await client.send(VERSION)).status

    def auth():
        if not tasks:
            tasks.append(asyncio.create_task(later()))
        return rotation.current()

    async with GitLab(simulator.url, auth=auth, clock=clock) as client:
        await client.send(VERSION)
        rotation.rotate()
        returned.set()
        assert await tasks[0] == 200


async def test_next_call_calls_a_failed_function_again(simulator):
    answers = [KeyError("not yet"), simulator.token]

    def auth():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with GitLab(simulator.url, auth=auth) as gitlab:
        with pytest.raises(CredentialsError):
            await gitlab.send(VERSION)
        assert (await gitlab.send(VERSION)).status == 200


async def test_failure_after_a_401_is_raised(client, rotation, monkeypatch):
    await client.send(VERSION)
    rotation.rotate()
    monkeypatch.setattr(client._transport.credentials, "_function", fail)
    with pytest.raises(CredentialsError, match="KeyError") as raised:
        await client.send(VERSION)
    assert isinstance(raised.value.__context__, AuthenticationError | KeyError)
    assert exposed(raised.value, SECRET, "glpat-rotated") == []


@pytest.mark.parametrize("auth", [str, PrivateToken, 7, object()])
def test_auth_of_another_type_is_refused(auth):
    with pytest.raises(TypeError, match="a function that returns one, or None"):
        GitLab(auth=auth)


# Cancellation


@prompt
async def test_cancelled_call_leaves_nothing(simulator):
    started = asyncio.Event()

    async def wait():
        started.set()
        await asyncio.sleep(60)

    async with GitLab(simulator.url, auth=wait) as gitlab:
        before = await others()
        call = asyncio.create_task(gitlab.project(1).list_jobs())
        await started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await others() == before
        assert open_connections(gitlab) == 0
    assert simulator.requests == []


@prompt
async def test_cancelled_caller_hands_the_call_on(simulator):
    calls = []

    async def auth():
        calls.append(asyncio.current_task())
        if len(calls) == 1:
            await asyncio.sleep(60)
        return simulator.token

    async with GitLab(simulator.url, auth=auth) as gitlab:
        first, *rest = [asyncio.create_task(gitlab.send(VERSION)) for _ in range(5)]
        await until(lambda: calls)
        first.cancel()
        answers = await asyncio.gather(*rest)
        assert {answer.status for answer in answers} == {200}
        with pytest.raises(asyncio.CancelledError):
            await first
    assert len(calls) == 2


@prompt
async def test_close_ends_a_pending_function():
    async with serving(fail) as server:
        async with GitLab(server.url, auth=never) as gitlab:
            calls = [asyncio.create_task(gitlab.send(VERSION)) for _ in range(3)]
            await until(lambda: gitlab._transport.credentials._deadline)
        raised = await asyncio.gather(*calls, return_exceptions=True)
        assert [str(error).partition(":")[0] for error in raised] == [CLOSED] * 3
        assert {type(error) for error in raised} == {RuntimeError}
        assert not await others()
        async with gitlab:
            call = asyncio.create_task(gitlab.send(VERSION))
            await until(lambda: gitlab._transport.credentials._deadline)
        with pytest.raises(RuntimeError, match=CLOSED):
            await call
    assert server.requests == []


@prompt
async def test_left_loop_leaves_nothing(client, rotation):
    async with client.stream_jobs([1, "group/app"]) as jobs:
        async for _ in jobs:
            rotation.rotate()
            break
    assert not await others()
    assert open_connections(client) == 0


# Longer calls


@prompt
async def test_monitor_survives_a_rotation(simulator, clock, rotation):
    async with GitLab(simulator.url, auth=rotation.current, clock=clock) as gitlab:
        async with gitlab.monitor([APP]) as events:
            job = add_pipeline(simulator, "one", duration=30.0)[0]
            replay = await heard(events, ended(job))
            rotation.rotate()
            job = add_pipeline(simulator, "two", duration=30.0)[0]
            await heard(events, ended(job), replay)
    assert rotation.calls == 2


@prompt
async def test_monitor_ends_with_a_revoked_token(simulator, clock, rotation):
    async with GitLab(simulator.url, auth=rotation.current, clock=clock) as gitlab:
        async with gitlab.monitor([APP]) as events:
            job = add_pipeline(simulator, "one", duration=30.0)[0]
            await heard(events, ended(job))
            rotation.revoke()
            with pytest.raises(AuthenticationError):
                await heard(events, lambda _: False)


@prompt
async def test_monitor_outlasts_a_failing_function(simulator, clock, rotation):
    failures = []

    def auth():
        if rotation.calls and len(failures) < 5:
            failures.append(1)
            raise KeyError("the vault is down")
        return rotation.current()

    async with GitLab(simulator.url, auth=auth, clock=clock) as gitlab:
        async with gitlab.monitor([APP], logs=True) as events:
            job = add_pipeline(simulator, "one", duration=30.0)[0]
            replay = await heard(events, ended(job))
            rotation.rotate()
            job = add_pipeline(simulator, "two", duration=30.0)[0]
            await heard(events, ended(job), replay)
    assert len(failures) == 5


@prompt
async def test_wait_outlasts_a_failing_function(simulator, clock):
    rotation = Rotation(simulator)
    failures = []

    def auth():
        if rotation.calls and len(failures) < 3:
            failures.append(1)
            raise KeyError("the vault is down")
        return rotation.current()

    job = add_pipeline(simulator, "one", duration=60.0)[0]
    polling = PollPolicy(outage_timeout=300.0)
    async with GitLab(simulator.url, auth=auth, clock=clock) as gitlab:
        await gitlab.send(VERSION)
        rotation.rotate()
        finished = await gitlab.project(APP).wait_for_job(job.id, polling=polling)
    assert finished.status == "success"
    assert len(failures) == 3
