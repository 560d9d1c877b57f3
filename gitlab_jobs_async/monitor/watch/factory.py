"""From what a caller wants watched to its watch: checked, named, and begun or resumed."""

from collections.abc import Iterable
from typing import TypeVar

from gitlab_jobs_async.api.parameters import ProjectId, job_path, pipeline_path, project_path
from gitlab_jobs_async.models.jobs import JobBasic, Pipeline
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.checkpoint.serialization import loads
from gitlab_jobs_async.monitor.targets import JobTarget, PipelineTarget
from gitlab_jobs_async.monitor.watch.base import TargetState
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.job import JobWatch
from gitlab_jobs_async.monitor.watch.pipeline import PipelineWatch
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.monitor.watch.project_state import ProjectState
from gitlab_jobs_async.monitor.watch.queries import Watch

NormalizedTarget = ProjectId | PipelineTarget | JobTarget
Target = NormalizedTarget | Pipeline | JobBasic

T = TypeVar("T")


def normalize_targets(targets: Iterable[Target]) -> list[NormalizedTarget]:
    """Each of *targets*, checked.

    Raises:
        TypeError, ValueError: one of them is nothing that can be watched.
    """
    if isinstance(targets, str | bytes | int | PipelineTarget | JobTarget | Pipeline | JobBasic):
        raise TypeError(f"targets must be several things to watch, not {targets!r}")
    return [normalize_target(target) for target in targets]


def normalize_target(target: Target) -> NormalizedTarget:
    """*target* by its ids, checked; a `Pipeline` or `Job` must say its project."""
    match target:
        case Pipeline(id=number, project_id=project):
            return normalize_target(PipelineTarget(_said(project, "pipeline", number), number))
        case JobBasic(id=number, project_id=project):
            return normalize_target(JobTarget(_said(project, "job", number), number))
        case PipelineTarget(project=project, pipeline_id=number):
            pipeline_path(project, number)
        case JobTarget(project=project, job_id=number):
            job_path(project, number)
        case int() | str():
            project_path(target)
        case _:
            raise TypeError(
                f"{target!r} cannot be watched; allowed are a project's id or path, a "
                "PipelineTarget, a JobTarget, a Pipeline and a Job"
            )
    return target


def _said(project: int | None, what: str, number: int) -> int:
    if project is None:
        raise ValueError(
            f"{what} {number} does not say its project; give a {what.title()}Target with it"
        )
    return project


def target_name(target: NormalizedTarget) -> str:
    """What a checkpoint calls *target*."""
    match target:
        case PipelineTarget(project=project, pipeline_id=number):
            return f"pipeline {number} of {project}"
        case JobTarget(project=project, job_id=number):
            return f"job {number} of {project}"
    return f"project {target}"


def create_watch(
    target: NormalizedTarget,
    recorded: bytes | None,
    now: float,
    progress: Progress | None = None,
    history: IdHistory | None = None,
    *,
    downstream: bool,
) -> Watch:
    """The watch of *target*, going on from what was *recorded* of it and of its *progress*.

    Raises:
        ValueError: that cannot be read.
    """
    if not isinstance(target, PipelineTarget | JobTarget):
        state = _read(recorded, ProjectState)
        return ProjectWatch.of(target, state, now, progress, history, downstream=downstream)
    known = _read(recorded, TargetState)
    if isinstance(target, JobTarget):
        return JobWatch.of(target, known, now, progress, history)
    return PipelineWatch.of(target, known, now, progress, history, downstream=downstream)


def _read(recorded: bytes | None, kind: type[T]) -> T | None:
    return None if recorded is None else loads(recorded, kind)
