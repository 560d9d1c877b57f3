"""Traverse the graph of downstream pipelines: which one to fetch next, and the resulting tree.

Pipeline ids are unique on a server. Each pipeline is fetched once and is in the tree once, even if
several bridges lead to it. The tree does not depend on the order of the responses.
"""

from collections import deque

from attrs import define, field, frozen

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.errors import (
    GitLabError,
    NotFoundError,
    PermissionDeniedError,
    ResponseError,
)
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.pipelines.tree import Downstream, PipelineTree

_UNREADABLE = (PermissionDeniedError, NotFoundError)
"""Refusals that concern one project; other errors concern the whole server."""


@frozen
class PipelineContents:
    """A pipeline, its jobs and its bridges."""

    pipeline: Pipeline
    jobs: list[Job]
    bridges: list[Bridge]


@frozen
class PipelineRef:
    """A pipeline by *project* and id: the API finds it only below its project."""

    project: ProjectId
    pipeline_id: int


@define(eq=False, repr=False)
class PipelineTraversal:
    """The pipelines downstream of *root*, as far as they were fetched."""

    root: PipelineRef
    _seen: set[int] = field(init=False, factory=set)
    _queue: deque[PipelineRef] = field(init=False, factory=deque)
    _contents: dict[int, PipelineContents] = field(init=False, factory=dict)
    _refusals: dict[int, ResponseError] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self._enqueue(self.root)

    def next_pipeline(self) -> PipelineRef | None:
        """Pop the next pipeline to fetch; `None` if more responses are needed first."""
        return self._queue.popleft() if self._queue else None

    def on_contents(self, ref: PipelineRef, contents: PipelineContents) -> None:
        """Record the *contents* of a pipeline, and enqueue its downstream pipelines."""
        self._contents[ref.pipeline_id] = contents
        for below in filter(None, (bridge.downstream_pipeline for bridge in contents.bridges)):
            # GitLab finds a pipeline only below its project, so a missing id has to be guessed.
            project = below.project_id or ref.project
            self._enqueue(PipelineRef(project, below.id))

    def on_error(self, ref: PipelineRef, error: GitLabError) -> None:
        """Record that the server refuses a downstream pipeline; raise any other *error*."""
        # Without the root nothing could be returned; other errors concern every pipeline.
        if ref == self.root or not isinstance(error, _UNREADABLE):
            raise error
        self._refusals[ref.pipeline_id] = error

    def _enqueue(self, ref: PipelineRef) -> None:
        if ref.pipeline_id not in self._seen:
            self._seen.add(ref.pipeline_id)
            self._queue.append(ref)

    def tree(self) -> PipelineTree:
        """Return the tree once all is fetched; each pipeline is as near to the root as possible."""
        order, bridge_above = [self.root.pipeline_id], {self.root.pipeline_id: 0}
        for pipeline_id in order:
            for bridge in self._contents[pipeline_id].bridges:
                below = bridge.downstream_pipeline
                if below is None or below.id not in self._contents or below.id in bridge_above:
                    continue
                bridge_above[below.id] = bridge.id
                order.append(below.id)
        # Built from the leaves up, without recursion: a chain may be thousands of pipelines long.
        trees: dict[int, PipelineTree] = {}
        for pipeline_id in reversed(order):
            contents = self._contents[pipeline_id]
            trees[pipeline_id] = PipelineTree(
                pipeline=contents.pipeline,
                jobs=tuple(contents.jobs),
                downstream=tuple(
                    self._downstream(bridge, bridge_above, trees) for bridge in contents.bridges
                ),
            )
        return trees[self.root.pipeline_id]

    def _downstream(
        self, bridge: Bridge, bridge_above: dict[int, int], trees: dict[int, PipelineTree]
    ) -> Downstream:
        below = bridge.downstream_pipeline
        if below is None:
            return Downstream(bridge=bridge)
        if below.id in self._refusals:
            return Downstream(bridge=bridge, error=self._refusals[below.id])
        is_here = bridge_above[below.id] == bridge.id
        return Downstream(bridge=bridge, tree=trees[below.id] if is_here else None)
