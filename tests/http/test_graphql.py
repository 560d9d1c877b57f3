"""GraphQL over real connections: errors in a 200, retries, redirects, limits and secrets."""

import asyncio
import pickle

import aiohttp
import pytest
from aiohttp import web

from gitlab_jobs_async import (
    AuthenticationError,
    BearerToken,
    BudgetSnapshot,
    ConnectionFailedError,
    DecodeError,
    GitLab,
    GraphQLError,
    JobToken,
    Limits,
    NotFoundError,
    PrivateToken,
    Request,
    RequestBudget,
    ResponseError,
    ResponseTooLargeError,
    RetryPolicy,
    ServerError,
    TimedOutError,
    estimate_complexity,
)
from gitlab_jobs_async.ratelimit.fair_queue import Priority, RequestClass
from tests.support.cancellation import cancel_once
from tests.support.clocks import JumpClock
from tests.support.connections import open_connections
from tests.support.credentials import SECRET
from tests.support.exposure import exposed
from tests.support.servers import serving, serving_bytes
from tests.support.tasks import prompt

QUERY = "query Name($id: ID!) { project(id: $id) { name } }"
MUTATION = "mutation { jobCancel(input: {id: 1}) { errors } }"
DATA = {"project": {"name": "app"}}
ONCE = RetryPolicy(attempts=1)


def answer(value, status=200, **headers):
    """Return a handler that answers with JSON."""

    async def handler(_request):
        return web.json_response(value, status=status, headers=headers)

    return handler


def in_turn(*handlers):
    """Return a handler that calls each of *handlers* once, then the last one."""
    left = list(handlers)

    async def handler(request):
        return await (left.pop(0) if len(left) > 1 else left[0])(request)

    return handler


async def reset(request):
    request.transport.abort()
    return web.Response()


async def cut(request):
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"data"')
    request.transport.close()
    return response


async def page(_request):
    return web.Response(text="<html><title>Sign in</title>", content_type="text/html")


async def missing(_request):
    return web.Response(status=404, text="<html><title>Nothing</title>", content_type="text/html")


async def hold(_request):
    await asyncio.sleep(60)


GOOD = answer({"data": DATA})


def refusal(*messages, **more):
    return answer({"errors": [{"message": message} for message in messages], **more})


# The request


@pytest.mark.parametrize("root", ["", "/gitlab"])
@pytest.mark.parametrize("auth", [SECRET, PrivateToken(SECRET), BearerToken(SECRET), None])
async def test_query_is_posted_with_credentials(root, auth):
    async def handler(request):
        assert await request.json() == {"query": QUERY, "variables": {"id": "7"}}
        return web.json_response({"data": DATA})

    async with serving(handler) as server, GitLab(server.url + root, auth=auth) as gitlab:
        assert await gitlab.graphql(QUERY, {"id": "7"}) == DATA
    (request,) = server.requests
    assert (request.method, request.path_qs) == ("POST", f"{root}/api/graphql")
    assert request.headers["Content-Type"] == "application/json"
    tokens = {request.headers.get("PRIVATE-TOKEN"), request.headers.get("Authorization")} - {None}
    assert tokens <= {SECRET, f"Bearer {SECRET}"}
    assert len(tokens) == (auth is not None)


async def test_query_uses_the_session_of_the_caller():
    async with serving(GOOD) as server, aiohttp.ClientSession(headers={"X-A": "b"}) as session:
        async with GitLab(server.url, session=session) as gitlab:
            assert await gitlab.graphql("{ a }") == DATA
    assert server.requests[0].headers["X-A"] == "b"


async def test_url_with_api_path_reaches_graphql():
    async with serving(GOOD) as server, GitLab(f"{server.url}/api/v4") as gitlab:
        await gitlab.graphql("{ a }")
    assert server.requests[0].path == "/api/graphql"


@pytest.mark.parametrize(
    ("query", "variables", "error", "reason"),
    [
        ("", None, ValueError, "expected an operation"),
        ("{ a }" + " " * 10_000, None, ValueError, "at most 10000"),
        (None, None, TypeError, "query must be a string, not NoneType"),
        ("{ a }", [1], TypeError, "variables must be a mapping by name, not list"),
        ("{ a }", {"a": {1}}, ValueError, "variables must be JSON: Type is not JSON"),
        ("{ a }", {"a": "\ud800"}, ValueError, "variables must be JSON"),
        ("{ a }", {1: "a"}, ValueError, "variables must be JSON"),
        ("{ ...A }", None, ValueError, "unknown fragment 'A'"),
    ],
)
async def test_invalid_argument_sends_nothing(query, variables, error, reason):
    async with serving(GOOD) as server, GitLab(server.url) as gitlab:
        with pytest.raises(error, match=reason):
            await gitlab.graphql(query, variables)
    assert server.requests == []


