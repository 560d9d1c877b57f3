"""Fetch pipelines with their needs, and build their timelines."""

from attrs import define, field

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
from gitlab_jobs_async.pipelines.tree import PipelineTree

# ValueError: a job token, which GraphQL does not accept.
_REFUSALS = (GraphQLError, ResponseError, DecodeError, ResponseTooLargeError, ValueError)
_MOST_PAGES = 100


@define(eq=False, repr=False)
class TimelineReader:
    """Reads a pipeline with all below it; its needs are asked for once, since they never change."""

    transport: Transport
    root: PipelineRef
    asks_for_needs: bool = True
    tree: PipelineTree | None = None
    read_at: float = 0.0
    _needs: dict[int, Needs] = field(factory=dict[int, Needs])

    async def read(self) -> None:
        """Read the pipelines as they are now."""
        tree = await read_tree(self.transport, self.root, include_retried=True)
        read_at = self.transport.clock.now()
        if self.asks_for_needs:
            new = [one.pipeline for one in tree.walk() if one.pipeline.id not in self._needs]
            needs = await gather_all([_needs_of(self.transport, pipeline) for pipeline in new])
            for pipeline, found in zip(new, needs, strict=True):
                self._needs[pipeline.id] = found
        self.tree, self.read_at = tree, read_at

    def timelines(self) -> list[PipelineTimeline]:
        """Return the timelines up to the present, of what was read last; empty before that."""
        if self.tree is None:
            return []
        return timelines_of(self.tree, self._needs, self.read_at, self.transport.clock.now())


async def read_timelines(
    transport: Transport, root: PipelineRef, *, needs: bool
) -> list[PipelineTimeline]:
    """Return the timelines of a pipeline and of all below it, as they are now."""
    reader = TimelineReader(transport, root, needs)
    await reader.read()
    return reader.timelines()


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
