"""The progress of a slow command in one line on stderr, which is cleared at the end."""

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

from attrs import define, field

from gitlab_jobs_async import http
from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.cli import views
from gitlab_jobs_async.cli.terminal import PROGRESS, supports_progress
from gitlab_jobs_async.clock import Clock, SystemClock

T = TypeVar("T")

QUIET_SECONDS: Final = 2.0
"""Shorter commands show nothing."""

_WAITING: Final = 1.0
"""Seconds after which the line is written again, though nothing comes."""

_BETWEEN: Final = 0.25
"""Seconds between two lines, so that a slow connection is not filled with them."""

_UNCOUNTED: Final = frozenset({"/projects/:id/jobs", "/graphql"})
"""Routes whose rows GitLab never counts: `without_count` of lib/api/ci/jobs.rb."""


@define(eq=False, repr=False)
class _Pages:
    """Pages that were read, and the number of all if the server counts those of each list."""

    _read: dict[str, int] = field(factory=dict, init=False)
    _counted: dict[str, int] = field(factory=dict, init=False)
    _is_uncounted: bool = field(default=False, init=False)

    def add(self, end: "http.RequestEnd") -> None:
        """Note the response of a request."""
        url = end.start.url
        self._read[url] = self._read.get(url, 0) + 1
        if end.total_pages is not None:
            self._counted[url] = end.total_pages
        elif end.start.route in _UNCOUNTED or self._read[url] > 1:
            self._is_uncounted = True

    @property
    def read(self) -> int:
        """Number of pages so far."""
        return sum(self._read.values())

    @property
    def total(self) -> int | None:
        """Number of all, of the lists so far; None if one of them is not counted."""
        if self._is_uncounted or not self._counted:
            return None
        # A single object has one page.
        return sum(max(read, self._counted.get(url, 0)) for url, read in self._read.items())


@define(eq=False, repr=False)
class Progress:
    """Counts what is done, and shows it after a while if stderr is a terminal.

    *expected* is the number of all, if it is known beforehand; else it is that of the server.
    """

    words: str
    unit: str
    expected: int | None = None
    _clock: Clock = field(factory=SystemClock, kw_only=True)
    _is_shown: bool = field(factory=supports_progress, kw_only=True)
    _shown_at: float = field(init=False)
    _began: float = field(init=False)
    _written: float | None = field(default=None, init=False)
    _done: int = field(default=0, init=False)
    _total: int | None = field(default=None, init=False)
    _pages: _Pages | None = field(factory=_Pages, init=False)
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self._clock.now()
        self._shown_at = self._began + QUIET_SECONDS

    def expect(self, total: int | None, unit: str) -> None:
        """Count *total* things of another unit from now on, and no pages."""
        self.unit, self.expected, self._pages = unit, total, None
        self._done, self._total, self._began = 0, total, self._clock.now()

    def each(self, items: Sequence[T], unit: str) -> Iterator[T]:
        """Yield *items*, and count each one as done when the next is taken."""
        self.expect(len(items), unit)
        for item in items:
            yield item
            self.add()

    def add(self, count: int = 1) -> None:
        """Count further ones."""
        self.update(self._done + count, self.expected)

    def update(self, done: int, total: int | None) -> None:
        """Show that *done* of *total* is done; the total may be unknown."""
        self._done, self._total = done, total
        now = self._clock.now()
        if not self._is_shown or now < self._shown_at or now <= self._began:
            return
        if self._written is None or now - self._written >= _BETWEEN:
            self._written = now
            state = views.Done(self.words, self.unit, done, total, now - self._began)
            PROGRESS.show(views.progress_line(state, _columns(), is_ascii=_is_ascii()))

    def hooks(self) -> "http.RequestHooks | None":
        """Return hooks that count each response as a page; None if nothing is shown."""
        return http.RequestHooks(on_end=self._count) if self._is_shown else None

    def _count(self, end: "http.RequestEnd") -> None:
        if self._pages is None or end.status is None or end.status >= 300:
            return
        self._pages.add(end)
        total = self._pages.total if self.expected is None else self.expected
        self.update(self._pages.read, total)

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
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def clear(self) -> None:
        """Remove the line, until something comes."""
        PROGRESS.clear()
        self._written = None


def pages_of(limit: int | None, lists: int) -> int | None:
    """Return how many pages hold the first *limit* rows of *lists* lists, at most."""
    return None if limit is None else -(-limit // PER_PAGE) * lists


def _columns() -> int:
    with suppress(OSError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    return 80


def _is_ascii() -> bool:
    return "utf" not in (sys.stderr.encoding or "").lower()


@contextmanager
def progress(words: str, unit: str = "page", total: int | None = None) -> Iterator[Progress]:
    """Yield a progress that is cleared with the block, before its result or error is printed."""
    shown = Progress(words, unit, total)
    shown.start()
    try:
        yield shown
    finally:
        shown.stop()
