"""Find the selected jobs that run now, or that ended since a time."""

from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.group import with_projects_of_groups
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.values import UNKNOWN_TIME
from gitlab_jobs_async.monitor.targets import GroupTarget
from gitlab_jobs_async.project import Project

Found = tuple[str, Job]
"""The path or id of a project, and one of its jobs."""

_RUNNING: Final = (JobStatus.RUNNING, JobStatus.CANCELING)
_ENDED: Final = (JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.CANCELED)
_LOOKBACK: Final = timedelta(days=1)
"""How long before the time a job may have been created: older pages are not read."""


async def jobs_of_pipeline(
    project: Project, pipeline: int, since: datetime | None, *, running: bool = True
) -> list[Found]:
    """Return the jobs of a pipeline that are *running*, and those that ended after *since*."""
    jobs = await project.list_pipeline_jobs(
        pipeline, scope=_scope(since, running=running), include_retried=since is not None
    )
    found = [job for job in jobs if _is_present(job, since)]
    return _by_start(project.id, found)


async def jobs_of_projects(
    gitlab: GitLab,
    names: Sequence[ProjectId | GroupTarget],
    since: datetime | None,
    *,
    running: bool = True,
) -> list[Found]:
    """Return the same of the newest jobs of projects and groups."""
    projects = await with_projects_of_groups(names, gitlab.group)
    scope = _scope(since, running=running)
    found = await gather_all([_newest(gitlab.project(one), scope, since) for one in projects])
    return [
        each
        for project, jobs in zip(projects, found, strict=True)
        for each in _by_start(project, jobs)
    ]


def _scope(since: datetime | None, *, running: bool) -> tuple[JobStatus, ...]:
    return (_RUNNING if running else ()) + (() if since is None else _ENDED)


async def _newest(
    project: Project, scope: Sequence[JobStatus], since: datetime | None
) -> list[Job]:
    found = []
    async with aclosing(project.iter_jobs(scope=scope)) as jobs:
        async for job in jobs:
            if since is not None and UNKNOWN_TIME < job.created_at < since - _LOOKBACK:
                break
            if _is_present(job, since):
                found.append(job)
    return found


def ended_before(job: Job, since: datetime) -> bool:
    """Return whether the log of a job has no lines since then: it had ended."""
    return job.status.is_finished and (job.finished_at or job.created_at) < since


def _is_present(job: Job, since: datetime | None) -> bool:
    if job.started_at is None or not job.status.is_finished:
        return job.started_at is not None
    return since is not None and not ended_before(job, since)


def _by_start(project: ProjectId, jobs: Sequence[Job]) -> list[Found]:
    """Return *jobs* in the order in which they have started."""
    ordered = sorted(jobs, key=lambda job: (job.started_at or job.created_at, job.id))
    return [(job.project_path or str(project), job) for job in ordered]
