"""Logs followed as one stream of lines, and where each of them stopped.

The tasks that read side by side are owned by the block that they are read in, and end with it.
One job's failure is not the others' end.
"""

import asyncio
import shlex
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager

from attrs import define, field, frozen

from gitlab_jobs_async.cli.errors import FAILED, OK, line_of
from gitlab_jobs_async.cli.terminal import (
    break_line,
    complain,
    stdout_bytes,
    while_somebody_reads,
)
from gitlab_jobs_async.concurrency import Merged, gathered, merged
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.models.jobs import LogLine
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.project import Project

Lines = AsyncGenerator[LogLine, None]


@frozen
class JobLine:
    """A line of one job's log, or why there will be no more; neither where the log has ended."""

    job_id: int
    line: LogLine | None = None
    error: GitLabError | None = None


@define
class Following:
    """Some jobs of one project, which the caller calls *name*, until their logs have ended.

    *reached* has where to go on with each job's log, `None` where nothing of it was written.
    Whatever ends the writing early, Ctrl-C or an error, how to go on is said, with *options*.
    """

    project: Project
    name: str
    options: Sequence[str]
    reached: dict[int, int | None]
    code_so_far: int = OK
    _ended: set[int] = field(factory=set, init=False)

    async def write_lines(
        self, sources: Mapping[int, Lines], show: Callable[[int, LogLine], None]
    ) -> None:
        """Show the lines of *sources*, which are by job, as they come."""
        try:
            async with while_somebody_reads(), followed(sources) as items:
                async for item in items:
                    if item.line is not None:
                        show(item.job_id, item.line)
                        self.reached[item.job_id] = item.line.end
                    else:
                        self._end(item)
        except (asyncio.CancelledError, GitLabError) as end:
            self._say_how_to_go_on(end)
            raise

    async def write_bytes(self, *, follow: bool) -> None:
        """The bytes of the one job's log."""
        ((job_id, offset),) = self.reached.items()
        with stdout_bytes() as out:
            if not follow:
                async with self.project.stream_trace(job_id) as pieces:
                    async for piece in pieces:
                        out.write(piece)
                return
            try:
                chunks = self.project.follow_trace(job_id, offset=offset or 0)
                async with while_somebody_reads(), aclosing(chunks):
                    async for chunk in chunks:
                        if chunk.offset < (self.reached[job_id] or 0):
                            complain(f"the log of job {job_id} was replaced; it begins anew")
                        out.write(chunk.data)
                        out.flush()
                        self.reached[job_id] = chunk.end
            except (asyncio.CancelledError, GitLabError) as end:
                self._say_how_to_go_on(end)
                raise

    async def code(self) -> int:
        """The exit code, once all logs have ended; it is said which jobs failed."""
        jobs = await gathered([self.project.get_job(job_id) for job_id in self.reached])
        for job in jobs:
            if job.status in {JobStatus.FAILED, JobStatus.CANCELED}:
                reason = f" ({job.failure_reason})" if job.failure_reason else ""
                complain(f"job {job.id} {job.status}{reason}")
                self.code_so_far = FAILED
        return self.code_so_far

    def _end(self, item: JobLine) -> None:
        if item.error is not None and len(self.reached) == 1:
            raise item.error
        if item.error is not None:
            complain(f"job {item.job_id}: {line_of(item.error)}")
            self._hint(item.job_id)
            self.code_so_far = FAILED
        self._ended.add(item.job_id)

    def _say_how_to_go_on(self, end: BaseException) -> None:
        if isinstance(end, asyncio.CancelledError):
            break_line()
        for job_id in self.reached:
            if job_id not in self._ended:
                self._hint(job_id)

    def _hint(self, job_id: int) -> None:
        offset = self.reached[job_id]
        if offset is not None:
            rest = [self.name, str(job_id), "--offset", str(offset), *self.options]
            complain(f"to go on: {shlex.join(['gitlab-jobs', 'tail', *rest])}")


@asynccontextmanager
async def followed(sources: Mapping[int, Lines]) -> AsyncIterator[AsyncIterator[JobLine]]:
    """The lines of the logs of *sources*, which are by job, in the order in which they come.

    Nothing is read ahead but one line of each. What is no `GitLabError` ends them all.
    """
    async with merged() as together:
        for job_id, lines in sources.items():
            together.add(job_id, _labelled(job_id, lines))
        async with aclosing(_items(together)) as items:
            yield items


async def _items(together: Merged[int, JobLine]) -> AsyncGenerator[JobLine, None]:
    async for _, item in together:
        yield item


async def lines_from(project: Project, job_id: int, offset: int, *, is_counted: bool) -> Lines:
    """The lines of a log from a byte on, until the job has ended.

    To count them, and to know the sections that are open there, what stands before is read too.
    """
    if not is_counted:
        async with aclosing(project.tail(job_id, offset=offset)) as lines:
            async for line in lines:
                yield line
        return
    if await _size(project, job_id) < offset:
        offset = 0  # the log was replaced by a shorter one
    count = 0
    async with aclosing(project.tail(job_id)) as lines:
        async for line in lines:
            if line.number <= count:
                offset = 0
            count = line.number
            if line.end > offset:
                yield line


async def _size(project: Project, job_id: int) -> int:
    async with project.stream_trace(job_id) as pieces:
        return sum([len(piece) async for piece in pieces])


async def _labelled(job_id: int, lines: Lines) -> AsyncGenerator[JobLine, None]:
    try:
        async with aclosing(lines):
            async for line in lines:
                yield JobLine(job_id, line)
    except GitLabError as error:
        yield JobLine(job_id, error=error)
    else:
        yield JobLine(job_id)
