"""A waterfall for a terminal, in lines that fit its width."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen
from rich.cells import cell_len
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.rows import status_symbol
from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.cli.waterfall.glyphs import ASCII_SYMBOLS, UNICODE, Glyphs
from gitlab_jobs_async.cli.waterfall.rows import (
    Chart,
    FoldedRow,
    JobRow,
    PipelineRow,
    Row,
    StageRow,
)
from gitlab_jobs_async.cli.waterfall.words import (
    basis_words,
    headline,
    job_time_words,
    path_lines,
    spent,
    ticks,
)
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.timelines import PhaseKind, TimelineAttempt, TimelineJob

_TIME: Final = 8
_NARROWEST_BAR: Final = 10
_TICK: Final = 9
"""Cells that a tick and its label need."""

_DIM: Final = "bright_black"
_STYLES: Final[dict[PhaseKind, str]] = {
    "waiting": _DIM,
    "manual": "cyan",
    "delayed": "cyan",
    "held": "magenta",
    "retry": "magenta",
    "queued": "yellow",
    "running": "green",
}
_RANK: Final[tuple[PhaseKind, ...]] = (
    "waiting", "held", "delayed", "manual", "queued", "running",
)  # fmt: skip
_BAD: Final = frozenset({JobStatus.FAILED, JobStatus.CANCELED, JobStatus.CANCELING})


def waterfall_lines(
    chart: Chart, width: int, glyphs: Glyphs = UNICODE, height: int | None = None
) -> list[Text]:
    """Return the chart in lines of at most *width* cells, and at most *height* of them."""
    view = _View.of(chart, width, glyphs)
    head = [view.title(), view.axis()]
    rows = [view.row(row) for row in chart.rows]
    tail = [Text(), *view.legend(), Text(), *view.summary()]
    if height is not None and len(head) + len(rows) + len(tail) > height:
        room = max(1, height - len(head) - len(tail) - 1)
        cut = len(rows) - room
        rows = [*rows[:room], Text(f"{glyphs.ellipsis} {cut} more rows", _DIM)] if cut > 0 else rows
    return [view.fit(line) for line in [*head, *rows, *tail]][:height]


@frozen
class _View:
    """The columns: marks, id, name, bar and time."""

    chart: Chart
    width: int
    glyphs: Glyphs
    ids: int
    names: int

    @classmethod
    def of(cls, chart: Chart, width: int, glyphs: Glyphs) -> "_View":
        jobs = [row for row in chart.rows if isinstance(row, JobRow)]
        ids = max((len(str(row.job.latest.job.id)) for row in jobs), default=1)
        lengths = [cell_len(clean(row.job.name)) + _indent(row) for row in jobs]
        folded = [row for row in chart.rows if isinstance(row, FoldedRow)]
        lengths += [len(row.words) + _indent(row) for row in folded]
        longest = max(lengths, default=8)
        names = max(8, min(longest + 3, width * 3 // 10))
        # A very narrow terminal shows names rather than bars.
        return cls(chart, width, glyphs, ids, names)

    @property
    def bar(self) -> int:
        """Width of the bars."""
        return max(_NARROWEST_BAR, self.width - self.front - _TIME - 1)

    @property
    def front(self) -> int:
        """Width of all before the bars."""
        return 4 + self.ids + 1 + self.names + 1

    def fit(self, line: Text) -> Text:
        """Cut a line to the width."""
        line.no_wrap = True
        line.truncate(self.width, overflow="ellipsis" if not self.glyphs.is_ascii else "crop")
        return line

    def title(self) -> Text:
        """Return the line about the pipeline."""
        root = self.chart.root
        symbol, colour = self.symbol(root.pipeline.status)
        return Text.assemble(
            (f"{symbol} ", colour),
            (headline(self.chart), "bold"),
            (f"  {clean(root.pipeline.status)}", colour),
            f"  {length(root.seconds)}",
            (f"  {clean(root.pipeline.sha)[:8]}", _DIM),
        )

    def axis(self) -> Text:
        """Return the line with the ticks, each at its first cell."""
        line = [" "] * self.bar
        for at, label in ticks(self.chart.seconds, max(1, self.bar // _TICK)):
            cell = self._cell(at)
            text = f"{self.glyphs.tick}{label}"
            if cell + len(text) <= self.bar:
                line[cell : cell + len(text)] = text
        return Text(" " * self.front + "".join(line), _DIM)

    def row(self, row: Row) -> Text:
        """Return the line of a row."""
        indent = " " * _indent(row)
        if isinstance(row, StageRow):
            return Text(f"{indent}{clean(row.name)}", "bold")
        if isinstance(row, PipelineRow):
            pipeline = row.timeline.pipeline
            symbol, colour = self.symbol(pipeline.status)
            words = f"pipeline {pipeline.id} {clean(pipeline.name or pipeline.ref)}"
            return Text.assemble(indent, (f"{symbol} ", colour), (words, _DIM))
        if isinstance(row, FoldedRow):
            front = Text(f"{' ' * (5 + self.ids)}{indent}{self.glyphs.ellipsis} {row.words}", _DIM)
            time = f"{self.glyphs.at_most}{length(row.longest)}"
            return self._with_bar(front, row.jobs, time)
        return self._job(row, indent)

    def _job(self, row: JobRow, indent: str) -> Text:
        job, latest = row.job, row.job.latest
        symbol, colour = self.symbol(latest.job.status)
        retries = len(job.attempts) - 1
        mark = self.glyphs.critical if job.is_critical else " "
        front = Text.assemble(
            (f"{mark} ", "bold"),
            (f"{symbol} ", colour),
            (f"{latest.job.id:>{self.ids}} ", _DIM),
            indent,
            (clean(job.name), "bold" if job.is_critical else ""),
            (f" {self.glyphs.retried}{retries}" if retries else "", "magenta"),
        )
        running = latest.seconds("running")
        return self._with_bar(front, [job], length(running) if running else "")

    def _with_bar(self, front: Text, jobs: Sequence[TimelineJob], time: str) -> Text:
        front.truncate(self.front - 1, overflow="ellipsis", pad=True)
        line = Text.assemble(front, " ", self._cells(jobs))
        return line.append(f" {time:>{_TIME}}", _DIM)

    def _cells(self, jobs: Sequence[TimelineJob]) -> Text:
        """Return the bar: of phases in one cell, the most important is shown."""
        cells: list[tuple[int, str, str]] = [(-1, " ", "")] * self.bar
        for attempt in (attempt for job in jobs for attempt in job.attempts):
            for phase in attempt.phases:
                rank, first = _RANK.index(phase.kind), self._cell(phase.start)
                glyph, style = self._glyph(phase.kind, attempt)
                # However short, a run is seen.
                least = first + 1 if phase.kind == "running" else 0
                last = max(least, self._cell(phase.end))
                for cell in range(first, min(last, self.bar)):
                    if rank >= cells[cell][0]:
                        cells[cell] = (rank, glyph, style)
        bar = Text()
        for _, glyph, style in cells:
            bar.append(glyph, style)
        return bar

    def _glyph(self, kind: PhaseKind, attempt: TimelineAttempt) -> tuple[str, str]:
        if kind != "running":
            return self.glyphs.phases[kind], _STYLES[kind]
        _, colour = status_symbol(attempt.job.status)
        # Without colours, too, a failure differs from a success.
        is_bad = attempt.job.status in _BAD
        return self.glyphs.bad if is_bad else self.glyphs.phases[kind], colour

    def _cell(self, at: float) -> int:
        whole = self.chart.seconds
        return min(self.bar - 1, int(at / whole * self.bar)) if whole > 0 else 0

    def symbol(self, status: str) -> tuple[str, str]:
        """Return symbol and colour of a status."""
        symbol, colour = status_symbol(status)
        return (ASCII_SYMBOLS.get(symbol, "?") if self.glyphs.is_ascii else symbol), colour

    def legend(self) -> list[Text]:
        """Return what the characters mean, of those that occur."""
        # A bar shows nothing of shorter ones.
        least = self.chart.seconds / 1000
        attempts = [one for timeline in self.chart.timelines for one in timeline.attempts()]
        phases = (phase for one in attempts for phase in one.phases)
        kinds = {phase.kind for phase in phases if phase.seconds >= least}
        parts = [
            Text.assemble((self.glyphs.phases[kind], _STYLES[kind]), f" {words}")
            for kind, words in _LEGEND
            if kind in kinds
        ]
        statuses = {one.job.status for one in attempts}
        if statuses & _BAD:
            parts.append(Text.assemble((self.glyphs.bad, "red"), " failed or canceled"))
        if any(len(job.attempts) > 1 for one in self.chart.timelines for job in one.jobs):
            parts.append(Text.assemble((self.glyphs.retried, "magenta"), " retries"))
        parts.append(Text.assemble((self.glyphs.critical, "bold"), " critical path"))
        return self._wrapped(parts)

    def _wrapped(self, parts: Sequence[Text]) -> list[Text]:
        lines = [Text()]
        for part in parts:
            if lines[-1].cell_len and lines[-1].cell_len + part.cell_len + 2 > self.width:
                lines.append(Text())
            lines[-1].append_text(Text.assemble("  " if lines[-1].cell_len else "", part))
        return lines

    def summary(self) -> list[Text]:
        """Return where the time went."""
        root = self.chart.root
        parts = spent(root)
        if not parts:
            return [Text("no job has run", _DIM)]
        lines = [
            Text.assemble(
                ("where the time went", "bold"),
                f"  {length(root.seconds)} on the critical path",
                (f", {basis_words(root)}", _DIM),
            )
        ]
        words = max(cell_len(part.words) for part in parts)
        room = max(5, min(40, self.width - words - 22))
        for part in parts:
            bar = self.glyphs.phases[part.kind] * max(1, round(part.share * room))
            lines.append(
                Text.assemble(
                    f"  {part.words:<{words}}  {length(part.seconds):>8}  {part.share:>4.0%}  ",
                    (bar, _STYLES[part.kind]),
                )
            )
        path = path_lines(self.chart, self.width - 2)
        if self.glyphs.is_ascii:
            path = [line.replace("→", ">").replace("↻", "@") for line in path]
        lines.append(Text.assemble((f"{self.glyphs.critical} ", "bold"), path[0]))
        lines += [Text(f"  {line}") for line in path[1:]]
        sums = [Text(words, _DIM) for words in job_time_words(self.chart)]
        return [*lines, *self._wrapped([Text("all jobs:", _DIM), *sums])]


_LEGEND: Final[tuple[tuple[PhaseKind, str], ...]] = (
    ("waiting", "waiting"),
    ("manual", "manual or delayed"),
    ("held", "held"),
    ("queued", "queued"),
    ("running", "running"),
)
_DEEPEST: Final = 6


def _indent(row: Row) -> int:
    return 2 * min(row.depth, _DEEPEST)
