"""Closing a client ends pending calls of other tasks at once, with an error of its own."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from gitlab_jobs_async import GitLab, Request
from tests.support.connections import CountingConnector
from tests.support.servers import serving
from tests.support.tasks import others, until

SHOW = Request("GET", "/version")


async def silent(_request):
    await asyncio.sleep(60)


def beginning(status):
    """Return a handler whose response body never ends."""

    async def handler(request):
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        await response.write(b"[")
        await asyncio.sleep(60)
        return response

    return handler


async def send(gitlab):
    await gitlab.send(SHOW)


async def stream(gitlab):
    async with gitlab.project(1).stream_trace(1) as chunks:
        async for _ in chunks:
            pass


async def iterate(gitlab):
    async for _ in gitlab.project(1).iter_jobs():
        pass


async def list_several(gitlab):
    await gitlab.list_jobs([1, 2, 3])


@pytest.mark.parametrize("ask", [send, stream, iterate, list_several])
@pytest.mark.parametrize("handler", [silent, beginning(200), beginning(500)])
@pytest.mark.parametrize("is_ours", [True, False])
async def test_close_fails_pending_calls_at_once(ask, handler, is_ours):
    connector = CountingConnector()
    async with (
        serving(handler) as server,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        given = None if is_ours else session
        async with GitLab(server.url, concurrency=2, session=given) as gitlab:
            before = await others()
            tasks = [asyncio.create_task(ask(gitlab)) for _ in range(4)]
            await until(lambda: len(server.requests) == 2)
            for _ in range(20):
                await asyncio.sleep(0)
        # Otherwise they would end with the timeout.
        async with asyncio.timeout(5):
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ended} == {RuntimeError}
        assert {str(end).partition(":")[0] for end in ended} == {"this GitLab was closed meanwhile"}
        assert connector.in_use == 0
        assert await others() == before


async def test_idle_client_closes_and_reopens():
    async def ok(_request):
        return web.json_response({})

    async with serving(ok) as server:
        client = GitLab(server.url)
        for _ in range(2):
            async with client:
                await client.send(SHOW)
