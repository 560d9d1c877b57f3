"""Text of the lines of the tree, in columns that fit the width. Pure; all names are cleaned.

A narrow terminal has name, status, time and id; a wider one also the reason or the progress, then
the age and the branch.
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Final

from attrs import frozen
from rich.cells import cell_len
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.fullscreen.tree_row import Row
from gitlab_jobs_async.cli.views.board import JobRow, pipeline_status
from gitlab_jobs_async.cli.views.rows import status_symbol
from gitlab_jobs_async.cli.views.times import age, length
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.statuses import JobStatus

_DETAIL_FROM: Final = 96
_AGE_FROM: Final = 130
_TIME: Final = 8
_AGE: Final = 5
_LEAST_NAME: Final = 16
_USUAL_NAME: Final = 36
_LEAST_DETAIL: Final = 18
_ORDER: Final = (
    JobStatus.FAILED, JobStatus.RUNNING, JobStatus.CANCELING, JobStatus.PENDING,
    JobStatus.MANUAL, JobStatus.SUCCESS,
)  # fmt: skip
"""Statuses in the order of a summary; others follow."""

DIM: Final = "bright_black"


@frozen
class Columns:
    """Widths of the columns for a width of the screen, for the longest name and the longest id."""

    width: int
    longest_name: int = 40
    id_width: int = 6

    @property
    def status(self) -> int:
        """Width of the status with its symbol."""
        return 12 if self.width < _DETAIL_FROM else 22

    @property
    def age(self) -> int:
        """Width of the age; 0 if it does not fit."""
        return 0 if self.width < _AGE_FROM else _AGE

    @property
    def detail(self) -> int:
        """Width of the reason or the progress, which gets what is left; 0 if it does not fit."""
        return max(0, self.width - self.name - self._fixed - 2)

    @property
    def name(self) -> int:
        """Width of the name."""
        room = self.width - self._fixed
        if self.width < _DETAIL_FROM:
            return max(_LEAST_NAME, room)
        return max(_LEAST_NAME, min(room - _LEAST_DETAIL, max(_USUAL_NAME, self.longest_name)))

    @property
    def _fixed(self) -> int:
        return self.status + self.age + _TIME + self.id_width + 3

    def line(self, *cells: tuple[str | Text, str]) -> Text:
        """Return a line of name, status, time, age, id and detail, each with its style."""
        name, status, time, past, number, detail = cells
        parts = [_fit(*name, self.name), Text(" "), _fit(*status, self.status)]
        parts.append(_right(*time, _TIME))
        if self.age:
            parts.append(_right(*past, _AGE))
        parts += [Text(" "), _right(*number, self.id_width)]
        if self.detail:
            parts += [Text("  "), _fit(*detail, self.detail)]
        line = Text.assemble(*parts, no_wrap=True, end="")
        line.truncate(self.width, overflow="ellipsis")
        return line

    def titles(self) -> Text:
        """Return the line above the columns."""
        words = ("  job", "status", "time", "age", "id", "detail")
        return self.line(*((word, DIM) for word in words))


def row_line(row: Row, columns: Columns, now: float) -> Text:
    """Return the text of a row."""
    if row.job is not None:
        return _job_line(row, row.job, columns, now)
    if row.kind == "stage":
        return _stage_line(row, columns)
    if row.kind == "project":
        name = Text.assemble(_marker(row), (clean(row.project), "bold"))
        return columns.line((name, ""), *[("", "")] * 4, (summary(row), ""))
    return _pipeline_line(row, columns, now)


def _job_line(row: Row, one: JobRow, columns: Columns, now: float) -> Text:
    job = one.job
    symbol, colour = status_symbol(job.status)
    name = Text.assemble(_indent(row), (f"{symbol} ", colour), clean(job.name))
    if isinstance(job, Bridge) and job.downstream_pipeline is not None:
        name.append(f" → #{job.downstream_pipeline.id}", DIM)
    return columns.line(
        (name, ""),
        (f"{symbol} {clean(job.status)}", colour),
        (length(one.seconds(now)), ""),
        (age(job.created_at, datetime.fromtimestamp(now, UTC)), DIM),
        (str(job.id), DIM),
        (_job_detail(one), DIM),
    )


def _job_detail(one: JobRow) -> str:
    """Return why it failed, which job it replaces, or who runs it."""
    job = one.job
    if job.status == JobStatus.FAILED:
        reason = clean(job.failure_reason)
        if job.allow_failure:
            return f"allowed to fail: {reason}" if reason else "allowed to fail"
        return reason
    runner = job.runner if isinstance(job, Job) else None
    parts = [
        f"retry of {one.replaces}" if one.replaces is not None else "",
        f"on {clean(runner.description)}" if runner is not None and runner.description else "",
    ]
    return ", ".join(part for part in parts if part)


def _stage_line(row: Row, columns: Columns) -> Text:
    status = pipeline_status(one.job for one in row.jobs)
    symbol, colour = status_symbol(status)
    done = sum(one.job.status.is_finished for one in row.jobs)
    name = Text.assemble(_indent(row), _marker(row), clean(row.stage), (f" {_of(done, row)}", DIM))
    # A line of its own colour would compete with the jobs below it.
    state = ("", "") if row.is_open else (f"{symbol} {clean(status)}", colour)
    detail = "" if row.is_open else summary(row)
    return columns.line((name, ""), state, *[("", "")] * 3, (detail, ""))


def _pipeline_line(row: Row, columns: Columns, now: float) -> Text:
    entry = row.entry
    if entry is None:  # a row of another kind
        return Text()
    symbol, colour = status_symbol(entry.status)
    pipeline = entry.pipeline
    number, _, about = clean(row.title).partition(" ")
    # The only project has no line of its own, and a downstream pipeline may be of another one.
    home = f"{clean(entry.project)} " if row.depth > 1 else ""
    name = Text.assemble(
        _indent(row),
        _marker(row),
        (f"{symbol} ", colour),
        (home, DIM),
        (number, "bold"),
        f" {about}",
    )
    created = None if pipeline is None else pipeline.created_at
    moment = datetime.fromtimestamp(now, UTC)
    seconds = _pipeline_seconds(row, now)
    source = "" if pipeline is None else clean(pipeline.source)
    state = summary(row) if entry.row is not None else Text("loading" if entry.is_loading else "")
    detail = Text.assemble(state, "  " if state else "", (source, DIM))
    return columns.line(
        (name, ""),
        (f"{symbol} {clean(entry.status)}", colour),
        (length(seconds), ""),
        (age(created, moment), DIM),
        (str(entry.id or ""), DIM),
        (detail, ""),
    )


def _pipeline_seconds(row: Row, now: float) -> float | None:
    """Return the seconds from the creation of the first job to the end of the last, or now."""
    jobs = [one.job for one in row.jobs]
    if not jobs or row.entry is None:
        return None
    created = min(job.created_at.timestamp() for job in jobs)
    if not row.entry.status.is_finished:
        return max(0.0, now - created)
    ended = max((job.finished_at.timestamp() for job in jobs if job.finished_at), default=None)
    return None if ended is None else max(0.0, ended - created)


def summary(row: Row) -> Text:
    """Return the number of a row's jobs by status, with symbols."""
    return counted(Counter(one.job.status for one in row.jobs))


