"""GraphQL's request, and the data or the errors of its answer.

See https://docs.gitlab.com/api/graphql/ and app/controllers/graphql_controller.rb.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from gitlab_jobs_async.api.decoding import without_collecting
from gitlab_jobs_async.api.graphql_syntax import parse
from gitlab_jobs_async.api.requests import GRAPHQL, Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.errors import DecodeError, GraphQLError
from gitlab_jobs_async.models.values import printable

_MAX_ERRORS = 10
# Shorter strings could match other words of a message.
_MIN_HIDDEN = 8


def graphql_request(query: str, variables: Mapping[str, Any] | None = None) -> Request:
    """Return POST /api/graphql; one that has no mutation may be repeated.

    Raises:
        TypeError: *query* is not a string, or *variables* not a mapping.
        ValueError: *query* is empty, too long or not GraphQL, or *variables* are not JSON.
    """
    return Request(
        "POST",
        "/graphql",
        json={"query": query, "variables": _variables(variables)},
        base=GRAPHQL,
        is_read_only=parse(query).is_read_only,
    )


def _variables(given: Mapping[str, Any] | None) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise TypeError(f"variables must be a mapping by name, not {type(given).__name__}")
    variables = dict(given)
    try:
        orjson.dumps(variables)
    except TypeError as error:
        reason = str(error)
    else:
        return variables
    # Not with a value, which may be a secret.
    raise ValueError(f"variables must be JSON: {reason}")


def data_of(response: Response, request: Request, redact: Callable[[str], str]) -> dict[str, Any]:
    """Return the `data` of an answer to *request*; *redact* removes the token from errors.

    Raises:
        GraphQLError: the answer has errors.
        DecodeError: the answer is not JSON, or has neither data nor errors.
    """
    with without_collecting():
        answer = response.json()
    data = answer.get("data") if type(answer) is dict else None
    errors = answer.get("errors") if type(answer) is dict else None
    if errors:
        raise _error(response, request, redact)
    if type(data) is dict:
        return data
    reason = "expected an object with data or errors"
    raise DecodeError(f"{reason}, got another answer @ $", response.method, response.url)


def _error(response: Response, request: Request, redact: Callable[[str], str]) -> GraphQLError:
    # Redacted as a whole, since the answer may echo a token anywhere in its data.
    answer = orjson.loads(redact(response.body.decode()))
    data, errors = answer.get("data"), answer["errors"]
    hidden = _hidden(request)

    def worded(error: Any) -> str:
        message = error.get("message") if type(error) is dict else None
        text = message if type(message) is str else "error without a message"
        for value in hidden:
            text = text.replace(value, "[value]")
        return printable(text) or "(no message)"

    shown = errors[:_MAX_ERRORS] if type(errors) is list else [errors]
    return GraphQLError(
        tuple(worded(error) for error in shown),
        tuple(_code(error) for error in shown),
        response.method,
        response.url,
        data if type(data) is dict else None,
    )


def _code(error: Any) -> str | None:
    extensions = error.get("extensions") if type(error) is dict else None
    code = extensions.get("code") if type(extensions) is dict else None
    return printable(code) if type(code) is str else None


def _hidden(request: Request) -> list[str]:
    """Return the strings of a request's query and variables, the longest first."""
    given: Any = request.json
    strings = {*parse(given["query"]).strings, *_strings(given["variables"])}
    return sorted((text for text in strings if len(text) >= _MIN_HIDDEN), key=len, reverse=True)


def _strings(given: Any) -> Iterator[str]:
    if isinstance(given, dict):
        given = list(given.values())
    if isinstance(given, list | tuple):
        for value in given:
            yield from _strings(value)
    elif isinstance(given, str):
        yield given