async def test_costly_query_is_refused_before_sending():
    pipelines = " ".join(f"p{n}: pipelines {{ nodes {{ id }} }}" for n in range(30))
    query = f"{{ projects {{ nodes {{ {pipelines} }} }} }}"
    async with serving(GOOD) as server, GitLab(server.url) as gitlab:
        with pytest.raises(ValueError, match="complexity of 484: expected at most 250"):
            await gitlab.graphql(query)
        with pytest.raises(ValueError, match="expected at most 300"):
            await gitlab.graphql(query, max_complexity=300)
        with pytest.raises(ValueError, match="max_complexity must be a whole number above 0"):
            await gitlab.graphql(query, max_complexity=0)
        assert server.requests == []
        assert await gitlab.graphql(query, max_complexity=484) == DATA
        assert await gitlab.graphql(query, max_complexity=None) == DATA


@pytest.mark.parametrize("via", ["header", "bearer", "query"])
async def test_job_token_is_refused_before_sending(via):
    async with serving(GOOD) as server:
        async with GitLab(server.url, auth=JobToken(SECRET, via=via)) as gitlab:
            with pytest.raises(ValueError, match="GraphQL accepts no job token: expected") as no:
                await gitlab.graphql("{ a }")
    assert server.requests == []
    assert exposed(no.value, SECRET) == []


@pytest.mark.parametrize("base", ["", "/", "/api/v3", "https://evil.example"])
def test_request_has_only_the_bases_of_gitlab(base):
    with pytest.raises(ValueError, match=r"invalid base .*: expected '/api/v4' or '/api'"):
        Request("POST", "/graphql", base=base)


SCORED = [
    "metadata { version }",
    "currentUser { username }",
    "projects { nodes { id } }",
    'projects(first: 7, search: "app") { nodes { id fullPath name } pageInfo { endCursor } }',
    "projects(first: 3) { edges { node { pipelines { nodes { jobs { nodes { id } } } } } } }",
    'a: project(fullPath: "group/app") { id } b: project(fullPath: "group/app") { name }',
    'project(fullPath: "group/app") { pipelines(ref: "main", sha: "x") { nodes { id } } }',
    'project(fullPath: "group/app") { pipelines(first: 99) { nodes { ...P } } }',
    'project(fullPath: "group/app") { jobs(first: 33) { nodes { id name stage { name } } } }',
    'project(fullPath: "group/app") { pipelines(last: 29) { nodes { ... on Pipeline { id } } } }',
]


@pytest.mark.parametrize("fields", SCORED)
async def test_estimate_is_the_score_of_the_server(gitlab, fields):
    pytest.importorskip("graphql")
    fragment = " fragment P on Pipeline { id status }" if "...P" in fields else ""
    query = f"{{ queryComplexity {{ score limit }} {fields} }}{fragment}"
    score = (await gitlab.graphql(query))["queryComplexity"]["score"]
    assert score <= estimate_complexity(query) <= score + 1


# Answers


@pytest.mark.parametrize(
    ("body", "messages", "codes", "data"),
    [
        (
            {
                "errors": [
                    {"message": "Query has complexity of 1421, which exceeds max complexity of 300"}
                ]
            },
            ("Query has complexity of 1421, which exceeds max complexity of 300",),
            (None,),
            None,
        ),
        (
            {
                "errors": [
                    {
                        "message": "Field 'x' doesn't exist",
                        "extensions": {"code": "undefinedField"},
                    },
                    {"message": "Timeout on Query.projects", "extensions": {"code": 5}},
                ],
                "data": {"project": None},
            },
            ("Field 'x' doesn't exist", "Timeout on Query.projects"),
            ("undefinedField", None),
            {"project": None},
        ),
        (
            {"errors": [{"message": ""}, {}, None, "no"], "data": None},
            ("(no message)", *["error without a message"] * 3),
            (None,) * 4,
            None,
        ),
        ({"errors": "broken", "data": [1]}, ("error without a message",), (None,), None),
        ({"errors": {"message": "one"}}, ("one",), (None,), None),
        (
            {"errors": [{"message": "a\n\x1b[31mb"}]},
            ("a \N{REPLACEMENT CHARACTER}[31mb",),
            (None,),
            None,
        ),
        ({"errors": [{"message": "x" * 600}] * 50}, ("x" * 500,) * 10, (None,) * 10, None),
    ],
)
async def test_errors_in_a_200_are_errors(body, messages, codes, data):
    async with serving(answer(body)) as server, GitLab(server.url) as gitlab:
        with pytest.raises(GraphQLError) as failed:
            await gitlab.graphql(QUERY)
    error = failed.value
    assert (error.messages, error.codes, error.data) == (messages, codes, data)
    assert (error.method, error.url) == ("POST", f"{server.url}/api/graphql")
    assert str(error) == f"POST {server.url}/api/graphql: {'; '.join(messages)}"
    assert len(server.requests) == 1
    copied = pickle.loads(pickle.dumps(error))
    assert (vars(copied), str(copied)) == (vars(error), str(error))


