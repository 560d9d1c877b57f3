"""The logs of many jobs as one stream, in which one job's failure is told and is no other's end."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Self

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.api.parameters import ProjectId, job_path
from gitlab_jobs_async.concurrency import Merged
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.logs.follow import FollowOptions, JobTrace
from gitlab_jobs_async.logs.items import TailedItem, TailedLine, TailEnded, TailFailed
from gitlab_jobs_async.logs.poll_queue import LogPollQueue, NotBefore, Paced, log_poll_queue
from gitlab_jobs_async.models.jobs import JobBasic

JobKey = tuple[ProjectId, int]
TailTarget = JobKey | JobBasic


class JobLines:
    """The items of many logs as they come, in turn: iterate over it, once at a time.

    The iteration ends when every job here has ended; after an `add` it can be begun again.
    """

    def __init__(
        self,
        begin: Callable[[ProjectId, int], Paced[TailedItem]],
        together: Merged[JobKey, TailedItem],
        turns: LogPollQueue[JobKey, TailedItem],
    ) -> None:
        self._begin = begin
        self._together = together
        self._turns = turns

    def add(self, project: ProjectId, job_id: int) -> None:
        """Follow this job's log too; nothing happens if it is followed already."""
        job_path(project, job_id)
        key = (project, job_id)
        if key not in self._turns:
            self._turns.add(key, partial(self._begin, project, job_id))

    def remove(self, project: ProjectId, job_id: int) -> bool:
        """Follow this job's log no longer, and tell nothing more of it; whether it was here."""
        return self._turns.remove((project, job_id))

    def __len__(self) -> int:
        return len(self._turns)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TailedItem:
        _, item = await anext(self._together)
        return item


@asynccontextmanager
async def tailed(
    transport: Transport,
    capabilities: ServerCapabilities,
    keys: Iterable[JobKey],
    *,
    last: int | None,
    how: FollowOptions,
) -> AsyncIterator[JobLines]:
    """The logs of the jobs *keys*: at most as many have a turn at once as requests may be made.

    The others wait for theirs, without a task, and whoever was due first comes first.
    """

    def begin(project: ProjectId, job_id: int) -> Paced[TailedItem]:
        return _items(JobTrace(transport, capabilities, project, job_id, how), last)

    async with log_poll_queue(transport.clock, transport.concurrency) as (together, turns):
        lines = JobLines(begin, together, turns)
        for project, job_id in keys:
            lines.add(project, job_id)
        yield lines


def job_keys(jobs: Iterable[TailTarget]) -> list[JobKey]:
    """Project and id of each of *jobs*.

    Raises:
        TypeError, ValueError: one of them is neither a pair of both nor a job that says both.
    """
    if isinstance(jobs, str | bytes | JobBasic) or not isinstance(jobs, Iterable):
        raise TypeError(f"jobs must be several jobs, or pairs of project and job id, not {jobs!r}")
    return [_job_key(job) for job in jobs]


def _job_key(job: object) -> JobKey:
    if isinstance(job, JobBasic):
        if job.project_id is None:
            raise ValueError(f"job {job.id} does not say its project; give (project, {job.id})")
        return job.project_id, job.id
    if not isinstance(job, tuple) or len(job) != 2:
        raise TypeError(f"{job!r} is no job; allowed are a Job and a pair (project, job_id)")
    project, job_id = job
    job_path(project, job_id)
    return project, job_id


async def _items(trace: JobTrace, last: int | None) -> Paced[TailedItem]:
    project, job_id = trace.project, trace.job_id
    try:
        async with aclosing(trace.paced_lines(last=last, follow=True)) as lines:
            async for line in lines:
                if isinstance(line, NotBefore):
                    yield line
                else:
                    yield TailedLine(project, job_id, line)
    except GitLabError as error:
        failure = error
    else:
        yield TailEnded(project, job_id)
        return
    yield TailFailed(project, job_id, failure)
