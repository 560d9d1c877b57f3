"""Requests to /api/graphql: app/controllers/graphql_controller.rb, app/graphql/gitlab_schema.rb."""

import logging
from collections.abc import Sequence
from typing import Final

from attrs import evolve, frozen

from gitlab_jobs_async.simulator.api.answers import Answer, ApiError, json_answer
from gitlab_jobs_async.simulator.api.calls import Request
from gitlab_jobs_async.simulator.api.graphql.asked import Asked, asked_in
from gitlab_jobs_async.simulator.api.graphql.caller import caller_of
from gitlab_jobs_async.simulator.api.graphql.context import Context
from gitlab_jobs_async.simulator.api.graphql.execution import (
    Json,
    RefusedError,
    check_costs,
    execute,
    prepare,
)
from gitlab_jobs_async.simulator.api.graphql.failures import failure
from gitlab_jobs_async.simulator.api.graphql.schema import schema_of
from gitlab_jobs_async.simulator.records import User
from gitlab_jobs_async.simulator.settings import GraphqlSettings, SimulatorSettings
from gitlab_jobs_async.simulator.versions import release_of
from gitlab_jobs_async.simulator.world import World

_logger = logging.getLogger(__name__)
_LONGEST: Final = 10_000
_DEPTH: Final = 20
_ANONYMOUS_DEPTH: Final = 15
_COMPLEXITY: Final = 250
_ADMIN_COMPLEXITY: Final = 300
_ANONYMOUS_COMPLEXITY: Final = 200
_TIMED_OUT: Final = (
    "Request timed out. Please try a less complex query or a smaller set of records."
)


@frozen
class Endpoint:
    """GraphQL over a world."""

    world: World
    settings: SimulatorSettings
    graphql: GraphqlSettings
    origin: str

    def answer(self, request: Request, now: float, behind: float = 0.0) -> Answer:
        """Answer a request with the state *behind* seconds ago.

        Raises:
            ApiError: the request runs no query.
        """
        user = caller_of(self.world.registry, request, now)
        asked, is_batch = asked_in(request)
        # The limit is on the texts alone: variables do not count.
        if sum(len(one.text) for one in asked) > _LONGEST:
            raise failure(422, "Query too large")
        lag = max(behind, self.graphql.replica_lag)
        try:
            answers, elapsed = self._run(asked, self._context(user, now - lag, is_current=not lag))
        except Exception:
            _logger.exception("%s", request.path)
            raise failure(500, "Internal server error") from None
        if elapsed > self.graphql.time_limit and not self.graphql.partial:
            raise ApiError(evolve(failure(503, _TIMED_OUT).answer, delay=elapsed))
        return evolve(json_answer(answers if is_batch else answers[0]), delay=elapsed)

    def _context(self, user: User | None, now: float, *, is_current: bool) -> Context:
        limit = _ANONYMOUS_COMPLEXITY
        if user is not None:
            limit = _ADMIN_COMPLEXITY if user.admin else _COMPLEXITY
        if self.graphql.max_complexity is not None:
            limit = self.graphql.max_complexity
        return Context(
            self.world,
            self.settings,
            self.graphql,
            self.origin,
            now,
            user,
            limit,
            is_current,
            elapsed=self.graphql.seconds,
        )

    def _run(self, asked: Sequence[Asked], context: Context) -> tuple[list[Json], float]:
        """Run queries one after the other; return their answers and the seconds they take."""
        release = release_of(self.settings.version)
        schema = schema_of(self.settings.features.statuses, release)
        deepest = _DEPTH if context.user else _ANONYMOUS_DEPTH
        points = 0
        answers: list[Json] = []
        for one in asked:
            try:
                query = prepare(schema, one.text, one.variables, one.name)
                # The queries of a batch share one limit.
                points += query.costs.complexity
                check_costs(query, points=points, limit=context.limit, deepest=deepest)
            except RefusedError as refused:
                answers.append(refused.answer)
                continue
            context = evolve(
                context, score=query.costs.complexity, fingerprint=(one.text, one.name)
            )
            answers.append(execute(schema, query, context))
        return answers, context.elapsed
