"""Advance a world: due events happen in the order of their times, each at its own time."""

from gitlab_jobs_async.simulator import lifecycle
from gitlab_jobs_async.simulator.plans import PipelinePlan
from gitlab_jobs_async.simulator.records import Job, Pipeline, Project
from gitlab_jobs_async.simulator.registry import Due, Registry


def settle(registry: Registry, now: float) -> None:
    """Carry out all events planned up to `now`."""
    while (entry := registry.pop_due(now)) is not None:
        at, due = entry
        registry.now = max(registry.now, at)
        _happen(registry, due, at)
    registry.now = max(registry.now, now)


def _happen(registry: Registry, due: Due, at: float) -> None:
    target = due.target
    if isinstance(target, Job):
        if due.timeline != target.timeline:
            return
        if due.plan is None:
            lifecycle.settle_job(registry, target, due.event, at)
        else:
            lifecycle.trigger(registry, target, due.plan, at)
    elif isinstance(target, Project):
        plan = due.plan or PipelinePlan()
        pipeline = lifecycle.create_pipeline(registry, target, plan, at=at, user=due.user)
        lifecycle.advance(registry, pipeline, at)
    elif not isinstance(target, Pipeline):
        target(at)
    elif due.event == "status":
        lifecycle.update_status(registry, target, at)
    else:
        lifecycle.advance(registry, target, at)
