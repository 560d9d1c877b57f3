"""A monitor's events as a live picture on a terminal: table, log pane, footer.

Drawn at most eight times a second, however fast events come, and once a second when none do, so
that times tick. The picture fills the screen while it lives; its last state stays when it ends.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

from attrs import define, field, frozen
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.board import Board
from gitlab_jobs_async.cli.views.board_layout import board_lines
from gitlab_jobs_async.cli.views.events import LOG_EVENTS
from gitlab_jobs_async.cli.views.footer import footer_lines, trouble_lines
from gitlab_jobs_async.cli.views.log_pane import LogPane
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.events import Event
from gitlab_jobs_async.ratelimit.budget import RequestBudget

_SMALLEST: Final = 8
_LEFT_FREE: Final = 2
"""Lines of the screen that the last state leaves for what is said after it."""


@frozen(kw_only=True)
class Pace:
    """Seconds from one drawing to the next: at least, and where nothing happens."""

    fastest: float = 1 / 8
    slowest: float = 1.0


_STEADY: Final = Pace()


@define
class Picture:
    """All that is to be seen, drawn to fit wherever it is printed.

    *targets* says how many are watched; *clock* is the client's; *headline* stands above it all.
    """

    budget: RequestBudget
    targets: Callable[[], int]
    clock: Clock
    failed_only: bool = False
    logs: LogPane | None = None
    headline: str = ""
    board: Board = field(factory=Board)

    def tell(self, event: Event) -> None:
        """Take in one event."""
        self.board.tell(event, self.clock.now())
        if self.logs is not None and isinstance(event, LOG_EVENTS):
            self.logs.tell(event)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Return the picture in the size that the console has now."""
        width, now = options.max_width, self.clock.now()
        is_filling = console.is_alt_screen or options.height is not None
        left_free = 0 if is_filling else _LEFT_FREE
        height = max(_SMALLEST, (options.height or console.height) - left_free)
        paused = {f"paused {kind}".strip(): said for kind, said in self.board.paused.items()}
        trouble = trouble_lines(paused | self.board.unreachable, width)
        snapshot = self.budget.snapshot(now)
        footer = footer_lines(
            self.board.events, self.targets(), len(self.board.unreachable), snapshot, width
        )
        pane = 0 if self.logs is None else max(5, height * 2 // 5)
        head = [_headline(self.headline, width)] if self.headline else []
        room = max(2, height - len(head) - len(trouble) - len(footer) - pane)
        lines = board_lines(self.board, now, width, room, failed_only=self.failed_only)
        if len(lines) == 1:
            words = "  nothing has failed" if self.failed_only else "  nothing is going on"
            lines.append(Text(words, "bright_black"))
        if is_filling:
            lines += [Text()] * (room - len(lines))
        panel = [] if self.logs is None else [self.logs.panel(width, pane)]
        yield Group(*head, *lines, *panel, *trouble, *footer)


def _headline(words: str, width: int) -> Text:
    line = Text(clean(words), "bold", no_wrap=True)
    line.truncate(width, overflow="ellipsis", pad=True)
    return line


@asynccontextmanager
async def living(
    console: Console, picture: Picture, pace: Pace = _STEADY
) -> AsyncIterator[Callable[[Event], None]]:
    """Show the picture while the block lasts; call what comes back with each event."""
    live = Live(
        picture,
        console=console,
        screen=True,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    drawer = _Drawer(live, console, pace)

    def tell(event: Event) -> None:
        picture.tell(event)
        drawer.is_stale = True
        drawer.draw_if_due()

    try:
        with live:
            ticking = asyncio.create_task(_tick(drawer))
            try:
                yield tell
            finally:
                ticking.cancel()
                await asyncio.wait([ticking])
                if not ticking.cancelled():
                    ticking.result()
    finally:
        console.print(picture)


@define
class _Drawer:
    """Decides when to draw."""

    live: Live
    console: Console
    pace: Pace
    is_stale: bool = False
    _drawn: float = field(factory=monotonic)
    _size: tuple[int, ...] = ()

    def draw_if_due(self) -> None:
        now = monotonic()
        since = now - self._drawn
        size = tuple(self.console.size)
        is_due = self.is_stale or size != self._size or since >= self.pace.slowest
        if is_due and since >= self.pace.fastest:
            self.is_stale, self._size = False, size
            self.live.refresh()
            self._drawn = monotonic()


async def _tick(drawer: _Drawer) -> None:
    while True:
        await asyncio.sleep(drawer.pace.fastest)
        drawer.draw_if_due()
