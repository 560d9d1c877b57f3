"""Words of a waterfall: the ticks of its axis, what phases are called, and where time went."""

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen
from rich.cells import cell_len

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.cli.waterfall.rows import Chart, FoldedRow, JobRow, PipelineRow, Row
from gitlab_jobs_async.models.jobs import Bridge
from gitlab_jobs_async.models.timelines import PhaseKind, PipelineTimeline, TimelineAttempt

PHASES: Final[dict[PhaseKind, str]] = {
    "running": "running",
    "queued": "in the queue for a runner",
    "waiting": "waiting for earlier jobs",
    "manual": "waiting for a user",
    "delayed": "delayed by start_in",
    "held": "held: resource group or GitLab itself",
    "retry": "before a retry",
}
_STEPS: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
)  # fmt: skip
_DAY: Final = 86_400
_ARROW: Final = " → "


@frozen
class Spent:
    """A part of the critical path: the seconds of one kind, and their share from 0 to 1."""

    kind: PhaseKind
    words: str
    seconds: float
    share: float


def ticks(seconds: float, most: int) -> list[tuple[float, str]]:
    """Return at most *most* places of an axis of that length, after 0, each with its label."""
    step: float = next((step for step in _STEPS if seconds / step <= most), 0)
    if not step:
        step = _DAY * (int(seconds / _DAY / max(1, most)) + 1)
    count = int(seconds / step)
    return [(index * step, length(index * step).replace(" 00s", "")) for index in range(count + 1)]


def describe(attempt: TimelineAttempt) -> str:
    """Return a sentence about an attempt: "unit, job 17, failed: queue 5s, running 1m 05s"."""
    job = attempt.job
    parts = [f"{PHASES[phase.kind]} {length(phase.seconds)}" for phase in attempt.phases]
    reason = f" ({clean(job.failure_reason)})" if job.failure_reason else ""
    marks = [", retried"] * attempt.is_retried + [", on the critical path"] * attempt.is_critical
    head = f"{clean(job.name)}, job {job.id}, {clean(job.status)}{reason}{''.join(marks)}"
    return f"{head}: {'; '.join(parts)}" if parts else head


def headline(chart: Chart) -> str:
    """Return what the root pipeline is: "pipeline 17 of main, success, 5m 12s"."""
    pipeline = chart.root.pipeline
    ref = f" of {clean(pipeline.ref)}" if pipeline.ref else ""
    name = f" ({clean(pipeline.name)})" if pipeline.name else ""
    return f"pipeline {pipeline.id}{ref}{name}"


def basis_words(timeline: PipelineTimeline) -> str:
    """Return how the critical path was found."""
    if timeline.basis == "needs":
        return "by the needs of the jobs"
    return "by stages (needs unknown)"


def time_words(row: Row) -> str:
    """Return the time of a row: that of its last run, or the longest one of folded jobs."""
    match row:
        case JobRow():
            return length(row.job.latest.seconds("running") or None)
        case FoldedRow():
            return f"≤ {length(row.longest)}"
        case PipelineRow():
            return length(row.timeline.seconds)
        case _:
            return ""


def path_words(chart: Chart) -> str:
    """Return the names of the jobs on the critical path, with a mark at retries."""
    return _ARROW.join(_path_names(chart))


def path_lines(chart: Chart, width: int) -> list[str]:
    """Return `path_words` in lines of at most *width* cells, unless a name is longer."""
    lines = [""]
    *before, last = [f"{name} →" for name in _path_names(chart)] or [""]
    for part in (*before, last.removesuffix(" →")):
        if lines[-1] and cell_len(lines[-1]) + cell_len(part) + 1 > width:
            lines.append("")
        lines[-1] += f" {part}" if lines[-1] else part
    return lines


def _path_names(chart: Chart) -> list[str]:
    # A downstream pipeline may have a job of the same name.
    jobs = {
        attempt.job.id: (place, clean(attempt.job.name))
        for place, timeline in enumerate(chart.timelines)
        for attempt in timeline.attempts()
    }
    ids = dict.fromkeys(phase.job_id for phase in chart.root.critical_path if phase.job_id)
    return list(_with_retries([jobs[number] for number in ids]))


def _with_retries(jobs: Sequence[tuple[int, str]]) -> Iterator[str]:
    for index, job in enumerate(jobs):
        yield f"{job[1]} ↻" if index and jobs[index - 1] == job else job[1]


def spent(timeline: PipelineTimeline) -> list[Spent]:
    """Return the parts of the critical path, the largest first.

    What would be shown as 0 seconds is left out.
    """
    sums, whole = timeline.time_spent.items(), timeline.seconds or 1.0
    return [
        Spent(kind, PHASES[kind], seconds, seconds / whole)
        for kind, seconds in sums
        if round(seconds)
    ]


def job_time_words(chart: Chart) -> list[str]:
    """Return the sums over all attempts of all pipelines, those below a second aside.

    A trigger job that runs only waits for others.
    """
    sums: dict[PhaseKind, float] = {}
    for timeline in chart.timelines:
        for attempt in timeline.attempts():
            if not isinstance(attempt.job, Bridge):
                for phase in attempt.phases:
                    sums[phase.kind] = sums.get(phase.kind, 0.0) + phase.seconds
    largest = sorted(sums.items(), key=lambda item: -item[1])
    return [f"{PHASES[kind]} {length(total)}" for kind, total in largest if total >= 1]
