"""A waterfall on a terminal, which is drawn anew while the pipeline runs."""

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from attrs import define
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live

from gitlab_jobs_async.cli.suspension import suspendable
from gitlab_jobs_async.cli.waterfall.glyphs import ASCII, UNICODE, Glyphs
from gitlab_jobs_async.cli.waterfall.rows import Chart, chart_of
from gitlab_jobs_async.cli.waterfall.terminal import waterfall_lines
from gitlab_jobs_async.models.timelines import PipelineTimeline

_AROUND = 16
"""Lines of a screen that are not rows: title, axis, legend and sums."""


def glyphs_of(*, is_ascii: bool) -> Glyphs:
    """Return the characters that stdout can show."""
    try:
        "█░·▓◆↻│…✓⊘◌→".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return ASCII
    return ASCII if is_ascii else UNICODE


def print_waterfall(console: Console, chart: Chart, glyphs: Glyphs) -> None:
    """Print all lines of a waterfall in the width of the terminal."""
    console.print(*waterfall_lines(chart, console.width, glyphs), sep="\n", soft_wrap=True)


@define(eq=False, repr=False)
class _Screen:
    """The newest timelines, drawn to fit the screen."""

    timelines: Sequence[PipelineTimeline]
    glyphs: Glyphs

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Return the lines for the size that the console has now."""
        height = options.height or console.height
        chart = chart_of(self.timelines, max(5, height - _AROUND))
        yield Group(*waterfall_lines(chart, options.max_width, self.glyphs, height))


async def show_live(
    console: Console,
    followed: AsyncGenerator[Sequence[PipelineTimeline], None],
    glyphs: Glyphs,
) -> Sequence[PipelineTimeline]:
    """Draw the timelines as they come, and return the last ones.

    The alternate screen is used only while something runs; after an interruption the last state
    stays on the terminal.
    """
    timelines: Sequence[PipelineTimeline] = ()
    has_ended = False
    try:
        async with aclosing(followed):
            timelines = await anext(followed)
            # Nothing would be seen of a screen that is left at once.
            if all(one.has_ended for one in timelines):
                has_ended = True
                return timelines
            with (
                Live(
                    _Screen(timelines, glyphs),
                    console=console,
                    screen=True,
                    auto_refresh=False,
                    redirect_stdout=False,
                    redirect_stderr=False,
                ) as live,
                suspendable(console, live.refresh),
            ):
                async for timelines in followed:
                    live.update(_Screen(timelines, glyphs), refresh=True)
        has_ended = True
    finally:
        if timelines and not has_ended:
            print_waterfall(console, chart_of(timelines, console.height), glyphs)
    return timelines
