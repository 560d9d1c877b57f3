"""The GraphQL of the simulated server: projects, their pipelines and jobs."""

import pytest
from graphql import get_introspection_query

from gitlab_jobs_async.simulator import JobPlan, PipelinePlan, PlannedJob, actions

BELL = """query Q($ids: [ID!]) { projects(ids: $ids, first: 100) {
    nodes { id pipelines(first: 5) { nodes { id status updatedAt } } } } }"""
APP = '{ project(fullPath: "group/app") { %s } }'


def project_ids(*numbers):
    return [f"gid://gitlab/Project/{number}" for number in numbers]


def numbers(connection):
    return [int(node["id"].rpartition("/")[2]) for node in connection["nodes"]]


async def of_app(graphql, fields, **options):
    reply = await graphql(APP % fields, **options)
    assert "errors" not in reply.json
    return reply.json["data"]["project"]


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
    assert reply.json == {
        "data": {
            "projects": {
                "nodes": [
                    {"id": "gid://gitlab/Project/3", "pipelines": {"nodes": []}},
                    {"id": "gid://gitlab/Project/1", "pipelines": {"nodes": [pipeline]}},
                ]
            }
        }
    }


async def test_missing_and_hidden_projects_are_absent(graphql):
    reply = await graphql(BELL, ids=project_ids(1, 3, 99), token="glpat-eve")
    found = reply.json["data"]["projects"]["nodes"]
    assert [node["id"] for node in found] == project_ids(3)
    assert "errors" not in reply.json


async def test_hidden_project_is_null(graphql):
    reply = await graphql(APP % "id", token="glpat-eve")
    assert reply.json == {"data": {"project": None}}


async def test_unreadable_pipelines_look_like_none(graphql, world):
    """A guest sees a project with private jobs, and an empty list in place of a refusal."""
    world.add_pipeline(world.project("group/closed"))
    seen = {}
    for token in ("glpat-gus", "glpat-rita"):
        reply = await graphql(BELL, ids=project_ids(2), token=token)
        seen[token] = len(reply.json["data"]["projects"]["nodes"][0]["pipelines"]["nodes"])
    assert seen == {"glpat-gus": 0, "glpat-rita": 1}


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ("", ["open/lib", "group/closed", "group/app"]),
        ("ids: []", []),
        ("fullPaths: []", ["open/lib", "group/closed", "group/app"]),
        ('fullPaths: ["open/LIB", "group/none"]', ["open/lib"]),
        ('ids: ["gid://gitlab/Project/x", "gid://gitlab/Project/2"]', ["group/closed"]),
        ('search: "li"', ["open/lib"]),
        ("membership: true", ["group/closed", "group/app"]),
    ],
)
async def test_arguments_of_projects(graphql, arguments, paths):
    call = f"projects({arguments})" if arguments else "projects"
    reply = await graphql(f"{{ {call} {{ nodes {{ fullPath }} }} }}", token="glpat-bob")
    nodes = reply.json["data"]["projects"]["nodes"]
    assert [node["fullPath"] for node in nodes] == paths


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('ids: ["17"]', "17 is not a valid GitLab ID."),
        ('ids: ["gid://gitlab/User/1"]', "gid://gitlab/User/1 is not a valid ID for Project."),
        (
            f"fullPaths: {['a/b'] * 51}".replace("'", '"'),
            "You cannot provide more than 50 full_paths",
        ),
        ("first: 1, last: 1", "Can only provide either `first` or `last`, not both"),
        ('after: "?"', "Please provide a valid cursor"),
        ('after: "e30"', "Please provide a valid cursor"),
    ],
)
async def test_invalid_arguments_of_projects(graphql, arguments, message):
    reply = await graphql(f"{{ projects({arguments}) {{ nodes {{ id }} }} }}")
    assert reply.status == 200
    assert reply.json["data"] == {"projects": None}
    (error,) = reply.json["errors"]
    assert (error["message"], error["path"]) == (message, ["projects"])


async def test_former_path_finds_nothing(graphql, world):
    """Redirects of REST have no counterpart here."""
    world.move_project(world.project("group/app"), "group/new")
    assert (await graphql(APP % "id")).json == {"data": {"project": None}}


