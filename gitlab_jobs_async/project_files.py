"""Logs of one project's jobs; `Project` inherits all of it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from attrs import frozen

from gitlab_jobs_async import logs, models
from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode
from gitlab_jobs_async.api.parameters import integer
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.clock import yield_to_loop
from gitlab_jobs_async.errors import ConnectionFailedError, LookupFailedError
from gitlab_jobs_async.http.body_limits import Bound
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.polling.policy import PollPolicy, poll_policy
from gitlab_jobs_async.project_pipeline_actions import ProjectPipelineActions

_FED_AT_ONCE: Final = 64 * 1024
"""Bytes of a log that are searched before other tasks of the loop run."""


@frozen(eq=False, repr=False)
class ProjectFiles(ProjectPipelineActions):
    """Logs of the jobs of one project."""

    # Traces: https://docs.gitlab.com/api/jobs/#get-a-log-file

    async def get_trace(self, job_id: int) -> bytes:
        """Return the bytes of a job's trace so far; empty without one.

        See https://docs.gitlab.com/api/jobs/#get-a-log-file.

        Raises:
            ResponseTooLargeError: the trace exceeds `Limits.trace`; use `stream_trace`.
        """
        request = endpoints.get_trace(self.id, job_id)
        return logs.check_trace(await self._transport.send(request, bound="trace")).body

    def stream_trace(self, job_id: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Stream a job's trace: `async with ... as chunks: async for chunk in chunks`.

        Raises:
            ConnectionFailedError: the body is truncated.
            TimedOutError: it arrives more slowly than `Limits.min_rate`.
        """
        return self._chunks(endpoints.get_trace(self.id, job_id), logs.check_trace, None)

    def follow_trace(
        self,
        job_id: int,
        *,
        offset: int = 0,
        polling: PollPolicy | None = None,
    ) -> "AsyncGenerator[models.TraceChunk, None]":
        """Emit the bytes from *offset* on as the runner uploads them, until the job has ended.

        Each byte is emitted once. An empty chunk at 0 means that the trace was erased or replaced,
        and starts again. While the budget has room, one request is sent every `polling.interval`
        seconds, for the log or the job's status, and the end of the job is reported within two
        intervals. *polling* is the client's policy by default. It also says for how long transient
        errors and web pages are tolerated.

        Raises:
            TraceInterruptedError: the outage lasted longer; resume at its `offset`.
            ResponseError: 401, 403 or 404, at once.
        """
        start = integer("offset", offset)
        return self._log(job_id, polling).chunks(start)

    def tail(
        self,
        job_id: int,
        *,
        lines: int | None = None,
        offset: int = 0,
        follow: bool = True,
        follow_retries: bool = False,
        polling: PollPolicy | None = None,
    ) -> "AsyncGenerator[models.LogLine, None]":
        """Emit the lines of a job's log until the job ends; without *follow*, the lines so far.

        *lines* limits the lines of the log so far to the last ones. The whole log is read, so that
        `number` and `section` are right. A `number` of 1 again means that the log was erased or
        replaced. *offset* is the byte at which a line ended (its `end`): lines before it are not
        read, `number` counts from there, and sections opened before are unknown.

        A line that ends with a carriage return, as on Windows and in progress bars, may still be
        overwritten: the newest is emitted with the next poll without new bytes. A progress bar is
        emitted in its last state. Of a log that has not grown for 70 s (`polling.max_interval`, at
        least 60 s, and two intervals), nothing is held back. Polls and errors are those of
        `follow_trace`; without *follow* errors are raised at once. `get_job` returns how the job
        ended.

        With *follow_retries*, the lines of the next attempt follow, with a `number` from 1. The
        attempts are those of `wait_for_job`. `GitLab.tail_jobs` also says which one a line is from.
        """
        last = None if lines is None else integer("lines", lines)
        start = integer("offset", offset)
        log = self._log(job_id, polling)
        if logs.check_follow_retries(follow_retries=follow_retries, follow=follow):
            return logs.lines_of_attempts(log, last=last, offset=start)
        return log.lines(last=last, follow=follow, offset=start)

    async def get_failure(self, job: int | Job, *, lines: int = 20) -> "models.JobFailure":
        """Return why a job failed: reason, exit code, failed section, its last lines, the error.

        *job* is its id, or a `Job`, which saves a request unless it came by GraphQL. *lines* limits
        the returned lines, together to 4 MiB. The log is read once, in constant memory, whatever
        its size.

        Raises:
            LookupFailedError: the job has not failed.
            ConnectionFailedError: the log was truncated twice.
        """
        count = integer("lines", lines)
        failed = job
        # A monitor's job that came by GraphQL lacks its reason.
        if not isinstance(failed, Job) or failed.is_partial:
            job_id = failed.id if isinstance(failed, Job) else failed
            answer = await self._transport.send(endpoints.get_job(self.id, job_id))
            failed = decode(answer, Job, log_ignored_value)
        if failed.status != JobStatus.FAILED:
            raise LookupFailedError(f"job {failed.id} has not failed: it is {failed.status}")
        try:
            found = await self._read_failure(failed.id, count)
        except ConnectionFailedError:
            # The transport does not retry a stream whose bytes were taken.
            found = await self._read_failure(failed.id, count)
        return models.JobFailure(
            job=failed,
            reason=failed.failure_reason,
            message=found.message,
            exit_code=found.exit_code,
            section=found.section,
            lines=found.lines,
            error=found.error,
        )

    async def _read_failure(self, job_id: int, lines: int) -> "logs.LogFailure":
        reader = logs.FailureReader(lines)
        async with self.stream_trace(job_id) as chunks:
            async for chunk in chunks:
                for start in range(0, len(chunk), _FED_AT_ONCE):
                    reader.feed(chunk[start : start + _FED_AT_ONCE])
                    # Pieces of a compressed log come without a wait between them.
                    await yield_to_loop()
        return reader.close()

    def _log(self, job_id: int, polling: PollPolicy | None) -> "logs.JobLog":
        # Checks the id now: a generator would do it only when it is iterated.
        endpoints.get_trace(self.id, job_id)
        options = logs.FollowOptions(poll_policy(polling, self._polls.policy))
        return logs.JobLog(
            self._transport, self._capabilities, self.id, job_id, self._polls, options
        )

    @asynccontextmanager
    async def _chunks(
        self, request: Request, check: Callable[[Response], object], bound: Bound | None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with self._transport.stream(request, bound=bound) as (head, chunks):
            # Before any byte: a sign-in page also has status 200.
            check(head)
            yield chunks
