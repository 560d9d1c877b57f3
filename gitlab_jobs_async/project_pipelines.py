"""What a `Project` does with pipelines: https://docs.gitlab.com/api/pipelines/.

It has no state of its own; users know `Project` alone, which has all of this.
"""

from collections.abc import AsyncGenerator
from typing import Unpack

from attrs import field, frozen

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.api.endpoints import PipelineFilters
from gitlab_jobs_async.api.parameters import ProjectId, Scope
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.intervals import PollIntervals
from gitlab_jobs_async.listing.fetch import (
    by_offset,
    by_rescan,
    iter_distinct,
    iter_rows,
    newest_first,
    read_all,
)
from gitlab_jobs_async.models.jobs import Bridge, Job, Pipeline
from gitlab_jobs_async.pipelines.fetch import read_bridges, read_jobs, read_pipeline, read_tree
from gitlab_jobs_async.pipelines.traversal import PipelineRef
from gitlab_jobs_async.pipelines.tree import PipelineTree
from gitlab_jobs_async.pipelines.wait import PipelineProgress, WaitOptions, wait_for_pipeline


@frozen
class ProjectPipelines:
    """The pipelines of one project, their jobs and what is downstream of them."""

    id: ProjectId
    _transport: Transport = field(repr=False)
    _capabilities: ServerCapabilities = field(repr=False)

    async def list_pipelines(self, **filters: Unpack[PipelineFilters]) -> list[Pipeline]:
        """All pipelines that the filters let through, newest first unless they say otherwise.

        As exact as `list_pipeline_jobs`; in an order of your own, pages are read until two looks at
        all of them are the same. Child pipelines are among them only with
        `source="parent_pipeline"`. See https://docs.gitlab.com/api/pipelines/#list-project-pipelines.
        """
        request = endpoints.list_pipelines(self.id, filters)
        if endpoints.are_newest_first(filters):
            walk = by_offset(self._transport, request)
            return newest_first(await read_all(self._transport, walk, Pipeline))
        return await read_all(self._transport, by_rescan(self._transport, request), Pipeline)

    def iter_pipelines(self, **filters: Unpack[PipelineFilters]) -> AsyncGenerator[Pipeline, None]:
        """What `list_pipelines` gives, one after another, with one page in memory.

        In an order of your own, a pipeline that changes its place meanwhile may be missed.
        """
        request = endpoints.list_pipelines(self.id, filters)
        if endpoints.are_newest_first(filters):
            walk = by_offset(self._transport, request, in_order=True)
            return iter_rows(self._transport, walk, Pipeline)
        return iter_distinct(self._transport, request, Pipeline)

    async def get_pipeline(self, pipeline_id: int) -> Pipeline:
        """One pipeline as it is now; see https://docs.gitlab.com/api/pipelines/#get-a-single-pipeline."""
        request = endpoints.get_pipeline(self.id, pipeline_id)
        return await read_pipeline(self._transport, request)

    async def list_pipeline_jobs(
        self, pipeline_id: int, *, scope: Scope = (), include_retried: bool = False
    ) -> list[Job]:
        """All jobs of a pipeline, newest id first; retried ones only if asked for.

        Pages overlap and are fetched side by side, so that it is as exact as `list_jobs`. See
        https://docs.gitlab.com/api/jobs/#list-pipeline-jobs.
        """
        request = endpoints.list_pipeline_jobs(
            self.id, pipeline_id, scope=scope, include_retried=include_retried
        )
        return await read_jobs(self._transport, request)

    def iter_pipeline_jobs(
        self, pipeline_id: int, *, scope: Scope = (), include_retried: bool = False
    ) -> AsyncGenerator[Job, None]:
        """What `list_pipeline_jobs` gives, one after another, with one page in memory."""
        request = endpoints.list_pipeline_jobs(
            self.id, pipeline_id, scope=scope, include_retried=include_retried
        )
        walk = by_offset(self._transport, request, in_order=True)
        return iter_rows(self._transport, walk, Job)

    async def list_bridges(self, pipeline_id: int, *, scope: Scope = ()) -> list[Bridge]:
        """All trigger jobs of a pipeline, each with its downstream pipeline once it has one.

        See https://docs.gitlab.com/api/jobs/#list-pipeline-trigger-jobs.
        """
        request = endpoints.list_bridges(self.id, pipeline_id, scope=scope)
        return await read_bridges(self._transport, request)

    async def walk_pipeline(
        self, pipeline_id: int, *, include_retried: bool = False
    ) -> PipelineTree:
        """A pipeline with its jobs and bridges and all that is downstream, in other projects, too.

        Pipelines are read side by side, each once; a loop of them ends. What may not be read, or
        is gone, is in the tree as a `Downstream` with its error (403, 404); for the pipeline asked
        for that is raised, and so is any other error, wherever it happens. The pipelines that
        retried bridges had made are not among them: GitLab's listing leaves those bridges out.
        See https://docs.gitlab.com/ci/pipelines/downstream_pipelines/.
        """
        root = PipelineRef(self.id, pipeline_id)
        return await read_tree(self._transport, root, include_retried=include_retried)

    async def wait_for_pipeline(
        self,
        pipeline_id: int,
        *,
        timeout: float | None = None,
        progress: PipelineProgress | None = None,
        min_interval: float = 2.0,
        max_interval: float = 30.0,
        outage_timeout: float = 300.0,
    ) -> Pipeline:
        """The pipeline once it has ended, well or not: `pipeline.status` says how.

        Its own status decides, which GitLab brings up to date some time after its last job ended;
        one that waits for a manual job is waited for. *progress* is called with the pipeline and
        the list of its jobs as they are first seen and when the status of any of them has changed;
        without it a look is one request, with it two or more. All else is as with `wait_for_job`.
        """
        how = WaitOptions(timeout, PollIntervals(min_interval, max_interval), outage_timeout)
        return await wait_for_pipeline(self._transport, self.id, pipeline_id, how, progress)
