"""Output to stdout and stderr.

Tables and colours depend on whether stdout is a terminal, and on `NO_COLOR`. Errors are cleaned
here, so that no control character of a server reaches a terminal through stderr.
"""

import codecs
import logging
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from typing import BinaryIO, Final

from gitlab_jobs_async.cli.cleaning import clean, escape_non_ascii
from gitlab_jobs_async.cli.views.links import supports_links

_PAUSED: Final = "requests paused by the server"
_PAUSE_SECONDS: Final = 0.5

_CLEAR: Final = "\r\x1b[K"


def is_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def supports_colour() -> bool:
    """Return whether stdout is a terminal that shows colours."""
    return is_terminal() and _is_coloured()


def moves_cursor() -> bool:
    """Return whether TERM names a terminal that can draw again what it has shown."""
    return os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}


def supports_live() -> bool:
    """Return whether stdout is a terminal that can show a live table."""
    return is_terminal() and moves_cursor()


def supports_progress() -> bool:
    """Return whether stderr is a terminal whose last line can be replaced.

    Not while stdout is a pipe: its reader may be a pager on the same terminal.
    """
    is_fit = sys.stderr.isatty() and moves_cursor()
    return is_fit and not stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)


def shows_links() -> bool:
    """Return whether stdout is a terminal that shows links."""
    is_paged = getattr(sys.stdout, "is_paged", False)  # older pagers garble links
    return is_terminal() and not is_paged and supports_links(os.environ)


def _is_coloured() -> bool:
    # An empty NO_COLOR counts as unset: https://no-color.org.
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def supports_full_screen() -> bool:
    """Return whether the terminal can show a full screen, and textual is installed."""
    # Textual reads stdin and draws on stderr.
    streams = (sys.stdin, sys.stdout, sys.__stderr__)
    are_terminals = all(stream is not None and stream.isatty() for stream in streams)
    return are_terminals and moves_cursor() and find_spec("textual") is not None


def write(text: str) -> None:
    """Write *text* to stdout and flush, so that the next command of a pipe sees it at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write_json(lines: str) -> None:
    """Write lines of JSON to stdout and flush."""
    with stdout_bytes() as out:
        out.write(json_bytes(lines))


def json_bytes(lines: str) -> bytes:
    """Return JSON as UTF-8, or as ASCII with escapes in a locale of another encoding."""
    # A reader then decodes the same text whether it assumes UTF-8 or the locale's encoding.
    is_utf8 = codecs.lookup(sys.stdout.encoding or "ascii").name == "utf-8"
    return (lines if is_utf8 else escape_non_ascii(lines)).encode()


class _ProgressLine:
    """The last line of stderr while a command is at work; every message clears it."""

    is_shown = False

    def show(self, text: str) -> None:
        """Replace the line."""
        with suppress(OSError):
            sys.stderr.write(_CLEAR + text)
            sys.stderr.flush()
        self.is_shown = True

    def clear(self) -> None:
        """Remove the line, if there is one."""
        if self.is_shown:
            self.show("")
            self.is_shown = False


PROGRESS: Final = _ProgressLine()


def print_error(line: str) -> None:
    """Write one cleaned line to stderr; do nothing if it is closed."""
    with suppress(OSError):
        PROGRESS.clear()
        sys.stderr.write(f"gitlab-jobs: {clean(line)}\n")


def print_note(line: str) -> None:
    """Write one cleaned line to stderr if it is a terminal, in a dim colour."""
    with suppress(OSError):
        if sys.stderr.isatty():
            dim, end = ("\x1b[2m", "\x1b[0m") if _is_coloured() else ("", "")
            PROGRESS.clear()
            sys.stderr.write(f"{dim}{clean(line)}{end}\n")


def clear_line() -> None:
    """Clear the line in which a terminal has shown ^C."""
    with suppress(OSError):
        if sys.stderr.isatty():
            sys.stderr.write(_CLEAR if moves_cursor() else "\n")
            sys.stderr.flush()


def print_report(line: str, *, is_bad: bool) -> None:
    """Write one cleaned line to stderr: on a terminal in red or green, else as an error."""
    if not sys.stderr.isatty():
        print_error(line)
        return
    colour, end = ("\x1b[31m" if is_bad else "\x1b[32m", "\x1b[0m") if _is_coloured() else ("", "")
    with suppress(OSError):
        PROGRESS.clear()
        sys.stderr.write(f"{colour}{clean(line)}{end}\n")


class WarningHandler(logging.Handler):
    """Prints warnings without another handler as one cleaned line each."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message and its cause, without the traceback.

        That of a pause comes later: a call that is refused for it fails at once, and says it, too.
        """
        words = warning_words(record)
        if words.startswith(_PAUSED):
            with suppress(RuntimeError):  # no loop
                loop = import_module("asyncio").get_running_loop()
                loop.call_later(_PAUSE_SECONDS, print_error, words)
                return
        print_error(words)


def warning_words(record: logging.LogRecord) -> str:
    """Return the message of a warning and its cause."""
    cause = record.exc_info[1] if record.exc_info else None
    return record.getMessage() if cause is None else f"{record.getMessage()}: {cause}"


def break_line() -> None:
    """End the line in which a terminal has shown ^C."""
    if sys.stderr.isatty():
        sys.stderr.write("\n")


@contextmanager
def stdout_bytes() -> Iterator[BinaryIO]:
    """Yield stdout as a binary file."""
    sys.stdout.flush()
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()
