"""Bodies: other tasks run while they arrive, and each byte is counted."""

import asyncio
import gzip
from itertools import count

import pytest

from gitlab_jobs_async import ResponseTooLargeError, TimedOutError
from gitlab_jobs_async.http.attempts import Deadline
from gitlab_jobs_async.http.body import Body, Chunks
from gitlab_jobs_async.http.body_limits import MinRate, SizeLimit

MIB = 1024 * 1024


def receiving(*pieces):
    left = [*pieces, b""]

    async def receive():
        return left.pop(0)

    return receive


def unbounded():
    return SizeLimit("trace", None, "GET", "u")


@pytest.mark.parametrize(
    ("body", "size", "least"),
    [(gzip.compress(bytes(64 * MIB), 9), 64 * MIB, 40), (gzip.compress(b"") * 5000, 0, 1000)],
    ids=["bomb", "members"],
)
async def test_decompression_yields_to_the_loop(body, size, least):
    turns = count()

    async def others():
        while True:
            next(turns)
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    # All of it has arrived: only the body itself can let other tasks run.
    assert len(await Body(receiving(body), "gzip").read_all(unbounded())) == size
    task.cancel()
    assert next(turns) >= least


async def test_body_size_counts_after_decompression():
    body = Body(receiving(gzip.compress(bytes(1000))), "gzip")
    with pytest.raises(ResponseTooLargeError):
        await body.read_all(SizeLimit("page", 999, "GET", "u"))


async def test_first_bytes_are_read_and_no_more():
    received = receiving(b"a" * 10, b"b" * 10, b"c" * 10)
    pieces = [piece async for piece in Body(received, "").pieces(15)]
    assert pieces == [b"a" * 10, b"b" * 5]
    assert await received() == b"c" * 10


async def test_chunks_are_counted_and_timed():
    body = Body(receiving(b"a" * 10, b"b" * 10), "")
    chunks = Chunks(body.read, SizeLimit("archive", 15, "GET", "u"), MinRate(0.0, 1.0))
    assert await anext(chunks) == b"a" * 10
    with pytest.raises(ResponseTooLargeError):
        await anext(chunks)
    slow = Chunks(Body(receiving(b"a"), "").read, unbounded(), MinRate(1e12, 0.0))
    with pytest.raises(TimedOutError, match="too slow"):
        await anext(slow)


@pytest.mark.parametrize("revive", [Deadline.suspend, Deadline.restart])
async def test_ended_deadline_stays_ended(revive):
    # A slot becomes free in the same turn of the loop as the client is closed.
    deadline = Deadline(60.0)

    async def close():
        async with deadline.timeout:
            deadline.expire()
            revive(deadline)
            await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(close(), 5)
    assert deadline.timeout.expired()
