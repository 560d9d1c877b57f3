"""The pane of a live view with the last log lines of all jobs, or of one.

Colours are the only control sequences that are kept. Memory is bounded.
"""

from collections import deque
from typing import Final

from attrs import define, field, frozen
from rich.cells import cell_len, set_cell_size
from rich.panel import Panel
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean, clean_log, ellipsis
from gitlab_jobs_async.cli.views.board import project_name
from gitlab_jobs_async.cli.views.board_layout import WIDE
from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.cli.views.events import short_reason
from gitlab_jobs_async.events import JobLogEnded, JobLogFailed, JobLogLine
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.logs import LogLine

_MAX_LINES: Final = 200
_LABEL_WIDTH: Final = 24
_COLOURS: Final = ("cyan", "yellow", "green", "magenta", "bright_cyan", "bright_yellow", "blue")


@frozen
class _Row:
    project: str
    job: Job
    line: LogLine | str

    def label(self, *, is_wide: bool) -> str:
        """Return the job's name, after the project's name if there is room."""
        home = f"{self.project.rpartition('/')[2]} " if is_wide else ""
        return ellipsis(home + self.job.name, _LABEL_WIDTH)


@define
class LogPane:
    """The latest lines; *only* names the single job whose log is shown, None for all."""

    only: str | None = None
    count: int = 0
    _rows: deque[_Row] = field(factory=lambda: deque(maxlen=_MAX_LINES))
    _shown: Job | None = None
    _title: str = "logs"
    _section: tuple[str, ...] = ()

    def add(self, event: JobLogLine | JobLogEnded | JobLogFailed) -> None:
        """Add a line or an error of a log."""
        job = event.job
        project = project_name(event.project, job)
        if self.only is not None:
            if job.name != self.only:
                return
            if self._shown is None or self._shown.id != job.id:
                self._begin(project, job)
        if isinstance(event, JobLogLine):
            self._begin_section(project, job, event.line)
            self._rows.append(_Row(project, job, event.line))
            self.count += 1
        elif isinstance(event, JobLogFailed):
            self._rows.append(_Row(project, job, f"log unavailable: {short_reason(event.reason)}"))

    def panel(self, width: int, height: int) -> Panel:
        """Return the pane in a frame of this size."""
        room = max(1, height - 2)
        rows = list(self._rows)[-room:]
        labels = [row.label(is_wide=width >= WIDE) for row in rows]
        widest = max(map(cell_len, labels), default=0)
        lines = [
            self._text(row, set_cell_size(label, widest), width - 4)
            for row, label in zip(rows, labels, strict=True)
        ]
        lines += [Text()] * (room - len(lines))
        return Panel(
            Text("\n", no_wrap=True, overflow="ellipsis").join(lines),
            title=Text(self._title, style="bold"),
            title_align="left",
            subtitle=Text(counted(self.count, "line"), style="bright_black"),
            subtitle_align="right",
            border_style="bright_black",
            width=width,
            height=room + 2,
        )

    def _begin(self, project: str, job: Job) -> None:
        self._shown, self._section, self.count = job, (), 0
        # A retry has another log.
        self._rows.clear()
        self._title = ellipsis(f"{project} · {job.name} · job {job.id}", 60)

    def _begin_section(self, project: str, job: Job, line: LogLine) -> None:
        if self._shown is not None and line.section != self._section:
            self._section = line.section
            if line.section:
                self._rows.append(_Row(project, job, f"▾ {' / '.join(line.section)}"))

    def _text(self, row: _Row, label: str, width: int) -> Text:
        if isinstance(row.line, str):
            shown = Text(clean(row.line), "bold cyan")
        else:
            shown = Text.from_ansi(clean_log(row.line.raw), no_wrap=True)
            # Truncation counts cells, and the width of a tab is not fixed.
            shown.expand_tabs(8)
        if self.only is not None:
            number = "" if isinstance(row.line, str) else f"{row.line.number:4d}  "
            front = Text(number, "bright_black")
        else:
            front = Text(f"{label} │ ", _COLOURS[row.job.id % len(_COLOURS)])
        line = Text.assemble(front, shown)
        line.truncate(max(1, width), overflow="ellipsis")
        return line
