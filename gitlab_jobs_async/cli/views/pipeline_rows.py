"""Pipelines as plain cells, facts and sentences. Pure."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.cli.views.times import length, local_and_ago, plain_seconds, utc_time
from gitlab_jobs_async.models.jobs import JobBasic
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus

_ENDED_WELL = frozenset({JobStatus.SUCCESS, JobStatus.SKIPPED})


def by_stage(jobs: Sequence[JobBasic]) -> list[tuple[str, list[JobBasic]]]:
    """Return the jobs of each stage; the stages are in their order, since ids grow along them."""
    first: dict[str, int] = {}
    for job in jobs:
        first[job.stage] = min(job.id, first.get(job.stage, job.id))
    ordered = sorted(jobs, key=lambda job: (first[job.stage], job.id))
    return [(stage, list(members)) for stage, members in groupby(ordered, lambda job: job.stage)]


def standing(jobs: Sequence[JobBasic]) -> str:
    """Return where a pipeline stands: `5 of 9 jobs ended; test: 1 failed, 2 running`."""
    ended = sum(job.status.is_finished for job in jobs)
    parts = [f"{ended} of {counted(len(jobs), 'job')} ended"] if jobs else ["no jobs"]
    for stage, members in by_stage(jobs):
        counts: dict[str, int] = {}
        for job in members:
            if job.status not in _ENDED_WELL:
                counts[job.status] = counts.get(job.status, 0) + 1
        if counts:
            parts.append(f"{stage}: {', '.join(f'{n} {status}' for status, n in counts.items())}")
    return "; ".join(parts)


def pipeline_facts(
    row: Pipeline, jobs: Sequence[JobBasic], now: datetime | None
) -> list[tuple[str, object]]:
    """Return the names and values that describe a pipeline, without the empty ones.

    People get times in relation to *now*; programs, for which it is None, in UTC.
    """

    def time(at: datetime | None) -> str:
        return utc_time(at) if now is None else local_and_ago(at, now)

    def duration(seconds: float | None) -> str:
        return plain_seconds(seconds) if now is None else length(seconds)

    facts = [
        ("id", row.id),
        ("name", row.name),
        ("status", row.status),
        ("progress", standing(jobs)),
        ("yaml_errors", row.yaml_errors),
        ("ref", row.ref),
        ("sha", row.sha),
        ("source", row.source),
        ("user", None if row.user is None else row.user.username),
        ("created_at", time(row.created_at)),
        ("started_at", time(row.started_at)),
        ("finished_at", time(row.finished_at)),
        ("queued_duration", duration(row.queued_duration)),
        ("duration", duration(row.duration)),
        ("coverage", row.coverage),
        ("web_url", row.web_url),
    ]
    return [(name, value) for name, value in facts if value not in (None, "")]


def job_lines(jobs: Sequence[JobBasic]) -> list[list[object]]:
    """Return the cells of a pipeline's jobs below its facts in a pipe."""
    return [
        [
            "job",
            job.id,
            job.stage,
            job.name,
            job.status,
            plain_seconds(job.duration),
            job.failure_reason,
        ]
        for _, members in by_stage(jobs)
        for job in members
    ]
