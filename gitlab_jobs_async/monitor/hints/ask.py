"""Ask one question about many projects."""

from gitlab_jobs_async.api.graphql import graphql_request
from gitlab_jobs_async.http.graphql import send_graphql
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.monitor.hints.questions import Question
from gitlab_jobs_async.monitor.hints.snapshots import ProjectSnapshot, snapshots_of
from gitlab_jobs_async.ratelimit.fair_queue import Priority


async def ask(transport: Transport, question: Question) -> dict[int, ProjectSnapshot]:
    """Return the snapshots of the projects of *question* that the token may read, by id.

    Raises:
        ValueError: the client has a job token; raised before any request.
        GraphQLError: the server refuses the question, or answers a part of it.
        DecodeError: the answer belongs to another question, or is malformed.
        ResponseError, ConnectionFailedError: the request failed, as on a server without GraphQL.
    """
    request = graphql_request(question.query, question.variables)
    data = await send_graphql(transport, request, Priority.BACKGROUND)
    return snapshots_of(data, question)
