"""Context of one query: caller, time, cost, and the errors that a resolver raises."""

from typing import TypeVar

from attrs import define, field
from graphql import GraphQLError

from gitlab_jobs_async.simulator.api import permissions
from gitlab_jobs_async.simulator.records import Job, Pipeline, Project, User
from gitlab_jobs_async.simulator.settings import GraphqlSettings, SimulatorSettings
from gitlab_jobs_async.simulator.world import World

RowT = TypeVar("RowT", Job, Pipeline)


class ArgumentError(GraphQLError):
    """An invalid argument: Gitlab::Graphql::Errors::ArgumentError."""


class LimitError(GraphQLError):
    """A field that was requested too often: Gitlab::Graphql::Errors::LimitError."""


@define
class Context:
    """State of one query.

    Attributes:
        now: Unix seconds of what the answer states.
        is_current: whether that is the present, and not the past of a replica.
        limit: the limit of complexity.
        score: the complexity of the query.
        elapsed: seconds that it has taken so far.
        fingerprint: text and name of the query.
        calls: number of calls of limited fields, by fingerprint and name.
    """

    world: World
    settings: SimulatorSettings
    graphql: GraphqlSettings
    origin: str
    now: float
    user: User | None
    limit: int
    is_current: bool = True
    score: int = 0
    elapsed: float = 0.0
    fingerprint: tuple[str, str | None] = ("", None)
    calls: dict[object, int] = field(factory=dict[object, int])

    @property
    def is_late(self) -> bool:
        """Whether the time limit has passed, after which no field is resolved."""
        return self.elapsed > self.graphql.time_limit

    def pipelines_of(self, project: Project) -> list[Pipeline]:
        """Return the project's pipelines."""
        if self.is_current:
            return project.pipelines
        return [self.seen(row) for row in project.pipelines if self.knows(row)]

    def jobs_of(self, pipeline: Pipeline) -> list[Job]:
        """Return the jobs and bridges of the pipeline."""
        if self.is_current:
            return pipeline.jobs
        return [self.seen(row) for row in pipeline.jobs if self.knows(row)]

    def knows(self, row: Job | Pipeline) -> bool:
        """Return whether a row exists at the time that the answer states."""
        return self.is_current or row.created_at <= self.now

    def readable(self, pipeline: Pipeline | None) -> Pipeline | None:
        """Return a linked pipeline; None if the caller may not read it, or it came later."""
        if pipeline is None or not self.knows(pipeline):
            return None
        project = pipeline.project
        is_visible = permissions.may_see(project, self.user)
        is_allowed = is_visible and permissions.may_read_builds(project, self.user)
        return self.seen(pipeline) if is_allowed else None

    def seen(self, row: RowT) -> RowT:
        """Return a row, in the state that the answer states."""
        return row if self.is_current else self.world.registry.history.seen(row, self.now)

    def count_call(self, field_name: str, owner: str) -> None:
        """Count a field that resolves for one object a query; raise for the second one.

        Queries of one text share the count within a batch, whatever their variables:
        lib/gitlab/graphql/limit/field_call_count.rb.
        """
        key = (self.fingerprint, field_name)
        self.calls[key] = self.calls.get(key, 0) + 1
        if self.calls[key] > 1:
            raise LimitError(
                f'"{field_name}" field can be requested only for 1 {owner}(s) at a time.'
            )
