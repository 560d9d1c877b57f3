"""Events made by hand, for the views of them."""

from datetime import UTC, datetime, timedelta

from gitlab_jobs_async.events import (
    JobAppeared,
    JobChanged,
    JobFinished,
    JobLogEnded,
    JobLogLine,
)
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.logs import LogLine
from gitlab_jobs_async.models.pipelines import NO_PIPELINE, PipelineBasic
from gitlab_jobs_async.models.statuses import JobStatus

NOW = 1_750_000_000.0
BEGUN = datetime.fromtimestamp(NOW, UTC) - timedelta(seconds=60)


def pipeline(number, **fields):
    some = {"status": JobStatus.RUNNING, "project_id": 1, "ref": "main"}
    return PipelineBasic(id=number, **{**some, **fields})


def job(number, name="unit", status="running", pipeline_id=7, kind=Job, **fields):
    some = {
        "stage": "test",
        "pipeline": NO_PIPELINE if pipeline_id is None else pipeline(pipeline_id),
        "created_at": BEGUN,
        "duration": 5.0 if status in {"running", "success", "failed"} else None,
    }
    return kind(id=number, name=name, status=JobStatus(status), **{**some, **fields})


def bridge(number, name, downstream=None, **fields):
    made = None if downstream is None else pipeline(downstream)
    return job(number, name, kind=Bridge, downstream_pipeline=made, **fields)


def appeared(job, project="group/app", **fields):
    return JobAppeared(key=f"job/{job.id}/0/appeared", project=project, job=job, **fields)


def changed(job, previous="pending", project="group/app"):
    key = f"job/{job.id}/1/changed"
    return JobChanged(key=key, project=project, job=job, previous=JobStatus(previous))


def finished(job, previous="running", project="group/app"):
    key = f"job/{job.id}/2/finished"
    return JobFinished(key=key, project=project, job=job, previous=JobStatus(previous))


def log_line(job, number, text, raw=None, project="group/app", **fields):
    line = LogLine(number, text, raw or text, **fields)
    return JobLogLine(key=f"job/{job.id}/{number}/log", project=project, job=job, line=line)


def log_ended(job, project="group/app"):
    return JobLogEnded(key=f"job/{job.id}/9/log_ended", project=project, job=job)
