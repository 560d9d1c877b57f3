"""Sample jobs and pipelines for unit tests."""

from datetime import UTC, datetime

from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import NO_PIPELINE, PipelineBasic
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.values import UNKNOWN_TIME
from gitlab_jobs_async.monitor.watch.tracked_job import TrackedJob

START = 1_750_000_000.0


def moment(at, default=None):
    return default if at is None else datetime.fromtimestamp(START + at, UTC)


def pipeline(number=9, created=0.0, project=7, **fields):
    at = moment(created, UNKNOWN_TIME)
    return PipelineBasic(
        id=number, project_id=project, status=JobStatus.RUNNING, created_at=at, **fields
    )


def job(
    number, status="running", *, name="build", of=9, created=0.0, erased=None, kind=Job, **fields
):
    """A job *created* that many seconds after `START`, of the pipeline with the id *of*."""
    return kind(
        id=number,
        status=JobStatus(status),
        stage="test",
        name=name,
        created_at=moment(created, UNKNOWN_TIME),
        erased_at=moment(erased),
        pipeline=NO_PIPELINE if of is None else pipeline(of),
        **fields,
    )


def bridge(number, status="running", **fields):
    return job(number, status, kind=Bridge, **fields)


def tracked(number, status="running", since=START, *, name="build", of=9, **fields):
    return TrackedJob(number, JobStatus(status), name, of, since, **fields)
