"""A timeline as cells for a pipe, and as JSON for programs."""

from collections.abc import Iterator, Sequence

from gitlab_jobs_async.models.timelines import PhaseKind, PipelineTimeline, TimelineAttempt

_KINDS: tuple[PhaseKind, ...] = ("waiting", "manual", "delayed", "held", "queued", "running")


def timeline_cells(project: str, timelines: Sequence[PipelineTimeline]) -> Iterator[list[object]]:
    """Yield the cells of each attempt, in the order that `timeline --help` names."""
    for timeline in timelines:
        place = project if not timeline.depth else timeline.pipeline.project_id
        for job in timeline.jobs:
            for number, attempt in enumerate(job.attempts, 1):
                held = sum(attempt.seconds(kind) for kind in ("manual", "delayed", "held"))
                yield [
                    attempt.job.id,
                    place,
                    timeline.pipeline.id,
                    job.stage,
                    job.name,
                    attempt.job.status,
                    number,
                    "critical" if attempt.is_critical else "",
                    _seconds(attempt.phases[0].start if attempt.phases else None),
                    _seconds(attempt.seconds("waiting")),
                    _seconds(held),
                    _seconds(attempt.seconds("queued")),
                    _seconds(attempt.seconds("running")),
                ]


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
