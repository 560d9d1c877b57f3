"""Ask one question about many projects."""

from attrs import evolve, frozen

from gitlab_jobs_async.api.graphql import graphql_request
from gitlab_jobs_async.clock import yield_to_loop
from gitlab_jobs_async.http.graphql import timed_graphql
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.monitor.hints.questions import Question
from gitlab_jobs_async.monitor.hints.snapshots import ProjectSnapshot, iter_snapshots
from gitlab_jobs_async.ratelimit.fair_queue import Priority

ROWS_AT_ONCE = 500
"""Jobs of an answer after which other tasks run."""


@frozen
class Answer:
    """Snapshots of the projects that the token may read, by id; the server took *seconds*."""

    snapshots: dict[int, ProjectSnapshot]
    seconds: float


async def ask(transport: Transport, question: Question) -> Answer:
    """Ask *question* in the background.

    A question that failed is not sent again, except after a 429: it may be too large for the
    server, and a smaller one is the better next try.

    Raises:
        GraphQLError: the server refuses the question, or answers a part of it; or the client has
            a job token, and nothing was sent.
        DecodeError: the answer belongs to another question, or is malformed.
        ResponseTooLargeError: the answer exceeds `Limits.page`.
        ResponseError, ConnectionFailedError: the request failed, as on a server without GraphQL.
    """
    request = evolve(graphql_request(question.query, question.variables), is_read_only=False)
    data, seconds = await timed_graphql(transport, request, Priority.BACKGROUND)
    found, rows = dict[int, ProjectSnapshot](), 0
    for snapshot in iter_snapshots(data, question, transport.server.origin):
        if snapshot is None:
            continue
        found[snapshot.project_id] = snapshot
        rows += snapshot.rows
        # A full answer has thousands of jobs.
        if rows >= ROWS_AT_ONCE:
            rows = 0
            await yield_to_loop()
    return Answer(found, seconds)
