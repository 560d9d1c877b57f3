"""Write the logs of jobs as they grow, and say how to resume where the writing stopped."""

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from contextlib import aclosing

from attrs import define, field

from gitlab_jobs_async.cli.closed_pipe import until_reader_closes
from gitlab_jobs_async.cli.errors import FAILED, OK, error_line, exit_code_of
from gitlab_jobs_async.cli.tail.printer import LogPrinter
from gitlab_jobs_async.cli.terminal import (
    break_line,
    print_error,
    stdout_bytes,
)
from gitlab_jobs_async.cli.views.job_labels import ShownJob
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.logs.items import TailedLine, TailEnded, TailFailed
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.logs import LogLine
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.project import Project


@define
class _Resumption:
    """Filter of the lines after byte *offset* of a log that is read from its beginning."""

    offset: int
    _number: int = 0

    def is_new(self, line: LogLine) -> bool:
        if line.number <= self._number:
            self.offset = 0  # the log was replaced
        self._number = line.number
        return line.end > self.offset


@define
class LogWriter:
    """Writes the logs of *jobs* of one project, which the user calls *name*.

    *resume_at* is the byte after the last written one, by job id; `None` before any was written.
    *ended* are further jobs, whose logs are not written: only their results count. Ctrl-C and
    errors print the command that resumes, with *options*.
    """

    gitlab: GitLab
    project: Project
    name: str
    jobs: Sequence[Job]
    options: Sequence[str]
    resume_at: dict[int, int | None]
    ended: Mapping[int, Job] = field(factory=dict[int, Job])
    code_so_far: int = OK
    _ended: dict[int, Job | None] = field(init=False)
    _attempts: dict[int, Job] = field(init=False)
    _retried: set[int] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self._ended = {**self.ended}
        self._attempts = {job.id: job for job in self.jobs}

    async def write_lines(
        self, printer: LogPrinter, *, last: int | None, follow_retries: bool = False
    ) -> None:
        """Print each line; of the existing ones that *printer* prints, only the *last*.

        With *follow_retries*, the lines of each next attempt follow.
        """
        offsets = {job_id: offset or 0 for job_id, offset in self.resume_at.items()}
        resumptions = {job_id: _Resumption(0) for job_id in offsets}
        if printer.is_json or printer.view.needs_all_lines:
            # Line numbers and sections depend on all earlier lines: these are read, but not shown.
            for job_id in filter(offsets.get, offsets):
                # A log shorter than the offset has replaced the earlier one.
                if await self._size(job_id) >= offsets[job_id]:
                    resumptions[job_id].offset = offsets[job_id]
                offsets[job_id] = 0
        # A job without a pipeline does not know its project.
        targets = {
            (job.project_id or self.project.id, job.id): job if job.project_id else None
            for job in self.jobs
        }
        tail = self.gitlab.tail_jobs(
            [job or key for key, job in targets.items()],
            lines=last,
            matching=None if last is None else printer.prints,
            offsets={key: offsets[key[1]] for key in targets},
            follow_retries=follow_retries,
        )
        try:
            async with until_reader_closes(), tail as items:
                async for item in items:
                    if item.job_id not in self.resume_at:
                        await self._join(item.job_id, printer)
                        resumptions[item.job_id] = _Resumption(0)
                    if not isinstance(item, TailedLine):
                        self._end(item)
                    elif resumptions[item.job_id].is_new(item.line):
                        printer.show(item)
                        self.resume_at[item.job_id] = item.line.end
        except (asyncio.CancelledError, GitLabError) as end:
            self._print_hints(end)
            raise

    async def write_bytes(self, *, follow: bool) -> None:
        """Write the bytes of the one job's log to stdout."""
        ((job_id, offset),) = self.resume_at.items()
        with stdout_bytes() as out:
            if not follow:
                async with self.project.stream_trace(job_id) as pieces:
                    async for piece in pieces:
                        out.write(piece)
                return
            try:
                chunks = self.project.follow_trace(job_id, offset=offset or 0)
                async with until_reader_closes(), aclosing(chunks):
                    async for chunk in chunks:
                        if chunk.offset < (self.resume_at[job_id] or 0):
                            print_error(f"log of job {job_id} was replaced: starting over")
                        out.write(chunk.data)
                        # The reader of a pipe waits for these bytes.
                        out.flush()
                        self.resume_at[job_id] = chunk.end
            except (asyncio.CancelledError, GitLabError) as end:
                self._print_hints(end)
                raise

    async def exit_code(self) -> int:
        """Return the exit code once all logs have ended, and name the jobs that failed."""
        # A log does not reliably say how its job ended.
        last = [job_id for job_id in self.resume_at if job_id not in self._retried]
        for job in await gather_all([self._finished(job_id) for job_id in last]):
            if job.status in {JobStatus.FAILED, JobStatus.CANCELED}:
                reason = f" ({job.failure_reason})" if job.failure_reason else ""
                print_error(f"job {job.id} {job.status}{reason}")
                self.code_so_far = FAILED
        return self.code_so_far

    async def _join(self, job_id: int, printer: LogPrinter) -> None:
        """Add the next attempt of a job, whose own result no longer counts."""
        job = await self.project.get_job(job_id)
        before = [
            each.id
            for each in self._attempts.values()
            if (each.name, each.pipeline.id) == (job.name, job.pipeline.id)
        ]
        self._retried.update(before)
        self._attempts[job_id] = job
        self.resume_at[job_id] = None
        print_error(f"job {max(before, default=0)} {job.name} runs again as job {job_id}")
        printer.add(ShownJob.of(self.name, job), job, is_labelled=len(self.jobs) > 1)

    async def _finished(self, job_id: int) -> Job:
        job = self._ended.get(job_id)
        return job if job and job.status.is_finished else await self.project.get_job(job_id)

    async def _size(self, job_id: int) -> int:
        async with self.project.stream_trace(job_id) as pieces:
            return sum([len(piece) async for piece in pieces])

    def _end(self, item: TailEnded | TailFailed) -> None:
        if isinstance(item, TailFailed):
            # The only log: its failure is that of the command.
            if len(self.resume_at) == 1:
                raise item.error
            print_error(f"job {item.job_id}: {error_line(item.error)}")
            self._print_hint(item.job_id)
            self.code_so_far = exit_code_of(item.error)
            self._ended[item.job_id] = None
        else:
            self._ended[item.job_id] = item.job

    def _print_hints(self, end: BaseException) -> None:
        if isinstance(end, asyncio.CancelledError):
            break_line()
        for job_id in self.resume_at:
            if job_id not in self._ended:
                self._print_hint(job_id)

    def _print_hint(self, job_id: int) -> None:
        offset = self.resume_at[job_id]
        if offset is not None:
            rest = [self.name, str(job_id), "--offset", str(offset), *self.options]
            print_error(f"to resume: {shlex.join(['gitlab-jobs', 'tail', *rest])}")