async def test_pipeline_jobs_contain_bridges(graphql):
    found = await of_app(
        graphql,
        "pipelines { nodes { jobs(first: 100) { nodes { id name kind status stage { name } webPath"
        " downstreamPipeline { id } } } } }",
    )
    jobs = found["pipelines"]["nodes"][0]["jobs"]
    assert numbers(jobs) == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert jobs["nodes"][2] == {
        "id": "gid://gitlab/Ci::Bridge/7",
        "name": "trigger",
        "kind": "BRIDGE",
        "status": "SUCCESS",
        "stage": {"name": "build"},
        "webPath": None,
        "downstreamPipeline": {"id": "gid://gitlab/Ci::Pipeline/2"},
    }
    assert jobs["nodes"][0] == {
        "id": "gid://gitlab/Ci::Build/9",
        "name": "ship",
        "kind": "BUILD",
        "status": "CREATED",
        "stage": {"name": "deploy"},
        "webPath": "/group/app/-/jobs/9",
        "downstreamPipeline": None,
    }


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ("retried: false", [11, 9, 8, 7, 6, 5, 4, 2, 1]),
        ("retried: true", [3]),
        ("jobKind: BUILD, statuses: [SUCCESS]", [8, 1]),
        ("jobKind: BRIDGE", [7]),
        ("statuses: [RUNNING, FAILED], retried: false", [4, 2]),
        ("statuses: []", [11, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ('whenExecuted: ["manual"]', [5]),
        ("first: 2", [11, 9]),
        ("last: 2", [2, 1]),
    ],
)
async def test_arguments_of_pipeline_jobs(graphql, world, job, arguments, ids):
    """Retried jobs are among a pipeline's jobs unless `retried` leaves them out."""
    world.retry(job("flaky"))
    found = await of_app(
        graphql, f"pipelines {{ nodes {{ jobs({arguments}) {{ nodes {{ id }} }} }} }}"
    )
    assert numbers(found["pipelines"]["nodes"][0]["jobs"]) == ids


async def test_fields_of_a_job(graphql, world, job):
    world.settle(world.now + 50)
    fields = (
        "id createdAt queuedAt startedAt finishedAt erasedAt duration queuedDuration allowFailure"
        " manualJob retried active scheduled createdByTag coverage failureMessage exitCode refName"
        " shortSha source tags pipeline { id iid path } project { fullPath }"
    )
    reply = await of_app(graphql, f"pipelines {{ nodes {{ jobs {{ nodes {{ {fields} }} }} }} }}")
    rows = {
        row["id"].rpartition("/")[2]: row for row in reply["pipelines"]["nodes"][0]["jobs"]["nodes"]
    }
    assert rows["1"] == {
        "id": "gid://gitlab/Ci::Build/1",
        "createdAt": "2025-06-15T15:05:00Z",
        "queuedAt": "2025-06-15T15:05:00Z",
        "startedAt": "2025-06-15T15:05:02Z",
        "finishedAt": "2025-06-15T15:05:12Z",
        "erasedAt": None,
        "duration": 10,
        "queuedDuration": 2.0,
        "allowFailure": False,
        "manualJob": False,
        "retried": False,
        "active": False,
        "scheduled": False,
        "createdByTag": False,
        "coverage": 87.5,
        "failureMessage": None,
        "exitCode": None,
        "refName": "main",
        "shortSha": job("compile").pipeline.sha[:8],
        "source": "push",
        "tags": [],
        "pipeline": {
            "id": "gid://gitlab/Ci::Pipeline/1",
            "iid": "1",
            "path": "/group/app/-/pipelines/1",
        },
        "project": {"fullPath": "group/app"},
    }
    assert rows["5"]["manualJob"] is True
    assert rows["6"]["tags"] == ["arm", "gpu"]
    assert rows["7"]["tags"] is None


async def test_failure_message_has_no_reason(graphql, world):
    """GraphQL knows texts for some reasons, and none for a script's failure."""
    pipeline = world.add_pipeline(world.project("open/lib"))
    for reason in ("script_failure", "runner_system_failure"):
        plan = JobPlan(duration=0, queued=0, outcome="failed", failure_reason=reason)
        world.add_job(pipeline, reason, plan=plan)
    text = '{ project(fullPath: "open/lib") { jobs { nodes { name failureMessage } } } }'
    nodes = (await graphql(text)).json["data"]["project"]["jobs"]["nodes"]
    assert {node["name"]: node["failureMessage"] for node in nodes} == {
        "script_failure": None,
        "runner_system_failure": "There has been a runner system failure, please try again",
    }


async def test_children_are_no_pipelines_of_a_project(graphql):
    """A child appears by its bridge, or when its source is asked for."""
    found = await of_app(
        graphql,
        'all: pipelines { nodes { id } } children: pipelines(source: "parent_pipeline")'
        " { nodes { id child source upstream { id } sourceJob { id } } }",
    )
    assert numbers(found["all"]) == [1]
    assert found["children"]["nodes"] == [
        {
            "id": "gid://gitlab/Ci::Pipeline/2",
            "child": True,
            "source": "parent_pipeline",
            "upstream": {"id": "gid://gitlab/Ci::Pipeline/1"},
            "sourceJob": {"id": "gid://gitlab/Ci::Bridge/7"},
        }
    ]


