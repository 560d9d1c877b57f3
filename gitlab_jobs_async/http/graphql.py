"""Send GraphQL queries."""

from collections.abc import Mapping
from traceback import clear_frames
from typing import Any

from gitlab_jobs_async.api.graphql import data_of, graphql_request
from gitlab_jobs_async.api.graphql_cost import check_complexity
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.errors import GitLabError, GraphQLError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.ratelimit.fair_queue import Priority

_REFUSAL = "GraphQL accepts no job token: expected a personal, project, group or OAuth token"


async def query_graphql(
    transport: Transport, query: str, variables: Mapping[str, Any] | None, most: int | None
) -> dict[str, Any]:
    """Send *query* if it costs at most *most* points, and return the `data` of the answer.

    Raises:
        ValueError, TypeError: the query is invalid or costs more; raised before any request.

    Others are those of `timed_graphql`.
    """
    request = graphql_request(query, variables)
    if most is not None:
        check_complexity(query, variables, most)
    await transport.credentials.load()
    if transport.credentials.has_job_token:
        raise ValueError(_REFUSAL)
    data, _ = await timed_graphql(transport, request, Priority.DIRECT)
    return data


async def timed_graphql(
    transport: Transport, request: Request, priority: Priority
) -> tuple[dict[str, Any], float]:
    """Send *request*, and return the `data` and the seconds that the server took for it.

    Raises:
        GraphQLError: the answer has errors, or the client has a job token; then nothing was sent.
        DecodeError: the answer is not JSON, or has neither data nor errors.
        ResponseError: the status is an error, such as 404 without GraphQL.
    """
    await transport.credentials.load()
    if transport.credentials.has_job_token:
        url = transport.server.shown(request)
        raise GraphQLError((_REFUSAL,), (None,), request.method, url)
    response = await transport.send(request, priority)
    try:
        return data_of(response, request, transport.credentials.redact), response.seconds
    except GitLabError as error:
        # The answer may echo a token, and error reporters collect locals.
        clear_frames(error.__traceback__)
        raise