def counted(counts: Counter[JobStatus], room: int = 1000) -> Text:
    """Return numbers by status with symbols, the failed first, as far as *room* cells allow."""
    order = [*_ORDER, *(status for status in counts if status not in _ORDER)]
    line = Text()
    for status in order:
        if not counts[status]:
            continue
        symbol, colour = status_symbol(status)
        part = Text(f"{' ' if line else ''}{symbol} {counts[status]:,}", colour)
        if line.cell_len + part.cell_len > room:
            break
        line.append_text(part)
    return line


def _of(done: int, row: Row) -> str:
    return f"{done:,}/{len(row.jobs):,}"


def _indent(row: Row) -> str:
    return "  " * row.depth


def _marker(row: Row) -> str:
    return "▾ " if row.is_open else "▹ "


def _fit(text: str | Text, style: str, width: int) -> Text:
    cells = text.copy() if isinstance(text, Text) else Text(text, style)
    cells.truncate(width, overflow="ellipsis", pad=True)
    return cells


def _right(text: str | Text, style: str, width: int) -> Text:
    plain = str(text)
    return _fit(" " * max(0, width - cell_len(plain)) + plain, style, width)


def header(server: str, row: Row | None, counts: Counter[JobStatus], width: int) -> Text:
    """Return where the selected row is, and the number of all jobs by status."""
    path = [server]
    if row is not None:
        path.append(clean(row.project))
        if row.entry is not None and row.entry.id:
            path.append(f"#{row.entry.id}")
        if row.stage:
            path.append(clean(row.stage))
    right = counted(counts, width // 2)
    room = max(0, width - right.cell_len - 1)
    # The row is worth more than the server.
    while len(path) > 1 and cell_len(" > ".join(path)) > room:
        del path[0]
    left = Text(" > ".join(path), "bold")
    left.truncate(room, overflow="ellipsis", pad=True)
    return Text.assemble(left, " ", right)
