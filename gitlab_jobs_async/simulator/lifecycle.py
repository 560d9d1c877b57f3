"""Transitions of jobs: each is a row of the table in statuses.py, at the time of its event.

Follows app/models/ci/build.rb, app/services/ci/process_build_service.rb, retry_job_service.rb.
"""

from operator import attrgetter
from typing import Final

from gitlab_jobs_async.simulator.plans import PipelinePlan, PlannedJob
from gitlab_jobs_async.simulator.records import Job, Pipeline, Project, User
from gitlab_jobs_async.simulator.registry import Due, Registry
from gitlab_jobs_async.simulator.statuses import (
    COMPLETED,
    FINISHED,
    REPORTED,
    TRANSITIONS,
    composite,
    composite_of_needs,
)

_VALID: Final[dict[str, frozenset[str]]] = {
    "on_success": frozenset({"success", "skipped"}),
    "manual": frozenset({"success", "skipped"}),
    "delayed": frozenset({"success", "skipped"}),
    "on_failure": frozenset({"failed"}),
    "always": frozenset({"success", "failed", "skipped"}),
}
_RUNS_AFTER_SUCCESS: Final = frozenset({"on_success", "manual", "delayed"})
_OUTCOMES: Final = {"success": "succeed", "failed": "drop", "canceled": "cancel"}
_UPSTREAM: Final = {"success": "succeed", "failed": "drop", "canceled": "cancel", "skipped": "drop"}


def fire(registry: Registry, job: Job, event: str, at: float) -> bool:
    """Make the transition `event` if the job's status allows it; return whether it does."""
    target = TRANSITIONS[event].get(job.status)
    if target is None:
        return False
    registry.history.record(job, at)
    job.status = target
    # Events planned for the old status are void from here on.
    job.timeline += 1
    if target == "pending":
        job.queued_at = at
    elif target == "running":
        job.started_at = at
    elif target in FINISHED:
        job.finished_at = at
    if target in COMPLETED:
        # A job token is valid only while its job runs.
        registry.job_tokens.pop(job.token, None)
    job.failure_reason = job.plan.failure_reason if target == "failed" else None
    if target in REPORTED:
        registry.notify(job, at)
    return True


def enqueue(registry: Registry, job: Job, at: float) -> None:
    """Enqueue a job: by its resource group and its preparation, to `pending`."""
    plan = job.plan
    if job.status == "waiting_for_resource":
        after_wait = "prepare" if plan.preparing else "enqueue_waiting_for_resource"
        fire(registry, job, after_wait, at)
    elif plan.waiting_for_resource:
        fire(registry, job, "wait_for_resource", at)
    elif plan.preparing:
        fire(registry, job, "prepare", at)
    else:
        fire(registry, job, "enqueue", at)
    _plan_next(registry, job, at)


def _plan_next(registry: Registry, job: Job, at: float) -> None:
    plan = job.plan
    steps = {
        "waiting_for_resource": ("resource", plan.waiting_for_resource),
        "preparing": ("prepared", plan.preparing),
        "pending": ("picked", plan.queued),
        "running": ("done", plan.duration),
        "canceling": ("done", plan.after_script),
        "scheduled": ("delayed", plan.start_in),
    }
    if job.status in steps:
        event, seconds = steps[job.status]
        registry.plan(at + seconds, Due(event, job, job.timeline))


def settle_job(registry: Registry, job: Job, event: str, at: float) -> None:
    """Carry out a planned event of a job."""
    if event in {"resource", "delayed"}:
        enqueue(registry, job, at)
    elif event == "prepared":
        fire(registry, job, "enqueue_preparing", at)
        _plan_next(registry, job, at)
    elif event == "picked":
        _run(registry, job, at)
    elif event == "done":
        _finish(registry, job, at)
    advance(registry, job.pipeline, at)


