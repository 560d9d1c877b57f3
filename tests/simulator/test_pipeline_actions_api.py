"""Creation, deletion and look-up of pipelines (lib/api/ci/pipelines.rb, lib/api/commits.rb)."""

import pytest

from gitlab_jobs_async.simulator import JobPlan, MergeRequest, PipelinePlan, PlannedJob

CREATE = "POST /projects/1/pipeline"


def base(text):
    return {"message": {"base": [text]}}


async def test_create_runs_the_same_jobs(api, clock):
    reply = await api(CREATE, json={"ref": "main"})
    made = reply.json
    assert reply.status == 201
    assert (made["source"], made["ref"], made["user"]["username"]) == ("api", "main", "root")
    # The head of the branch has not moved.
    assert made["sha"] == (await api("GET /projects/1/pipelines/1")).json["sha"]
    jobs = (await api(f"GET /projects/1/pipelines/{made['id']}/jobs")).json
    assert {job["name"] for job in jobs} == {
        "compile", "unit", "flaky", "graceful", "deploy", "stuck", "debug", "ship",
    }  # fmt: skip
    clock.advance(20)
    assert (await api(f"GET /projects/1/pipelines/{made['id']}")).json["status"] == "running"
    assert (await api("GET /projects/1/pipelines/latest")).json["id"] == made["id"]


async def test_configured_jobs_run_with_inputs(api, world):
    project = world.project("open/lib")
    project.configuration = PipelinePlan(jobs=(PlannedJob("ship", plan=JobPlan(duration=5)),))
    project.inputs = {"target": "staging"}
    body = {
        "ref": "main",
        "variables": [{"key": "A", "value": "1", "variable_type": "file"}],
        "inputs": {"target": "production"},
    }
    reply = await api("POST /projects/3/pipeline", json=body)
    made = world.pipelines[reply.json["id"]]
    assert [job.name for job in made.jobs] == ["ship"]
    assert (made.variables, made.inputs) == ({"A": "1"}, {"target": "production"})


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        ({}, 400, {"error": "ref is missing"}),
        ({"ref": "none"}, 400, base("Reference not found")),
        ({"ref": "main", "variables": "A=1"}, 400, {"error": "variables is invalid"}),
        (
            {"ref": "main", "variables": [{"key": "A", "variable_type": "x"}]},
            400,
            {"error": "variables[0][variable_type] does not have a valid value"},
        ),
        (
            {"ref": "main", "inputs": {"a": 1}},
            400,
            base(
                "Given inputs not defined in the `spec` section of the included configuration file"
            ),
        ),
    ],
)
async def test_create_refuses_bad_parameters(api, body, status, answer):
    reply = await api(CREATE, json=body)
    assert (reply.status, reply.json) == (status, answer)


async def test_unknown_inputs_are_named(api, world):
    world.project("group/app").inputs = {"target": "staging"}
    reply = await api(CREATE, json={"ref": "main", "inputs": {"a": 1, "b": 2}})
    assert reply.json == base("unknown input arguments: a, b")


async def test_project_without_ci_file_is_refused(api):
    reply = await api("POST /projects/3/pipeline", json={"ref": "main"})
    assert (reply.status, reply.json) == (400, base("Missing CI config file"))


async def test_create_needs_a_developer(api, world):
    assert (await api(CREATE, token="glpat-rita", json={"ref": "main"})).status == 403
    assert (await api(CREATE, token="glpat-bob", json={"ref": "main"})).status == 201
    project = world.project("group/app")
    project.protected_refs = frozenset({"main"})
    reply = await api(CREATE, token="glpat-bob", json={"ref": "main"})
    assert reply.status == 400
    assert "sufficient permission to run a pipeline on 'main'" in reply.json["message"]["base"][0]
    assert (await api(CREATE, token="glpat-maria", json={"ref": "main"})).status == 201


