"""Fetch pipelines with their needs, and build their timelines."""

from collections.abc import Iterable

from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.errors import (
    DecodeError,
    GraphQLError,
    ResponseError,
    ResponseTooLargeError,
)
from gitlab_jobs_async.http.graphql import query_graphql
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.timelines import PipelineTimeline
from gitlab_jobs_async.pipelines.fetch import read_tree
from gitlab_jobs_async.pipelines.needs import (
    NEEDS_QUERY,
    JobNeeds,
    Needs,
    needs_in,
    needs_variables,
)
from gitlab_jobs_async.pipelines.timeline import timelines_of
from gitlab_jobs_async.pipelines.traversal import PipelineRef

# ValueError: a job token, which GraphQL does not accept.
_REFUSALS = (GraphQLError, ResponseError, DecodeError, ResponseTooLargeError, ValueError)
_MOST_PAGES = 100


async def read_timelines(
    transport: Transport, root: PipelineRef, *, needs: bool
) -> list[PipelineTimeline]:
    """Return the timelines of a pipeline and of all below it, as they are now."""
    tree = await read_tree(transport, root, include_retried=True)
    read_at = transport.clock.now()
    found = await read_needs(transport, [one.pipeline for one in tree.walk()]) if needs else {}
    return timelines_of(tree, found, read_at, read_at)


async def read_needs(transport: Transport, pipelines: Iterable[Pipeline]) -> dict[int, Needs]:
    """Return the needs of pipelines by their ids; empty ones if the server does not tell them."""
    asked = list(pipelines)
    needs = await gather_all([_needs_of(transport, pipeline) for pipeline in asked])
    return {pipeline.id: found for pipeline, found in zip(asked, needs, strict=True)}


async def _needs_of(transport: Transport, pipeline: Pipeline) -> Needs:
    found: dict[str, JobNeeds] = {}
    if not pipeline.project_id or not pipeline.iid:
        return found
    cursor = None
    for _ in range(_MOST_PAGES):
        variables = needs_variables(pipeline.project_id, pipeline.iid, cursor)
        try:
            data = await query_graphql(transport, NEEDS_QUERY, variables, None)
        except _REFUSALS:
            # Half of the needs would show wrong paths.
            return {}
        page, cursor = needs_in(data)
        found |= page
        if cursor is None:
            break
    return found
