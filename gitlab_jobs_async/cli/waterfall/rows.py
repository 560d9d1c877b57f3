"""Rows of a waterfall: stages, jobs, and downstream pipelines below their trigger jobs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from attrs import field, frozen

from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.timelines import PipelineTimeline, TimelineJob

_QUIET: Final = frozenset(
    {JobStatus.SUCCESS, JobStatus.SKIPPED, JobStatus.MANUAL, JobStatus.CREATED}
)
_FEWEST_FOLDED: Final = 2


@frozen(eq=False, repr=False)
class StageRow:
    """The heading of a stage."""

    name: str
    depth: int
    jobs: Sequence[TimelineJob] = ()


@frozen(eq=False, repr=False)
class JobRow:
    """A job with all its attempts."""

    job: TimelineJob
    depth: int
    downstream: bool = False

    @property
    def jobs(self) -> Sequence[TimelineJob]:
        """The job, as rows of other kinds have several or none."""
        return (self.job,)


@frozen(eq=False, repr=False)
class FoldedRow:
    """Several jobs of a stage in one row."""

    jobs: Sequence[TimelineJob]
    depth: int

    @property
    def words(self) -> str:
        """The number of jobs by status: "40 more: 38 success, 2 skipped"."""
        counts = Counter(str(job.latest.job.status) for job in self.jobs)
        kinds = ", ".join(f"{count} {status}" for status, count in counts.most_common())
        return f"{len(self.jobs)} more: {kinds}"

    @property
    def longest(self) -> float:
        """The seconds of the longest run."""
        return max(job.latest.seconds("running") for job in self.jobs)


@frozen(eq=False, repr=False)
class PipelineRow:
    """The heading of a downstream pipeline."""

    timeline: PipelineTimeline
    depth: int
    jobs: Sequence[TimelineJob] = ()


Row = StageRow | JobRow | FoldedRow | PipelineRow


@frozen
class Chart:
    """The rows of a waterfall, and the seconds that its axis shows."""

    timelines: Sequence[PipelineTimeline]
    rows: Sequence[Row] = field(repr=False)
    seconds: float

    @property
    def root(self) -> PipelineTimeline:
        """The pipeline that all others belong to."""
        return self.timelines[0]


def chart_of(timelines: Sequence[PipelineTimeline], room: int | None = None) -> Chart:
    """Return the chart of *timelines*, the root first, in at most *room* rows if possible.

    The shortest jobs are folded, stage by stage. Those that failed or run, were retried, have a
    downstream pipeline, or are on the critical path never are.
    """
    rows = list(_rows(timelines))
    if room is not None and len(rows) > room:
        rows = _folded(rows, len(rows) - room)
    return Chart(timelines, rows, max(one.end for one in timelines))


def _rows(timelines: Sequence[PipelineTimeline]) -> Iterator[Row]:
    below = {one.bridge.id: one for one in timelines if one.bridge is not None}
    stack = [_rows_of(timelines[0], below)]
    while stack:
        row = next(stack[-1], None)
        if row is None:
            stack.pop()
            continue
        yield row
        if isinstance(row, JobRow) and row.downstream:
            child = below[row.job.latest.job.id]
            yield PipelineRow(child, child.depth)
            stack.append(_rows_of(child, below))


def _rows_of(timeline: PipelineTimeline, below: dict[int, PipelineTimeline]) -> Iterator[Row]:
    stage = None
    for job in timeline.jobs:
        if job.stage != stage:
            stage = job.stage
            yield StageRow(stage, timeline.depth)
        yield JobRow(job, timeline.depth, job.latest.job.id in below)


def _folded(rows: Sequence[Row], count: int) -> list[Row]:
    """Fold jobs until *count* rows are saved, or all quiet ones are folded."""
    stages: list[list[JobRow]] = []
    for row in rows:
        if isinstance(row, StageRow):
            stages.append([])
        elif isinstance(row, JobRow) and _is_quiet(row):
            stages[-1].append(row)
    quiet = [(row, index) for index, found in enumerate(stages) for row in found]
    quiet.sort(key=lambda item: item[0].job.latest.seconds("running"))
    # Each stage with folded jobs costs a row of its own.
    stage_of = dict(quiet)
    hidden: set[JobRow] = set()
    folded: set[int] = set()
    for row, index in quiet:
        if len(hidden) - len(folded) >= count:
            break
        if len(stages[index]) >= _FEWEST_FOLDED:
            hidden.add(row)
            folded.add(index)
    return list(_without(rows, hidden, {row: stage_of[row] for row in hidden}))


def _is_quiet(row: JobRow) -> bool:
    job = row.job
    is_plain = len(job.attempts) == 1 and not row.downstream and not job.is_critical
    return is_plain and job.latest.job.status in _QUIET


def _without(
    rows: Sequence[Row], hidden: set[JobRow], stage_of: dict[JobRow, int]
) -> Iterator[Row]:
    """Yield the rows that are left, each stage's folded jobs at the place of the last of them."""
    left = Counter(stage_of.values())
    jobs: dict[int, list[TimelineJob]] = {}
    for row in rows:
        if not isinstance(row, JobRow) or row not in hidden:
            yield row
            continue
        index = stage_of[row]
        jobs.setdefault(index, []).append(row.job)
        left[index] -= 1
        if not left[index]:
            yield FoldedRow(jobs[index], row.depth)
