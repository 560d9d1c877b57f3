"""Tokens, limits and forms of a GraphQL request (app/controllers/graphql_controller.rb)."""

import sys

import orjson
import pytest

START = 1_750_000_000.0
WHO = "{ currentUser { username } }"
INVALID = {"errors": [{"message": "Invalid token"}]}
BATCH = [{"query": WHO}, {"query": "{ projects { count } }"}]


def username(reply):
    user = reply.json["data"]["currentUser"]
    return user and user["username"]


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"PRIVATE-TOKEN": "glpat-bob"}, ""),
        ({"Authorization": "Bearer glpat-bob"}, ""),
        ({"Authorization": "bearer oauth-bob"}, ""),
        ({"PRIVATE-TOKEN": "unknown", "Authorization": "Bearer oauth-bob"}, ""),
        ({"PRIVATE-TOKEN": "glpat-bob", "Authorization": "Bearer unknown"}, ""),
        ({"PRIVATE-TOKEN": "glpat-bob", "Authorization": "Bearer glpat-rita"}, ""),
        ({"PRIVATE-TOKEN": "glpat-rita", "Authorization": "Bearer oauth-bob"}, ""),
        ({}, "?private_token=glpat-bob"),
        ({}, "?access_token=oauth-bob"),
    ],
)
async def test_places_for_a_token(api, world, headers, query):
    world.add_token(world.registry.users[4], "oauth-bob", kind="oauth")
    body = {"query": WHO}
    reply = await api(f"POST /api/graphql{query}", token=None, headers=headers, json=body)
    assert (reply.status, username(reply)) == (200, "bob")


async def test_no_token_is_anonymous(graphql):
    """Unlike the Jobs API, GraphQL answers anonymous queries about public projects."""
    reply = await graphql("{ currentUser { id } projects { nodes { id } } }", token=None)
    assert reply.json == {
        "data": {"currentUser": None, "projects": {"nodes": [{"id": "gid://gitlab/Project/3"}]}}
    }


@pytest.mark.parametrize("kind", ["unknown", "expired", "revoked", "read_user", "oauth"])
async def test_invalid_tokens_are_refused(api, world, kind):
    """The cause stays hidden, also for a missing scope: each is the same 401."""
    bob = world.registry.users[4]
    world.add_token(bob, "expired", expires_at=START - 1)
    world.add_token(bob, "revoked", revoked=True)
    world.add_token(bob, "read_user", scopes=("read_user",))
    world.add_token(bob, "oauth", kind="oauth")
    reply = await api.graphql(WHO, token=kind)
    assert (reply.status, reply.json) == (401, INVALID)


@pytest.mark.parametrize("scope", ["api", "read_api"])
async def test_read_scope_is_enough(api, world, scope):
    world.add_token(world.registry.users[4], "scoped", scopes=(scope,))
    assert username(await api.graphql(WHO, token="scoped")) == "bob"


@pytest.mark.parametrize(
    ("name", "scheme"),
    [("JOB-TOKEN", ""), ("PRIVATE-TOKEN", ""), ("Authorization", "Bearer "), ("DEPLOY-TOKEN", "")],
)
async def test_job_tokens_are_refused(api, job, name, scheme):
    """A job token is not ignored either, which would make the caller anonymous."""
    headers = {name: scheme + job("unit").token}
    reply = await api.graphql(WHO, token=None, headers=headers)
    assert (reply.status, reply.json) == (401, INVALID)
    assert (await api("POST /api/graphql?job_token=x", token=None)).status == 401


async def test_blocked_users_are_refused(graphql):
    reply = await graphql(WHO, token="glpat-bill")
    assert (reply.status, reply.json) == (
        403,
        {"errors": [{"message": "API not accessible for user"}]},
    )


