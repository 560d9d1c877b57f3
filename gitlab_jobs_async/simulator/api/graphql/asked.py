"""The queries in a request, as GraphqlController reads its parameters."""

from collections.abc import Mapping

import orjson
from attrs import frozen

from gitlab_jobs_async.simulator.api.calls import Request
from gitlab_jobs_async.simulator.api.graphql.failures import failure
from gitlab_jobs_async.simulator.api.parameters import parsed_body


@frozen
class Asked:
    """A query before it is parsed: its text, variables and the name of the operation to run."""

    text: str
    variables: Mapping[str, object]
    name: str | None


def asked_in(request: Request) -> tuple[list[Asked], bool]:
    """Return the queries of a request, and whether they came as a list (a batch of Apollo).

    Raises:
        ApiError: the body or the variables cannot be read.
    """
    params: dict[str, object] = dict(request.query)
    if request.method == "POST" and request.body:
        body = _body(request)
        if isinstance(body, list):
            return [_one(item if isinstance(item, dict) else {}) for item in body], True
        params |= body if isinstance(body, dict) else {}
    return [_one(params)], False


def _body(request: Request) -> object:
    content_type = request.headers.get("content-type", "application/x-www-form-urlencoded")
    if not content_type.startswith("application/json"):
        return parsed_body(content_type, request.body)
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise failure(400, "Bad request") from None


def _one(params: Mapping[str, object]) -> Asked:
    name = params.get("operationName")
    return Asked(
        str(params.get("query") or ""),
        _variables(params.get("variables")),
        name if isinstance(name, str) and name else None,
    )


def _variables(given: object) -> Mapping[str, object]:
    """Return variables, which may come as a text in JSON: lib/gitlab/graphql/variables.rb."""
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
