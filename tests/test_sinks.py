"""The sinks of the guide publish each event once, with servers of their own."""

import asyncio
import re
import shutil
import socket
import subprocess
from contextlib import suppress

import nats
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gitlab_jobs_async import SqliteStore, from_json, to_json
from gitlab_jobs_async.store.values import Batch, Change
from tests.support.doc_blocks import BLOCKS
from tests.support.sample_events import appeared, finished, job
from tests.support.stores import leased

EVENTS = [
    event for number in range(1, 4) for event in (appeared(job(number)), finished(job(number)))
]
KEYS = [f"gitlab.example.com/{event.key}" for event in EVENTS]


async def record():
    """Record the events in the store that the sinks read."""
    store = SqliteStore("ci.db")
    await store.open("https://gitlab.example.com")
    for group in ("nats", "redis"):
        await store.join(group)
    recorded = [(event.key, to_json(event)) for event in EVENTS]
    await store.record(await leased(store), Batch([Change("group/app", b"{}", 0, recorded)]))
    await store.close()


@pytest.fixture
def serve(tmp_path):
    """Start a server at a free port of the loopback; return its URL."""
    started = []

    def start(scheme, program, *arguments):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: apt-get install {program}")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [program, *arguments, str(port)]
        started.append(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL))
        return f"{scheme}://127.0.0.1:{port}"

    yield start
    for server in started:
        server.terminate()
        server.wait(10)


async def run_sink(scheme, url, published):
    """Run the sink of the guide with the server at *url*; return what it has *published*."""
    (block,) = [b for b in BLOCKS if b.is_sink and f'"{scheme}://' in b.code]
    code = re.sub(rf"{scheme}://localhost:\d+", url, block.code)
    names = {}
    exec(code.removesuffix("asyncio.run(main())\n"), names)
    sink = asyncio.create_task(names["main"]())
    found = []
    while len(found) < len(EVENTS) and not sink.done():
        await asyncio.sleep(0.02)
        found = await published()
    sink.cancel()
    with suppress(asyncio.CancelledError):
        await sink
    return found


async def connected(connect):
    """Return the connection to a server that has just started."""
    while True:
        with suppress(OSError, nats.errors.Error, RedisError):
            return await connect()
        await asyncio.sleep(0.02)


async def test_nats_sink_removes_duplicates(serve, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    await record()
    url = serve("nats", "nats-server", "-js", "-sd", "nats", "-l", "nats.log", "-p")
    connection = await connected(lambda: nats.connect(url, max_reconnect_attempts=1))
    stream = connection.jetstream()

    async def published():
        with suppress(nats.js.errors.NotFoundError):
            count = (await stream.stream_info("ci")).state.messages
            return [await stream.get_msg("ci", place) for place in range(1, count + 1)]
        return []

    found = await run_sink("nats", url, published)
    assert [message.headers["Nats-Msg-Id"] for message in found] == KEYS
    assert [from_json(message.data) for message in found] == EVENTS
    again = await stream.publish("ci.events", b"", headers=found[0].headers)
    assert again.duplicate
    await connection.close()


async def test_redis_sink_adds_each_event(serve, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    await record()
    url = serve("redis", "redis-server", "--save", "", "--port")
    async with Redis.from_url(url) as redis:
        await connected(redis.ping)
        found = await run_sink("redis", url, lambda: redis.xrange("ci-events"))
    assert [fields[b"key"].decode() for _, fields in found] == KEYS
    assert [from_json(fields[b"event"]) for _, fields in found] == EVENTS
