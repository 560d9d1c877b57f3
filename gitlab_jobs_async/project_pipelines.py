"""Pipelines of one project; `Project` inherits all of it."""

from collections.abc import AsyncGenerator
from typing import Unpack

from attrs import field, frozen

from gitlab_jobs_async import models, pipelines
from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.api.endpoints import PipelineFilters
from gitlab_jobs_async.api.parameters import ProjectId, Scope, WaitUntil, not_empty, seconds
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.listing.fetch import (
    by_offset,
    by_rescan,
    iter_distinct,
    iter_rows,
    newest_first,
    read_all,
)
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import Pipeline, PipelineBasic
from gitlab_jobs_async.polling.policy import PollPolicy, poll_policy
from gitlab_jobs_async.polling.polls import Polls


@frozen(eq=False, repr=False)
class ProjectPipelines:
    """Pipelines of one project, their jobs and downstream pipelines.

    See https://docs.gitlab.com/api/pipelines/.
    """

    id: ProjectId
    _transport: Transport = field(repr=False)
    _capabilities: ServerCapabilities = field(repr=False)
    _polls: Polls = field(repr=False)

    async def list_pipelines(self, **filters: Unpack[PipelineFilters]) -> list[PipelineBasic]:
        """Return all pipelines that match *filters*, newest first by default.

        As exact as `list_pipeline_jobs`; in another order, pages are read until two scans agree.
        Child pipelines need `source="parent_pipeline"`.
        See https://docs.gitlab.com/api/pipelines/#list-project-pipelines.
        """
        request = endpoints.list_pipelines(self.id, filters)
        if endpoints.are_newest_first(filters):
            walk = by_offset(self._transport, request)
            return newest_first(await read_all(self._transport, walk, PipelineBasic))
        # In another order a row may move across pages without leaving a gap in the ids.
        return await read_all(self._transport, by_rescan(self._transport, request), PipelineBasic)

    def iter_pipelines(
        self, **filters: Unpack[PipelineFilters]
    ) -> AsyncGenerator[PipelineBasic, None]:
        """Iterate over the pipelines of `list_pipelines`, with one page in memory.

        In another order than the default, a pipeline that moves between pages may be missed.
        """
        request = endpoints.list_pipelines(self.id, filters)
        if endpoints.are_newest_first(filters):
            walk = by_offset(self._transport, request, in_order=True)
            return iter_rows(self._transport, walk, PipelineBasic)
        # Two equal scans would need all rows in memory.
        return iter_distinct(self._transport, request, PipelineBasic)

    async def get_pipeline(self, pipeline_id: int) -> Pipeline:
        """Return a pipeline; see https://docs.gitlab.com/api/pipelines/#get-a-single-pipeline."""
        request = endpoints.get_pipeline(self.id, pipeline_id)
        return await pipelines.read_pipeline(self._transport, request)

    async def get_latest_pipeline(
        self,
        ref: str | None = None,
        *,
        sha: str | None = None,
        merge_request: int | None = None,
    ) -> Pipeline:
        """Return the newest pipeline of a ref, a commit or a merge request.

        *ref* is a branch or tag; the pipeline belongs to its newest commit. Without arguments it is
        the default branch. *sha* may be abbreviated, and *merge_request* is the number after the
        exclamation mark (its `iid`). One request for a ref, else two; more for a merge request
        with more than 100 pipelines.
        See https://docs.gitlab.com/api/pipelines/#get-the-latest-pipeline.

        Raises:
            LookupFailedError: no pipeline matches.
            TypeError: more than one argument is given.
        """
        if sum(given is not None for given in (ref, sha, merge_request)) > 1:
            raise TypeError("only one of ref, sha and merge_request is allowed")
        if sha is not None:
            return await pipelines.latest_of_commit(self._transport, self.id, sha)
        if merge_request is not None:
            return await pipelines.latest_of_merge_request(self._transport, self.id, merge_request)
        return await pipelines.latest_of_ref(self._transport, self.id, ref)

    async def list_merge_request_pipelines(self, iid: int) -> list[PipelineBasic]:
        """Return all pipelines of a merge request, newest first.

        *iid* is the number after the exclamation mark. Pipelines of its branch are included.
        See https://docs.gitlab.com/api/merge_requests/#list-merge-request-pipelines.
        """
        request = endpoints.list_merge_request_pipelines(self.id, iid)
        walk = by_offset(self._transport, request)
        return newest_first(await read_all(self._transport, walk, PipelineBasic))

    async def find_job(self, pipeline_id: int, name: str) -> Job:
        """Return the latest attempt of the pipeline's job with this name.

        The name of a parallel or matrix job may be given without its number or values, "test" for
        "test 1/1", if that leaves one job. All jobs of the pipeline are read, a request for each
        hundred. Trigger jobs are in `list_bridges`.

        Raises:
            LookupFailedError: no job has this name, or several belong to it; `candidates` has
                names.
        """
        return pipelines.job_named(await self._jobs_for(pipeline_id, name), name)

    async def find_jobs(
        self, pipeline_id: int, name: str, *, include_retried: bool = False
    ) -> list[Job]:
        """Return the pipeline's jobs with this name, newest id first.

        If none has it, all jobs of the parallel or matrix job with this name: "test" is that of
        "test 1/3" and "test: [linux, 3.12]". With *include_retried* also their earlier attempts.
        """
        jobs = await self._jobs_for(pipeline_id, name, include_retried=include_retried)
        return pipelines.jobs_named(jobs, name)

    async def _jobs_for(
        self, pipeline_id: int, name: str, *, include_retried: bool = False
    ) -> list[Job]:
        not_empty("name", name)
        return await self.list_pipeline_jobs(pipeline_id, include_retried=include_retried)

    async def list_pipeline_jobs(
        self, pipeline_id: int, *, scope: Scope = (), include_retried: bool = False
    ) -> list[Job]:
        """Return all jobs of a pipeline, newest id first; retried ones with *include_retried*.

        As exact as `list_jobs`. See https://docs.gitlab.com/api/jobs/#list-pipeline-jobs.
        """
        request = endpoints.list_pipeline_jobs(
            self.id, pipeline_id, scope=scope, include_retried=include_retried
        )
        return await pipelines.read_jobs(self._transport, request)

    def iter_pipeline_jobs(
        self, pipeline_id: int, *, scope: Scope = (), include_retried: bool = False
    ) -> AsyncGenerator[Job, None]:
        """Iterate over the jobs of `list_pipeline_jobs`, with one page in memory."""
        request = endpoints.list_pipeline_jobs(
            self.id, pipeline_id, scope=scope, include_retried=include_retried
        )
        walk = by_offset(self._transport, request, in_order=True)
        return iter_rows(self._transport, walk, Job)

    async def list_bridges(self, pipeline_id: int, *, scope: Scope = ()) -> list[Bridge]:
        """Return all trigger jobs of a pipeline, with their downstream pipelines.

        See https://docs.gitlab.com/api/jobs/#list-pipeline-trigger-jobs.
        """
        request = endpoints.list_bridges(self.id, pipeline_id, scope=scope)
        return await pipelines.read_bridges(self._transport, request)

    async def walk_pipeline(
        self, pipeline_id: int, *, include_retried: bool = False
    ) -> "pipelines.PipelineTree":
        """Return a pipeline with its jobs, bridges and all downstream pipelines, across projects.

        Each pipeline is read once, cycles included. A downstream pipeline that is gone or forbidden
        is a `Downstream` with its error (403, 404). Pipelines of retried bridges are missing:
        GitLab does not list these bridges.
        See https://docs.gitlab.com/ci/pipelines/downstream_pipelines/.

        Raises:
            ResponseError: the root pipeline cannot be read, or any other error occurs.
        """
        root = pipelines.PipelineRef(self.id, pipeline_id)
        return await pipelines.read_tree(self._transport, root, include_retried=include_retried)

    async def list_timelines(
        self, pipeline_id: int, *, needs: bool = True
    ) -> "list[models.PipelineTimeline]":
        """Return the timelines of a pipeline and of all downstream pipelines, the root first.

        Each has the phases of all jobs and attempts, and the critical path. With *needs*, GraphQL
        is asked which job waits for which, one request for each 100 jobs. Otherwise, or if GraphQL
        is refused, a job is taken to wait for all earlier stages. Other requests are those of
        `walk_pipeline`.
        """
        root = pipelines.PipelineRef(self.id, pipeline_id)
        return await pipelines.read_timelines(self._transport, root, needs=needs)

    def follow_timelines(
        self,
        pipeline_id: int,
        *,
        needs: bool = True,
        refresh: float = 1.0,
        polling: PollPolicy | None = None,
    ) -> "AsyncGenerator[list[models.PipelineTimeline], None]":
        """Emit the timelines of `list_timelines` every *refresh* seconds, until all have ended.

        A pipeline that only a manual job can continue counts as ended. The pipelines are read once
        each `polling.interval`, their needs once; in between, what runs grows. Transient errors are
        tolerated for `polling.outage_timeout` seconds.
        """
        root = pipelines.PipelineRef(self.id, pipeline_id)
        policy = poll_policy(polling, self._polls.policy)
        return pipelines.follow_timelines(
            self._transport,
            self._polls,
            root,
            policy,
            needs=needs,
            refresh=seconds("refresh", refresh),
        )

    async def wait_for_pipeline(
        self,
        pipeline_id: int,
        *,
        until: WaitUntil = "finished",
        timeout: float | None = None,
        progress: "pipelines.PipelineProgress | None" = None,
        polling: PollPolicy | None = None,
    ) -> Pipeline:
        """Wait for the end of a pipeline and return it, also if it has failed.

        Its own status decides, which GitLab updates some time after its last job. A pipeline that
        is blocked on a manual job has the status "manual" and has not ended; *until* "blocked"
        returns it, too. *progress* is called with the pipeline and the list
        of its jobs, first as they are and then whenever a status has changed; it costs one request
        or more a poll. Pipelines of one project that are waited for at once share a listing. Other
        options are those of `wait_for_job`.
        """
        how = pipelines.WaitOptions(timeout, poll_policy(polling, self._polls.policy), until)
        return await pipelines.wait_for_pipeline(
            self._transport, self._polls, self.id, pipeline_id, how, progress
        )
