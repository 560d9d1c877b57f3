"""Groups and their projects, by plain HTTP: lib/api/groups.rb."""

import pytest

from gitlab_jobs_async.simulator import World

START = 1_750_000_000.0


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


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("shop/projects", ["shop/cart"]),
        ("shop/projects?include_subgroups=true", ["shop/eu/vat", "shop/eu/tax", "shop/cart"]),
        ("shop%2Feu/projects", ["shop/eu/vat", "shop/eu/tax"]),
        ("shop%2Feu/projects?order_by=name&sort=asc", ["shop/eu/tax", "shop/eu/vat"]),
        ("1/projects", ["shop/cart"]),
        ("2/projects", ["shop/eu/vat", "shop/eu/tax"]),
        ("shop%2Feu/projects?search=TAX", ["shop/eu/tax"]),
        ("shop%2Feu/projects?per_page=1&page=2", ["shop/eu/tax"]),
    ],
)
async def test_group_lists_visible_projects(serve, company, query, found):
    api = await serve(company)
    reply = await api(f"GET /groups/{query}", token="glpat-ada")
    assert paths(reply) == found


@pytest.mark.parametrize("group", ["none", "secret", "99", "0", "shop%2Fcart"])
async def test_hidden_group_is_not_found(serve, company, group):
    api = await serve(company)
    reply = await api(f"GET /groups/{group}/projects", token="glpat-ada")
    assert (reply.status, reply.json) == (404, {"message": "404 Group Not Found"})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["shop/eu/vat", "shop/eu/tax"]),
        ("archived=true", ["shop/eu/vat"]),
        ("archived=false", ["shop/eu/tax"]),
        ("visibility=public", ["shop/eu/tax"]),
        ("visibility=private", ["shop/eu/vat"]),
        ("owned=true", ["shop/eu/vat"]),
    ],
)
async def test_group_filters_its_projects(serve, company, query, found):
    ada = next(user for user in company.project("shop/eu/vat").members)
    company.project("shop/eu/vat").archived = True
    company.project("shop/eu/vat").members[ada] = 50
    company.project("shop/eu/tax").visibility = "public"
    api = await serve(company)
    reply = await api(f"GET /groups/shop%2Feu/projects?{query}", token="glpat-ada")
    assert paths(reply) == found
    assert reply.headers["X-Total"] == str(len(found))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("archived=some", "archived is invalid"),
        ("visibility=secret", "visibility does not have a valid value"),
    ],
)
async def test_group_refuses_invalid_filters(serve, company, query, text):
    api = await serve(company)
    reply = await api(f"GET /groups/shop/projects?{query}", token="glpat-ada")
    assert (reply.status, reply.json) == (400, {"error": text})


async def test_moved_project_leaves_its_group(serve, company):
    company.move_project(company.project("shop/eu/vat"), "tools/vat")
    api = await serve(company)
    assert paths(await api("GET /groups/shop%2Feu/projects", token="glpat-ada")) == ["shop/eu/tax"]
    moved = paths(await api("GET /groups/tools/projects", token="glpat-ada"))
    assert moved == ["tools/lint", "tools/vat"]


@pytest.mark.parametrize("group", ["shop", "1"])
async def test_group_has_projects_and_shared_ones(serve, company, group):
    company.project("tools/lint").shared_with = frozenset({"shop"})
    api = await serve(company)
    row = (await api(f"GET /groups/{group}", token="glpat-ada")).json
    assert (row["id"], row["full_path"], row["parent_id"]) == (1, "shop", None)
    assert [p["path_with_namespace"] for p in row["projects"]] == ["shop/cart"]
    assert [p["path_with_namespace"] for p in row["shared_projects"]] == ["tools/lint"]
    row = (await api(f"GET /groups/{group}?with_projects=false", token="glpat-ada")).json
    assert not {"projects", "shared_projects"} & row.keys()


async def test_subgroup_names_its_parent(serve, company):
    api = await serve(company)
    row = (await api("GET /groups/shop%2Feu")).json
    names = (row["name"], row["path"], row["full_name"], row["parent_id"])
    assert names == ("eu", "eu", "shop / eu", 1)


@pytest.mark.parametrize("group", ["none", "secret", "99", "0", "shop%2Fcart"])
async def test_hidden_group_has_no_details(serve, company, group):
    api = await serve(company)
    reply = await api(f"GET /groups/{group}", token="glpat-ada")
    assert (reply.status, reply.json) == (404, {"message": "404 Group Not Found"})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["tools/lint", "shop/cart"]),
        ("with_shared=true&include_subgroups=true", ["tools/lint", "shop/eu/tax", "shop/cart"]),
        ("with_shared=false", ["shop/cart"]),
    ],
)
async def test_group_lists_shared_projects(serve, company, query, found):
    company.project("tools/lint").shared_with = frozenset({"shop", "shop/eu"})
    # What is shared with a subgroup only belongs to the subgroup only.
    company.add_project("tools/fix", visibility="public").shared_with = frozenset({"shop/eu"})
    company.delete_project(company.project("shop/eu/vat"))
    api = await serve(company)
    reply = await api(f"GET /groups/shop/projects?{query}", token="glpat-ada")
    assert paths(reply) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("TAX", ["tax-office", "tax"]),
        ("ax-off", ["tax-office"]),
        ("tax office", ["tax-office"]),
        ("tax va", ["tax-office", "tax"]),  # a word of two characters does not count
        ("ta", []),
        ("VA", ["va"]),  # unless it is the whole name
        ('"tax office"', []),
        ("%25", []),
        ("+", ["va", "tax-office", "tax"]),
    ],
)
async def test_search_matches_words_of_the_name(serve, query, found):
    world = World(START)
    for name in ("tax", "tax-office", "va"):
        world.add_project(f"shop/{name}")
    api = await serve(world)
    for place in ("/groups/shop/projects", "/projects"):
        reply = await api(f"GET {place}?search={query.replace(' ', '%20')}")
        assert [path.rpartition("/")[2] for path in paths(reply)] == found


async def test_moved_group_does_not_redirect(serve, company):
    company.registry.move_group("shop", "store")
    api = await serve(company)
    assert (await api("GET /groups/shop/projects")).status == 404
    assert (await api("GET /groups/shop%2Feu")).status == 404
    assert (await api("GET /groups/2")).json["full_path"] == "store/eu"
    assert paths(await api("GET /groups/1/projects")) == ["store/secret", "store/cart"]
    assert (await api("GET /projects/shop%2Fcart")).status == 301


async def test_emptied_group_stays(serve, company):
    company.move_project(company.project("tools/lint"), "shop/lint")
    api = await serve(company)
    reply = await api("GET /groups/tools/projects")
    assert (reply.status, reply.json) == (200, [])
    assert (await api("GET /groups/tools/projects", token="glpat-ada")).status == 404


async def test_jobs_without_ci_are_forbidden(serve, company):
    project = company.project("shop/cart")
    project.jobs_enabled = False
    api = await serve(company)
    assert (await api("GET /groups/shop/projects")).json[1]["jobs_enabled"] is False
    for listing in ("jobs", "pipelines"):
        assert (await api(f"GET /projects/{project.id}/{listing}")).status == 403