async def test_downstream_pipelines_of_other_projects(graphql, world):
    plan = PipelinePlan(project="open/lib", jobs=(PlannedJob("far", plan=JobPlan()),))
    world.add_bridge(world.pipelines[1], "far", stage="build", downstream=plan)
    world.settle(world.now + 2)
    found = await of_app(graphql, "pipelines { nodes { downstream { nodes { id source } } } }")
    assert found["pipelines"]["nodes"][0]["downstream"]["nodes"] == [
        {"id": "gid://gitlab/Ci::Pipeline/3", "source": "pipeline"},
        {"id": "gid://gitlab/Ci::Pipeline/2", "source": "parent_pipeline"},
    ]


@pytest.mark.parametrize("path", ["group/closed", "group/app"])
async def test_links_to_hidden_projects_are_null(graphql, world, path):
    """A pipeline that the caller may not read is absent from lists, and null elsewhere."""
    plan = PipelinePlan(project=path, jobs=(PlannedJob("far", plan=JobPlan()),))
    lib = world.add_pipeline(world.project("open/lib"))
    world.add_bridge(lib, "into the dark", downstream=plan, plan=JobPlan(queued=0))
    world.settle(world.now + 1)
    text = """{ projects { nodes { fullPath pipelines { nodes { downstream { count } upstream { id }
        jobs { nodes { downstreamPipeline { id } } } } } } } }"""
    seen = {}
    for token in ("glpat-eve", "glpat-rita"):
        nodes = (await graphql(text, token=token)).json["data"]["projects"]["nodes"]
        seen[token] = {node["fullPath"]: node["pipelines"]["nodes"] for node in nodes}
    assert seen["glpat-eve"]["open/lib"] == [
        {
            "downstream": {"count": 0},
            "upstream": None,
            "jobs": {"nodes": [{"downstreamPipeline": None}]},
        }
    ]
    (pipeline,) = seen["glpat-rita"]["open/lib"]
    assert pipeline["downstream"] == {"count": 1}
    assert pipeline["jobs"]["nodes"][0]["downstreamPipeline"] is not None
    assert seen["glpat-rita"][path][0]["upstream"] is not None


async def test_unreadable_jobs_are_null(graphql, world):
    """A guest of a project with private jobs; `project.jobs` and `pipeline` are not lists of it."""
    world.add_pipeline(world.project("group/closed"))
    text = '{ project(fullPath: "group/closed") { id jobs { count } pipeline(iid: "1") { id } } }'
    answer = (await graphql(text, token="glpat-gus")).json
    assert answer == {
        "data": {"project": {"id": "gid://gitlab/Project/2", "jobs": None, "pipeline": None}}
    }


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ("status: RUNNING", [1]),
        ("scope: FINISHED", [4]),
        ("scope: RUNNING", [1]),
        ("scope: TAGS", []),
        ("scope: BRANCHES", [5, 4]),
        ('ref: "main"', [5, 3, 1]),
        ('ref: "topic"', [4]),
        ('username: "bob"', [1]),
        ('updatedAfter: "2025-06-15T15:06:00Z"', [5, 4, 3]),
        ('updatedBefore: "2025-06-15T15:06:00+00:00"', [1]),
        ("first: 2", [5, 4]),
        ("last: 1", [1]),
        ("first: 0", []),
        ("first: 500", [5, 4, 3, 1]),
    ],
)
async def test_arguments_of_pipelines(graphql, world, arguments, ids):
    app = world.project("group/app")
    world.add_pipeline(app)
    topic = world.add_pipeline(app, ref="topic")
    world.add_job(topic, "quick", plan=JobPlan(queued=0, duration=0))
    world.add_pipeline(app)
    found = await of_app(graphql, f"pipelines({arguments}) {{ nodes {{ id }} }}")
    assert numbers(found["pipelines"]) == ids


async def test_times_have_no_fractions(graphql, world):
    """Two changes of one second have the same `updatedAt`, unlike in REST."""
    world.add_pipeline(world.project("group/app"), at=world.now - 0.25)
    found = await of_app(graphql, "pipelines(first: 1) { nodes { createdAt updatedAt } }")
    at = "2025-06-15T15:06:39Z"
    assert found["pipelines"]["nodes"] == [{"createdAt": at, "updatedAt": at}]


