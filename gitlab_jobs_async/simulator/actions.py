"""Actions on jobs and pipelines: run, cancel, retry, erase and play, with their refusals.

Follows app/services/ci/{retry_job,play_build,play_bridge}_service.rb and app/models/ci/build.rb.
"""

from attrs import evolve

from gitlab_jobs_async.simulator.lifecycle import (
    advance,
    begin_cancel,
    configuration,
    create_pipeline,
    enqueue,
    fire,
    revive_later,
    try_again,
)
from gitlab_jobs_async.simulator.records import Job, MergeRequest, Pipeline, Project, User
from gitlab_jobs_async.simulator.registry import Registry
from gitlab_jobs_async.simulator.statuses import RETRYABLE


class ActionRefused(Exception):  # noqa: N818 - a refusal is an answer, not an error of the program
    """The job's state does not allow the action; the message is GitLab's."""


def cancel_job(registry: Registry, job: Job, at: float, *, force: bool = False) -> None:
    """Cancel a job; do nothing if it cannot be canceled."""
    moved = fire(registry, job, "force_cancel", at) if force else begin_cancel(registry, job, at)
    if moved:
        advance(registry, job.pipeline, at)


def retry_job(
    registry: Registry,
    job: Job,
    at: float,
    *,
    user: User | None,
    inputs: dict[str, object] | None = None,
) -> Job:
    """Create a new job that replaces this one."""
    if job.retried or job.status not in RETRYABLE or job.plan.archived:
        raise ActionRefused("Job is not retryable")
    check_inputs(job, inputs)
    again = try_again(registry, job, at, user)
    again.inputs.update(inputs or {})
    advance(registry, job.pipeline, at)
    return again


def check_erasable(job: Job, at: float) -> None:
    """Raise `ActionRefused` for an unfinished job or one without anything to erase."""
    has_something = job.artifacts is not None or job.log_at(at) > 0
    if not job.complete or not has_something:
        raise ActionRefused("Job is not erasable!")


def erase_job(job: Job, at: float) -> None:
    """Remove the log and the artifacts of a finished job."""
    check_erasable(job, at)
    job.erased_at = at
    job.artifacts = job.artifacts_expire_at = None


def play_job(
    registry: Registry,
    job: Job,
    at: float,
    *,
    user: User | None,
    variables: dict[str, str] | None = None,
    inputs: dict[str, object] | None = None,
) -> Job:
    """Start a manual or delayed job; create a new job if it has already run."""
    repeatable = job.status in RETRYABLE and not job.retried
    startable = job.status in {"manual", "scheduled"}
    if job.plan.when not in {"manual", "delayed"} or not (repeatable or startable):
        raise ActionRefused("Unplayable Job")
    check_inputs(job, inputs)
    if repeatable:
        job = try_again(registry, job, at, user)
    else:
        job.user = user
        revive_later(registry, job, at)
        enqueue(registry, job, at)
    job.variables.update(variables or {})
    job.inputs.update(inputs or {})
    advance(registry, job.pipeline, at)
    return job


def check_inputs(job: Job, inputs: dict[str, object] | None) -> None:
    """Raise `ActionRefused` for inputs that the job does not declare."""
    unknown = [name for name in inputs or {} if name not in job.plan.inputs]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise ActionRefused(f"Unknown input{plural}: {', '.join(unknown)}")


def cancel_pipeline(registry: Registry, pipeline: Pipeline, at: float) -> None:
    """Cancel all cancelable jobs and the child pipelines."""
    for job in pipeline.jobs:
        begin_cancel(registry, job, at)
        child = job.downstream_pipeline
        if child is not None and child.source == "parent_pipeline":
            cancel_pipeline(registry, child, at)
    advance(registry, pipeline, at)


def run_pipeline(
    registry: Registry,
    project: Project,
    ref: str,
    at: float,
    *,
    user: User | None,
    source: str = "api",
    merge_request: MergeRequest | None = None,
    variables: dict[str, str] | None = None,
    inputs: dict[str, object] | None = None,
) -> Pipeline:
    """Create and start a pipeline of a ref, with its head's sha."""
    plan = configuration(project, ref)
    if plan is None:
        raise ActionRefused("Missing CI config file")
    head = project.newest_pipeline(ref)
    pipeline = create_pipeline(registry, project, evolve(plan, ref=ref), at=at, user=user)
    pipeline.source, pipeline.merge_request = source, merge_request
    pipeline.variables, pipeline.inputs = dict(variables or {}), project.inputs | (inputs or {})
    if head is not None:
        pipeline.sha, pipeline.tag = head.sha, head.tag
    advance(registry, pipeline, at)
    return pipeline


def retry_pipeline(registry: Registry, pipeline: Pipeline, at: float, user: User | None) -> None:
    """Retry all failed and canceled jobs."""
    for job in list(pipeline.jobs):
        if not job.retried and job.status in {"failed", "canceled"}:
            try_again(registry, job, at, user)
    advance(registry, pipeline, at)
