"""Everything about one project: an id and the way to its server, and no state beside.

What GitLab has under pipelines is in `project_pipelines`.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from attrs import frozen

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode, decode_job_or_bridge
from gitlab_jobs_async.api.parameters import Inputs, Scope, whole_number
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response, check_archive, check_deletion, check_whole
from gitlab_jobs_async.http.body_limits import Bound
from gitlab_jobs_async.intervals import PollIntervals
from gitlab_jobs_async.listing.fetch import (
    by_keyset,
    filter_ref,
    filter_ref_async,
    iter_rows,
    iter_unordered,
    newest_first,
    read_all,
)
from gitlab_jobs_async.logs.follow import JobLog
from gitlab_jobs_async.logs.follower import FollowOptions
from gitlab_jobs_async.logs.trace_cursor import check_trace
from gitlab_jobs_async.models.jobs import ArtifactEntry, Bridge, Job, LogLine, TraceChunk
from gitlab_jobs_async.pipelines.wait import JobProgress, WaitOptions, wait_for_job
from gitlab_jobs_async.project_pipelines import ProjectPipelines


@frozen
class Project(ProjectPipelines):
    """One project of a `GitLab`, made by `GitLab.project`; `id` is as it was given.

    Ids come first, everything after them is named. `scope` is one status or several, as
    `JobStatus` or string; without one, all jobs.

    Raises:
        ValueError, TypeError: from every method, before any request, for input that cannot be
            right; the message names it and what is allowed.
        GitLabError: from every method, for what goes wrong then: `ResponseError` (such as
            `NotFoundError`) with the server's words, `ConnectionFailedError`, `DecodeError`.
    """

    # Jobs: https://docs.gitlab.com/api/jobs/

    async def list_jobs(self, *, scope: Scope = (), ref: str | None = None) -> list[Job]:
        """All jobs, newest id first; trigger jobs are not among them, see `list_bridges`.

        Pages are fetched side by side; whatever was there and matched during the whole call is in
        the list, once, however many jobs are created, deleted or changed meanwhile. With *scope*
        "failed" the attempts that were retried since are among them. *ref* is a branch or tag; a
        server before 19 sends the jobs of all refs, and the others are left out here. See
        https://docs.gitlab.com/api/jobs/#list-project-jobs.
        """
        request = endpoints.list_jobs(self.id, scope=scope, ref=ref)
        jobs = await read_all(
            self._transport, by_keyset(self._transport, self._capabilities, request), Job
        )
        return newest_first(filter_ref(jobs, ref))

    def iter_jobs(self, *, scope: Scope = (), ref: str | None = None) -> AsyncGenerator[Job, None]:
        """What `list_jobs` gives, one after another by keyset, with one page in memory."""
        request = endpoints.list_jobs(self.id, scope=scope, ref=ref)
        rows = iter_rows(
            self._transport,
            by_keyset(self._transport, self._capabilities, request, in_order=True),
            Job,
        )
        return rows if ref is None else filter_ref_async(rows, ref)

    async def get_job(self, job_id: int) -> Job:
        """One job as it is now; see https://docs.gitlab.com/api/jobs/#get-a-single-job."""
        return await self._job(endpoints.get_job(self.id, job_id))

    async def cancel_job(self, job_id: int, *, force: bool = False) -> Job:
        """Cancel a job; what comes back may still be `canceling`, or finished and unchanged.

        *force* ends a job that hangs in `canceling`; it needs a maintainer and a server of 18.x.
        See https://docs.gitlab.com/api/jobs/#cancel-a-job.
        """
        return await self._job(endpoints.cancel_job(self.id, job_id, force=force))

    async def retry_job(self, job_id: int, *, inputs: Inputs | None = None) -> Job:
        """Run a job, or a trigger job, again: what comes back is a new job with a new id.

        A job that was retried before is a `PermissionDeniedError`, an input that the job does not
        have a `BadRequestError`. See https://docs.gitlab.com/api/jobs/#retry-a-job.
        """
        return await self._job(endpoints.retry_job(self.id, job_id, inputs=inputs))

    async def erase_job(self, job_id: int) -> Job:
        """Remove a finished job's log and artifacts.

        A job that has neither is a `PermissionDeniedError`. See https://docs.gitlab.com/api/jobs/#erase-a-job.
        """
        return await self._job(endpoints.erase_job(self.id, job_id))

    async def play_job(
        self,
        job_id: int,
        *,
        variables: Mapping[str, str] | None = None,
        inputs: Inputs | None = None,
    ) -> Job | Bridge:
        """Start a manual or delayed job, with *variables* or *inputs* of its own.

        A trigger job comes back as a `Bridge`; a job that had run before, as a new one with a new
        id; a job that cannot be played is a `BadRequestError`. See https://docs.gitlab.com/api/jobs/#run-a-job.
        """
        request = endpoints.play_job(self.id, job_id, variables=variables, inputs=inputs)
        return decode_job_or_bridge(await self._transport.send(request), log_ignored_value)

    async def wait_for_job(
        self,
        job_id: int,
        *,
        timeout: float | None = None,
        progress: JobProgress | None = None,
        min_interval: float = 2.0,
        max_interval: float = 30.0,
        outage_timeout: float = 300.0,
    ) -> Job:
        """The job once it has ended, well or not: `job.status` says how.

        A `manual` or `scheduled` job is waited for, too; after *timeout* seconds a
        `WaitTimedOutError` (a `TimeoutError`, too) has it as it was `last` seen. Whatever ends the
        waiting does nothing to the job. *progress* is called, and awaited if it is a coroutine
        function, with the job as it is first seen and at each change of its status.

        A look is one request; they come from *min_interval* to *max_interval* seconds apart, soon
        after a change and the later the longer there was none. Transient errors are retried for
        *outage_timeout* seconds as with `follow_trace`, then raised. A retry, also GitLab's own, is
        another job: `list_pipeline_jobs(job.pipeline.id)` has the latest one of that name.
        """
        how = WaitOptions(timeout, PollIntervals(min_interval, max_interval), outage_timeout)
        return await wait_for_job(self._transport, self.id, job_id, how, progress)

    # Traces: https://docs.gitlab.com/api/jobs/#get-a-log-file

    async def get_trace(self, job_id: int) -> bytes:
        """All bytes of a job's trace that are there now; empty if there are none.

        More than `Limits.trace` is a `ResponseTooLargeError`; `stream_trace` takes any size. See https://docs.gitlab.com/api/jobs/#get-a-log-file.
        """
        request = endpoints.get_trace(self.id, job_id)
        return check_trace(await self._transport.send(request, bound="trace")).body

    def stream_trace(self, job_id: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The same in constant memory: `async with … as chunks: async for chunk in chunks`.

        A body that is cut short raises `ConnectionFailedError`, one slower than `Limits.min_rate`
        `TimedOutError`; it never just ends.
        """
        return self._chunks(endpoints.get_trace(self.id, job_id), check_trace, None)

    def follow_trace(
        self,
        job_id: int,
        *,
        offset: int = 0,
        min_interval: float = 3.0,
        max_interval: float = 60.0,
        outage_timeout: float = 300.0,
    ) -> AsyncGenerator[TraceChunk, None]:
        """The bytes from *offset* on as the runner uploads them, until the job has ended.

        It learns how often that is and asks when the next upload is due, from *min_interval* to
        *max_interval* seconds after it last asked: no byte lies there for longer. Each is told
        once. An empty chunk at 0 says that the trace was erased or replaced, and begins anew.

        Lost connections, time-outs, 429, 5xx and web pages are waited through for *outage_timeout*
        seconds (0: not at all, `math.inf`: for ever), then a `TraceInterruptedError` says where to
        go on: its `offset`. Refusals such as 401, 403 and 404 are raised at once.
        """
        start = whole_number("offset", offset)
        return self._log(job_id, min_interval, max_interval, outage_timeout).chunks(start)

    def tail(
        self,
        job_id: int,
        *,
        lines: int | None = None,
        offset: int = 0,
        follow: bool = True,
        min_interval: float = 3.0,
        max_interval: float = 60.0,
        outage_timeout: float = 300.0,
    ) -> AsyncGenerator[LogLine, None]:
        """The lines of a job's log until the job has ended, or those there now if not *follow*.

        With *lines*, of those that are there at first only the last so many; the others are read
        all the same, though not kept, so that each line's `number` and `section` are its own. A
        `number` that begins again at 1 says that the log was erased or replaced.

        With *offset*, begin at this byte, at which a line ended (its `end`): what stands before is
        not read, so that `number` counts from there and sections begun before are not known.

        A line that ends with a carriage return, as all do on Windows and in terminals, may be one
        that is still written to: the newest of them comes with the next poll that brings nothing.
        Of a progress bar the last state is told. The rest is as with `follow_trace`, but without
        *follow* no *outage_timeout*; how the job ended, `get_job` says.
        """
        last = None if lines is None else whole_number("lines", lines)
        start = whole_number("offset", offset)
        log = self._log(job_id, min_interval, max_interval, outage_timeout)
        return log.lines(last=last, follow=follow, offset=start)

    def _log(
        self, job_id: int, min_interval: float, max_interval: float, outage_timeout: float
    ) -> JobLog:
        endpoints.get_trace(self.id, job_id)
        options = FollowOptions(PollIntervals(min_interval, max_interval), outage_timeout)
        return JobLog(self._transport, self._capabilities, self.id, job_id, options)

    # Artifacts: https://docs.gitlab.com/api/job_artifacts/

    def stream_artifacts(self, job_id: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The archive's bytes: `async with … as chunks: async for chunk in chunks`.

        Where they are stored elsewhere, they are fetched from there without the credentials. They
        are bounded by `Limits.archive` if that is given, and by `Limits.min_rate`. See
        https://docs.gitlab.com/api/job_artifacts/#download-job-artifacts-by-job-id.
        """
        return self._chunks(endpoints.get_artifacts(self.id, job_id), check_archive, "archive")

    async def get_artifact_file(self, job_id: int, path: str) -> bytes:
        """One file out of the archive, such as "coverage/index.html", as bytes.

        It is bounded by `Limits.archive`, or without one by `Limits.trace`. See https://docs.gitlab.com/api/job_artifacts/#download-a-single-artifact-file-by-job-id.
        """
        request = endpoints.get_artifact_file(self.id, job_id, path)
        return check_whole(await self._transport.send(request, bound="archive"), "a file").body

    async def list_artifacts(
        self, job_id: int, *, path: str = "", recursive: bool = False
    ) -> list[ArtifactEntry]:
        """What the archive holds directly below *path*, or *recursive*; with a server of 19.x.

        Follows lib/api/ci/job_artifacts.rb.
        """
        request = endpoints.list_artifacts(self.id, job_id, path=path, recursive=recursive)
        rows = iter_unordered(self._transport, request, ArtifactEntry)
        return [entry async for entry in rows]

    async def keep_artifacts(self, job_id: int) -> Job:
        """Keep the artifacts from expiring; see https://docs.gitlab.com/api/job_artifacts/#keep-job-artifacts."""
        return await self._job(endpoints.keep_artifacts(self.id, job_id))

    async def delete_artifacts(self, job_id: int) -> None:
        """Delete the artifacts; the log stays. See https://docs.gitlab.com/api/job_artifacts/#delete-job-artifacts."""
        check_deletion(await self._transport.send(endpoints.delete_artifacts(self.id, job_id)))

    async def _job(self, request: Request) -> Job:
        return decode(await self._transport.send(request), Job, log_ignored_value)

    @asynccontextmanager
    async def _chunks(
        self, request: Request, check: Callable[[Response], object], bound: Bound | None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with self._transport.stream(request, bound=bound) as (head, chunks):
            check(head)
            yield chunks
