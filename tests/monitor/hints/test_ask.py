"""One request asks about many projects, in the background."""

import asyncio
from unittest.mock import patch

import pytest
from aiohttp import web

from gitlab_jobs_async import (
    ConnectionFailedError,
    DecodeError,
    GitLab,
    GraphQLError,
    JobStatus,
    JobToken,
    NotFoundError,
    RequestBudget,
    ServerError,
)
from gitlab_jobs_async.monitor.hints.ask import ask
from gitlab_jobs_async.monitor.hints.questions import changes_question, jobs_question
from gitlab_jobs_async.monitor.hints.snapshots import iter_snapshots
from tests.support.cancellation import cancel_once
from tests.support.clocks import JumpClock
from tests.support.credentials import SECRET
from tests.support.graphql_answers import job_row, pipeline_row, project_row, projects
from tests.support.servers import serving
from tests.support.tasks import in_background, prompt


def answering(data, **more):
    async def handler(_request):
        return web.json_response({"data": data, **more})

    return handler


async def hold(_request):
    await asyncio.sleep(60)


async def missing(_request):
    return web.Response(status=404)


async def test_question_is_one_request():
    odd = project_row(3, [pipeline_row(32, status="ODD")])
    data = projects(project_row(2, [pipeline_row(31, [job_row(71)])]), odd)
    async with serving(answering(data)) as server, GitLab(server.url) as gitlab:
        found = (await ask(gitlab._transport, jobs_question([1, 2, 3]))).snapshots
    assert found.keys() == {2}
    assert found[2].pipelines[0].jobs[0].status == JobStatus.RUNNING
    (request,) = server.requests
    assert request.path == "/api/graphql"


async def test_question_is_asked_in_the_background():
    # A tenth of the limit is reserved for foreground calls.
    clock = JumpClock()
    budget = RequestBudget(per_minute=10)
    async with serving(answering(projects())) as server:
        async with GitLab(server.url, budget=budget, clock=clock) as gitlab:
            for _ in range(9):
                await ask(gitlab._transport, changes_question([1]))
            started = clock.now()
            answer = await ask(gitlab._transport, changes_question([1]))
    assert clock.now() - started > 55
    # The wait for the limit says nothing about the server.
    assert answer.seconds < 5


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (answering(None, errors=[{"message": "Query has complexity of 64"}]), GraphQLError),
        (answering(projects(project_row(1)), errors=[{"message": "Timeout"}]), GraphQLError),
        (answering(projects(project_row(9))), DecodeError),
        (missing, NotFoundError),
    ],
)
async def test_refused_question_is_an_error(handler, error):
    async with serving(handler) as server, GitLab(server.url) as gitlab:
        with pytest.raises(error):
            await ask(gitlab._transport, changes_question([1]))
    assert len(server.requests) == 1


async def cut(request):
    request.transport.abort()
    return web.Response()


async def failing(_request):
    return web.Response(status=502)


@pytest.mark.parametrize(
    ("handler", "error"), [(failing, ServerError), (cut, ConnectionFailedError)]
)
async def test_failed_question_is_not_repeated(handler, error):
    # The next question may be smaller.
    async with serving(handler) as server, GitLab(server.url, clock=JumpClock()) as gitlab:
        with pytest.raises(error):
            await ask(gitlab._transport, changes_question([1]))
    assert len(server.requests) == 1


async def test_limited_question_waits_and_is_repeated():
    async def limited(_request):
        if len(server.requests) == 1:
            return web.Response(status=429, headers={"Retry-After": "7"})
        return web.json_response({"data": projects(project_row(1))})

    clock = JumpClock()
    async with serving(limited) as server, GitLab(server.url, clock=clock) as gitlab:
        started = clock.now()
        assert (await ask(gitlab._transport, changes_question([1]))).snapshots.keys() == {1}
    assert len(server.requests) == 2
    assert clock.now() >= started + 7


async def test_large_answer_lets_other_tasks_run():
    jobs = [[job_row(100 * n + i) for i in range(50)] for n in range(1, 101)]
    rows = [project_row(n, [pipeline_row(n, jobs[n - 1])]) for n in range(1, 101)]
    steps, decoded = 0, []

    async def stepping():
        nonlocal steps
        while True:
            steps += 1
            await asyncio.sleep(0)

    def counted(data, question, origin):
        for snapshot in iter_snapshots(data, question, origin):
            decoded.append(steps)
            yield snapshot

    async with serving(answering(projects(*rows))) as server, GitLab(server.url) as gitlab:
        async with in_background(stepping()):
            with patch("gitlab_jobs_async.monitor.hints.ask.iter_snapshots", counted):
                answer = await ask(gitlab._transport, jobs_question(range(1, 101)))
    assert len(answer.snapshots) == 100
    # 5,000 jobs, and 500 of them at once.
    assert len(set(decoded)) == 10


async def test_job_token_asks_nothing():
    async with serving(hold) as server, GitLab(server.url, auth=JobToken(SECRET)) as gitlab:
        assert gitlab._transport.credentials.has_job_token
        with pytest.raises(GraphQLError, match="GraphQL accepts no job token"):
            await ask(gitlab._transport, changes_question([1]))
    assert server.requests == []


@prompt
async def test_cancelled_question_leaves_nothing():
    async with serving(hold) as server, GitLab(server.url) as gitlab:
        call = ask(gitlab._transport, changes_question([1]))
        await cancel_once(lambda: server.requests, gitlab, call)
