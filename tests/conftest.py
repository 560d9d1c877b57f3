"""What the shell's tests share: servers that do as told and a clock that never waits."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from ssl import SSLContext

import pytest
from aiohttp import web
from attrs import define, field
from hypothesis import settings

from gitlab_jobs_async import BearerToken, GitLab, JobToken, PrivateToken
from gitlab_jobs_async.simulator import Fault, Simulator, SteppedClock

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

SECRET = "glpat-s3cret"
CREDENTIALS = [
    PrivateToken(SECRET),
    BearerToken(SECRET),
    JobToken(SECRET),
    JobToken(SECRET, via="bearer"),
    JobToken(SECRET, via="query"),
]

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@define
class JumpClock:
    """A client's clock that steps the simulator's instead of waiting."""

    stepped: SteppedClock = field(factory=SteppedClock)
    slept: list[float] = field(factory=list)

    def now(self):
        return self.stepped.now()

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.stepped.advance(seconds)
        await asyncio.sleep(0)


@define
class TestServer:
    """A server that answers with *handler* and keeps what it was asked."""

    url: str
    requests: list[web.BaseRequest]

    __test__ = False


@asynccontextmanager
async def serving(handler: Handler, secured: SSLContext | None = None) -> AsyncIterator[TestServer]:
    """A real HTTP(S) server on the loopback for the length of the block."""
    requests: list[web.BaseRequest] = []

    async def answer(request):
        requests.append(request)
        return await handler(request)

    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=secured)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield TestServer(f"{'https' if secured else 'http'}://127.0.0.1:{port}", requests)
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving_bytes(data: bytes) -> AsyncIterator[str]:
    """A server that answers anything with these very bytes, HTTP or not; yields its URL."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


def prompt(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Fail *test*, a coroutine function, where it takes as long as a client's own timeout of 30 s.

    Without it, what must end by itself could as well have ended by that.
    """

    @wraps(test)
    async def bounded(*arguments, **fixtures):
        async with asyncio.timeout(20):
            await test(*arguments, **fixtures)

    return bounded


def open_connections(gitlab: GitLab) -> int:
    """How many connections are in use; idle ones in the pool do not count."""
    return len(gitlab._transport._connections.session.connector._acquired)


async def until(condition: Callable[[], object]) -> None:
    """Return once *condition* holds; what it waits for happens on real connections."""
    while not condition():  # noqa: ASYNC110 - it has no event to wait for
        await asyncio.sleep(0.001)


async def others() -> set[asyncio.Task]:
    """The client's tasks besides this one, once those that were ending have ended."""
    for _ in range(10):
        await asyncio.sleep(0)
    running = asyncio.all_tasks() - {asyncio.current_task()}
    return {task for task in running if "RequestHandler" not in task.get_coro().__qualname__}


async def cancel_half_way(simulator: Simulator, gitlab: GitLab, call: Awaitable) -> None:
    """Cancel *call* while its request is with the server, and find nothing of it left."""
    simulator.faults.add(Fault(latency=1.0, times=None))
    before = await others()
    task = asyncio.ensure_future(call)
    await until(lambda: simulator.clock.next_wake)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await others() == before
    assert open_connections(gitlab) == 0
    simulator.clock.advance(5)


OF_THE_PERSON = re.compile(
    r"(GITLAB|GLAB|GL|CI|XDG|PYTHON_GITLAB)_.*|(SSL_CERT|REQUESTS_CA|CURL_CA)_.*|NETRC|.*_PROXY",
    re.IGNORECASE,
)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """An environment that names no server, token, proxy or certificates."""
    for name in filter(OF_THE_PERSON.fullmatch, tuple(os.environ)):
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def clock():
    return JumpClock()


@pytest.fixture
async def simulator(clock):
    """The default small world on a clock that only the client's waits move."""
    async with Simulator(clock=clock.stepped) as running:
        yield running


@pytest.fixture
async def gitlab(simulator, clock):
    async with GitLab(simulator.url, auth=simulator.token, clock=clock) as client:
        yield client
