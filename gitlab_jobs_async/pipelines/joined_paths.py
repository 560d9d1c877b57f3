"""Lead critical paths through downstream pipelines, where a trigger job waited for them."""

from collections.abc import Iterator, Mapping, Sequence
from math import inf

from attrs import evolve

from gitlab_jobs_async.models.timelines import PipelineTimeline, TimelineJob, TimelinePhase
from gitlab_jobs_async.pipelines.predecessors import CLOCK_TOLERANCE

_Paths = Mapping[int, Sequence[TimelinePhase]]
"""The critical paths of downstream pipelines by the ids of their trigger jobs."""


def join_paths(timelines: Sequence[PipelineTimeline]) -> list[PipelineTimeline]:
    """Join the critical paths, and mark the attempts on that of the first pipeline, the root.

    Each pipeline comes after that of its trigger job.
    """
    awaited = _awaited(timelines)
    critical: set[int] = set()
    for one in timelines:
        if one.bridge is None or one.bridge.id in critical & awaited:
            critical |= {phase.job_id for phase in one.critical_path if phase.kind != "retry"}
    joined = []
    below: dict[int, Sequence[TimelinePhase]] = {}
    for one in reversed(timelines):
        path = tuple(step for phase in one.critical_path for step in _steps(phase, below))
        if one.bridge is not None and one.bridge.id in awaited:
            below[one.bridge.id] = path
        jobs = tuple(_marked(job, critical) for job in one.jobs)
        joined.append(evolve(one, critical_path=path, jobs=jobs))
    return joined[::-1]


def _awaited(timelines: Sequence[PipelineTimeline]) -> set[int]:
    """Return the ids of the trigger jobs that ended after their pipelines.

    GitLab does not tell their `strategy`. Without one, a trigger job ends when it has created its
    pipeline: https://docs.gitlab.com/ci/yaml/#triggerstrategy.
    """
    attempts = (attempt for one in timelines for attempt in one.attempts() if attempt.phases)
    ends = {attempt.job.id: attempt.phases[-1].end for attempt in attempts}
    return {
        one.bridge.id
        for one in timelines
        if one.bridge is not None and one.end <= ends.get(one.bridge.id, -inf) + CLOCK_TOLERANCE
    }


def _steps(phase: TimelinePhase, below: _Paths) -> Iterator[TimelinePhase]:
    """Yield *phase*, or if a trigger job waits in it, the path of the pipeline in its place."""
    at = phase.start
    for step in below.get(phase.job_id, ()) if phase.kind == "running" else ():
        start, end = max(at, step.start), min(step.end, phase.end)
        if start < end:
            if at < start:
                yield evolve(phase, start=at, end=start)
            yield evolve(step, start=start, end=end, job_id=step.job_id or phase.job_id)
            at = end
    if at < phase.end:
        yield evolve(phase, start=at)


def _marked(job: TimelineJob, critical: set[int]) -> TimelineJob:
    attempts = (evolve(one, is_critical=one.job.id in critical) for one in job.attempts)
    return evolve(job, attempts=tuple(attempts))