async def test_variables_need_their_role(api, world):
    world.project("group/app").variables_role = "maintainer"
    body = {"ref": "main", "variables": [{"key": "A", "value": "1"}]}
    reply = await api(CREATE, token="glpat-bob", json=body)
    assert reply.json == base("Insufficient permissions to set pipeline variables")
    assert (await api(CREATE, token="glpat-maria", json=body)).status == 201


async def test_delete_is_for_owners(api, world):
    for token, status in (("glpat-maria", 403), ("glpat-root", 204), ("glpat-root", 404)):
        assert (await api("DELETE /projects/1/pipelines/1", token=token)).status == status
    assert (await api("GET /projects/1/jobs")).ids == [job.id for job in world.jobs.values()]
    # The child pipeline stays.
    assert (await api("GET /projects/1/pipelines/2")).status == 200


async def test_delete_of_a_changed_pipeline_is_a_412(api):
    old = {"If-Unmodified-Since": "Wed, 01 Jan 2025 00:00:00 GMT"}
    reply = await api("DELETE /projects/1/pipelines/1", headers=old)
    assert (reply.status, reply.json) == (412, {"message": "412 Precondition Failed"})


async def with_child(api, world, clock):
    """Return a pipeline and its bridge, whose child pipeline runs."""
    child = PipelinePlan(jobs=(PlannedJob("inner", plan=JobPlan(duration=50)),), depend=True)
    parent = world.add_pipeline(world.project("open/lib"))
    bridge = world.add_bridge(parent, "trigger", downstream=child)
    clock.advance(10)
    await api("GET /version")
    return parent, bridge


async def test_parent_of_a_deleted_child_goes_on(api, world, clock):
    parent, bridge = await with_child(api, world, clock)
    world.delete_pipeline(bridge.downstream_pipeline)
    clock.advance(100)
    row = (await api(f"GET /projects/3/pipelines/{parent.id}/bridges")).json[0]
    assert row["downstream_pipeline"] is None


async def test_child_of_a_deleted_parent_ends(api, world, clock):
    parent, bridge = await with_child(api, world, clock)
    inner = bridge.downstream_pipeline
    world.delete_pipeline(parent)
    clock.advance(100)
    assert (await api(f"GET /projects/3/pipelines/{inner.id}")).json["status"] == "success"


async def test_commit_has_its_last_pipeline(api, world):
    newest = world.add_pipeline(world.project("open/lib"), ref="feature/a b")
    by_ref = (await api("GET /projects/3/repository/commits/feature%2Fa%20b")).json
    assert by_ref["id"] == newest.sha
    assert by_ref["last_pipeline"]["id"] == newest.id
    assert by_ref["project_id"] == 3
    short = (await api(f"GET /projects/3/repository/commits/{newest.sha[:8]}")).json
    assert short["id"] == newest.sha


@pytest.mark.parametrize("wanted", ["none", "abc", "0" * 40])
async def test_unknown_commit(api, wanted):
    reply = await api(f"GET /projects/1/repository/commits/{wanted}")
    assert (reply.status, reply.json) == (404, {"message": "404 Commit Not Found"})


async def test_merge_request_lists_its_pipelines(api, world):
    project = world.project("group/app")
    request = MergeRequest(iid=4, source_branch="topic")
    world.add_merge_request(project, request)
    path = "/projects/1/merge_requests/4/pipelines"
    assert (await api(f"GET {path}")).json == []
    branch = world.add_pipeline(project, ref="topic")
    merge = world.add_pipeline(project, merge_request=request)
    reply = await api(f"GET {path}")
    assert reply.ids == [merge.id, branch.id]
    assert (reply.json[0]["ref"], reply.headers["X-Total"]) == ("refs/merge-requests/4/head", "2")
    newer = world.add_pipeline(project, ref="topic")
    assert (await api(f"GET {path}")).ids == [merge.id, newer.id, branch.id]
    created = (await api(f"POST {path}")).json
    assert (created["source"], created["ref"]) == ("merge_request_event", request.ref)
    reply = await api("GET /projects/1/merge_requests/5/pipelines")
    assert (reply.status, reply.json) == (404, {"message": "404 Not found"})
