"""Create the watch of a target: validated, named, and resumed from a checkpoint if it has one."""

from collections.abc import Iterable
from typing import TypeVar

from gitlab_jobs_async.api.parameters import (
    ProjectId,
    flag,
    group_path,
    job_path,
    pipeline_path,
    project_path,
    wait_until,
)
from gitlab_jobs_async.models.jobs import JobBasic
from gitlab_jobs_async.models.pipelines import PipelineBasic
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.checkpoint.serialization import loads
from gitlab_jobs_async.monitor.targets import GroupTarget, JobTarget, PipelineTarget
from gitlab_jobs_async.monitor.watch.base import TargetState, Watch
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.job import JobWatch
from gitlab_jobs_async.monitor.watch.pipeline import PipelineWatch
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.monitor.watch.project_state import ProjectState

NormalizedTarget = ProjectId | PipelineTarget | JobTarget
Target = NormalizedTarget | GroupTarget | PipelineBasic | JobBasic

T = TypeVar("T")


def normalize_targets(targets: Iterable[Target]) -> list[NormalizedTarget | GroupTarget]:
    """Validate and normalize *targets*.

    Raises:
        TypeError, ValueError: one of them cannot be watched.
    """
    # A str is iterable, too: each of its letters would be taken for a project.
    single = PipelineTarget | JobTarget | GroupTarget | PipelineBasic | JobBasic
    if isinstance(targets, str | bytes | int | single):
        raise TypeError(f"targets {targets!r}: expected an iterable of targets")
    return [
        checked_group(target) if isinstance(target, GroupTarget) else normalize_target(target)
        for target in targets
    ]


def checked_group(target: GroupTarget) -> GroupTarget:
    """Return *target* if its group may exist.

    Raises:
        TypeError, ValueError: it is neither an id nor a path.
    """
    group_path(target.group)
    flag("include_subgroups", target.include_subgroups)
    return target


def normalize_target(target: Target) -> NormalizedTarget:
    """Validate *target*, and reduce a pipeline or job to its ids.

    Raises:
        TypeError, ValueError: it cannot be watched.
    """
    match target:
        case PipelineBasic(id=number, project_id=project):
            return normalize_target(PipelineTarget(_known(project, "pipeline", number), number))
        case JobBasic(id=number, project_id=project):
            return normalize_target(JobTarget(_known(project, "job", number), number))
        case PipelineTarget(project=project, pipeline_id=number):
            pipeline_path(project, number)
            wait_until(target.until)
        case JobTarget(project=project, job_id=number):
            job_path(project, number)
            flag("follow_retries", target.follow_retries)
        case int() | str():
            project_path(target)
        case _:
            raise TypeError(
                f"target {target!r}: expected a project's id or path, a PipelineTarget, "
                "a JobTarget, a GroupTarget, a Pipeline or a Job"
            )
    return target


def _known(project: int, what: str, number: int) -> int:
    # GitLab finds pipelines and jobs only below their project.
    if not project:
        raise ValueError(f"{what} {number} without project_id: expected a {what.title()}Target")
    return project


def target_name(target: NormalizedTarget) -> str:
    """Return the name of *target* in checkpoints."""
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
    """Return the watch of *target*, resumed from its *recorded* state and *progress* if given.

    Raises:
        ValueError: the recorded state is invalid.
    """
    if not isinstance(target, PipelineTarget | JobTarget):
        project = _loaded(recorded, ProjectState)
        return ProjectWatch.of(target, project, now, progress, history, downstream=downstream)
    state = _loaded(recorded, TargetState)
    if isinstance(target, JobTarget):
        return JobWatch.of(target, state, now, progress, history)
    return PipelineWatch.of(target, state, now, progress, history, downstream=downstream)


def _loaded(recorded: bytes | None, kind: type[T]) -> T | None:
    return None if recorded is None else loads(recorded, kind)
