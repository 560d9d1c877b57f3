"""POST and GET of /api/graphql: app/controllers/graphql_controller.rb."""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from attrs import evolve, frozen

from gitlab_jobs_async.simulator.api.answers import Answer, ApiError, json_answer
from gitlab_jobs_async.simulator.api.calls import Request
from gitlab_jobs_async.simulator.api.graphql.context import Context
from gitlab_jobs_async.simulator.api.graphql.execution import (
    Json,
    RefusedError,
    check_costs,
    execute,
    prepare,
)
from gitlab_jobs_async.simulator.api.graphql.schema import schema_of
from gitlab_jobs_async.simulator.api.parameters import parsed_body
from gitlab_jobs_async.simulator.records import User
from gitlab_jobs_async.simulator.settings import GraphqlSettings, SimulatorSettings
from gitlab_jobs_async.simulator.world import World

_LONGEST: Final = 10_000
_DEPTH: Final = 20
_ANONYMOUS_DEPTH: Final = 15
_COMPLEXITY: Final = 250
_ADMIN_COMPLEXITY: Final = 300
_ANONYMOUS_COMPLEXITY: Final = 200
_TIMED_OUT: Final = (
    "Request timed out. Please try a less complex query or a smaller set of records."
)
_TOKEN_PARAMETERS: Final = ("private_token", "access_token", "job_token", "token")
_TOKEN_HEADERS: Final = ("private-token", "job-token", "deploy-token", "authorization")


@frozen
class Asked:
    """A query as it came: text, variables, name of the operation."""

    text: str
    variables: Mapping[str, object]
    name: str | None


@frozen
class Endpoint:
    """GraphQL over a world."""

    world: World
    settings: SimulatorSettings
    graphql: GraphqlSettings
    origin: str

    def answer(self, request: Request, now: float) -> Answer:
        """Answer a request; raise `ApiError` for one that runs no query."""
        user = self._user(request, now)
        asked, is_batch = _asked(request)
        # Characters of the text alone: variables do not count.
        if sum(len(one.text) for one in asked) > _LONGEST:
            raise failure(422, "Query too large")
        answers, elapsed = self._run(asked, user, now)
        if elapsed > self.graphql.time_limit and not self.graphql.partial:
            raise ApiError(evolve(failure(503, _TIMED_OUT).answer, delay=elapsed))
        return evolve(json_answer(answers if is_batch else answers[0]), delay=elapsed)

    def _run(
        self, asked: Sequence[Asked], user: User | None, now: float
    ) -> tuple[list[Json], float]:
        """Run queries one after the other; return their answers and the seconds they take."""
        schema = schema_of(self.settings.features.statuses)
        limit, deepest = self._limit(user), _DEPTH if user else _ANONYMOUS_DEPTH
        elapsed, points = self.graphql.seconds, 0
        answers: list[Json] = []
        for one in asked:
            try:
                query = prepare(schema, one.text, one.variables, one.name)
                # The queries of a batch share one limit.
                points += query.costs.complexity
                check_costs(query, points=points, limit=limit, deepest=deepest)
            except RefusedError as refused:
                answers.append(refused.answer)
                continue
            context = Context(
                self.world,
                self.settings,
                self.graphql,
                self.origin,
                now,
                user,
                limit,
                score=query.costs.complexity,
                elapsed=elapsed,
            )
            answers.append(execute(schema, query, context))
            elapsed = context.elapsed
        return answers, elapsed

    def _limit(self, user: User | None) -> int:
        if self.graphql.max_complexity is not None:
            return self.graphql.max_complexity
        if user is None:
            return _ANONYMOUS_COMPLEXITY
        return _ADMIN_COMPLEXITY if user.admin else _COMPLEXITY

    def _user(self, request: Request, now: float) -> User | None:
        """Return the caller; of the tokens only personal and OAuth ones are valid here."""
        query = dict(request.query)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        bearer = given.strip() if scheme.lower() == "bearer" else query.get("access_token", "")
        personal = query.get("private_token") or request.headers.get("private-token") or bearer
        tokens = self.world.registry.tokens
        token = tokens.get(bearer)
        if token is None or token.kind != "oauth":
            token = tokens.get(personal)
            if token is not None and token.kind == "oauth":
                token = None
        is_present = any(query.get(name) is not None for name in _TOKEN_PARAMETERS) or any(
            name in request.headers for name in _TOKEN_HEADERS
        )
        if token is None:
            # A job token is present and not valid here, so it is refused, not ignored.
            if is_present:
                raise failure(401, "Invalid token")
            return None
        expired = token.expires_at is not None and token.expires_at <= now
        if token.revoked or expired or not {"api", "read_api"} & set(token.scopes):
            raise failure(401, "Invalid token")
        if token.user.state != "active":
            raise failure(403, "API not accessible for user")
        return token.user


def failure(status: int, message: str) -> ApiError:
    """Return the envelope of GraphqlController#render_error."""
    return ApiError(json_answer({"errors": [{"message": message}]}, status))


def _asked(request: Request) -> tuple[list[Asked], bool]:
    """Return the queries of a request, and whether they came as a list (a batch of Apollo)."""
    params: Mapping[str, object] = dict(request.query)
    if request.method == "POST" and request.body:
        content_type = request.headers.get("content-type", "application/x-www-form-urlencoded")
        if content_type.startswith("application/json"):
            try:
                body = orjson.loads(request.body)
            except orjson.JSONDecodeError:
                raise failure(400, "Bad request") from None
            if isinstance(body, list):
                return [_one(item if isinstance(item, dict) else {}) for item in body], True
            params = {**params, **(body if isinstance(body, dict) else {})}
        else:
            params = {**params, **parsed_body(content_type, request.body)}
    return [_one(params)], False


def _one(params: Mapping[str, object]) -> Asked:
    name = params.get("operationName")
    return Asked(
        str(params.get("query") or ""),
        _variables(params.get("variables")),
        name if isinstance(name, str) and name else None,
    )


def _variables(given: object) -> Mapping[str, object]:
    """Return variables, which may come as a text in JSON: Gitlab::Graphql::Variables."""
    if given is None or given == "":
        return {}
    if isinstance(given, str):
        try:
            return _variables(orjson.loads(given))
        except orjson.JSONDecodeError as error:
            raise failure(422, str(error)) from None
    if not isinstance(given, dict):
        raise failure(422, f"Unexpected parameter: {given}")
    return given
