"""Layout of a board for a terminal's width and height. Pure; every name is cleaned.

Active pipelines get the lines first, in equal shares. The last line counts what does not fit.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.board import ACTIVE, ENDED, Board, JobRow, PipelineRow
from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.cli.views.rows import status_symbol
from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.models.jobs import Bridge
from gitlab_jobs_async.models.statuses import JobStatus

_TIME: Final = 8
_COUNT: Final = 8
WIDE: Final = 96
_NARROW: Final = 60
# Long enough for a viewer to see how a job has ended.
_RECENT_SECONDS: Final = 20.0
_FADED_SECONDS: Final = 60.0
_FEW: Final = 3
_MOST: Final = 6
_URGENCY: Final = {
    JobStatus.RUNNING: 0,
    JobStatus.CANCELING: 0,
    JobStatus.FAILED: 1,
    JobStatus.PENDING: 2,
    JobStatus.PREPARING: 2,
    JobStatus.WAITING_FOR_RESOURCE: 2,
    JobStatus.WAITING_FOR_CALLBACK: 2,
    JobStatus.MANUAL: 4,
    JobStatus.SCHEDULED: 4,
    JobStatus.CREATED: 5,
}
_JUST_ENDED: Final = 3
_LEAST: Final = 6
_BAR: Final = (
    ("green", {JobStatus.SUCCESS}),
    ("red", {JobStatus.FAILED}),
    ("bright_black", {JobStatus.CANCELED, JobStatus.SKIPPED}),
    ("bright_blue", {JobStatus.RUNNING, JobStatus.CANCELING}),
)


@frozen
class Columns:
    """Column widths for a total width."""

    width: int

    @property
    def is_wide(self) -> bool:
        """Whether every status fits."""
        return self.width >= WIDE

    @property
    def status(self) -> int:
        """Width of the status, and of a pipeline's bar."""
        return 22 if self.is_wide else 13

    @property
    def stage(self) -> int:
        """Width of the stage, which a narrow terminal omits."""
        if self.width < _NARROW:
            return 0
        return 14 if self.is_wide else 10

    @property
    def front(self) -> int:
        """Width of all columns before the status."""
        return max(10, self.width - self.status - _COUNT - _TIME - 2)


@frozen
class VisiblePipeline:
    """A pipeline with the jobs that fit."""

    row: PipelineRow
    jobs: Sequence[JobRow]


def board_lines(
    board: Board, now: float, width: int, height: int, *, failed_only: bool = False
) -> list[Text]:
    """Return at most *height* lines of *width* cells."""
    columns = Columns(width)
    rows = board.ordered(now)
    if failed_only:
        rows = [row for row in rows if row.failed]
    wanted = {row: _wanted(row, now, failed_only=failed_only) for row in rows}
    shown = _placed(rows, wanted, height - 1)
    more = _more(rows, wanted, shown, width)
    if more:
        # The count of what does not fit needs a line, too.
        shown = _placed(rows, wanted, height - 2)
        more = _more(rows, wanted, shown, width)
    lines = [_titles(columns)]
    for one in shown:
        lines.append(_pipeline_line(board, one.row, now, columns))
        lines += [_job_line(job, now, columns) for job in one.jobs]
    return [_fit(line, width) for line in [*lines, *more]]


def _wanted(row: PipelineRow, now: float, *, failed_only: bool) -> list[JobRow]:
    """Return the jobs to show, the most urgent first."""
    if failed_only:
        return sorted(row.failed, key=lambda job: job.job.id)
    if row.rank == ACTIVE:
        return sorted(row.jobs.values(), key=lambda job: (_urgency(job, now), job.job.id))
    if row.rank == ENDED:
        return sorted(row.failed, key=lambda job: (job.job.allow_failure, job.job.id))[:_FEW]
    waiting = {JobStatus.MANUAL, JobStatus.SCHEDULED, JobStatus.FAILED}
    jobs = [job for job in row.jobs.values() if job.job.status in waiting]
    return sorted(jobs, key=lambda job: (_urgency(job, now), job.job.id))[:_FEW]


def _urgency(row: JobRow, now: float) -> int:
    if row.job.status.is_finished and row.job.status != JobStatus.FAILED:
        return _JUST_ENDED if now - row.updated_at < _RECENT_SECONDS else _LEAST
    return _URGENCY.get(row.job.status, 0)


def _placed(
    rows: Sequence[PipelineRow], wanted: Mapping[PipelineRow, Sequence[JobRow]], room: int
) -> list[VisiblePipeline]:
    """Distribute *room* lines: to active pipelines first, then to the others."""
    most = _fair([len(wanted[row]) for row in rows if row.rank == ACTIVE], room)
    given: dict[PipelineRow, int] = {}
    for row in rows:
        jobs = min(most if row.rank == ACTIVE else _FEW, len(wanted[row]))
        if room < 1 + min(1, jobs):
            break
        given[row] = min(jobs, room - 1)
        room -= 1 + given[row]
    # Lines left over go to the first pipelines.
    for row, count in given.items():
        more = min(room, len(wanted[row]) - count)
        given[row] += more
        room -= more
    return [
        # By id again, so that jobs keep their places while statuses change.
        VisiblePipeline(row, sorted(wanted[row][:count], key=lambda job: job.job.id))
        for row, count in given.items()
    ]


