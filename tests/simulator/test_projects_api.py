"""Server, token, groups and projects (gitlab.md, 10), by plain HTTP."""

import pytest

from gitlab_jobs_async.simulator import World

START = 1_750_000_000.0
SELF = "GET /personal_access_tokens/self"
KIND = "400 Bad request - This endpoint requires token type to be a personal access token"


@pytest.fixture
def company():
    world = World(START)
    ada = world.add_user("ada", scopes=("read_api", "read_user"))
    for path in ("shop/cart", "shop/eu/tax", "shop/eu/vat", "tools/lint"):
        world.add_project(path, members={ada: "developer"})
    world.add_project("shop/secret")
    world.add_project("secret/plans")
    return world


def paths(reply):
    return [row["path_with_namespace"] for row in reply.json]


async def test_own_token_shows_its_scopes(serve, company):
    api = await serve(company)
    row = (await api(SELF, token="glpat-ada")).json
    assert row["scopes"] == ["read_api", "read_user"]
    assert (row["active"], row["revoked"], row["expires_at"]) == (True, False, None)
    assert "glpat-ada" not in str(row)


@pytest.mark.parametrize("scope", ["read_repository", "read_user", "api"])
async def test_own_token_needs_no_scope(serve, company, scope):
    ends = START + 86_400
    company.add_token(company.root, "narrow", (scope,), expires_at=ends)
    api = await serve(company)
    row = (await api(SELF, token="narrow")).json
    assert (row["scopes"], row["expires_at"]) == ([scope], "2025-06-16")
    expected = 403 if scope == "read_repository" else 200
    assert (await api("GET /version", token="narrow")).status == expected
    assert (await api("GET /metadata", token="narrow")).status == expected
    assert (await api("GET /user", token="narrow")).status == expected


async def test_own_token_refuses_other_kinds(serve, company):
    company.add_token(company.root, "oauth", kind="oauth")
    api = await serve(company)
    reply = await api(SELF, token=None, headers={"Authorization": "Bearer oauth"})
    assert (reply.status, reply.json) == (400, {"message": KIND})
    assert (await api(SELF, token=None)).status == 401
    assert (await api(SELF, token=None, headers={"JOB-TOKEN": "none"})).status == 401


@pytest.mark.parametrize(
    ("version", "own_token", "metadata"),
    [("15.0", 404, 404), ("15.2", 404, 200), ("15.5", 200, 200), ("19.5", 200, 200)],
)
async def test_server_and_token_by_version(serve, company, version, own_token, metadata):
    api = await serve(company, version=version)
    assert (await api(SELF)).status == own_token
    assert (await api("GET /metadata")).status == metadata
    assert (await api("GET /version")).json["version"] == f"{version}.0"


async def test_user_of_a_project_token_is_a_bot(serve, company):
    company.add_user("project_1_bot_3f2a", token="glpat-bot")
    api = await serve(company)
    assert (await api("GET /user", token="glpat-bot")).json["bot"] is True
    assert (await api("GET /user", token="glpat-ada")).json["bot"] is False


async def test_simple_projects_have_few_fields(serve, company):
    api = await serve(company)
    for place in ("/projects?", "/groups/shop/projects?"):
        simple = (await api(f"GET {place}simple=true")).json[0]
        whole = (await api(f"GET {place}simple=false")).json[0]
        assert whole.keys() - simple.keys() == {
            "visibility", "archived", "jobs_enabled", "public_jobs",
        }  # fmt: skip


async def test_membership_and_orders(serve, company):
    api = await serve(company)
    mine = "GET /projects?membership=true&order_by="
    listed = paths(await api(f"{mine}last_activity_at", token="glpat-ada"))
    assert listed == ["tools/lint", "shop/eu/vat", "shop/eu/tax", "shop/cart"]
    assert paths(await api(f"{mine}id&sort=asc", token="glpat-ada")) == listed[::-1]
    assert paths(await api(f"{mine}id")) == []  # an administrator is a member of none
    reply = await api(f"{mine}size")
    assert (reply.status, reply.json) == (400, {"error": "order_by does not have a valid value"})