@pytest.mark.parametrize("errors", [[], None])
async def test_no_errors_are_no_error(errors):
    async with serving(answer({"data": DATA, "errors": errors})) as server:
        async with GitLab(server.url) as gitlab:
            assert await gitlab.graphql(QUERY) == DATA


@pytest.mark.parametrize(
    "body", [{}, {"data": None}, {"data": []}, {"data": "x"}, [], None, "x", 1, [{"data": {}}]]
)
async def test_answer_without_data_is_a_decode_error(body):
    async with serving(answer(body)) as server, GitLab(server.url) as gitlab:
        with pytest.raises(DecodeError, match=r"POST .*/api/graphql: expected an object with data"):
            await gitlab.graphql(QUERY)


@pytest.mark.parametrize(
    ("handler", "kind", "reason"),
    [
        (
            answer({"errors": [{"message": "Invalid token"}]}, 401),
            AuthenticationError,
            "HTTP 401: Invalid token$",
        ),
        (missing, NotFoundError, "HTTP 404: an HTML page titled 'Nothing'"),
        (page, DecodeError, "expected JSON, got an HTML page"),
        (
            answer({"errors": [{"message": "Query too large"}]}, 422),
            ResponseError,
            "422: Query too large",
        ),
        (
            answer({"error": "insufficient_scope", "error_description": "more"}, 403),
            ResponseError,
            "more",
        ),
    ],
)
async def test_other_answers_are_the_usual_errors(handler, kind, reason):
    async with serving(handler) as server, GitLab(server.url) as gitlab:
        with pytest.raises(kind, match=reason):
            await gitlab.graphql(QUERY)
    assert len(server.requests) == 1


async def test_answer_beyond_the_limit_is_refused():
    async with serving(answer({"data": {"a": "x" * 5000}})) as server:
        async with GitLab(server.url, limits=Limits(page=4000)) as gitlab:
            with pytest.raises(ResponseTooLargeError, match=r"Limits\(page=\.\.\.\)"):
                await gitlab.graphql(QUERY)


# Retries


@pytest.mark.parametrize(
    "bad",
    [
        answer({}, 500),
        answer({}, 503),
        answer({}, 408),
        answer({}, 429),
        reset,
        cut,
    ],
)
async def test_query_is_retried_as_a_get_is(bad):
    clock = JumpClock()
    async with serving(in_turn(bad, bad, GOOD)) as server:
        async with GitLab(server.url, clock=clock) as gitlab:
            assert await gitlab.graphql(QUERY) == DATA
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("bad", "kind"),
    [(answer({}, 500), ServerError), (reset, ConnectionFailedError), (cut, ConnectionFailedError)],
)
async def test_mutation_is_not_sent_twice(bad, kind):
    async with serving(in_turn(bad, GOOD)) as server:
        async with GitLab(server.url, clock=JumpClock()) as gitlab:
            with pytest.raises(kind):
                await gitlab.graphql(MUTATION)
    assert len(server.requests) == 1


async def test_refused_mutation_is_sent_again():
    async with serving(in_turn(answer({}, 429), GOOD)) as server:
        async with GitLab(server.url, clock=JumpClock()) as gitlab:
            assert await gitlab.graphql(MUTATION) == DATA
    assert len(server.requests) == 2


async def test_query_may_use_a_kept_connection():
    async with serving(GOOD) as server, GitLab(server.url) as gitlab:
        for query in (QUERY, QUERY, MUTATION, MUTATION):
            await gitlab.graphql(query)
    peers = [request._transport_peername for request in server.requests]
    assert peers[0] == peers[1]
    assert len(set(peers)) == 3


