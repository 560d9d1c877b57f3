"""End of a command whose reader has closed its pipe, or whose terminal is gone."""

import asyncio
import os
import select
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, TextIO

from gitlab_jobs_async.cli.errors import INTERRUPTED, CommandError

_CHECK_SECONDS: Final = 1.0


def has_hung_up(terminal: TextIO) -> bool:
    """Return whether *terminal* is gone, such as that of a lost connection."""
    # Not every process gets SIGHUP then, only those of the terminal's session.
    if not hasattr(select, "poll"):  # Windows
        return False
    poll = select.poll()
    poll.register(terminal, 0)
    return any(mask & select.POLLHUP for _, mask in poll.poll(0))


@asynccontextmanager
async def until_reader_closes() -> AsyncGenerator[None, None]:
    """End the block soon after the reader of stdout has gone, even if nothing is written.

    Raises:
        BrokenPipeError: the reader has closed the pipe.
        CommandError: the terminal is gone.
    """
    if os.name == "posix" and stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode):
        ending = _until_pipe_closes()
    elif sys.stdout.isatty():
        ending = _until_terminal_hangs_up()
    else:
        yield  # the next write fails
        return
    async with ending:
        yield


@asynccontextmanager
async def _until_pipe_closes() -> AsyncGenerator[None, None]:
    # The writing end of a pipe becomes readable when its reader closes; asyncio uses this, too.
    loop, pipe, limit = asyncio.get_running_loop(), sys.stdout.fileno(), asyncio.timeout(None)

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


@asynccontextmanager
async def _until_terminal_hangs_up() -> AsyncGenerator[None, None]:
    limit = asyncio.timeout(None)

    async def check() -> None:
        while not has_hung_up(sys.stdout):  # noqa: ASYNC110 - nothing says so by itself
            await asyncio.sleep(_CHECK_SECONDS)
        limit.reschedule(0.0)

    try:
        async with limit:
            checking = asyncio.create_task(check())
            try:
                yield
            finally:
                checking.cancel()
    except (TimeoutError, OSError):
        # The block's own last writes fail, too.
        if limit.expired() or has_hung_up(sys.stdout):
            raise CommandError("terminal is gone", INTERRUPTED) from None
        raise
