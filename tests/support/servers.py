"""HTTP servers on the loopback with scripted responses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ssl import SSLContext

from aiohttp import web
from attrs import define

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@define
class TestServer:
    """A server that answers with *handler* and keeps the requests."""

    url: str
    requests: list[web.BaseRequest]

    __test__ = False


@asynccontextmanager
async def serving(handler: Handler, secured: SSLContext | None = None) -> AsyncIterator[TestServer]:
    """Serve HTTP(S) on the loopback within the block."""
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
    """Answer every request with exactly *data*, HTTP or not; yield the URL."""

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