async def test_silent_server_times_out():
    async with serving(hold) as server:
        async with GitLab(server.url, timeout=0.05, retry=ONCE) as gitlab:
            with pytest.raises(TimedOutError, match=r"after 0\.05 s"):
                await gitlab.graphql(QUERY)
            assert open_connections(gitlab) == 0


# Budget


async def test_query_counts_as_one_request():
    budget = RequestBudget(per_minute=10)
    async with serving(GOOD) as server, GitLab(server.url, budget=budget) as gitlab:
        await gitlab.graphql(QUERY)
        snapshot: BudgetSnapshot = gitlab.budget.snapshot()
    assert (snapshot.used, snapshot.remaining) == (1, 9)


def test_queries_are_a_kind_of_their_own():
    request = Request("POST", "/graphql", base="/api", is_read_only=True)
    assert RequestClass.of(request, Priority.BACKGROUND) == RequestClass(
        Priority.BACKGROUND, "", "POST /graphql"
    )


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("query", [QUERY, MUTATION])
async def test_redirect_is_not_followed(status, query):
    async with serving(GOOD) as other:
        for location in (f"{other.url}/api/graphql", "/api/v4/graphql", "/api/graphql"):

            async def moved(_request, location=location):
                return web.Response(status=status, headers={"Location": location})

            async with serving(moved) as server, GitLab(server.url, auth=SECRET) as gitlab:
                with pytest.raises(ResponseError, match="only a GET is redirected"):
                    await gitlab.graphql(query)
            assert len(server.requests) == 1
    assert other.requests == []


# Secrets


ECHOES = {
    "message": lambda said: {"errors": [{"message": said}]},
    "code": lambda said: {"errors": [{"message": "x", "extensions": {"code": said}}]},
    "data": lambda said: {"errors": [{"message": "x"}], "data": {"a": [{said: said}]}},
}
VALUE = "value-of-a-variable"
LITERAL = "literal-of-the-query"


@pytest.mark.parametrize("where", ECHOES)
async def test_error_shows_no_secret_of_an_echo(where):
    async def echo(request):
        said = f"{dict(request.headers)} {SECRET}"
        return web.json_response(ECHOES[where](said))

    async with serving(echo) as server, GitLab(server.url, auth=SECRET) as gitlab:
        with pytest.raises(GraphQLError) as failed:
            await gitlab.graphql(QUERY)
    assert exposed(failed.value, SECRET) == []
    assert "[token]" in str(vars(failed.value))


async def test_message_shows_no_value_of_the_query():
    query = f'query($a: X) {{ a(b: "{LITERAL}", c: $a, d: """{LITERAL}2""") }}'
    variables = {"a": {"b": [VALUE, {"query": VALUE + "2"}], "short": "app"}}

    async def echo(request):
        given = await request.json()
        said = f"got {given['query']} with {given['variables']}"
        return web.json_response({"errors": [{"message": said}]})

    async with serving(echo) as server, GitLab(server.url) as gitlab:
        with pytest.raises(GraphQLError, match=r"\[value\]") as failed:
            await gitlab.graphql(query, variables)
    for text in (str(failed.value), repr(failed.value)):
        assert VALUE not in text
        assert LITERAL not in text
        assert "[value]2" not in text
    assert "'app'" in str(failed.value)


def test_request_shows_no_query_and_no_variable():
    shown = repr(Request("POST", "/graphql", base="/api", json={"query": LITERAL, "a": VALUE}))
    assert LITERAL not in shown
    assert VALUE not in shown


# Cancellation


@pytest.mark.parametrize("handler", [hold, "drip"])
@prompt
async def test_cancelled_query_leaves_nothing(handler):
    async def drip(request):
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"{")
        await asyncio.sleep(60)
        return response

    async with serving(drip if handler == "drip" else handler) as server:
        async with GitLab(server.url) as gitlab:
            await cancel_once(lambda: server.requests, gitlab, gitlab.graphql(QUERY))


async def test_garbage_is_a_failed_connection():
    async with serving_bytes(b"SSH-2.0-OpenSSH_9.6\r\n\r\n") as url:
        async with GitLab(url, retry=ONCE) as gitlab:
            with pytest.raises(ConnectionFailedError, match="invalid HTTP response"):
                await gitlab.graphql(QUERY)
