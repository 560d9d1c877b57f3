"""Duration and queue time of a pipeline: app/models/ci/pipeline.rb."""

from collections.abc import Iterable, Iterator

from gitlab_jobs_async.simulator.records import Job, Pipeline


def pipeline_duration(pipeline: Pipeline) -> int | None:
    """Return the seconds in which jobs ran, None until the pipeline has finished.

    Follows lib/gitlab/ci/pipeline/duration.rb: jobs of downstream pipelines count, trigger jobs and
    retried attempts do not. It is computed when the pipeline finishes.
    """
    ended = pipeline.finished_at
    if pipeline.started_at is None or ended is None:
        return None
    jobs = (job for member in _with_downstream(pipeline) for job in member.builds)
    periods = (_period(job, ended) for job in jobs if not job.retried)
    return int(running_time(period for period in periods if period is not None))


def running_time(periods: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of *periods*, given as start and end."""
    total, covered_to = 0.0, float("-inf")
    for start, end in sorted(periods):
        total += max(0.0, end - max(start, covered_to))
        covered_to = max(covered_to, end)
    return total


def queued_duration(pipeline: Pipeline) -> int | None:
    """Return the whole seconds before the first job ran, None until then and below one."""
    if pipeline.started_at is None:
        return None
    return int(pipeline.started_at - pipeline.created_at) or None


def _with_downstream(pipeline: Pipeline) -> Iterator[Pipeline]:
    found = [pipeline]
    for member in found:
        yield member
        downstream = (bridge.downstream_pipeline for bridge in member.bridges)
        found += [child for child in downstream if child is not None]


def _period(job: Job, ended: float) -> tuple[float, float] | None:
    """Return start and end of *job* as of the time *ended*, None if it has not started."""
    if job.started_at is None:
        return None
    # One that started later has no length.
    return job.started_at, ended if job.finished_at is None else min(job.finished_at, ended)
