"""Tokens, roles, moved projects: who gets 401, 403, 404 and 301 (gitlab.md, 7)."""

import pytest

START = 1_750_000_000.0
JOBS = "GET /projects/1/jobs"
UNAUTHORIZED = {"message": "401 Unauthorized"}
FORBIDDEN = {"message": "403 Forbidden"}
HIDDEN = {"message": "404 Project Not Found"}


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"PRIVATE-TOKEN": "glpat-bob"}, ""),
        ({"Authorization": "Bearer glpat-bob"}, ""),
        ({"authorization": "bearer glpat-bob"}, ""),
        ({}, "?private_token=glpat-bob"),
        ({}, "?access_token=glpat-bob"),
        ({"Authorization": "Bearer oauth-bob"}, ""),
        ({"PRIVATE-TOKEN": "unknown"}, "?private_token=glpat-bob"),
        ({"PRIVATE-TOKEN": "glpat-bob", "Authorization": "Bearer unknown"}, ""),
    ],
)
async def test_places_for_a_token_and_their_order(api, world, headers, query):
    world.add_token(world.registry.users[4], "oauth-bob", kind="oauth")
    assert (await api(JOBS + query, token=None, headers=headers)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"PRIVATE-TOKEN": "unknown"},
        {"Authorization": "Bearer unknown"},
        {"JOB-TOKEN": "unknown"},
        {"PRIVATE-TOKEN": "oauth-bob"},
    ],
)
async def test_no_or_unknown_token(api, world, headers):
    world.add_token(world.registry.users[4], "oauth-bob", kind="oauth")
    reply = await api(JOBS, token=None, headers=headers)
    assert (reply.status, reply.json) == (401, UNAUTHORIZED)


@pytest.mark.parametrize(
    "call",
    [
        "GET /projects/3/jobs",
        "GET /projects/3/jobs/1",
        "GET /projects/3/jobs/1/trace",
        "POST /projects/3/jobs/1/cancel",
        "POST /projects/3/jobs/1/retry",
        "POST /projects/3/jobs/1/erase",
        "POST /projects/3/jobs/1/play",
        "POST /projects/3/pipelines/1/cancel",
        "POST /projects/3/pipelines/1/retry",
        "GET /job",
        "GET /user",
        "GET /version",
    ],
)
async def test_anonymous_gets_401_for_public_jobs(api, call):
    """The Jobs API demands authentication even where the project is public."""
    reply = await api(call, token=None)
    assert (reply.status, reply.json) == (401, UNAUTHORIZED)


@pytest.mark.parametrize("path", ["", "/pipelines"])
async def test_anonymous_reads_public_pipelines(api, path):
    assert (await api(f"GET /projects/3{path}", token=None)).status == 200
    assert (await api(f"GET /projects/3{path}", token="unknown")).status == 401
    private = await api(f"GET /projects/1{path}", token=None)
    assert (private.status, private.json) == (404, HIDDEN)


async def test_invalid_tokens_name_the_cause(api, world):
    bob = world.registry.users[4]
    world.add_token(bob, "old", expires_at=START - 1)
    world.add_token(bob, "gone", revoked=True)
    old, gone = await api(JOBS, token="old"), await api(JOBS, token="gone")
    assert (old.status, gone.status) == (401, 401)
    assert old.json == {
        "error": "invalid_token",
        "error_description": "Token is expired. You can either do re-authorization or token "
        "refresh.",
    }
    assert gone.json == {
        "error": "invalid_token",
        "error_description": "Token was revoked. You have to re-authorize from the user.",
    }


async def test_token_expires_with_the_clock(api, world, clock):
    world.add_token(world.root, "short", expires_at=START + 10)
    assert (await api(JOBS, token="short")).status == 200
    clock.advance(10)
    assert (await api(JOBS, token="short")).status == 401


