"""Read the failed jobs of projects, and the successful ones that tell which are flaky."""

from collections.abc import Iterable, Sequence
from contextlib import aclosing, suppress

from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.errors import NotFoundError
from gitlab_jobs_async.failures.grouping import RetrySearch, group_failures, largest_first
from gitlab_jobs_async.failures.period import Period
from gitlab_jobs_async.models.failure_groups import FailureGroup
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.project import Project


async def read_failures(
    projects: Iterable[Project], period: Period, ref: str | None
) -> list[FailureGroup]:
    """Return the groups of all *projects*, the largest first."""
    read = await gather_all([_of_project(project, period, ref) for project in projects])
    return largest_first([group for groups in read for group in groups])


async def _of_project(project: Project, period: Period, ref: str | None) -> list[FailureGroup]:
    failed = await _failed_jobs(project, period, ref)
    # A project without failures costs one request.
    flaky = await _flaky_ids(project, failed, ref) if failed else set()
    return group_failures(project.id, failed, flaky)


async def _failed_jobs(project: Project, period: Period, ref: str | None) -> list[Job]:
    """Return the failed jobs of *period*, newest first."""
    failed = []
    async with aclosing(project.iter_jobs(scope="failed", ref=ref)) as jobs:
        async for job in jobs:
            if period.is_before(job):
                break
            if period.has(job):
                failed.append(job)
    return failed


async def _flaky_ids(project: Project, failed: Sequence[Job], ref: str | None) -> set[int]:
    """Return the ids of the *failed* jobs that passed on retry.

    The listing of successful jobs shows those of all pipelines at once, but may be long. So it is
    left after as many pages as there are pipelines to ask: at most twice the cheaper way is paid.
    """
    search = RetrySearch(failed)
    rows_left = PER_PAGE * len(search.open_pipelines)
    if not rows_left:
        return set()
    async with aclosing(project.iter_jobs(scope="success", ref=ref)) as jobs:
        async for job in jobs:
            # A retry is newer than the job that it repeats.
            if job.id < failed[-1].id:
                return search.flaky_ids
            search.add(job)
            rows_left -= 1
            if not rows_left:
                break
        else:
            return search.flaky_ids
    for pipeline in search.open_pipelines:
        await _search_pipeline(project, pipeline, search)
    return search.flaky_ids


async def _search_pipeline(project: Project, pipeline: int, search: RetrySearch) -> None:
    rows = project.iter_pipeline_jobs(pipeline, scope="success", include_retried=True)
    # A pipeline that was deleted meanwhile has no retries to show.
    with suppress(NotFoundError):
        async with aclosing(rows) as jobs:
            async for job in jobs:
                search.add(job)
