"""A timeline as columns for a pipe, and as JSON for programs."""

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen

from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.models.timelines import (
    PhaseKind,
    PipelineTimeline,
    TimelineAttempt,
    TimelineJob,
)

_KINDS: tuple[PhaseKind, ...] = ("waiting", "manual", "delayed", "held", "queued", "running")


@frozen
class ShownAttempt:
    """An attempt of a job as a line: *place* is its project, and *number* counts from 1."""

    place: int | str
    pipeline: int
    job: TimelineJob
    attempt: TimelineAttempt
    number: int


def attempts_of(project: str, timelines: Sequence[PipelineTimeline]) -> Iterator[ShownAttempt]:
    """Yield each attempt of all pipelines."""
    for timeline in timelines:
        place = project if not timeline.depth else timeline.pipeline.project_id
        for job in timeline.jobs:
            for number, attempt in enumerate(job.attempts, 1):
                yield ShownAttempt(place, timeline.pipeline.id, job, attempt, number)


def _spent(name: str, *kinds: PhaseKind) -> Column[ShownAttempt]:
    def seconds(one: ShownAttempt) -> float:
        return sum(one.attempt.seconds(kind) for kind in kinds)

    return Column(
        name=name,
        plain=lambda one: _seconds(seconds(one)),
        shown=lambda one, _: length(seconds(one)) if seconds(one) else "",
        justify="right",
        is_whole=True,
    )


TIMELINE_COLUMNS: Final[tuple[Column[ShownAttempt], ...]] = (
    Column(
        name="id",
        title="job",
        plain=lambda one: one.attempt.job.id,
        justify="right",
        is_whole=True,
        link=lambda one: one.attempt.job.web_url,
    ),
    Column(name="project", plain=lambda one: one.place),
    Column(name="pipeline", plain=lambda one: one.pipeline, justify="right", is_whole=True),
    Column(name="stage", plain=lambda one: one.job.stage),
    Column(name="name", plain=lambda one: one.job.name, style="bold"),
    Column(name="status", plain=lambda one: one.attempt.job.status, is_whole=True),
    Column(name="attempt", plain=lambda one: one.number, justify="right", is_whole=True),
    Column(name="critical", plain=lambda one: "critical" if one.attempt.is_critical else ""),
    Column(
        name="start",
        plain=lambda one: _seconds(one.attempt.phases[0].start if one.attempt.phases else None),
        justify="right",
        is_whole=True,
    ),
    _spent("waiting", "waiting"),
    _spent("held", "manual", "delayed", "held"),
    _spent("queued", "queued"),
    _spent("running", "running"),
    Column(name="failure_reason", plain=lambda one: one.attempt.job.failure_reason),
    Column(name="web_url", title="URL", plain=lambda one: one.attempt.job.web_url),
)
TIMELINE_DEFAULT: Final = tuple(column.name for column in TIMELINE_COLUMNS[:13])


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def timeline_json(timeline: PipelineTimeline) -> dict[str, object]:
    """Return a pipeline's timeline as JSON values; seconds count from `start`."""
    pipeline = timeline.pipeline
    return {
        "pipeline_id": pipeline.id,
        "project_id": pipeline.project_id,
        "ref": pipeline.ref,
        "status": pipeline.status,
        "web_url": pipeline.web_url,
        "depth": timeline.depth,
        "bridge_id": None if timeline.bridge is None else timeline.bridge.id,
        "start": timeline.start,
        "begin": _rounded(timeline.begin),
        "end": _rounded(timeline.end),
        "basis": timeline.basis,
        "time_spent": {kind: _rounded(sum_) for kind, sum_ in timeline.time_spent.items()},
        "job_time": {kind: _rounded(sum_) for kind, sum_ in timeline.job_time.items()},
        "critical_path": [
            {"job_id": phase.job_id or None, **_span(phase.kind, phase.start, phase.end)}
            for phase in timeline.critical_path
        ],
        "jobs": [
            _attempt_json(attempt, number)
            for job in timeline.jobs
            for number, attempt in enumerate(job.attempts, 1)
        ],
    }


def _attempt_json(attempt: TimelineAttempt, number: int) -> dict[str, object]:
    job = attempt.job
    return {
        "id": job.id,
        "name": job.name,
        "stage": job.stage,
        "status": job.status,
        "failure_reason": job.failure_reason,
        "allow_failure": job.allow_failure,
        "web_url": job.web_url,
        "attempt": number,
        "retried": attempt.is_retried,
        "critical": attempt.is_critical,
        "phases": [_span(phase.kind, phase.start, phase.end) for phase in attempt.phases],
        **{f"{kind}_seconds": _rounded(attempt.seconds(kind)) for kind in _KINDS},
    }


def _span(kind: PhaseKind, start: float, end: float) -> dict[str, object]:
    return {"kind": kind, "start": _rounded(start), "end": _rounded(end)}


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
