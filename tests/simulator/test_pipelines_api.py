"""Pipelines, their jobs and bridges, and the way to them (gitlab.md, 1.2)."""

import pytest

from gitlab_jobs_async.simulator import JobPlan, PipelinePlan, PlannedJob

START = 1_750_000_000.0


@pytest.fixture
def pipelines(world):
    """Pipelines that differ in all that the list filters by; by name."""
    lib = world.project("open/lib")
    bob = world.registry.users[4]
    plans = {"won": JobPlan(), "lost": JobPlan(outcome="failed"), "open": JobPlan(duration=1e6)}
    made = {}
    for index, (name, plan) in enumerate(plans.items()):
        at = START - 3000 + index * 1000
        made[name] = world.add_pipeline(lib, at=at, ref=f"r{index}", user=bob)
        made[name].name = name
        world.add_job(made[name], "job", plan=plan)
    made["won"].tag = True
    made["lost"].source = "schedule"
    made["lost"].user = world.root
    made["lost"].yaml_errors = "broken"
    world.settle(START)
    return made


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["open", "lost", "won"]),
        ("sort=asc", ["won", "lost", "open"]),
        ("order_by=status&sort=asc", ["lost", "open", "won"]),
        ("order_by=ref&sort=desc", ["open", "lost", "won"]),
        ("order_by=user_id", ["open", "won", "lost"]),
        ("order_by=updated_at", ["open", "lost", "won"]),
        ("status=failed", ["lost"]),
        ("scope=running", ["open"]),
        ("scope=pending", []),
        ("scope=finished", ["lost", "won"]),
        ("scope=branches", ["open", "lost"]),
        ("scope=tags", ["won"]),
        ("ref=r1", ["lost"]),
        ("name=won", ["won"]),
        ("source=schedule", ["lost"]),
        ("source=parent_pipeline", []),
        ("username=bob", ["open", "won"]),
        ("yaml_errors=true", ["lost"]),
        ("yaml_errors=false", ["open", "won"]),
        ("created_after=2025-06-15T14:45:00Z", ["open"]),
        ("created_before=2025-06-15T14:45:00Z", ["lost", "won"]),
        ("updated_before=2025-06-15T14:20:00%2B00:00", ["won"]),
        ("updated_after=2025-06-15T14:40:00Z", ["open"]),
    ],
)
@pytest.mark.usefixtures("pipelines")
async def test_list_filters(api, query, names):
    rows = (await api(f"GET /projects/3/pipelines?{query}")).json
    assert [row["name"] for row in rows] == names


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("status=x", "status does not have a valid value"),
        ("scope=x", "scope does not have a valid value"),
        ("order_by=iid", "order_by does not have a valid value"),
        ("sort=up", "sort does not have a valid value"),
        ("source=x", "source does not have a valid value"),
        ("updated_after=x", "updated_after is invalid"),
        ("yaml_errors=x", "yaml_errors is invalid"),
    ],
)
async def test_list_refuses_bad_filters(api, query, text):
    reply = await api(f"GET /projects/1/pipelines?{query}")
    assert (reply.status, reply.json) == (400, {"error": text})


async def test_by_sha(api, pipelines):
    rows = (await api(f"GET /projects/3/pipelines?sha={pipelines['won'].sha}")).json
    assert [row["id"] for row in rows] == [pipelines["won"].id]


async def test_list_is_basic_and_one_is_whole(api, pipelines):
    basic = {
        "id", "iid", "project_id", "sha", "ref", "status", "source", "created_at", "updated_at",
        "web_url", "name",
    }  # fmt: skip
    assert set((await api("GET /projects/3/pipelines")).json[0]) == basic
    whole = (await api(f"GET /projects/3/pipelines/{pipelines['won'].id}")).json
    assert basic | {"detailed_status", "coverage", "yaml_errors", "before_sha"} < set(whole)
    assert (whole["duration"], whole["status"]) == (30, "success")


async def test_children_need_a_filter(api):
    assert (await api("GET /projects/1/pipelines")).ids == [1]
    assert (await api("GET /projects/1/pipelines?source=parent_pipeline")).ids == [2]


async def test_coverage_is_a_string(api):
    assert (await api("GET /projects/1/pipelines/1")).json["coverage"] == "87.50"


async def test_latest(api, pipelines):
    assert (await api("GET /projects/1/pipelines/latest")).json["id"] == 1
    newest = await api("GET /projects/3/pipelines/latest?ref=r2")
    assert newest.json["id"] == pipelines["open"].id
    none = await api("GET /projects/3/pipelines/latest?ref=none")
    assert (none.status, none.json) == (403, {"message": "403 Forbidden"})


