"""Serve metrics to Prometheus over HTTP, on the loop of the command."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from gitlab_jobs_async.cli.errors import usage_error


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`; an address of IPv6 is in brackets."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise usage_error(f"--listen {text!r}: expected HOST:PORT such as 127.0.0.1:9464")
    return host, int(port)


@asynccontextmanager
async def metrics_server(registry: CollectorRegistry, host: str, port: int) -> AsyncIterator[int]:
    """Serve /metrics and /-/healthy until the end of the block, and yield the port.

    Raises:
        CommandError: the address cannot be used.
    """

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        # In a thread, since it takes longer than the loop of a monitor should wait.
        body = await asyncio.to_thread(encode, registry)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def healthy(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics), web.get("/-/healthy", healthy)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise usage_error(f"--listen {host}:{port}: {error.strerror or error}") from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
