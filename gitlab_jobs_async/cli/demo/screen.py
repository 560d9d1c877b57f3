"""How the demo looks: a live picture on a terminal, a line an event in a pipe, then a summary."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from attrs import frozen
from rich.console import Console
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.events import LOG_EVENTS, plain_event
from gitlab_jobs_async.cli.views.live import Picture, living
from gitlab_jobs_async.cli.views.rows import pipeline_of, size, status_symbol
from gitlab_jobs_async.cli.views.tables import add_column, cell, empty_table
from gitlab_jobs_async.events import Event
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import JobStatus

_COUNTED = (JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.RUNNING, JobStatus.MANUAL)


@frozen(kw_only=True)
class StepReport:
    """What a step came to, and what it cost the server."""

    step: str
    ok: bool
    detail: str
    requests: int
    bytes: int
    seconds: float


class DemoScreen:
    """Shows the demo on a console; *quiet* shows nothing."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console = console
        self._console.quiet = quiet
        self._is_live = console.is_terminal and not console.is_dumb_terminal and not quiet
        self._picture: Picture | None = None

    def opening(self, url: str, projects: int, speed: float) -> None:
        """What is about to be seen."""
        self._console.print(
            Text.assemble(
                ("gitlab-jobs demo", "bold"),
                f"  {projects} simulated projects at {url}, {speed:g}x as fast",
            )
        )

    def note(self, words: str) -> None:
        """Something worth saying about what is seen."""
        if self._picture is not None:
            self._picture.headline = words
        else:
            self._console.print(f"-- {clean(words)}", soft_wrap=True)

    @asynccontextmanager
    async def watching(self, picture: Picture) -> AsyncIterator[Callable[[Event], None]]:
        """Where a monitor's events go: a live picture, or a line for each."""
        if not self._is_live:
            yield lambda event: None if self._console.quiet else self._line(event, picture)
            return
        async with living(self._console, picture) as tell:
            self._picture = picture
            try:
                yield tell
            finally:
                self._picture = None

    def _line(self, event: Event, picture: Picture) -> None:
        only = None if picture.logs is None else picture.logs.only
        if isinstance(event, LOG_EVENTS) and event.job.name != only:
            return
        line = plain_event(event, datetime.fromtimestamp(picture.clock.now(), UTC))
        self._console.file.write(line)  # rich would make spaces of the tabs
        self._console.file.flush()

    def projects(self, found: Mapping[str, Sequence[Job]]) -> None:
        """How many jobs each project has in each status."""
        table = empty_table()
        add_column(table, "project")
        for title in ("jobs", "pipelines"):
            add_column(table, title, justify="right", whole=True)
        for title in (*_COUNTED, "other"):
            add_column(table, str(title), justify="right", whole=True)
        for project, jobs in found.items():
            states = Counter(job.status for job in jobs)
            pipelines = len({pipeline_of(job) for job in jobs})
            counts = [_count(states[status], status_symbol(status)[1]) for status in _COUNTED]
            other = _count(len(jobs) - sum(states[status] for status in _COUNTED), "yellow")
            table.add_row(cell(project, "bold"), cell(len(jobs)), cell(pipelines), *counts, other)
        self._console.print(table)

    def summary(self, reports: Sequence[StepReport]) -> None:
        """What every step came to and cost; the last report is the total."""
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


def _count(count: int, colour: str) -> Text:
    return cell(count, colour) if count else cell("·", "dim")
