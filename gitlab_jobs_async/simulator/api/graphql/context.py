"""Context of one query: caller, time, cost, and the errors that a resolver raises."""

from attrs import define, field
from graphql import GraphQLError

from gitlab_jobs_async.simulator.records import User
from gitlab_jobs_async.simulator.settings import GraphqlSettings, SimulatorSettings
from gitlab_jobs_async.simulator.world import World


class ArgumentError(GraphQLError):
    """An invalid argument: Gitlab::Graphql::Errors::ArgumentError."""


class LimitError(GraphQLError):
    """A field that was requested too often: Gitlab::Graphql::Errors::LimitError."""


@define
class Context:
    """State of one query. `elapsed`: seconds that it has taken so far."""

    world: World
    settings: SimulatorSettings
    graphql: GraphqlSettings
    origin: str
    now: float
    user: User | None
    limit: int
    score: int = 0
    elapsed: float = 0.0
    calls: dict[str, int] = field(factory=dict[str, int])

    @property
    def is_late(self) -> bool:
        """Whether the time limit has passed, after which no field is resolved."""
        return self.elapsed > self.graphql.time_limit

    def count_call(self, field_name: str, owner: str) -> None:
        """Count a field that resolves for one object a query; raise for the second one.

        Follows lib/gitlab/graphql/limit/field_call_count.rb.
        """
        self.calls[field_name] = self.calls.get(field_name, 0) + 1
        if self.calls[field_name] > 1:
            raise LimitError(
                f'"{field_name}" field can be requested only for 1 {owner}(s) at a time.'
            )
