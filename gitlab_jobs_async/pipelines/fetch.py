"""Fetch a pipeline, its jobs and everything downstream, concurrently."""

from collections.abc import Coroutine
from typing import Any

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.concurrency import gather_all, task_pool
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.listing.fetch import by_offset, newest_first, read_all
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.pipelines.traversal import PipelineContents, PipelineRef, PipelineTraversal
from gitlab_jobs_async.pipelines.tree import PipelineTree
from gitlab_jobs_async.ratelimit.fair_queue import Priority


async def read_jobs(
    transport: Transport, request: Request, priority: Priority = Priority.LISTING
) -> list[Job]:
    """Return the jobs of a pipeline, newest id first."""
    # GitLab has no keyset pagination for the jobs of a pipeline.
    return newest_first(await read_all(transport, by_offset(transport, request), Job, priority))


async def read_bridges(transport: Transport, request: Request) -> list[Bridge]:
    """Return the trigger jobs of a pipeline, newest id first."""
    return newest_first(await read_all(transport, by_offset(transport, request), Bridge))


async def read_pipeline(
    transport: Transport, request: Request, priority: Priority = Priority.DIRECT
) -> Pipeline:
    """Return the pipeline as it is now."""
    return decode(await transport.send(request, priority), Pipeline, log_ignored_value)


async def read_tree(
    transport: Transport, root: PipelineRef, *, include_retried: bool = False
) -> PipelineTree:
    """Return the whole pipeline tree, at most `concurrency` requests at a time."""
    traversal = PipelineTraversal(root)
    async with task_pool() as tasks:
        while True:
            while len(tasks) < transport.concurrency and (ref := traversal.next_pipeline()):
                tasks.start(ref, _fetch(transport, ref, include_retried=include_retried))
            if not len(tasks):
                return traversal.tree()
            ref, task = await tasks.next_done()
            try:
                contents = task.result()
            except GitLabError as error:
                # A refused project must not hide the rest of the tree.
                traversal.on_error(ref, error)
            else:
                traversal.on_contents(ref, contents)


async def _fetch(
    transport: Transport, ref: PipelineRef, *, include_retried: bool
) -> PipelineContents:
    """Fetch one pipeline by three requests, or more if it has over a page of jobs."""
    project, pipeline_id = ref.project, ref.pipeline_id
    jobs = endpoints.list_pipeline_jobs(project, pipeline_id, include_retried=include_retried)
    calls: list[Coroutine[Any, Any, Any]] = [
        read_pipeline(transport, endpoints.get_pipeline(project, pipeline_id)),
        read_jobs(transport, jobs),
        read_bridges(transport, endpoints.list_bridges(project, pipeline_id)),
    ]
    return PipelineContents(*await gather_all(calls))
