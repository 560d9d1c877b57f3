"""Which pipelines are downstream of one: what to read next, and the tree it all makes in the end.

A pipeline is known by its id, which is its own on the whole server; each is read once, and in the
tree once, however many bridges lead to it. The tree does not depend on the order of the answers.
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
from gitlab_jobs_async.models.jobs import Bridge, Job, Pipeline
from gitlab_jobs_async.pipelines.tree import Downstream, PipelineTree

_UNREADABLE = (PermissionDeniedError, NotFoundError)
"""How a server refuses one project's pipelines; all else is trouble with the server as a whole."""


@frozen
class PipelineRead:
    """What was read of one pipeline."""

    pipeline: Pipeline
    jobs: list[Job]
    bridges: list[Bridge]


@frozen
class PipelineRef:
    """Where a pipeline is to be read: other projects' pipelines are found by that project only."""

    project: ProjectId
    pipeline_id: int


@define
class PipelineTraversal:
    """Everything downstream of the pipeline at *root*."""

    root: PipelineRef
    _met: set[int] = field(init=False, factory=set)
    _to_read: deque[PipelineRef] = field(init=False, factory=deque)
    _reads: dict[int, PipelineRead] = field(init=False, factory=dict)
    _refusals: dict[int, ResponseError] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self._meet(self.root)

    def next(self) -> PipelineRef | None:
        """A pipeline to be read, told once; `None` when there is none before another answer."""
        return self._to_read.popleft() if self._to_read else None

    def take(self, place: PipelineRef, read: PipelineRead) -> None:
        """Note what was *read* at *place*, and what that leads to."""
        self._reads[place.pipeline_id] = read
        for made in filter(None, (bridge.downstream_pipeline for bridge in read.bridges)):
            project = place.project if made.project_id is None else made.project_id
            self._meet(PipelineRef(project, made.id))

    def refused(self, place: PipelineRef, error: GitLabError) -> None:
        """Note that the server refuses what is downstream; any other error is raised again."""
        if place == self.root or not isinstance(error, _UNREADABLE):
            raise error
        self._refusals[place.pipeline_id] = error

    def _meet(self, place: PipelineRef) -> None:
        if place.pipeline_id not in self._met:
            self._met.add(place.pipeline_id)
            self._to_read.append(place)

    def tree(self) -> PipelineTree:
        """All that was read, once all has been; a pipeline stands as near to the root as it can."""
        order, bridge_above = [self.root.pipeline_id], {self.root.pipeline_id: 0}
        for number in order:
            for bridge in self._reads[number].bridges:
                made = bridge.downstream_pipeline
                if made is not None and made.id in self._reads and made.id not in bridge_above:
                    bridge_above[made.id] = bridge.id
                    order.append(made.id)
        trees: dict[int, PipelineTree] = {}
        for number in reversed(order):
            read = self._reads[number]
            trees[number] = PipelineTree(
                pipeline=read.pipeline,
                jobs=tuple(read.jobs),
                downstream=tuple(self._led(it, bridge_above, trees) for it in read.bridges),
            )
        return trees[self.root.pipeline_id]

    def _led(
        self, bridge: Bridge, bridge_above: dict[int, int], trees: dict[int, PipelineTree]
    ) -> Downstream:
        made = bridge.downstream_pipeline
        if made is None:
            return Downstream(bridge=bridge)
        if made.id in self._refusals:
            return Downstream(bridge=bridge, error=self._refusals[made.id])
        stands_here = bridge_above[made.id] == bridge.id
        return Downstream(bridge=bridge, tree=trees[made.id] if stands_here else None)
