"""Sentences about jobs whose logs have ended. Pure."""

from typing import Final

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.job_labels import ShownJob
from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.models.jobs import JobBasic
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus

_VERBS: Final = {
    JobStatus.SUCCESS: "succeeded",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELED: "was canceled",
    JobStatus.SKIPPED: "was skipped",
}


def pipeline_ending(pipeline: Pipeline) -> str:
    """Return how a pipeline has ended, or what it waits for, with its URL."""
    verb = _VERBS.get(pipeline.status, f"is {pipeline.status}")
    if pipeline.status == JobStatus.MANUAL:
        verb = "waits for a manual job"
    hint = "; --log-failed shows why" if pipeline.status == JobStatus.FAILED else ""
    return f"pipeline {pipeline.id} {verb}: {clean(pipeline.web_url)}{hint}"


def ending(shown: ShownJob, job: JobBasic | None) -> str:
    """Return how a job has ended: "shop/app test 4711 failed after 3m 12s (script_failure)"."""
    if job is None or not job.status.is_finished:
        return f"{shown} has no more lines"
    took = job.duration
    # A job that came by GraphQL has no duration.
    if took is None and job.started_at is not None and job.finished_at is not None:
        took = (job.finished_at - job.started_at).total_seconds()
    after = "" if took is None else f" after {length(took)}"
    reason = f" ({job.failure_reason})" if job.failure_reason else ""
    return f"{shown} {_VERBS.get(job.status, str(job.status))}{after}{reason}"
