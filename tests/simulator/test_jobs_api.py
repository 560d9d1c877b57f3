"""The Jobs API's contract: status, headers, body and texts of each endpoint (gitlab.md, 1.1)."""

import pytest

from gitlab_jobs_async.simulator import JobPlan, PipelinePlan

JOB_FIELDS = {
    "allow_failure", "archived", "artifacts", "artifacts_expire_at", "commit", "coverage",
    "created_at", "duration", "erased_at", "finished_at", "id", "name", "pipeline", "project",
    "queued_duration", "ref", "runner", "runner_manager", "stage", "started_at",
    "status", "tag", "tag_list", "user", "web_url",
}  # fmt: skip


async def test_listed_newest_first_without_bridges(api, world):
    reply = await api("GET /projects/1/jobs")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json"
    builds = [row.id for row in world.project("group/app").builds]
    assert reply.ids == builds[::-1]
    assert "trigger" not in {row["name"] for row in reply.json}


async def test_list_has_no_totals_but_common_headers(api):
    headers = (await api("GET /projects/1/jobs?per_page=2")).headers
    assert "X-Total" not in headers
    assert "X-Total-Pages" not in headers
    assert 'rel="last"' not in headers["Link"]
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Request-Id"]
    assert headers["X-Runtime"]
    assert headers["Vary"] == "Origin"
    assert headers["Date"] == "Sun, 15 Jun 2025 15:06:40 GMT"


@pytest.mark.parametrize(
    "query",
    ["scope=failed", "scope[]=failed", "scope[0]=failed", "scope%5B%5D=failed"],
)
async def test_scope_in_all_spellings(api, query):
    rows = (await api(f"GET /projects/1/jobs?{query}")).json
    assert [row["name"] for row in rows] == ["flaky"]


async def test_scope_of_several(api):
    rows = (await api("GET /projects/1/jobs?scope[]=failed&scope[]=manual")).json
    assert {row["status"] for row in rows} == {"failed", "manual"}


@pytest.mark.parametrize("path", ["/projects/1/jobs", "/projects/1/pipelines/1/jobs"])
@pytest.mark.parametrize("query", ["scope=unknown", "scope[]=failed&scope[]=x", "scope[a][b]=x"])
async def test_unknown_scope_is_a_400(api, path, query):
    reply = await api(f"GET {path}?{query}")
    assert (reply.status, reply.json) == (400, {"error": "scope does not have a valid value"})


async def test_ref_is_ignored_by_older_servers(serve, world):
    """Grape drops parameters that an endpoint does not declare."""
    other = world.add_pipeline(world.project("group/app"), ref="topic")
    world.add_job(other, "on topic")
    today, older = await serve(world), await serve(world, job_ref_filter=False)
    path = "GET /projects/1/jobs?ref=topic"
    assert [row["name"] for row in (await today(path)).json] == ["on topic"]
    assert len((await older(path)).json) > 1


async def test_job_has_all_fields(api, job):
    row = (await api(f"GET /projects/1/jobs/{job('compile').id}")).json
    assert set(row) == JOB_FIELDS | {"artifacts_file"}
    assert row["coverage"] == 87.5
    assert row["duration"] == 10.0
    assert row["queued_duration"] == 2.0
    assert row["created_at"] == "2025-06-15T15:05:00.000Z"
    assert row["started_at"] == "2025-06-15T15:05:02.000Z"
    assert row["artifacts_file"]["filename"] == "artifacts.zip"
    assert [file["file_type"] for file in row["artifacts"]] == ["archive", "metadata", "trace"]
    assert row["user"]["username"] == "bob"
    assert row["pipeline"]["project_id"] == 1
    assert row["project"] == {"ci_job_token_scope_enabled": False}


async def test_failure_reason_only_when_failed(api, job):
    failed = (await api(f"GET /projects/1/jobs/{job('flaky').id}")).json
    assert failed["failure_reason"] == "script_failure"
    running = (await api(f"GET /projects/1/jobs/{job('unit').id}")).json
    assert "failure_reason" not in running
    assert "artifacts_file" not in running


async def test_duration_of_a_running_job_grows(api, job, clock):
    path = f"GET /projects/1/jobs/{job('unit').id}"
    before = (await api(path)).json["duration"]
    clock.advance(7)
    assert (await api(path)).json["duration"] == before + 7


async def test_waiting_job_has_tags_and_no_runner(api, job):
    row = (await api(f"GET /projects/1/jobs/{job('stuck').id}")).json
    assert (row["status"], row["runner"], row["tag_list"]) == ("pending", None, ["arm", "gpu"])


