"""A monitor's events as a live dashboard on a terminal: table, log pane, footer.

Drawn at most eight times a second, however fast events come, and at least once a second, so that
times tick. The dashboard fills the screen while it lives; its last state stays when it ends.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

from attrs import define, field, frozen
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.suspension import suspendable
from gitlab_jobs_async.cli.views.board import Board
from gitlab_jobs_async.cli.views.board_layout import board_lines
from gitlab_jobs_async.cli.views.events import LOG_EVENTS
from gitlab_jobs_async.cli.views.footer import footer_lines, problem_lines
from gitlab_jobs_async.cli.views.log_pane import LogPane
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.ratelimit.budget import RequestBudget

_MIN_HEIGHT: Final = 8
_MOST_WARNINGS: Final = 200
_FREE_LINES: Final = 2
"""Lines of the screen kept free below the last state for further output."""


@frozen(kw_only=True)
class RefreshRate:
    """Seconds between two drawings: at least, and without events."""

    fastest: float = 1 / 8
    slowest: float = 1.0


_STEADY: Final = RefreshRate()


@define
class Dashboard:
    """The whole view, drawn to fit the console.

    *targets* returns the number of targets; *clock* is the client's; *headline* is the first line.
    """

    budget: RequestBudget
    targets: Callable[[], int]
    clock: Clock
    failed_only: bool = False
    logs: LogPane | None = None
    headline: str = ""
    board: Board = field(factory=Board)
    warnings: deque[str] = field(factory=lambda: deque(maxlen=_MOST_WARNINGS))

    def add(self, event: AnyEvent) -> None:
        """Update the view by an event."""
        self.board.add(event, self.clock.now())
        if self.logs is not None and isinstance(event, LOG_EVENTS):
            self.logs.add(event)

    def warn(self, words: str) -> None:
        """Show the last warning below the table."""
        self.warnings.append(words)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Return the dashboard in the size that the console has now."""
        width, now = options.max_width, self.clock.now()
        is_filling = console.is_alt_screen or options.height is not None
        left_free = 0 if is_filling else _FREE_LINES
        height = max(_MIN_HEIGHT, (options.height or console.height) - left_free)
        paused = {f"paused {kind}".strip(): reason for kind, reason in self.board.paused.items()}
        warning = {"warning": self.warnings[-1]} if self.warnings else {}
        problems = problem_lines(warning | paused | self.board.unreachable, width)
        snapshot = self.budget.snapshot(now)
        footer = footer_lines(
            self.board.events, self.targets(), len(self.board.unreachable), snapshot, width
        )
        pane = 0 if self.logs is None else max(5, height * 2 // 5)
        head = [_headline(self.headline, width)] if self.headline else []
        room = max(2, height - len(head) - len(problems) - len(footer) - pane)
        lines = board_lines(self.board, now, width, room, failed_only=self.failed_only)
        if len(lines) == 1:
            words = "  no failed jobs" if self.failed_only else "  no pipelines"
            lines.append(Text(words, "bright_black"))
        if is_filling:
            lines += [Text()] * (room - len(lines))
        panel = [] if self.logs is None else [self.logs.panel(width, pane)]
        yield Group(*head, *lines, *panel, *problems, *footer)


def _headline(words: str, width: int) -> Text:
    line = Text(clean(words), "bold", no_wrap=True)
    line.truncate(width, overflow="ellipsis", pad=True)
    return line


@asynccontextmanager
async def live_view(
    console: Console, dashboard: Dashboard, rate: RefreshRate = _STEADY
) -> AsyncIterator[Callable[[AnyEvent], None]]:
    """Show the dashboard while the block lasts; yield a function to call with each event."""
    live = Live(
        dashboard,
        console=console,
        screen=True,
        auto_refresh=False,
        # Nothing else prints during the view, so rich need not wrap the streams.
        redirect_stdout=False,
        redirect_stderr=False,
    )
    drawer = _Drawer(live, console, rate)

    def show(event: AnyEvent) -> None:
        dashboard.add(event)
        drawer.is_stale = True
        drawer.draw_if_due()

    try:
        with live, suspendable(console, drawer.expire):
            ticking = asyncio.create_task(_tick(drawer))
            try:
                yield show
            finally:
                ticking.cancel()
                # A plain await would also raise the cancellation of that task.
                await asyncio.wait([ticking])
                if not ticking.cancelled():
                    ticking.result()
    finally:
        # Leaving the alternate screen would otherwise leave no trace of the last state.
        console.print(dashboard)


@define
class _Drawer:
    """Limits the rate of drawing."""

    live: Live
    console: Console
    rate: RefreshRate
    is_stale: bool = False
    _drawn: float = field(factory=monotonic)
    _size: tuple[int, ...] = ()

    def expire(self) -> None:
        """Draw at the next occasion."""
        self.is_stale = True

    def draw_if_due(self) -> None:
        now = monotonic()
        since = now - self._drawn
        size = tuple(self.console.size)
        is_due = self.is_stale or size != self._size or since >= self.rate.slowest
        if is_due and since >= self.rate.fastest:
            self.is_stale, self._size = False, size
            self.live.refresh()
            self._drawn = monotonic()


async def _tick(drawer: _Drawer) -> None:
    while True:
        await asyncio.sleep(drawer.rate.fastest)
        drawer.draw_if_due()