def _run(registry: Registry, job: Job, at: float) -> None:
    if job.downstream is None:
        # Sidekiq runs bridges; no runner takes them.
        job.runner = registry.runner_for(job)
    fire(registry, job, "run", at)
    if job.downstream is not None:
        registry.plan(at, Due("trigger", job, job.timeline, job.downstream, job.user))
        return
    registry.issue_token(job)
    _plan_next(registry, job, at)


def _finish(registry: Registry, job: Job, at: float) -> None:
    fire(registry, job, _OUTCOMES[job.plan.outcome], at)
    kept = {"success": "on_success", "failed": "on_failure"}.get(job.status)
    if job.plan.artifacts and kept and job.plan.artifacts_when in {kept, "always"}:
        job.artifacts = job.plan.artifacts
        expires_in = job.plan.artifacts_expire_in
        job.artifacts_expire_at = None if expires_in is None else at + expires_in
    if job.status == "failed" and job.attempt < job.plan.auto_retry:
        try_again(registry, job, at, job.user)


def begin_cancel(registry: Registry, job: Job, at: float) -> bool:
    """Cancel a job, by way of `canceling` if its runner still has to run an after_script."""
    # Older releases cancel at once and never run the after_script.
    runs = job.status == "running" and registry.knows_canceling
    gracefully = runs and job.plan.after_script > 0
    moved = fire(registry, job, "cancel_gracefully" if gracefully else "cancel", at)
    if moved:
        _plan_next(registry, job, at)
    return moved


def try_again(registry: Registry, job: Job, at: float, user: User | None) -> Job:
    """Create a new attempt; the old one becomes `retried`, and skipped later jobs `created`."""
    registry.history.record(job, at)
    job.retried = True
    again = registry.new_job(
        job.pipeline,
        name=job.name,
        stage=job.stage,
        plan=job.plan.following,
        at=at,
        user=user,
        downstream=job.downstream,
    )
    again.attempt = job.attempt + 1
    # A retried job keeps its variables and inputs.
    again.variables, again.inputs = dict(job.variables), dict(job.inputs)
    revive_later(registry, again, at)
    enqueue(registry, again, at)
    return again


def revive_later(registry: Registry, job: Job, at: float) -> None:
    """Bring skipped jobs of later stages back to `created`."""
    stages = job.pipeline.stages
    later = set(stages[stages.index(job.stage) + 1 :])
    for other in job.pipeline.jobs:
        follows = other.stage in later or job.name in (other.plan.needs or ())
        if follows and other.status == "skipped" and not other.retried:
            fire(registry, other, "process", at)


def advance(registry: Registry, pipeline: Pipeline, at: float) -> None:
    """Start the jobs that may start and update the pipeline's status."""
    pipeline.started = True
    latest = [job for job in pipeline.jobs if not job.retried]
    earlier: list[tuple[str, bool]] = []
    for stage in pipeline.stages:
        jobs = [job for job in latest if job.stage == stage]
        so_far = composite(earlier) or "success"
        for job in jobs:
            before = so_far if job.plan.needs is None else _status_of_needs(job, latest)
            # A job starts only once all that it waits for has ended.
            if job.status == "created" and before in COMPLETED:
                _begin(registry, job, before, at)
        earlier += [(job.status, job.allow_failure) for job in jobs]
    # Sidekiq updates the pipeline after its jobs, so its status lags behind.
    if registry.status_delay > 0:
        registry.plan(at + registry.status_delay, Due("status", pipeline))
    else:
        update_status(registry, pipeline, at)


def _status_of_needs(job: Job, latest: list[Job]) -> str:
    names = job.plan.needs or ()
    needed = [(one.status, one.allow_failure) for one in latest if one.name in names]
    return composite_of_needs(needed) or "success"