async def test_counts_against_the_api_limit(serve, world):
    """One request, however many projects it asks about; job listings have a limit of their own."""
    api = await serve(world, api_limit=3, jobs_index_limit=1)
    text = "{ projects { nodes { pipelines { nodes { jobs { nodes { id } } } } } } }"
    first = await api.graphql(text)
    assert first.headers["RateLimit-Observed"] == "1"
    assert first.headers["RateLimit-Name"] == "throttle_authenticated_api"
    assert (await api("GET /projects/1/jobs")).status == 200
    assert (await api.graphql("{ invalid }")).headers["RateLimit-Observed"] == "3"
    refused = await api.graphql(text)
    assert (refused.status, refused.body) == (429, b"Retry later\n")


async def test_query_in_other_forms(api):
    text = (
        "query A { projects { count } } query B($n: Int) { projects(first: $n) { nodes { id } } }"
    )
    given = {"query": text, "operationName": "B", "variables": '{"n": 1}'}
    for method, where in (("POST", "data"), ("POST", "json"), ("GET", "params")):
        reply = await api(f"{method} /api/graphql", **{where: given})
        assert len(reply.json["data"]["projects"]["nodes"]) == 1
    unnamed = await api("POST /api/graphql", json={"query": text})
    assert unnamed.json == {"errors": [{"message": "An operation name is required"}]}
    unknown = await api("POST /api/graphql", json=given | {"operationName": "C"})
    assert unknown.json == {"errors": [{"message": 'No operation named "C"'}]}


@pytest.mark.parametrize("variables", ["{", "[1]", [1]])
async def test_unreadable_variables(api, variables):
    given = {"query": WHO, "variables": variables}
    assert (await api("POST /api/graphql", json=given)).status == 422


async def test_unreadable_body(api):
    headers = {"Content-Type": "application/json"}
    assert (await api("POST /api/graphql", data=b"{", headers=headers)).status == 400


async def test_batch_answers_in_order(api):
    """The queries of a batch share the limits of complexity and size."""
    reply = await api("POST /api/graphql", json=BATCH)
    assert reply.json == [
        {"data": {"currentUser": {"username": "root"}}},
        {"data": {"projects": {"count": 3}}},
    ]
    aliases = " ".join(f'p{n}: project(fullPath: "a/b") {{ id }}' for n in range(80))
    batch = [{"query": f"{{ {aliases} }}"}] * 2
    first, second = (await api("POST /api/graphql", json=batch)).json
    assert first["data"]["p0"] is None
    assert second == {
        "errors": [{"message": "Query has complexity of 320, which exceeds max complexity of 300"}]
    }
    long = [{"query": WHO.ljust(6_000)}] * 2
    assert (await api("POST /api/graphql", json=long)).status == 422


async def test_batch_counts_limited_fields_by_text(api):
    """The same text with other variables counts as the same query."""
    text = "query Q($path: ID!) { project(fullPath: $path) { jobs { count } } }"
    same = [{"query": text, "variables": {"path": path}} for path in ("group/app", "group/closed")]
    first, second = (await api("POST /api/graphql", json=same)).json
    assert first["data"]["project"]["jobs"] == {"count": 8}
    assert second["errors"][0]["message"].startswith('"jobs" field can be requested only for 1')
    other = [same[0], {**same[1], "query": f"{text} "}]
    first, second = (await api("POST /api/graphql", json=other)).json
    assert "errors" not in first
    assert "errors" not in second


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_other_methods_find_nothing(api, method):
    assert (await api(f"{method} /api/graphql")).status == 404


async def test_server_without_graphql(serve, world):
    api = await serve(world, graphql=None)
    assert (await api.graphql(WHO)).status == 404


async def test_missing_package_is_a_404(graphql, monkeypatch):
    """The package comes with an extra."""
    monkeypatch.setitem(sys.modules, "graphql", None)
    assert (await graphql(WHO)).status == 404


async def test_requests_are_recorded(api):
    await api.graphql(WHO)
    (served,) = api.gitlab.requests
    assert (served.method, served.path, served.status) == ("POST", "/api/graphql", 200)
    assert orjson.loads(served.body)["query"] == WHO