def _fair(jobs: Sequence[int], room: int) -> int:
    """Return the number of jobs per pipeline with which all pipelines fit, at least one."""
    for most in range(_MOST, 1, -1):
        if sum(1 + min(most, count) for count in jobs) <= room:
            return most
    return 1


def _titles(columns: Columns) -> Text:
    front = _fit(_staged("stage", Text("job"), columns), columns.front)
    end = _fit("status", columns.status + _COUNT) + _right("time", _TIME + 1)
    return Text.assemble(front, " ", end, style="bright_black")


def _staged(stage: str, name: Text, columns: Columns) -> Text:
    """Return the stage, if it has a column, and the name."""
    width = columns.stage
    return Text.assemble("  ", _fit(stage, width) if width else "", " " if width else "", name)


def _pipeline_line(board: Board, row: PipelineRow, now: float, columns: Columns) -> Text:
    is_faded = row.rank == ENDED and now - row.changed > _FADED_SECONDS
    symbol, colour = status_symbol(row.status)
    parent = board.parent_of(row)
    front = Text.assemble(
        (f"{symbol} ", colour),
        ("↳ " if parent else "", "bright_black"),
        (clean(row.project), "bold"),
        (f" #{row.id}" if row.id else "", "bold"),
        (f" {_about(row)}", "bright_black"),
        (f" of #{parent}" if parent else "", "bright_black"),
    )
    counts = row.counts
    done = sum(count for status, count in counts.items() if status.is_finished)
    total = len(row.jobs)
    line = Text.assemble(
        _fit(front, columns.front),
        " ",
        _bar(row, columns.status),
        _right(f"{done}/{total}", _COUNT),
        _right(length(_pipeline_seconds(row, now)), _TIME + 1),
    )
    if is_faded:
        line.stylize("dim")
    return line


def _about(row: PipelineRow) -> str:
    pipeline = row.pipeline
    if pipeline is None:
        return ""
    return clean(pipeline.name or pipeline.ref)


def _pipeline_seconds(row: PipelineRow, now: float) -> float | None:
    """Return the seconds from the creation of the first job to the end of the last, or now."""
    jobs = [job.job for job in row.jobs.values()]
    created = min((job.created_at.timestamp() for job in jobs), default=None)
    if created is None:
        return None
    if row.rank != ENDED:
        return max(0.0, now - created)
    ended = max((job.finished_at.timestamp() for job in jobs if job.finished_at), default=None)
    return None if ended is None else max(0.0, ended - created)


def _bar(row: PipelineRow, width: int) -> Text:
    """Return a progress bar in the colours of its jobs."""
    counts, total = row.counts, len(row.jobs)
    bar, sum_so_far, drawn = Text(no_wrap=True), 0, 0
    for colour, statuses in _BAR:
        sum_so_far += sum(counts[status] for status in statuses)
        # Rounding the running sum keeps the total width exact.
        end = round(width * sum_so_far / total)
        bar.append("━" * (end - drawn), colour)
        drawn = end
    return bar.append("─" * (width - drawn), "bright_black")


def _job_line(row: JobRow, now: float, columns: Columns) -> Text:
    job = row.job
    symbol, colour = status_symbol(job.status)
    name = Text(clean(job.name))
    if isinstance(job, Bridge) and job.downstream_pipeline is not None:
        name.append(f" → #{job.downstream_pipeline.id}", "bright_black")
    if row.replaces is not None:
        name.append(f" ↻ {row.replaces}", "bright_black")
    if job.status == JobStatus.FAILED and job.failure_reason and columns.is_wide:
        name.append(f" {clean(job.failure_reason)}", "red")
    front = _staged(clean(job.stage), name, columns)
    status = Text(f"{symbol} {clean(job.status)}", colour)
    may_fail = job.status == JobStatus.FAILED and job.allow_failure
    return Text.assemble(
        _fit(front, columns.front),
        " ",
        _fit(status, columns.status),
        _fit("allowed" if may_fail else "", _COUNT, "bright_black"),
        _right(length(row.seconds(now)), _TIME + 1),
    )


def _more(
    rows: Sequence[PipelineRow],
    wanted: Mapping[PipelineRow, Sequence[JobRow]],
    shown: Sequence[VisiblePipeline],
    width: int,
) -> list[Text]:
    """Return the line that counts the rows that do not fit."""
    jobs = sum(len(wanted[one.row]) - len(one.jobs) for one in shown)
    parts = [
        counted(count, f"more {word}")
        for count, word in ((jobs, "job"), (len(rows) - len(shown), "pipeline"))
        if count
    ]
    return [_fit(f"… and {', '.join(parts)}", width, "bright_black")] if parts else []


def _fit(text: str | Text, width: int, style: str = "") -> Text:
    """Pad or cut a text to *width* cells."""
    cells = text.copy() if isinstance(text, Text) else Text(text, style)
    cells.truncate(width, overflow="ellipsis", pad=True)
    cells.no_wrap = True
    return cells


def _right(text: str, width: int) -> Text:
    return _fit(f"{text:>{width}}", width, "bright_black")