async def test_unknown_pipeline(api):
    for path in ("", "/jobs", "/bridges"):
        reply = await api(f"GET /projects/1/pipelines/99{path}")
        assert (reply.status, reply.json) == (404, {"message": "404 Not found"})


async def test_jobs_of_a_pipeline_are_counted(api):
    reply = await api("GET /projects/1/pipelines/1/jobs?per_page=3")
    assert reply.headers["X-Total"] == "8"
    assert reply.headers["X-Total-Pages"] == "3"
    assert reply.ids == sorted(reply.ids, reverse=True)
    assert "include_retried=false" in reply.headers["Link"]


async def test_bridges_are_apart(api):
    rows = (await api("GET /projects/1/pipelines/1/bridges")).json
    assert [row["name"] for row in rows] == ["trigger"]
    assert rows[0]["downstream_pipeline"]["source"] == "parent_pipeline"
    assert "runner" not in rows[0]
    assert "tag_list" not in rows[0]
    names = {row["name"] for row in (await api("GET /projects/1/pipelines/1/jobs")).json}
    assert "trigger" not in names


async def test_bridge_to_another_project_that_waits(api, world, clock):
    pipeline = world.add_pipeline(world.project("group/app"))
    downstream = PipelinePlan(
        project="open/lib", jobs=(PlannedJob("there", plan=JobPlan(outcome="failed")),), depend=True
    )
    bridge = world.add_bridge(pipeline, "to lib", downstream=downstream)
    clock.advance(5)
    path = f"GET /projects/1/pipelines/{pipeline.id}/bridges"
    row = (await api(path)).json[0]
    assert (row["status"], row["downstream_pipeline"]["source"]) == ("running", "pipeline")
    assert row["downstream_pipeline"]["project_id"] == 3
    clock.advance(100)
    assert (await api(path)).json[0]["status"] == "failed"
    assert bridge.finished_at


async def test_bridge_to_nowhere_fails(api, world, clock):
    pipeline = world.add_pipeline(world.project("group/app"))
    world.add_bridge(pipeline, "lost", downstream=PipelinePlan(project="no/such"))
    clock.advance(5)
    row = (await api(f"GET /projects/1/pipelines/{pipeline.id}/bridges")).json[0]
    assert row["failure_reason"] == "downstream_bridge_project_not_found"


async def test_cancel_is_a_200_and_reaches_children(api, clock):
    reply = await api("POST /projects/1/pipelines/1/cancel")
    assert reply.status == 200
    clock.advance(20)
    rows = (await api("GET /projects/1/pipelines/1/jobs")).json
    assert {row["status"] for row in rows} <= {"canceled", "success", "failed"}
    assert (await api("GET /projects/1/pipelines/2")).json["status"] == "canceled"
    assert (await api("POST /projects/1/pipelines/1/cancel")).status == 200


async def test_retry_is_a_201(api, job):
    await api("POST /projects/1/pipelines/1/cancel")
    old = job("flaky").id
    reply = await api("POST /projects/1/pipelines/1/retry")
    assert (reply.status, reply.json["status"]) == (201, "running")
    assert job("flaky").id > old


async def test_status_may_lag_behind_the_jobs(serve, world, clock):
    api = await serve(world, pipeline_status_delay=5)
    pipeline = api.gitlab.world.add_pipeline(world.project("open/lib"))
    world.add_job(pipeline, "quick", plan=JobPlan(queued=0, duration=10))
    clock.advance(12)
    path = f"GET /projects/3/pipelines/{pipeline.id}"
    assert (await api(f"{path}/jobs")).json[0]["status"] == "success"
    assert (await api(path)).json["status"] == "running"
    clock.advance(5)
    assert (await api(path)).json["status"] == "success"


async def test_the_way_there(api):
    assert (await api("GET /version")).json["version"] == "19.5.0"
    assert (await api("GET /metadata")).json["enterprise"] is False
    me = (await api("GET /user", token="glpat-bob")).json
    assert (me["username"], me["is_admin"]) == ("bob", False)
    assert (await api("GET /projects/1")).json["path_with_namespace"] == "group/app"
    assert (await api("GET /projects")).ids == [3, 2, 1]
    assert (await api("GET /projects?search=APP&membership=true", token="glpat-bob")).ids == [1]
    assert (await api("GET /projects", token="glpat-eve")).ids == [3]
    assert (await api("GET /projects", token=None)).ids == [3]