@pytest.mark.parametrize(("limit", "count"), [(2, 3), (8, 8), (9, 8), (5000, 8)])
async def test_count_of_jobs_is_limited(graphql, limit, count):
    """One more than the limit stands for any larger number."""
    found = await of_app(graphql, f"jobs {{ count(limit: {limit}) }}")
    assert found["jobs"]["count"] == count


async def test_time_argument_as_a_variable(graphql):
    text = 'query Q($at: Time) { project(fullPath: "group/app") { pipelines(updatedAfter: $at)'
    text += " { nodes { id } } } }"
    for at, number in (("2025-06-15T15:05:00Z", 1), ("2025-06-15T15:06:00Z", 0)):
        reply = await graphql(text, at=at)
        assert len(reply.json["data"]["project"]["pipelines"]["nodes"]) == number
    invalid = (await graphql(text, at="yesterday")).json
    assert "data" not in invalid
    assert "yesterday" in invalid["errors"][0]["message"]


async def test_pages_by_cursor_are_complete(graphql, world):
    app = world.project("group/app")
    for _ in range(250):
        world.add_pipeline(app)
    text = """query Q($after: String) { project(fullPath: "group/app") {
        pipelines(after: $after) { count nodes { id } pageInfo { hasNextPage hasPreviousPage
        startCursor endCursor } edges { cursor node { id } } } } }"""
    found, pages, after = [], [], None
    while True:
        page = (await graphql(text, after=after)).json["data"]["project"]["pipelines"]
        found += numbers(page)
        pages.append((len(page["nodes"]), page["pageInfo"]["hasPreviousPage"]))
        assert page["count"] == 251
        assert page["edges"][0] == {
            "cursor": page["pageInfo"]["startCursor"],
            "node": page["nodes"][0],
        }
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert pages == [(100, False), (100, True), (51, True)]
    assert found == [*range(252, 2, -1), 1]


async def test_full_last_page_has_no_next(graphql):
    found = await of_app(graphql, "pipelines(first: 1) { nodes { id } pageInfo { hasNextPage } }")
    assert found["pipelines"]["pageInfo"] == {"hasNextPage": False}


async def test_pages_backwards(graphql, world):
    for _ in range(4):
        world.add_pipeline(world.project("group/app"))
    text = """query Q($before: String) { project(fullPath: "group/app") {
        pipelines(last: 2, before: $before) { nodes { id }
        pageInfo { hasNextPage hasPreviousPage startCursor } } } }"""
    seen, before = [], None
    for _ in range(3):
        page = (await graphql(text, before=before)).json["data"]["project"]["pipelines"]
        info = page["pageInfo"]
        seen.append((numbers(page), info["hasPreviousPage"], info["hasNextPage"]))
        before = info["startCursor"]
    assert seen == [([3, 1], True, False), ([5, 4], True, True), ([6], False, True)]


async def test_one_pipeline(graphql, world):
    sha = world.pipelines[1].sha
    found = await of_app(
        graphql,
        'a: pipeline(iid: "1") { id sha } b: pipeline(iid: "2") { id } c: pipeline(iid: "9") { id }'
        f' d: pipeline(sha: "{sha}") {{ sha(format: SHORT) }} e: pipeline {{ id }}'
        ' f: pipeline(id: "gid://gitlab/Ci::Pipeline/2") { id }',
    )
    assert found == {
        "a": {"id": "gid://gitlab/Ci::Pipeline/1", "sha": sha},
        "b": {"id": "gid://gitlab/Ci::Pipeline/2"},
        "c": None,
        "d": {"sha": sha[:8]},
        "e": {"id": "gid://gitlab/Ci::Pipeline/1"},
        "f": {"id": "gid://gitlab/Ci::Pipeline/2"},
    }


async def test_one_pipeline_by_two_names(graphql):
    reply = await graphql(APP % 'pipeline(iid: "1", sha: "x") { id }')
    assert reply.json["data"] == {"project": {"pipeline": None}}
    assert reply.json["errors"][0]["message"] == "Provide one of an IID or SHA"


async def test_stages_have_ids_of_their_own(graphql):
    found = await of_app(graphql, "jobs(last: 2) { nodes { name stage { id name } } }")
    assert found["jobs"]["nodes"] == [
        {"name": "unit", "stage": {"id": "gid://gitlab/Ci::Stage/101", "name": "test"}},
        {"name": "compile", "stage": {"id": "gid://gitlab/Ci::Stage/100", "name": "build"}},
    ]


async def test_introspection_is_answered(graphql):
    reply = await graphql(get_introspection_query(), token=None)
    types = {kind["name"] for kind in reply.json["data"]["__schema"]["types"]}
    assert {"Project", "Pipeline", "CiJob", "CiJobConnection"} <= types


