"""Where output goes: text and tables to people, plain lines to programs, complaints to stderr.

Whether stdout is a terminal decides, and `NO_COLOR`. What is complained of is cleaned here, so that
no server's words reach a terminal by way of stderr.
"""

import asyncio
import codecs
import logging
import os
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import BinaryIO

from rich.console import Console

from gitlab_jobs_async.cli.cleaning import clean, escape_non_ascii


def is_terminal() -> bool:
    """Return whether a person reads stdout."""
    return sys.stdout.isatty()


def may_colour() -> bool:
    """Return whether that person's terminal wants colours."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return is_terminal() and wanted


@asynccontextmanager
async def while_somebody_reads() -> AsyncIterator[None]:
    """Ends its block with `BrokenPipeError` as soon as nobody reads stdout any more.

    Writing tells that too, but only when there is something to write. A pipe's writing end becomes
    ready for reading when its reader has gone, which is how asyncio itself finds out.
    """
    loop, pipe = asyncio.get_running_loop(), sys.stdout.fileno()
    if os.name != "posix" or not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        yield  # the next line written tells
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


class Screen(Console):
    """A console that leaves it to its caller what a reader's going means; rich's own would exit."""

    def on_broken_pipe(self) -> None:
        """Raise what rich has just caught."""
        raise BrokenPipeError


def console(*, color: bool = True) -> Screen:
    """Return a console on stdout that takes every text as it is; plain where stdout is no terminal."""
    person = is_terminal()
    return Screen(
        file=sys.stdout,
        force_terminal=person,
        force_interactive=person,
        no_color=None if color else True,
        color_system="auto" if person and color else None,
        markup=False,
        emoji=False,
        highlight=False,
    )


def write(text: str) -> None:
    """*text* to stdout at once, so that the next command of a pipe sees it."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write_json(lines: str) -> None:
    """Write lines of JSON to stdout at once, in UTF-8 whatever the locale says."""
    with stdout_bytes() as out:
        out.write(json_bytes(lines))


def json_bytes(lines: str) -> bytes:
    """Return JSON as UTF-8; where the locale has another encoding, as ASCII with escapes.

    So a reader finds the same names in it, whether it takes it for UTF-8 or for the locale's.
    """
    is_utf8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    return (lines if is_utf8 else escape_non_ascii(lines)).encode()


def complain(line: str) -> None:
    """Return one line to stderr, harmless; where nobody reads it, so be it."""
    with suppress(OSError):
        sys.stderr.write(f"gitlab-jobs: {clean(line)}\n")


class Complaints(logging.Handler):
    """Warnings that nobody else takes, in one harmless line each: they may quote a server."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say what is warned of; where it went wrong is for those who set up a log."""
        cause = record.exc_info[1] if record.exc_info else None
        complain(record.getMessage() if cause is None else f"{record.getMessage()}: {cause}")


def break_line() -> None:
    """Leave the line in which a terminal has shown ^C."""
    if sys.stderr.isatty():
        sys.stderr.write("\n")


@contextmanager
def stdout_bytes() -> Iterator[BinaryIO]:
    """Stdout for bytes as they are."""
    sys.stdout.flush()
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()
