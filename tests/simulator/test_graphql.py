"""The GraphQL of the simulated server: projects, their pipelines and jobs."""

BELL = """query Q($ids: [ID!]) { projects(ids: $ids, first: 100) {
    nodes { id pipelines(first: 5) { nodes { id status updatedAt } } } } }"""


def project_ids(*numbers):
    return [f"gid://gitlab/Project/{number}" for number in numbers]


async def test_newest_pipelines_of_many_projects(graphql):
    """Projects come newest first, whatever the order of the ids; times have no fractions."""
    reply = await graphql(BELL, ids=project_ids(1, 3))
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("application/json")
    pipeline = {
        "id": "gid://gitlab/Ci::Pipeline/1",
        "status": "RUNNING",
        "updatedAt": "2025-06-15T15:05:02Z",
    }
    assert reply.json["data"]["projects"]["nodes"] == [
        {"id": "gid://gitlab/Project/3", "pipelines": {"nodes": []}},
        {"id": "gid://gitlab/Project/1", "pipelines": {"nodes": [pipeline]}},
    ]


async def test_missing_and_hidden_projects_are_absent(graphql):
    reply = await graphql(BELL, ids=project_ids(1, 3, 99), token="glpat-eve")
    found = reply.json["data"]["projects"]["nodes"]
    assert [node["id"] for node in found] == project_ids(3)
    assert "errors" not in reply.json


async def test_unreadable_pipelines_look_like_none(graphql, world):
    """A guest sees a project with private jobs, and an empty list in place of a refusal."""
    world.add_pipeline(world.project("group/closed"))
    seen = {}
    for token in ("glpat-gus", "glpat-rita"):
        reply = await graphql(BELL, ids=project_ids(2), token=token)
        seen[token] = len(reply.json["data"]["projects"]["nodes"][0]["pipelines"]["nodes"])
    assert seen == {"glpat-gus": 0, "glpat-rita": 1}


async def test_pipeline_jobs_contain_bridges(graphql):
    text = "{ project(fullPath: %s) { pipelines { nodes { jobs(first: 100) { nodes { %s } } } } } }"
    reply = await graphql(text % ('"group/app"', "id name kind status stage { name } webPath"))
    nodes = reply.json["data"]["project"]["pipelines"]["nodes"][0]["jobs"]["nodes"]
    assert [node["id"].rpartition("/")[2] for node in nodes] == list("987654321")
    assert nodes[2] == {
        "id": "gid://gitlab/Ci::Bridge/7",
        "name": "trigger",
        "kind": "BRIDGE",
        "status": "SUCCESS",
        "stage": {"name": "build"},
        "webPath": None,
    }
    assert nodes[0] == {
        "id": "gid://gitlab/Ci::Build/9",
        "name": "ship",
        "kind": "BUILD",
        "status": "CREATED",
        "stage": {"name": "deploy"},
        "webPath": "/group/app/-/jobs/9",
    }


async def test_project_jobs_resolve_for_one_project(graphql):
    reply = await graphql("{ projects { nodes { id jobs(first: 1) { nodes { id } } } } }")
    nodes = reply.json["data"]["projects"]["nodes"]
    assert [node["jobs"] is None for node in nodes] == [False, True, True]
    assert [error["message"] for error in reply.json["errors"]] == [
        '"jobs" field can be requested only for 1 Project(s) at a time.'
    ] * 2
    assert reply.json["errors"][0]["path"] == ["projects", "nodes", 1, "jobs"]