async def test_scopes(api, world):
    world.add_token(world.root, "reader", ["read_api"])
    world.add_token(world.root, "self", ["read_user"])
    assert (await api(JOBS, token="reader")).status == 200
    assert (await api("HEAD /projects/1/jobs", token="reader")).status == 200
    refused = await api("POST /projects/1/jobs/2/cancel", token="reader")
    assert refused.status == 403
    assert refused.json["error"] == "insufficient_scope"
    assert refused.json["scope"] == "api"
    assert (await api("GET /user", token="self")).status == 200
    assert (await api(JOBS, token="self")).json["scope"] == "api read_api"


async def test_blocked_user(api):
    reply = await api(JOBS, token="glpat-bill")
    body = {"message": "403 Forbidden - Your account has been blocked."}
    assert (reply.status, reply.json) == (403, body)


@pytest.mark.parametrize(
    ("name", "call", "status"),
    [
        ("gus", "GET /projects/1/jobs", 200),
        ("gus", "GET /projects/2/jobs", 403),
        ("gus", "GET /projects/2/pipelines", 403),
        ("gus", "GET /projects/1/jobs/2/trace", 200),
        ("gus", "GET /projects/1/jobs/8/trace", 403),
        ("rita", "GET /projects/2/jobs", 200),
        ("rita", "GET /projects/1/jobs/8/trace", 403),
        ("rita", "POST /projects/1/jobs/2/cancel", 403),
        ("rita", "POST /projects/1/jobs/3/retry", 403),
        ("rita", "POST /projects/1/jobs/5/play", 403),
        ("rita", "POST /projects/1/pipelines/1/cancel", 403),
        ("bob", "GET /projects/1/jobs/8/trace", 200),
        ("bob", "POST /projects/1/jobs/2/cancel", 201),
        ("bob", "POST /projects/1/jobs/4/cancel?force=true", 403),
        ("bob", "POST /projects/1/jobs/1/erase", 201),
        ("maria", "POST /projects/1/jobs/4/cancel?force=true", 201),
        ("maria", "POST /projects/1/jobs/1/erase", 201),
        ("bob", "DELETE /projects/1/artifacts", 403),
        ("eve", "GET /projects/1/jobs", 404),
        ("eve", "POST /projects/1/jobs/5/play", 404),
        ("eve", "GET /projects/3/jobs", 200),
    ],
)
async def test_roles(api, name, call, status):
    reply = await api(call, token=f"glpat-{name}")
    assert reply.status == status
    if status >= 400:
        assert reply.json == {403: FORBIDDEN, 404: HIDDEN}[status]


async def test_developer_erases_only_own_jobs(api, world):
    world.jobs[1].user = world.root
    assert (await api("POST /projects/1/jobs/1/erase", token="glpat-bob")).status == 403


async def test_protected_refs_are_for_maintainers(api, world):
    world.project("group/app").protected_refs = frozenset({"main"})
    for action in ("retry", "erase"):
        path = f"POST /projects/1/jobs/3/{action}"
        assert (await api(path, token="glpat-bob")).status == 403
    assert (await api("POST /projects/1/jobs/3/retry", token="glpat-maria")).status == 201


async def test_variables_may_need_a_higher_role(api, world):
    world.project("group/app").variables_role = "maintainer"
    path, body = "POST /projects/1/jobs/5/play", [{"key": "a", "value": "b"}]
    refused = await api(path, token="glpat-bob", json={"job_variables_attributes": body})
    assert (refused.status, refused.json) == (403, FORBIDDEN)
    assert (await api(path, token="glpat-bob")).status == 200
    world.project("group/app").variables_role = "no_one_allowed"
    assert (await api(path, json={"job_variables_attributes": body})).status == 403


