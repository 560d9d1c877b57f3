"""Output of the demo: a live view on a terminal, plain lines in a pipe, then a summary."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from attrs import field, frozen
from rich.console import Console
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.terminal import moves_cursor
from gitlab_jobs_async.cli.views.events import LOG_EVENTS, plain_event
from gitlab_jobs_async.cli.views.live import Dashboard, live_view
from gitlab_jobs_async.cli.views.rows import Listed, size
from gitlab_jobs_async.cli.views.tables import add_column, cell, empty_table, jobs_table
from gitlab_jobs_async.events import AnyEvent

_LISTED = 10


def _rounded(seconds: float) -> float:
    return round(seconds, 2)


@frozen(kw_only=True)
class StepReport:
    """The result of a step and its cost to the server."""

    step: str
    ok: bool
    detail: str
    requests: int = 0
    bytes: int = 0
    seconds: float = field(converter=_rounded)


class DemoScreen:
    """Shows the demo on a console; *quiet* prints nothing."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console = console
        self._console.quiet = quiet
        self._is_live = console.is_terminal and moves_cursor() and not quiet
        self._picture: Dashboard | None = None

    def opening(self, url: str, projects: int, speed: float) -> None:
        """Print the title."""
        rest = f"  {projects} simulated projects at {url}, {speed:g}x as fast"
        self._console.print(Text.assemble(("gitlab-jobs demo", "bold"), rest))

    def note(self, words: str) -> None:
        """Print a remark, on the live view as its headline."""
        if self._picture is not None:
            self._picture.headline = words
        else:
            self._console.print(f"-- {clean(words)}", soft_wrap=True)

    @asynccontextmanager
    async def watching(self, dashboard: Dashboard) -> AsyncIterator[Callable[[AnyEvent], None]]:
        """Yield a function that shows an event, in a live view or as a line."""
        if not self._is_live:
            yield lambda event: self._line(event, dashboard)
            return
        async with live_view(self._console, dashboard) as show:
            self._picture = dashboard
            try:
                yield show
            finally:
                self._picture = None

    def _line(self, event: AnyEvent, dashboard: Dashboard) -> None:
        only = None if dashboard.logs is None else dashboard.logs.only
        if self._console.quiet or (isinstance(event, LOG_EVENTS) and event.job.name != only):
            return
        line = plain_event(event, datetime.fromtimestamp(dashboard.clock.now(), UTC))
        self._console.file.write(line)  # rich would expand the tabs
        self._console.file.flush()

    def newest(self, jobs: Sequence[Listed], now: float) -> None:
        """Print a table of the newest jobs."""
        newest = sorted(jobs, key=lambda listed: listed[1].id, reverse=True)[:_LISTED]
        self._console.print(jobs_table(newest, datetime.fromtimestamp(now, UTC)))
        self._console.print(f"… and {len(jobs) - len(newest)} more")

    def summary(self, reports: Sequence[StepReport]) -> None:
        """Print the result and cost of every step; the last report is the total."""
        self._console.print()
        if self._is_live:
            self._console.rule(Text("Summary", style="bold"), align="left", style="bright_black")
        else:
            self._console.print("== Summary")
        table = empty_table()
        for title in ("step", "outcome"):
            add_column(table, title, whole=title == "step")
        for title in ("requests", "received", "seconds"):
            add_column(table, title, justify="right", whole=True)
        for report in reports:
            if report is reports[-1]:
                table.add_section()
            sign, colour = ("✓", "green") if report.ok else ("✗", "red")
            table.add_row(
                cell(report.step, "bold"),
                Text.assemble((f"{sign} ", colour), clean(report.detail), overflow="fold"),
                cell(report.requests),
                cell(size(report.bytes)),
                cell(f"{report.seconds:.1f}"),
            )
        self._console.print(table)