@pytest.mark.parametrize(
    ("call", "status", "body"),
    [
        ("GET /projects/1/jobs/999", 404, {"message": "404 Not found"}),
        ("GET /projects/1/jobs/abc", 400, {"error": "job_id is invalid"}),
        ("GET /projects/999/jobs/1", 404, {"message": "404 Project Not Found"}),
        ("GET /projects/no%2Fsuch/jobs", 404, {"message": "404 Project Not Found"}),
        ("GET /projects/group/app/jobs", 404, {"error": "404 Not Found"}),
        ("GET /projects/2/jobs/1", 404, {"message": "404 Not found"}),
        ("GET /projects/1/jobs/7", 404, {"message": "404 Not found"}),
        ("GET /nonsense", 404, {"error": "404 Not Found"}),
        ("PUT /projects/1/jobs", 405, {"error": "405 Not Allowed"}),
        ("POST /projects/1/jobs/999/cancel", 404, {"message": "404 Not found"}),
        ("POST /projects/1/jobs/x/play", 400, {"error": "job_id is invalid"}),
    ],
)
async def test_what_is_not_there(api, call, status, body):
    reply = await api(call)
    assert (reply.status, reply.json) == (status, body)


async def test_project_by_encoded_path(api):
    by_path = await api("GET /projects/group%2Fapp/jobs")
    assert by_path.ids == (await api("GET /projects/1/jobs")).ids
    assert "/projects/group%2Fapp/jobs?id=group%2Fapp&" in by_path.headers["Link"]


async def test_cancel_running_job(api, job):
    reply = await api(f"POST /projects/1/jobs/{job('unit').id}/cancel")
    assert (reply.status, reply.json["status"]) == (201, "canceled")
    assert reply.json["finished_at"]


async def test_cancel_by_way_of_canceling(api, job, clock):
    path = f"/projects/1/jobs/{job('graceful').id}"
    reply = await api(f"POST {path}/cancel")
    assert (reply.status, reply.json["status"]) == (201, "canceling")
    assert reply.json["finished_at"] is None
    again = await api(f"POST {path}/cancel")
    assert (again.status, again.json["status"]) == (201, "canceling")
    clock.advance(20)
    assert (await api(f"GET {path}")).json["status"] == "canceled"


async def test_force_cancel_works_only_from_canceling(api, job):
    path = f"POST /projects/1/jobs/{job('graceful').id}/cancel"
    noop = await api(path, json={"force": True})
    assert (noop.status, noop.json["status"]) == (201, "running")
    await api(path)
    forced = await api(f"{path}?force=true")
    assert (forced.status, forced.json["status"]) == (201, "canceled")


@pytest.mark.parametrize("name", ["compile", "flaky"])
async def test_cancel_of_an_ended_job_changes_nothing(api, job, name):
    before = job(name).status
    reply = await api(f"POST /projects/1/jobs/{job(name).id}/cancel")
    assert (reply.status, reply.json["status"]) == (201, before)


@pytest.mark.parametrize("name", ["stuck", "deploy", "ship"])
async def test_cancel_of_an_unstarted_job(api, job, name):
    reply = await api(f"POST /projects/1/jobs/{job(name).id}/cancel")
    assert (reply.status, reply.json["status"]) == (201, "canceled")


async def test_retry_gives_a_new_job_and_hides_the_old(api, job, clock):
    old = job("flaky").id
    reply = await api(f"POST /projects/1/jobs/{old}/retry", token="glpat-maria")
    new = reply.json
    assert (reply.status, new["status"], new["name"]) == (201, "pending", "flaky")
    assert new["id"] > old
    assert new["user"]["username"] == "maria"
    assert old not in (await api("GET /projects/1/pipelines/1/jobs")).ids
    assert old in (await api("GET /projects/1/pipelines/1/jobs?include_retried=true")).ids
    assert old in (await api("GET /projects/1/jobs")).ids
    clock.advance(100)
    assert (await api(f"GET /projects/1/jobs/{new['id']}")).json["status"] == "success"


@pytest.mark.parametrize("name", ["unit", "deploy", "stuck"])
async def test_retry_of_an_unfinished_job(api, job, name):
    reply = await api(f"POST /projects/1/jobs/{job(name).id}/retry")
    body = {"message": "403 Forbidden - Job is not retryable"}
    assert (reply.status, reply.json) == (403, body)


async def test_retry_of_a_retried_job(api, job):
    path = f"POST /projects/1/jobs/{job('flaky').id}/retry"
    assert (await api(path)).status == 201
    assert (await api(path)).status == 403


