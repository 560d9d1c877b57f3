"""What is read of a pipeline, and of everything downstream of it, side by side."""

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
from gitlab_jobs_async.models.jobs import Bridge, Job, Pipeline
from gitlab_jobs_async.pipelines.traversal import PipelineRead, PipelineRef, PipelineTraversal
from gitlab_jobs_async.pipelines.tree import PipelineTree
from gitlab_jobs_async.ratelimit.fair_queue import Priority


async def read_jobs(
    transport: Transport, request: Request, priority: Priority = Priority.LISTING
) -> list[Job]:
    """The jobs of a pipeline, newest id first."""
    return newest_first(await read_all(transport, by_offset(transport, request), Job, priority))


async def read_bridges(transport: Transport, request: Request) -> list[Bridge]:
    """The trigger jobs of a pipeline, newest id first."""
    return newest_first(await read_all(transport, by_offset(transport, request), Bridge))


async def read_pipeline(
    transport: Transport, request: Request, priority: Priority = Priority.DIRECT
) -> Pipeline:
    """The pipeline as it is now."""
    return decode(await transport.send(request, priority), Pipeline, log_ignored_value)


async def read_tree(
    transport: Transport, root: PipelineRef, *, include_retried: bool = False
) -> PipelineTree:
    """The pipeline at *root* with everything downstream; so many are read at once as requests."""
    hierarchy = PipelineTraversal(root)
    async with task_pool() as flight:
        while True:
            while len(flight) < transport.concurrency and (place := hierarchy.next()):
                flight.start(place, _read(transport, place, include_retried=include_retried))
            if not len(flight):
                return hierarchy.tree()
            place, task = await flight.next_done()
            try:
                read = task.result()
            except GitLabError as error:
                hierarchy.refused(place, error)
            else:
                hierarchy.take(place, read)


async def _read(transport: Transport, place: PipelineRef, *, include_retried: bool) -> PipelineRead:
    """One pipeline in three requests, or a few more if it has more than a page of jobs."""
    project, number = place.project, place.pipeline_id
    jobs = endpoints.list_pipeline_jobs(project, number, include_retried=include_retried)
    calls: list[Coroutine[Any, Any, Any]] = [
        read_pipeline(transport, endpoints.get_pipeline(project, number)),
        read_jobs(transport, jobs),
        read_bridges(transport, endpoints.list_bridges(project, number)),
    ]
    return PipelineRead(*await gather_all(calls))