async def test_failing_resolver_is_a_500(graphql, world):
    world.pipelines[1].status = None
    reply = await graphql(APP % "pipelines { nodes { status } }")
    assert (reply.status, reply.json) == (500, {"errors": [{"message": "Internal server error"}]})


async def test_project_jobs_resolve_for_one_project(graphql):
    """Ci::JobsFinder leaves out bridges and jobs in `created`."""
    reply = await graphql("{ projects { nodes { id jobs(first: 3) { nodes { id } } } } }")
    nodes = reply.json["data"]["projects"]["nodes"]
    assert [node["jobs"] is None for node in nodes] == [False, True, True]
    assert [error["message"] for error in reply.json["errors"]] == [
        '"jobs" field can be requested only for 1 Project(s) at a time.'
    ] * 2
    assert reply.json["errors"][0]["path"] == ["projects", "nodes", 1, "jobs"]
    alone = await of_app(graphql, "jobs { nodes { id } } ")
    assert numbers(alone["jobs"]) == [10, 8, 6, 5, 4, 3, 2, 1]


async def test_aliased_project_jobs_are_counted(graphql):
    reply = await graphql(APP % "a: jobs { count } b: jobs { count }")
    assert reply.json["data"]["project"] == {"a": {"count": 8}, "b": None}
    assert len(reply.json["errors"]) == 1


async def test_updated_at_moves_with_the_status(graphql, world):
    """A job's own change leaves it as it is, as long as the pipeline's status stays."""
    text = APP % "pipelines { nodes { status updatedAt jobs(statuses: [RUNNING]) { count } } }"

    async def state():
        node = (await graphql(text)).json["data"]["project"]["pipelines"]["nodes"][0]
        return node["status"], node["updatedAt"], node["jobs"]["count"]

    before = await state()
    world.add_job(world.pipelines[1], "late", stage="build", plan=JobPlan(queued=0, duration=1e9))
    world.settle(world.now)
    assert await state() == (*before[:2], before[2] + 1)
    actions.cancel_pipeline(world.registry, world.pipelines[1], world.now)
    world.settle(world.now + 60)
    status, updated_at, _ = await state()
    assert status != before[0]
    assert updated_at > before[1]


async def test_metadata_and_current_user(graphql):
    text = "{ metadata { version enterprise } currentUser { id username } }"
    assert (await graphql(text, token="glpat-bob")).json["data"] == {
        "metadata": {"version": "19.5.0", "enterprise": False},
        "currentUser": {"id": "gid://gitlab/User/4", "username": "bob"},
    }
    anonymous = (await graphql(text, token=None)).json["data"]
    assert anonymous == {"metadata": None, "currentUser": None}


@pytest.mark.parametrize(
    ("version", "argument", "message"),
    [
        ("15.11", "jobs(jobKind: BUILD)", "Field 'jobs' doesn't accept argument 'jobKind'"),
        ("16.0", "jobs(jobKind: BUILD)", None),
        ("16.5", None, "Field 'projects' doesn't accept argument 'fullPaths'"),
        ("16.6", None, None),
        ("16.8", "jobs(statuses: [CANCELING])", "CANCELING"),
        ("17.0", "jobs(statuses: [CANCELING])", None),
    ],
)
async def test_arguments_follow_the_version(serve, world, version, argument, message):
    api = await serve(world, version=version)
    text = APP % f"pipelines {{ nodes {{ {argument} {{ count }} }} }}"
    if argument is None:
        text = '{ projects(fullPaths: ["a/b"]) { count } }'
    answer = (await api.graphql(text)).json
    if message is None:
        assert "errors" not in answer
    else:
        assert message in answer["errors"][0]["message"]
        assert "data" not in answer


async def test_needs_come_with_the_scheduling_type(graphql, world):
    """A job without `needs:` and one with an empty list differ in their scheduling type only."""
    pipeline = world.add_pipeline(world.project("group/app"), stages=("build", "test"))
    for name, needs in (("a", None), ("b", ()), ("c", ("a", "b"))):
        world.add_job(pipeline, name, plan=JobPlan(needs=needs))
    fields = "jobs { nodes { name schedulingType needs { nodes { name } } } }"
    found = await of_app(graphql, f'pipeline(iid: "{pipeline.iid}") {{ {fields} }}')
    needs = {
        job["name"]: (job["schedulingType"], [need["name"] for need in job["needs"]["nodes"]])
        for job in found["pipeline"]["jobs"]["nodes"]
    }
    assert needs == {"a": ("stage", []), "b": ("dag", []), "c": ("dag", ["b", "a"])}