async def test_retry_with_an_unknown_input(api, job):
    reply = await api(f"POST /projects/1/jobs/{job('flaky').id}/retry", json={"inputs": {"foo": 1}})
    body = {"message": "400 Bad request - Unknown input: foo"}
    assert (reply.status, reply.json) == (400, body)


async def test_retry_of_a_bridge_is_a_job_entity(api, job):
    reply = await api(f"POST /projects/1/jobs/{job('trigger').id}/retry")
    assert reply.status == 201
    assert "artifacts" in reply.json
    assert not {"downstream_pipeline", "runner_manager"} & set(reply.json)


async def test_erase_clears_log_and_artifacts_once(api, job):
    path = f"/projects/1/jobs/{job('compile').id}"
    reply = await api(f"POST {path}/erase")
    assert reply.status == 201
    assert reply.json["erased_at"]
    assert (reply.json["artifacts"], reply.json["status"]) == ([], "success")
    trace = await api(f"GET {path}/trace")
    assert (trace.status, trace.body) == (200, b"")
    again = await api(f"POST {path}/erase")
    body = {"message": "403 Forbidden - Job is not erasable!"}
    assert (again.status, again.json) == (403, body)


async def test_erase_of_a_running_job(api, job):
    assert (await api(f"POST /projects/1/jobs/{job('unit').id}/erase")).status == 403


async def test_erase_while_statistics_are_refreshed(api, job, world):
    world.project("group/app").refreshing_artifacts = True
    assert (await api(f"POST /projects/1/jobs/{job('compile').id}/erase")).status == 409
    assert (await api(f"POST /projects/1/jobs/{job('unit').id}/erase")).status == 403


@pytest.mark.parametrize("token", ["glpat-rita", "glpat-gus"])
@pytest.mark.parametrize(
    ("action", "status"), [("retry", 404), ("erase", 404), ("play", 404), ("cancel", 403)]
)
async def test_cancel_checks_the_caller_before_the_job(api, action, status, token):
    """In lib/api/ci/jobs.rb only cancel authorizes before it finds the build."""
    reply = await api(f"POST /projects/1/jobs/999/{action}", token=token)
    assert reply.status == status
    assert status == 403 or reply.json == {"message": "404 Not found"}


async def test_play_manual_job(api, job):
    reply = await api(f"POST /projects/1/jobs/{job('deploy').id}/play", token="glpat-bob")
    assert (reply.status, reply.json["status"]) == (200, "pending")
    assert reply.json["id"] == job("deploy").id
    assert reply.json["user"]["username"] == "bob"


@pytest.mark.parametrize("form", ["json", "data"])
async def test_play_with_variables_and_inputs(api, job, form):
    path = f"POST /projects/1/jobs/{job('deploy').id}/play"
    if form == "json":
        variables = [{"key": "A", "value": "1"}, {"key": "B", "value": "2"}]
        body = {"job_variables_attributes": variables, "job_inputs": {"target": "production"}}
    else:
        body = {
            "job_variables_attributes[0][key]": "A", "job_variables_attributes[0][value]": "1",
            "job_variables_attributes[1][key]": "B", "job_variables_attributes[1][value]": "2",
            "job_inputs[target]": "production",
        }  # fmt: skip
    assert (await api(path, **{form: body})).status == 200
    assert job("deploy").variables == {"A": "1", "B": "2"}
    assert job("deploy").inputs == {"target": "production"}


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"job_variables_attributes": [{"value": "1"}]}, 400,
         {"error": "job_variables_attributes[0][key] is missing"}),
        ({"job_variables_attributes": [{"key": "a", "value": "1"}, {"key": "b"}]}, 400,
         {"error": "job_variables_attributes[1][value] is missing"}),
        ({"job_inputs": {"bar": 1}}, 400, {"message": "400 Bad request - Unknown input: bar"}),
        ({"job_inputs": "x"}, 400, {"error": "job_inputs is invalid"}),
    ],
)  # fmt: skip
async def test_play_with_bad_parameters(api, job, body, status, text):
    reply = await api(f"POST /projects/1/jobs/{job('deploy').id}/play", json=body)
    assert (reply.status, reply.json) == (status, text)
    assert job("deploy").status == "manual"


@pytest.mark.parametrize("name", ["unit", "compile", "stuck"])
async def test_play_of_an_unplayable_job(api, job, name):
    reply = await api(f"POST /projects/1/jobs/{job(name).id}/play")
    body = {"message": "400 Bad request - Unplayable Job"}
    assert (reply.status, reply.json) == (400, body)


