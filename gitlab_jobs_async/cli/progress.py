"""The progress of a slow command in one line on stderr, which is cleared at the end."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Literal

from attrs import define, field

from gitlab_jobs_async import http
from gitlab_jobs_async.cli.terminal import supports_progress
from gitlab_jobs_async.cli.views.rows import size
from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.clock import Clock, SystemClock

QUIET_SECONDS: Final = 2.0
"""Shorter commands show nothing."""

_WAITING: Final = 1.0
"""Seconds after which the line is written again, though nothing comes."""

_BETWEEN: Final = 0.25
"""Seconds between two lines, so that a slow connection is not filled with them."""

_CLEAR: Final = "\r\x1b[K"
Unit = Literal["bytes", "pages"]


@define(eq=False, repr=False)
class Progress:
    """Counts what is done, and shows it after a while if stderr is a terminal."""

    words: str
    unit: Unit
    _clock: Clock = field(factory=SystemClock)
    _is_shown: bool = field(factory=supports_progress)
    _began: float = field(init=False)
    _written: float | None = field(default=None, init=False)
    _done: int = field(default=0, init=False)
    _total: int | None = field(default=None, init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self._clock.now()

    def add(self, count: int = 1) -> None:
        """Count further bytes or pages."""
        self.update(self._done + count, None)

    def update(self, done: int, total: int | None) -> None:
        """Show that *done* of *total* is done; the total may be unknown."""
        self._done, self._total = done, total
        now = self._clock.now()
        seconds = now - self._began
        if not self._is_shown or seconds < QUIET_SECONDS:
            return
        if self._written is None or now - self._written >= _BETWEEN:
            self._written = now
            _write(_CLEAR + progress_line(self.words, done, total, seconds, self.unit))

    def hooks(self) -> "http.RequestHooks | None":
        """Return hooks that count each answer as a page; None if nothing is shown."""
        return http.RequestHooks(on_end=self._count) if self._is_shown else None

    def _count(self, end: "http.RequestEnd") -> None:
        if end.status is not None and end.status < 300:
            self.add()

    def start(self) -> None:
        """Write the line while nothing comes, too, if a loop is running."""
        if self._is_shown:
            with suppress(RuntimeError):
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(_WAITING, self._write_again)

    def _write_again(self) -> None:
        self.update(self._done, self._total)
        self.start()

    def stop(self) -> None:
        """Show nothing from now on, since the result is being printed."""
        self.clear()
        self._is_shown = False

    def clear(self) -> None:
        """Remove the line, until something comes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._written is not None:
            _write(_CLEAR)
            self._written = None


def progress_line(words: str, done: int, total: int | None, seconds: float, unit: Unit) -> str:
    """Return a line such as `archive: 1.5 of 3.0 MiB, 0.5 MiB/s, 3s left`."""
    rate = done / seconds
    if not done:
        return f"{words}: waiting for the server, {length(seconds)}"
    if unit == "pages":
        return f"{words}: {done} {'page' if done == 1 else 'pages'}, {rate:.1f}/s"
    so_far = size(done) if total is None else f"{size(done)} of {size(total)}"
    left = "" if total is None else f", {length((total - done) / rate)} left"
    return f"{words}: {so_far}, {size(int(rate))}/s{left}"


def _write(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


@contextmanager
def progress(words: str, unit: Unit) -> Iterator[Progress]:
    """Yield a progress that is cleared with the block, before its result or error is printed."""
    shown = Progress(words, unit)
    shown.start()
    try:
        yield shown
    finally:
        shown.clear()
