"""How the demo looks: rules, tables and a log pane on a terminal, plain lines in a pipe."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from attrs import frozen
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.rows import pipeline_of, size, status_symbol
from gitlab_jobs_async.cli.tables import add_column, cell, empty_table
from gitlab_jobs_async.models import Job, LogLine
from gitlab_jobs_async.statuses import JobStatus

_PANE_LINES = 14
_PER_SECOND = 15
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

    def opening(self, url: str, projects: int, speed: float) -> None:
        """What is about to be seen."""
        self._console.print(
            Text.assemble(
                ("gitlab-jobs demo", "bold"),
                f"  {projects} simulated projects at {url}, {speed:g}x as fast",
            )
        )

    def heading(self, title: str) -> None:
        """A new step begins."""
        self._console.print()
        if self._is_live:
            self._console.rule(Text(title, style="bold"), align="left", style="bright_black")
        else:
            self._console.print(f"== {title}")

    def note(self, words: str) -> None:
        """Something worth saying within a step."""
        self._console.print(Text(f"  {clean(words)}"), soft_wrap=True)

    def outcome(self, words: str, *, ok: bool) -> None:
        """What a step came to."""
        sign, colour = ("✓", "green") if ok else ("✗", "red")
        self._console.print(Text.assemble((f"{sign} ", colour), clean(words)), soft_wrap=True)

    def table(self, title: str, table: Table) -> None:
        """A table, with a line above it."""
        if title:
            self._console.print(Text(f"\n{title}", style="bright_black"))
        self._console.print(table)

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

    @contextmanager
    def working(self, words: str) -> Iterator[Callable[[str], None]]:
        """A line that moves while something takes its time; call what comes back to change it."""
        if not self._is_live:
            yield lambda _: None
            return
        with self._console.status(Text(clean(words)), spinner="dots") as status:
            yield lambda said: status.update(Text(clean(said)))

    @contextmanager
    def log(self, title: str) -> Iterator[Callable[[LogLine], None]]:
        """Where the lines of a log go: a pane that scrolls, or line after line."""
        if self._is_live:
            pane = LogPane(title)
            with Live(pane, console=self._console, refresh_per_second=_PER_SECOND):
                yield pane.add
        else:
            yield PlainLog(self._console, title).add

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


class LogPane:
    """The last lines of a log in a frame; drawn anew as often as the terminal can bear."""

    def __init__(self, title: str) -> None:
        self._title = clean(title)
        self._shown: deque[Text] = deque(maxlen=_PANE_LINES)
        self._section: tuple[str, ...] = ()
        self._header = Text()
        self._count = 0

    def add(self, line: LogLine) -> None:
        """One more line."""
        if line.section != self._section:
            self._section = line.section
            self._header = Text(f"▾ {' / '.join(line.section)}" * bool(line.section), "bold cyan")
            if line.section:
                self._shown.append(self._header)
        self._count = line.number
        shown = Text.from_ansi(line.raw, no_wrap=True, overflow="ellipsis")
        self._shown.append(Text.assemble((f"{line.number:4d}  ", "bright_black"), shown))

    def __rich__(self) -> Panel:
        """The pane as it is now."""
        rows = [*self._shown, *[Text()] * (_PANE_LINES - len(self._shown))]
        if self._section and self._header not in rows:
            rows[0] = self._header
        body = Text("\n", no_wrap=True, overflow="ellipsis").join(rows)
        return Panel(
            body,
            title=Text(self._title, style="bold"),
            title_align="left",
            subtitle=Text(f"{self._count} lines", style="bright_black"),
            subtitle_align="right",
            border_style="bright_black",
        )


class PlainLog:
    """A log as plain lines, with a line wherever another section begins."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._section: tuple[str, ...] = ()
        self._say(clean(title))

    def add(self, line: LogLine) -> None:
        """One more line."""
        if line.section and line.section != self._section:
            self._say(f"-- {' > '.join(line.section)}")
        self._section = line.section
        self._say(f"  {line.text}")

    def _say(self, words: str) -> None:
        self._console.out(words, highlight=False)