async def test_play_of_a_finished_job_creates_a_new_one(api, job, clock):
    """Ci::PlayBuildService retries a build that is not playable any more."""
    first = job("deploy").id
    await api(f"POST /projects/1/jobs/{first}/play")
    clock.advance(100)
    again = await api(f"POST /projects/1/jobs/{first}/play")
    assert again.status == 200
    assert again.json["id"] > first


async def test_play_of_a_scheduled_job(api, world):
    pipeline = world.add_pipeline(world.project("group/app"))
    row = world.add_job(pipeline, "later", plan=JobPlan(when="delayed", start_in=3600))
    path = f"/projects/1/jobs/{row.id}"
    assert (await api(f"GET {path}")).json["status"] == "scheduled"
    assert (await api(f"POST {path}/play")).json["status"] == "pending"


async def test_play_of_a_bridge_is_a_bridge_entity(api, world):
    pipeline = world.add_pipeline(world.project("group/app"))
    row = world.add_bridge(
        pipeline, "trigger later", downstream=PipelinePlan(), plan=JobPlan(when="manual")
    )
    await api("GET /version")
    reply = await api(f"POST /projects/1/jobs/{row.id}/play")
    assert reply.status == 200
    assert reply.json["downstream_pipeline"] is None
    assert "artifacts" not in reply.json


async def test_broken_json_body(api, job):
    reply = await api(
        f"POST /projects/1/jobs/{job('deploy').id}/play",
        data=b"{",
        headers={"Content-Type": "application/json"},
    )
    assert reply.status == 400
    assert "error" in reply.json


async def test_blank_ref_does_not_filter(api):
    """Grape passes a blank ref on, and the finder ignores it."""
    assert (await api("GET /projects/1/jobs?ref=")).ids == (await api("GET /projects/1/jobs")).ids


async def test_archived_jobs_cannot_be_changed(serve, world, job):
    api = await serve(world, jobs_archived_after=50)
    assert (await api(f"GET /projects/1/jobs/{job('flaky').id}")).json["archived"] is True
    for action in ("retry", "play", "cancel"):
        assert (await api(f"POST /projects/1/jobs/{job('flaky').id}/{action}")).status == 403


async def test_token_job_and_allowed_agents(api, job, world):
    world.add_agent(world.project("group/app"))
    running = job("unit")
    headers = {"JOB-TOKEN": running.token}
    mine = await api("GET /job", token=None, headers=headers)
    assert (mine.status, mine.json["id"]) == (200, running.id)
    agents = (await api("GET /job/allowed_agents", token=None, headers=headers)).json
    assert agents["job"] == {"id": running.id}
    assert agents["pipeline"] == {"id": 1}
    assert agents["project"] == {"id": 1, "groups": [{"id": 1}]}
    assert agents["user"]["username"] == "bob"
    assert agents["allowed_agents"][0]["config_project"]["path_with_namespace"] == "group/app"


@pytest.mark.parametrize("path", ["/job", "/job/allowed_agents"])
async def test_token_job_is_for_job_tokens(api, path):
    reply = await api(f"GET {path}")
    assert (reply.status, reply.json) == (404, {"message": "404 Job Not Found"})
    assert (await api(f"GET {path}", token=None)).status == 401


async def test_etag_answers_304_while_nothing_changes(api, job):
    path = f"GET /projects/1/jobs/{job('compile').id}"
    first = await api(path)
    assert first.headers["ETag"].startswith('W/"')
    condition = {"If-None-Match": first.headers["ETag"]}
    again = await api(path, headers=condition)
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    await api(f"POST /projects/1/jobs/{job('compile').id}/erase")
    assert (await api(path, headers=condition)).status == 200


async def test_no_etag_when_switched_off(serve, world):
    api = await serve(world, etags=False)
    assert "ETag" not in (await api("GET /projects/1/jobs")).headers


async def test_gzip_when_switched_on(serve, world):
    api = await serve(world, gzip=True)
    plain = await api("GET /projects/1/jobs", headers={"Accept-Encoding": "identity"})
    packed = await api("GET /projects/1/jobs", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers.getall("Vary")
    refused = await api("GET /projects/1/jobs", headers={"Accept-Encoding": "gzip;q=0, br"})
    assert "Content-Encoding" not in refused.headers
    assert len(packed.body) < len(plain.body) / 2


async def test_head_is_a_get_without_a_body(api):
    reply = await api("HEAD /projects/1/jobs")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["X-Per-Page"] == "20"
    whole = await api("GET /projects/1/jobs")
    assert reply.headers["Content-Length"] == str(len(whole.body))
