"""The FastAPI recipe streams events: its application is served by an ASGI caller of the test."""

import asyncio

import pytest

from tests.support.doc_blocks import BLOCKS
from tests.support.tasks import others, until


@pytest.fixture
def application():
    """The module of the recipe."""
    (block,) = [block for block in BLOCKS if "FastAPI(" in block.code and "clients" in block.code]
    names = {"__name__": "recipe"}
    exec(compile(block.code, block.page, "exec"), names)
    return names


async def test_event_stream_sends_events(application):
    sent, requested = [], asyncio.Event()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/events",
        "raw_path": b"/events",
        "query_string": b"",
        "headers": [],
        "http_version": "1.1",
        "scheme": "http",
        "server": ("test", 80),
        "client": ("test", 1),
        "asgi": {"version": "3.0", "spec_version": "2.0"},
    }

    async def receive():
        if requested.is_set():
            await asyncio.Event().wait()
        requested.set()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    task = asyncio.create_task(application["app"](scope, receive, send))
    async with asyncio.timeout(5):
        await until(lambda: application["clients"])
        for queue in application["clients"]:
            queue.put_nowait(b'{"key":"job/1/0/appeared/created"}')
        await until(lambda: len(sent) > 1)
    assert sent[1]["body"] == b'data: {"key":"job/1/0/appeared/created"}\n\n'
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not application["clients"]
    assert not await others()
