"""A request whose connection is ready late needs another grant of the shared budget."""

import asyncio
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver

from gitlab_jobs_async import GitLab, MemoryStore, RequestBudget, RequestHooks
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.ratelimit.fair_queue import Bucket, Priority, RequestClass, Waiter
from gitlab_jobs_async.ratelimit.permits import PausedError
from gitlab_jobs_async.ratelimit.renewals import Renewals
from gitlab_jobs_async.simulator import SteppedClock
from gitlab_jobs_async.store.grant_values import Refusal
from tests.support.connections import CountingConnector
from tests.support.tasks import others, until

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n[]"


class LateResolver(AbstractResolver):
    """A resolver that knows the loopback, once it *may_answer*."""

    def __init__(self):
        self.may_answer = asyncio.Event()

    async def resolve(self, host, port=0, **_):
        await self.may_answer.wait()
        found = {"host": "127.0.0.1", "port": port, "family": socket.AF_INET}
        return [found | {"hostname": host, "proto": 0, "flags": 0}]

    async def close(self):
        """Keep nothing open."""


class LateConnector(CountingConnector):
    """A connector that finds the server late."""

    def __init__(self):
        self.resolver = LateResolver()
        super().__init__(resolver=self.resolver)


class Server:
    """A server that notes the times of requests."""

    def __init__(self, clock):
        self.clock, self.times, self.writers = clock, [], []

    async def answer(self, reader, writer):
        self.writers.append(writer)
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            self.times.append(self.clock.now())
            writer.write(ANSWER)
        writer.close()


@asynccontextmanager
async def late_request(action="GET", hooks=None):
    """Yield a client whose request found a connection after its window, and what it shares."""
    clock = SteppedClock()
    store, server = MemoryStore(clock=clock), Server(clock)

    def budget():
        return RequestBudget(per_minute=1, shared=store)

    async with await asyncio.start_server(server.answer, "127.0.0.1", 0) as listening:
        url = f"http://gitlab.test:{listening.sockets[0].getsockname()[1]}"
        connector, other = LateConnector(), LateConnector()
        async with (
            aiohttp.ClientSession(connector=connector) as slow,
            aiohttp.ClientSession(connector=other) as fast,
            GitLab(url, session=slow, budget=budget(), clock=clock, hooks=hooks) as late,
            GitLab(url, session=fast, budget=budget(), clock=clock) as prompt,
        ):
            project = late.project(7)
            call = project.list_pipelines() if action == "GET" else project.cancel_job(1)
            task = asyncio.create_task(call)
            await until(lambda: connector.connecting)
            clock.advance(63)
            other.resolver.may_answer.set()
            await prompt.project(7).list_pipelines()
            connector.resolver.may_answer.set()
            await until(lambda: connector.in_use)
            await asyncio.sleep(0.02)
            assert len(server.times) == 1, "it was sent with an expired grant"
            yield late, task, connector, server
            for writer in server.writers:
                writer.close()


async def finished(task, clock):
    """Return the result of *task*, while *clock* goes on."""
    while not task.done():
        await asyncio.sleep(0.002)
        if clock.next_wake is not None:
            clock.advance(max(0.0, clock.next_wake - clock.now()))
    return task.result()


async def test_late_request_waits_for_another_grant():
    async with late_request() as (_, task, _, server):
        assert await finished(task, server.clock) == []
        assert len(server.times) == len(server.writers) == 2
        assert server.times[1] - server.times[0] >= 60


@pytest.mark.parametrize("action", ["GET", "POST"])
async def test_server_that_waited_too_long_is_reached(action):
    """Even an action is sent again, since it certainly was not sent."""
    async with late_request(action) as (_, task, _, server):
        server.writers[1].close()
        await finished(asyncio.ensure_future(asyncio.wait([task])), server.clock)
        assert len(server.writers) == 3
        assert len(server.times) == 2


@pytest.mark.parametrize("action", ["GET", "POST"])
async def test_pause_during_the_wait_is_kept(action):
    starts, ends = [], []
    hooks = RequestHooks(on_start=starts.append, on_end=ends.append)
    async with late_request(action, hooks) as (gitlab, task, connector, server):
        await gitlab.budget.shared.refuse(Refusal("", 90.0))
        server.clock.advance(64)
        await until(lambda: connector.in_use == 0)
        assert gitlab.budget.snapshot().in_flight == 0
        await finished(asyncio.ensure_future(asyncio.wait([task])), server.clock)
        assert len(server.times) == 2
        assert server.times[1] - server.times[0] >= 90
    assert [end.start for end in ends] == starts
    assert [end.retry_in for end in ends] == [0.0, None]


async def test_probe_is_sent_during_its_pause():
    budget, now = RequestBudget(), SteppedClock().now()
    renewals = Renewals(budget)
    request = Request("GET", "/projects")
    kind = RequestClass.of(request, Priority.DIRECT)
    probe, other = (
        renewals.add(Waiter(request, kind, Bucket(False, "")), is_probe=is_probe)
        for is_probe in (True, False)
    )
    budget.paused_elsewhere("", now, 7200.0)
    renewals.grant(now)
    assert probe.result() > now
    assert isinstance(other.exception(), PausedError)
    assert not len(renewals)


async def test_cancelled_wait_leaves_nothing_behind():
    before = await others()
    async with late_request() as (gitlab, task, connector, server):
        task.cancel()
        await asyncio.wait([task])
        assert connector.in_use == 0
        assert gitlab.budget.snapshot().in_flight == 0
        again = asyncio.create_task(gitlab.project(7).list_pipelines())
        await finished(again, server.clock)
        assert server.times[1] - server.times[0] < 70, "a grant is lost"
    assert await others() == before


async def test_closed_client_ends_the_wait():
    async with late_request() as (gitlab, task, connector, _):
        await gitlab.__aexit__(None, None, None)
        with pytest.raises(RuntimeError, match="was closed meanwhile"):
            await task
        assert connector.in_use == 0
