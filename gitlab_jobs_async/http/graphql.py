"""Send GraphQL queries."""

from traceback import clear_frames
from typing import Any

from gitlab_jobs_async.api.graphql import data_of
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.ratelimit.fair_queue import Priority


async def send_graphql(
    transport: Transport, request: Request, priority: Priority = Priority.DIRECT
) -> dict[str, Any]:
    """Send *request*, of `graphql_request`, and return the `data` of the answer.

    Raises: as `timed_graphql`.
    """
    data, _ = await timed_graphql(transport, request, priority)
    return data


async def timed_graphql(
    transport: Transport, request: Request, priority: Priority
) -> tuple[dict[str, Any], float]:
    """Send *request*, and return the `data` and the seconds that the server took for it.

    Raises:
        ValueError: the client has a job token; raised before any request.
        GraphQLError: the answer has errors.
        DecodeError: the answer is not JSON, or has neither data nor errors.
        ResponseError: the status is an error, such as 404 without GraphQL.
    """
    if transport.has_job_token:
        raise ValueError(
            "GraphQL accepts no job token: expected a personal, project, group or OAuth token"
        )
    response = await transport.send(request, priority)
    try:
        return data_of(response, request, transport.redact), response.seconds
    except GitLabError as error:
        # The answer may echo a token, and error reporters collect locals.
        clear_frames(error.__traceback__)
        raise
