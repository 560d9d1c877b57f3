"""End of a command whose reader has closed its pipe."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def until_reader_closes() -> AsyncIterator[None]:
    """End the block with `BrokenPipeError` as soon as the reader of stdout closes it."""
    # A write fails only once there is something to write. The writing end of a pipe becomes
    # readable when its reader closes; asyncio uses this, too.
    loop, pipe = asyncio.get_running_loop(), sys.stdout.fileno()
    if os.name != "posix" or not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        yield  # the next write fails
        return
    limit = asyncio.timeout(None)

    def end() -> None:
        loop.remove_reader(pipe)
        limit.reschedule(0.0)

    try:
        async with limit:
            loop.add_reader(pipe, end)
            try:
                yield
            finally:
                loop.remove_reader(pipe)
    except TimeoutError:
        if limit.expired():
            raise BrokenPipeError from None
        raise