def _begin(registry: Registry, job: Job, so_far: str, at: float) -> None:
    plan = job.plan
    valid = _VALID[plan.when]
    if plan.needs is not None and plan.when in _RUNS_AFTER_SUCCESS:
        # After a skipped stage a job runs, after a skipped need it does not.
        valid = frozenset({"success"})
    if so_far not in valid or plan.outcome == "skipped":
        fire(registry, job, "skip", at)
    elif plan.when == "manual":
        fire(registry, job, "actionize", at)
    elif plan.when == "delayed":
        fire(registry, job, "schedule", at)
        _plan_next(registry, job, at)
    else:
        enqueue(registry, job, at)


def update_status(registry: Registry, pipeline: Pipeline, at: float) -> None:
    """Recompute a pipeline's status from its latest jobs and update a bridge that waits for it."""
    latest = [(job.status, job.allow_failure) for job in pipeline.jobs if not job.retried]
    status = composite(latest) or pipeline.status
    if status == pipeline.status:
        return
    registry.history.record(pipeline, at)
    pipeline.status, pipeline.updated_at = status, at
    if status == "running" and pipeline.started_at is None:
        pipeline.started_at = at
    # A retry reopens a finished pipeline.
    pipeline.finished_at = at if status in COMPLETED else None
    registry.notify(pipeline, at)
    bridge = pipeline.upstream
    waits = bridge and bridge.downstream and bridge.downstream.depend
    # The upstream pipeline may be deleted.
    if bridge and waits and bridge.id in registry.jobs and status in COMPLETED:
        fire(registry, bridge, _UPSTREAM[status], at)
        advance(registry, bridge.pipeline, at)


def configuration(project: Project, ref: str) -> PipelinePlan | None:
    """Return the jobs of a new pipeline: as configured, or those of an earlier pipeline."""
    if project.configuration is not None:
        return project.configuration
    with_jobs = [p for p in project.pipelines if p.jobs and p.source != "parent_pipeline"]
    if not with_jobs:
        return None
    earlier = max(with_jobs, key=lambda p: (p.ref == ref, p.id))
    jobs = tuple(
        PlannedJob(job.name, job.stage, job.plan, job.downstream)
        for job in sorted(earlier.jobs, key=attrgetter("id"))
        if job.attempt == 0
    )
    return PipelinePlan(jobs=jobs, stages=tuple(earlier.stages))


def create_pipeline(
    registry: Registry, project: Project, plan: PipelinePlan, *, at: float, user: User | None
) -> Pipeline:
    """Create a planned pipeline with its jobs."""
    pipeline = registry.new_pipeline(project, at=at, ref=plan.ref or "main", user=user)
    pipeline.stages = list(plan.stage_names)
    pipeline.name = plan.name
    for job in plan.jobs:
        registry.new_job(
            pipeline,
            name=job.name,
            stage=job.stage,
            plan=job.plan,
            at=at,
            user=user,
            downstream=job.downstream,
        )
    return pipeline


def trigger(registry: Registry, bridge: Job, plan: PipelinePlan, at: float) -> None:
    """Create the downstream pipeline of a running bridge."""
    project = bridge.project if plan.project is None else registry.paths.get(plan.project)
    if project is None:
        fire(registry, bridge, "drop", at)
        bridge.failure_reason = "downstream_bridge_project_not_found"
        advance(registry, bridge.pipeline, at)
        return
    pipeline = create_pipeline(registry, project, plan, at=at, user=bridge.user)
    # GitLab calls only a pipeline of the same project a child.
    pipeline.source = "parent_pipeline" if project is bridge.project else "pipeline"
    if plan.ref is None and project is bridge.project:
        pipeline.ref, pipeline.sha = bridge.pipeline.ref, bridge.pipeline.sha
    pipeline.upstream, bridge.downstream_pipeline = bridge, pipeline
    advance(registry, pipeline, at)
    # Without `strategy: depend` a bridge succeeds as soon as its pipeline exists.
    if not plan.depend:
        fire(registry, bridge, "succeed", at)
        advance(registry, bridge.pipeline, at)