@pytest.mark.parametrize("way", ["header", "bearer", "job_token", "token"])
async def test_job_token_in_its_ways(api, world, way):
    value = world.jobs[2].token
    headers = {"header": {"JOB-TOKEN": value}, "bearer": {"Authorization": f"Bearer {value}"}}
    query = f"?{way}={value}" if way not in headers else ""
    call = f"GET /projects/1/jobs{query}"
    assert (await api(call, token=None, headers=headers.get(way))).status == 200


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("GET /projects/1/jobs", 200),
        ("GET /projects/1/pipelines", 200),
        ("GET /projects/1/pipelines/1", 200),
        ("GET /projects/1/pipelines/1/jobs", 200),
        ("GET /projects/1/pipelines/1/bridges", 200),
        ("GET /projects/1/jobs/1/artifacts", 200),
        ("GET /projects/1/jobs/1/artifacts/tree", 200),
        ("GET /projects/1/jobs/1/artifacts/app.txt", 200),
        ("GET /projects/1/jobs/1", 401),
        ("GET /projects/1/jobs/1/trace", 401),
        ("POST /projects/1/jobs/2/cancel", 401),
        ("POST /projects/1/jobs/3/retry", 401),
        ("GET /projects/1/pipelines/latest", 401),
        ("POST /projects/1/jobs/1/artifacts/keep", 401),
        ("DELETE /projects/1/jobs/1/artifacts", 401),
    ],
)
@pytest.mark.parametrize("way", ["JOB-TOKEN", "Authorization"])
async def test_job_token_only_where_allowed(api, world, call, status, way):
    value = world.jobs[2].token
    headers = {way: f"Bearer {value}" if way == "Authorization" else value}
    assert (await api(call, token=None, headers=headers)).status == status


async def test_job_token_ends_with_its_job(api, world, clock):
    headers = {"JOB-TOKEN": world.jobs[2].token}
    assert (await api("GET /job", token=None, headers=headers)).status == 200
    clock.advance(600)
    reply = await api("GET /job", token=None, headers=headers)
    assert (reply.status, reply.json) == (401, UNAUTHORIZED)


async def test_job_token_outside_the_allowlist(api, world):
    closed = world.project("group/closed")
    closed.job_token_allowlist = frozenset()
    headers = {"JOB-TOKEN": world.jobs[2].token}
    reply = await api("GET /projects/2/jobs", token=None, headers=headers)
    text = "Authentication by CI/CD job token not allowed from group/app to project #2."
    assert (reply.status, reply.json) == (403, {"message": f"403 Forbidden - {text}"})
    closed.job_token_allowlist = frozenset({1})
    assert (await api("GET /projects/2/jobs", token=None, headers=headers)).status == 200


async def test_job_token_without_the_permission(api, world):
    world.project("group/closed").job_token_permissions = frozenset()
    headers = {"JOB-TOKEN": world.jobs[2].token}
    reply = await api("GET /projects/2/jobs", token=None, headers=headers)
    assert reply.status == 403
    assert reply.json["message"].endswith("token permission is required: read_jobs.")


async def test_moved_project(api, world):
    world.move_project(world.project("group/app"), "group/application")
    old = "/projects/group%2Fapp/jobs"
    moved = await api(f"GET {old}?scope[]=failed&scope[]=manual")
    assert moved.status == 301
    assert moved.headers["Content-Type"] == "text/plain"
    location = f"{api.gitlab.url}/api/v4/projects/1/jobs"
    assert moved.headers["Location"].startswith(f"{location}?scope")
    assert moved.headers["Location"].count("scope") == 2
    assert moved.body.decode().startswith(f"This resource has been moved permanently to {location}")
    assert (await api(f"HEAD {old}")).status == 405
    text = {"message": "Non GET methods are not allowed for moved projects"}
    assert (await api("POST /projects/group%2Fapp/jobs/2/cancel")).json == text
    assert (await api(f"GET {old}", token="glpat-eve")).status == 404
    assert (await api("GET /projects/group%2Fapplication/jobs")).status == 200
    assert (await api("GET /projects/1/jobs")).status == 200


async def test_no_token_is_shown_in_a_repr(world):
    shown = repr(world.registry.users[4]) + repr(world.registry.tokens["glpat-bob"])
    assert "glpat" not in shown + repr(world.jobs[2])
    assert "glcbt" not in repr(world.jobs[2])
