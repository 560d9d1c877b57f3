"""Merge the logs of many jobs; one failure is reported and does not stop the others."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Self

from attrs import frozen

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.api.parameters import ProjectId, integer, job_path
from gitlab_jobs_async.concurrency import Merged
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.logs.attempts import attempt_lines
from gitlab_jobs_async.logs.follow import JobLog, LogEnded
from gitlab_jobs_async.logs.follower import FollowOptions
from gitlab_jobs_async.logs.items import TailedItem, TailedLine, TailEnded, TailFailed
from gitlab_jobs_async.logs.poll_queue import LogPollQueue, NotBefore, PollSource, log_poll_queue
from gitlab_jobs_async.models.jobs import Job, JobBasic
from gitlab_jobs_async.models.logs import LogLine
from gitlab_jobs_async.polling.polls import Polls

JobKey = tuple[ProjectId, int]
TailTarget = JobKey | JobBasic


Matching = Callable[[TailedLine], bool]


@frozen
class LogStart:
    """The byte at which a log begins, and its job if it is *known* from elsewhere.

    Of the existing lines, only the *last* are emitted.
    """

    offset: int = 0
    known: Job | None = None
    last: int | None = None


async def tail_items(
    log: JobLog,
    *,
    last: int | None = None,
    offset: int = 0,
    follow: bool = True,
    follow_retries: bool = False,
    matching: Matching | None = None,
) -> PollSource[TailedItem]:
    """Emit the lines of one log, and then how it ended: a `TailEnded` or a `TailFailed`.

    With *follow_retries*, those of the next attempts follow. Only *matching* lines are emitted.
    """
    # Emitted outside the handler: an item that is held keeps no traceback of this frame alive.
    end: TailedItem | None = None
    project, job_id, path = log.project, log.job_id, _project_path(log)
    is_new = False

    def tailed(line: LogLine) -> TailedLine:
        return TailedLine(project, job_id, line, project_path=path, is_new=is_new)

    wanted = None if matching is None else lambda line: matching(tailed(line))
    lines: PollSource[LogLine | LogEnded | Job]
    if follow and follow_retries:
        lines = attempt_lines(log, last=last, offset=offset, matching=wanted)
    else:
        lines = log.scheduled_lines(last=last, follow=follow, offset=offset, matching=wanted)
    try:
        async with aclosing(lines):
            async for line in lines:
                if isinstance(line, NotBefore):
                    is_new = True
                    yield line
                elif isinstance(line, Job):
                    if end is not None:
                        yield end
                    end, job_id = None, line.id
                elif isinstance(line, LogEnded):
                    end = TailEnded(project, job_id, line.job, project_path=path)
                else:
                    yield tailed(line)
    except GitLabError as error:
        end = TailFailed(project, job_id, error, project_path=path)
    if end is not None:
        yield end


def _project_path(log: JobLog) -> str | None:
    path = None if log.known is None else log.known.project_path
    return path or (log.project if isinstance(log.project, str) else None)


class JobLines:
    """Items of many logs, as they come and fairly interleaved: an asynchronous iterator.

    The iteration ends when every log has ended. After another `add` it can be resumed.
    """

    def __init__(
        self,
        open_log: Callable[[ProjectId, int, LogStart], PollSource[TailedItem]],
        items: Merged[JobKey, TailedItem],
        queue: LogPollQueue[JobKey, TailedItem],
    ) -> None:
        self._open_log = open_log
        self._items = items
        self._queue = queue

    def add(
        self, project: ProjectId, job_id: int, *, offset: int = 0, lines: int | None = None
    ) -> None:
        """Follow this job's log, too, from byte *offset* on; ignore a job that is followed.

        Of the lines that exist at first, only the last *lines* are emitted; all by default,
        whatever the argument of `tail_jobs`.

        Raises:
            TypeError, ValueError: an argument is invalid.
            RuntimeError: the block of `tail_jobs` was left.
        """
        job_path(project, job_id)
        integer("offset", offset)
        last = None if lines is None else integer("lines", lines)
        key = (project, job_id)
        if key not in self._queue:
            start = LogStart(offset, last=last)
            self._queue.add(key, partial(self._open_log, project, job_id, start))

    def remove(self, project: ProjectId, job_id: int) -> bool:
        """Stop following this job's log, emit no more of it; return whether it was followed."""
        return self._queue.remove((project, job_id))

    def __len__(self) -> int:
        """Return the number of logs that have not ended."""
        return len(self._queue)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TailedItem:
        _, item = await anext(self._items)
        return item


@asynccontextmanager
async def tail_logs(
    transport: Transport,
    capabilities: ServerCapabilities,
    polls: Polls,
    jobs: Mapping[JobKey, LogStart],
    *,
    follow: bool,
    follow_retries: bool,
    options: FollowOptions,
    matching: Matching | None = None,
) -> AsyncIterator[JobLines]:
    """Open the logs of *jobs*, each from its start on; poll at most `concurrency` at once."""

    def open_log(project: ProjectId, job_id: int, start: LogStart) -> PollSource[TailedItem]:
        log = JobLog(transport, capabilities, project, job_id, polls, options, start.known)
        return tail_items(
            log,
            last=start.last,
            offset=start.offset,
            follow=follow,
            follow_retries=follow_retries,
            matching=matching,
        )

    async with log_poll_queue(transport.clock, transport.concurrency) as (items, queue):
        lines = JobLines(open_log, items, queue)
        for key, start in jobs.items():
            queue.add(key, partial(open_log, *key, start))
        yield lines


def log_starts(
    jobs: Iterable[TailTarget], offsets: Mapping[JobKey, int], last: int | None
) -> dict[JobKey, LogStart]:
    """Return project and id of each of *jobs*, with the start of its log.

    Raises:
        TypeError, ValueError: a job or an offset is invalid, or an offset belongs to no job.
    """
    if isinstance(jobs, str | bytes | JobBasic) or not isinstance(jobs, Iterable):
        raise TypeError(f"invalid jobs {jobs!r}: expected several Jobs or (project, job_id) pairs")
    keys = {_job_key(job): job if isinstance(job, Job) else None for job in jobs}
    for key, offset in offsets.items():
        integer(f"offsets[{key!r}]", offset)
        if key not in keys:
            raise ValueError(f"invalid offsets: {key!r} is not among the jobs")
    return {key: LogStart(offsets.get(key, 0), job, last) for key, job in keys.items()}


def _job_key(job: object) -> JobKey:
    if isinstance(job, JobBasic):
        if not job.project_id:
            raise ValueError(f"job {job.id} has no project_id: expected (project, {job.id})")
        return job.project_id, job.id
    if not isinstance(job, tuple) or len(job) != 2:
        raise TypeError(f"invalid job {job!r}: expected a Job or a pair (project, job_id)")
    project, job_id = job
    job_path(project, job_id)
    return project, job_id
