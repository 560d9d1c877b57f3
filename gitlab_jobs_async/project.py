"""One project: its jobs, and by inheritance its logs, artifacts and pipelines."""

from collections.abc import AsyncGenerator, Mapping

from attrs import frozen

from gitlab_jobs_async import pipelines
from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode, decode_job_or_bridge
from gitlab_jobs_async.api.parameters import Inputs, Scope
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import check_deletion
from gitlab_jobs_async.http.calls import report_calls
from gitlab_jobs_async.listing.fetch import (
    by_keyset,
    filter_ref,
    filter_ref_async,
    iter_rows,
    newest_first,
    read_all,
)
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.polling.policy import PollPolicy, poll_policy
from gitlab_jobs_async.project_artifacts import ProjectArtifacts


@report_calls
@frozen
class Project(ProjectArtifacts):
    """A project of a `GitLab`, returned by `GitLab.project`; `id` is unchanged.

    Ids are positional, all other arguments keyword-only. `scope` is a status or several, as
    `JobStatus` or string; the default is all jobs.

    Raises:
        ValueError, TypeError: from every method, before any request, for an invalid argument.
        GitLabError: from every method: `ResponseError` (such as `NotFoundError`) with the server's
            message, `ConnectionFailedError`, `DecodeError`.
    """

    # Jobs: https://docs.gitlab.com/api/jobs/

    async def list_jobs(self, *, scope: Scope = (), ref: str | None = None) -> list[Job]:
        """Return all jobs, newest id first, without trigger jobs (see `list_bridges`).

        Every job that existed and matched during the whole call is returned exactly once, even if
        others are created, deleted or changed. With *scope* "failed", retried attempts are
        included. *ref* is a branch or tag.
        See https://docs.gitlab.com/api/jobs/#list-project-jobs.
        """
        request = endpoints.list_jobs(self.id, scope=scope, ref=ref)
        jobs = await read_all(
            self._transport, by_keyset(self._transport, self._capabilities, request), Job
        )
        # Servers before GitLab 19 ignore *ref*.
        return newest_first(filter_ref(jobs, ref))

    def iter_jobs(self, *, scope: Scope = (), ref: str | None = None) -> AsyncGenerator[Job, None]:
        """Iterate over the jobs of `list_jobs`, with one page in memory."""
        request = endpoints.list_jobs(self.id, scope=scope, ref=ref)
        rows = iter_rows(
            self._transport,
            by_keyset(self._transport, self._capabilities, request, in_order=True),
            Job,
        )
        return rows if ref is None else filter_ref_async(rows, ref)

    async def get_job(self, job_id: int) -> Job:
        """Return a job; see https://docs.gitlab.com/api/jobs/#get-a-single-job."""
        return await self._job(endpoints.get_job(self.id, job_id))

    async def cancel_job(self, job_id: int, *, force: bool = False) -> Job:
        """Cancel a job; the returned job may still be `canceling`, or finished and unchanged.

        *force* ends a job that hangs in `canceling`; it needs a maintainer and GitLab 18.
        See https://docs.gitlab.com/api/jobs/#cancel-a-job.
        """
        return await self._job(endpoints.cancel_job(self.id, job_id, force=force))

    async def retry_job(self, job_id: int, *, inputs: Inputs | None = None) -> Job:
        """Retry a job or a trigger job; the returned job is new, with a new id.

        See https://docs.gitlab.com/api/jobs/#retry-a-job.

        Raises:
            PermissionDeniedError: the job was retried before.
            BadRequestError: the job does not have one of *inputs*.
        """
        return await self._job(endpoints.retry_job(self.id, job_id, inputs=inputs))

    async def erase_job(self, job_id: int) -> Job:
        """Erase the log and artifacts of a finished job.

        See https://docs.gitlab.com/api/jobs/#erase-a-job.

        Raises:
            PermissionDeniedError: the job has neither.
        """
        return await self._job(endpoints.erase_job(self.id, job_id))

    async def play_job(
        self,
        job_id: int,
        *,
        variables: Mapping[str, str] | None = None,
        inputs: Inputs | None = None,
    ) -> Job | Bridge:
        """Start a manual or delayed job, with its own *variables* or *inputs*.

        Returns a `Bridge` for a trigger job, and a new job with a new id if the job ran before.
        See https://docs.gitlab.com/api/jobs/#run-a-job.

        Raises:
            BadRequestError: the job cannot be played.
        """
        request = endpoints.play_job(self.id, job_id, variables=variables, inputs=inputs)
        return decode_job_or_bridge(await self._transport.send(request), log_ignored_value)

    async def wait_for_job(
        self,
        job_id: int,
        *,
        timeout: float | None = None,
        progress: "pipelines.JobProgress | None" = None,
        follow_retries: bool = False,
        polling: PollPolicy | None = None,
    ) -> Job:
        """Wait for the end of a job and return it, also if it has failed.

        A `manual` or `scheduled` job has not ended. *progress* is called with the first state of
        the job and at each change of its status; a coroutine function is awaited. *polling* is
        how often it is polled, and for how long transient errors are tolerated; the client's policy
        by default. Jobs of one project that are polled at once share a listing.

        A retry, also GitLab's own, is another job. With *follow_retries*, the next attempt is
        waited for, too, and the last one returned. At each end the pipeline's jobs are listed. A
        failed job is the last attempt if it has no next one 4 seconds later, at the next poll.

        Raises:
            WaitTimedOutError: *timeout* seconds have passed; `last` is the job as last seen. It is
                a `TimeoutError`, too. The job itself is not changed.
        """
        how = pipelines.WaitOptions(
            timeout, poll_policy(polling, self._polls.policy), follow_retries=follow_retries
        )
        return await pipelines.wait_for_job(
            self._transport, self._polls, self.id, job_id, how, progress
        )

    # Artifacts: https://docs.gitlab.com/api/job_artifacts/

    async def keep_artifacts(self, job_id: int) -> Job:
        """Keep the artifacts from expiring; see https://docs.gitlab.com/api/job_artifacts/#keep-job-artifacts."""
        return await self._job(endpoints.keep_artifacts(self.id, job_id))

    async def delete_artifacts(self, job_id: int) -> None:
        """Delete the artifacts; the log stays. See https://docs.gitlab.com/api/job_artifacts/#delete-job-artifacts."""
        check_deletion(await self._transport.send(endpoints.delete_artifacts(self.id, job_id)))

    async def _job(self, request: Request) -> Job:
        return decode(await self._transport.send(request), Job, log_ignored_value)
