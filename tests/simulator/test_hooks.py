"""Webhooks: events of a project's changes, and their delivery to a receiver."""

import asyncio
import base64
import hmac

import orjson
import pytest
from aiohttp import web

from gitlab_jobs_async.simulator import (
    JobPlan,
    MergeRequest,
    PipelinePlan,
    PlannedJob,
    Simulator,
    SimulatorSettings,
    Webhook,
    World,
    delivering,
)
from gitlab_jobs_async.simulator.signing import signature_headers
from tests.support.servers import serving
from tests.support.tasks import others, until

START = 1_750_000_000.0
URL = "https://bot.example.com/gitlab"
WAY = ("created", "pending", "running")


@pytest.fixture
def quiet():
    """A world with a project in which nothing has happened yet."""
    world = World(START)
    return world, world.add_project("group/app")


def emitted(hook, kind="build"):
    """Return the events of a hook about jobs or pipelines, oldest first."""
    bodies = [orjson.loads(delivery.body) for delivery in hook.deliveries]
    return [body for body in bodies if body["object_kind"] == kind]


def statuses(hook, name="unit"):
    return [body["build_status"] for body in emitted(hook) if body["build_name"] == name]


def test_the_headers_are_gitlabs(quiet):
    world, app = quiet
    settings = SimulatorSettings(version="18.2.1")
    hook = Webhook(world, app, URL, token="s3cret", instance="http://git.test", settings=settings)
    made = world.add_pipeline(app)
    world.add_job(made, "unit")
    world.settle(START + 100)
    first, *rest = hook.deliveries
    fixed = {
        "Content-Type": "application/json",
        "User-Agent": "GitLab/18.2.1",
        "X-Gitlab-Event": "Job Hook",
        "X-Gitlab-Token": "s3cret",
        "X-Gitlab-Instance": "http://git.test",
    }
    drawn = {"Idempotency-Key", "X-Gitlab-Webhook-UUID", "X-Gitlab-Event-UUID"}
    assert first.headers.items() >= fixed.items()
    assert first.headers.keys() == fixed.keys() | drawn
    assert first.url == URL
    keys = [delivery.headers["Idempotency-Key"] for delivery in (first, *rest)]
    assert len(set(keys)) == len(keys) > 4
    assert {delivery.headers["X-Gitlab-Event"] for delivery in rest} == {
        "Job Hook",
        "Pipeline Hook",
    }
    assert "s3cret" not in repr(first)
    assert "X-Gitlab-Token" not in Webhook(world, app, URL).pipeline_event(made, START).headers


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (JobPlan(), [*WAY, "success"]),
        (JobPlan(outcome="failed"), [*WAY, "failed"]),
        (JobPlan(preparing=5, waiting_for_resource=5), [*WAY, "success"]),
        (JobPlan(when="manual"), ["created"]),
        (JobPlan(when="delayed", start_in=1e6), ["created"]),
        (JobPlan(outcome="skipped"), ["created"]),
        (
            JobPlan(outcome="failed", auto_retry=1, attempts=(JobPlan(),)),
            [*WAY, "failed", *WAY, "success"],
        ),
    ],
)
def test_job_events_cover_creation_run_and_end(quiet, plan, expected):
    world, app = quiet
    hook = Webhook(world, app, URL)
    world.add_job(world.add_pipeline(app), "unit", plan=plan)
    world.settle(START + 10_000)
    assert statuses(hook) == expected


def test_canceling_sends_no_hook_until_its_end(quiet):
    """app/models/ci/build.rb runs hooks on pending, running and the final statuses only."""
    world, app = quiet
    hook = Webhook(world, app, URL)
    job = world.add_job(world.add_pipeline(app), "unit", plan=JobPlan(duration=99, after_script=9))
    world.settle(START + 10)
    world.cancel(job)
    assert statuses(hook) == ["created", "pending", "running"]
    world.settle(START + 30)
    assert statuses(hook)[3:] == ["canceled"]


def test_retry_event_counts_the_attempts(quiet):
    world, app = quiet
    hook = Webhook(world, app, URL)
    job = world.add_job(world.add_pipeline(app), "unit")
    world.settle(START + 100)
    again = world.retry(job)
    world.settle(START + 200)
    counts = {body["build_id"]: body["retries_count"] for body in emitted(hook)}
    assert counts == {job.id: 0, again.id: 1}


def test_bridges_and_blocked_users_send_no_hook(quiet):
    world, app = quiet
    hook = Webhook(world, app, URL)
    bill = world.add_user("bill", state="blocked")
    downstream = PipelinePlan(jobs=(PlannedJob("elsewhere"),), project="group/other")
    other = world.add_project("group/other")
    made = world.add_pipeline(app)
    world.add_bridge(made, "trigger", downstream=downstream)
    world.add_job(world.add_pipeline(app, user=bill), "unit")
    world.settle(START + 100)
    assert other.pipelines[0].status == "success"
    assert not emitted(hook)
    assert {body["object_attributes"]["id"] for body in emitted(hook, "pipeline")} == {made.id}


def test_older_jobs_are_reported_on_change(quiet):
    world, app = quiet
    world.add_job(world.add_pipeline(app), "unit")
    world.settle(START + 10)
    hook = Webhook(world, app, URL)
    world.add_finished_jobs(app, 50)
    world.settle(START + 100)
    assert [body["build_status"] for body in emitted(hook)] == ["success"]


def test_pipeline_event_holds_the_latest_jobs(quiet):
    world, app = quiet
    hook = Webhook(world, app, URL)
    made = world.add_pipeline(app)
    world.add_job(made, "compile", stage="build", plan=JobPlan(outcome="failed", auto_retry=1))
    world.add_job(made, "ship", stage="deploy", plan=JobPlan(when="manual"))
    world.settle(START + 1000)
    events = emitted(hook, "pipeline")
    assert [body["object_attributes"]["status"] for body in events] == [
        "pending", "running", "pending", "running", "failed",
    ]  # fmt: skip
    assert [(b["name"], b["status"], b["failure_reason"]) for b in events[-1]["builds"]] == [
        ("ship", "skipped", None),
        ("compile", "failed", "script_failure"),
    ]
    assert events[-1]["object_attributes"]["finished_at"].endswith(" UTC")
    assert events[-1]["project"]["path_with_namespace"] == "group/app"


async def test_event_agrees_with_the_api(api, world, job):
    unit = job("unit")
    hook = Webhook(world, unit.project, URL, instance=api.gitlab.url)
    entity = (await api(f"GET /projects/1/jobs/{unit.id}")).json
    body = orjson.loads(hook.job_event(unit, START).body)
    for name in ("id", "name", "stage", "status", "created_at", "started_at", "finished_at"):
        assert body[f"build_{name}"] == entity[name]
    for name in ("duration", "queued_duration", "allow_failure"):
        assert body[f"build_{name}"] == entity[name]
    assert body["build_failure_reason"] == "unknown_failure"
    assert body["build_created_at_iso"] == body["build_created_at"][:19] + "Z"
    assert body["commit"]["id"] == body["pipeline_id"] == entity["pipeline"]["id"]
    assert body["runner"]["id"] == entity["runner"]["id"]
    entity = (await api(f"GET /projects/1/pipelines/{unit.pipeline.id}")).json
    body = orjson.loads(hook.pipeline_event(unit.pipeline, START).body)["object_attributes"]
    for name in ("id", "iid", "ref", "sha", "status", "source", "duration", "queued_duration"):
        assert body[name] == entity[name]
    assert body["created_at"] == entity["created_at"][:19].replace("T", " ") + " UTC"


KEY = bytes(range(32))
SIGNING_TOKEN = f"whsec_{base64.b64encode(KEY).decode()}"


def signature_of(headers, body):
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(KEY, signed, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize("token", [None, "s3cret"])
def test_signed_hooks_may_have_a_token_too(quiet, token):
    world, app = quiet
    hook = Webhook(world, app, URL, token=token, signing_token=SIGNING_TOKEN)
    world.add_job(world.add_pipeline(app), "unit")
    first, *_ = hook.deliveries
    headers = first.headers
    assert headers["webhook-id"] == headers["Idempotency-Key"]
    assert headers["webhook-timestamp"] == str(int(START))
    assert headers["webhook-signature"] == signature_of(headers, first.body)
    assert headers.get("X-Gitlab-Token") == token
    assert not {"whsec", str(KEY)} & set(repr(first).split())
    later = first.headers_at(START + 900.7)
    assert later["webhook-timestamp"] == str(int(START) + 900)
    assert later["webhook-signature"] == signature_of(later, first.body)
    assert later["webhook-id"] == headers["webhook-id"]


def test_signature_is_that_of_the_standard():
    """The example of standardwebhooks.com's reference libraries, whose key has 24 bytes."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    headers = signature_headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330.9, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "token",
    ["", "whsec_", "whsec_!!", SIGNING_TOKEN[6:], SIGNING_TOKEN[:-8], "whsec_" + "A" * 44],
)
def test_no_signing_token_is_refused(quiet, token):
    world, app = quiet
    with pytest.raises(ValueError, match=r"signing_token \(not shown\)") as caught:
        Webhook(world, app, URL, signing_token=token)
    assert len(token) < 9 or token not in str(caught.value)


def payloads(hook):
    """The last Job and Pipeline event."""
    return emitted(hook)[-1], emitted(hook, "pipeline")[-1]


def test_events_have_every_documented_field(quiet):
    """docs.gitlab.com/user/project/integrations/webhook_events, by name and by type."""
    world, app = quiet
    hook = Webhook(world, app, URL)
    request = MergeRequest(iid=4, title="Ship", source_branch="ship")
    made = world.add_pipeline(app, merge_request=request, variables={"TARGET": "moon"})
    made.name = "Ship it"
    plan = JobPlan(environment="production", artifacts={"a": b"a"}, when="delayed", start_in=1)
    world.add_job(made, "unit", plan=plan)
    world.settle(START + 1000)
    job, pipeline = payloads(hook)
    assert list(job) == [
        "object_kind", "ref", "tag", "before_sha", "sha", "retries_count", "build_id", "build_name",
        "build_stage", "build_status", "build_created_at", "build_started_at", "build_finished_at",
        "build_created_at_iso", "build_started_at_iso", "build_finished_at_iso", "build_duration",
        "build_queued_duration", "build_allow_failure", "build_failure_reason", "pipeline_id",
        "runner", "project_id", "project_name", "user", "commit", "repository", "project",
        "environment",
    ]  # fmt: skip
    assert set(job["commit"]) == {
        "id", "name", "sha", "message", "author_name", "author_email", "author_url", "status",
        "duration", "started_at", "finished_at", "started_at_iso", "finished_at_iso",
    }  # fmt: skip
    assert job["environment"] == {"name": "production", "action": "start"}
    assert (job["ref"], job["project_name"]) == ("refs/merge-requests/4/head", "group / app")
    assert job["build_finished_at_iso"] == job["build_finished_at"][:19] + "Z"
    assert job["commit"]["name"] == "Ship it"
    attributes, build = pipeline["object_attributes"], pipeline["builds"][0]
    assert set(attributes) == {
        "id", "iid", "name", "ref", "tag", "sha", "before_sha", "source", "status",
        "detailed_status", "stages", "created_at", "finished_at", "duration", "queued_duration",
        "protected_ref", "default_branch", "variables", "url",
    }  # fmt: skip
    assert (attributes["source"], attributes["ref"]) == ("merge_request_event", "ship")
    assert attributes["variables"] == [{"key": "TARGET", "value": "moon"}]
    assert set(pipeline["merge_request"]) == {
        "id", "iid", "title", "source_branch", "source_project_id", "target_branch",
        "target_project_id", "state", "merge_status", "detailed_merge_status", "url",
    }  # fmt: skip
    assert pipeline["merge_request"]["url"].endswith("/group/app/-/merge_requests/4")
    assert (build["when"], build["manual"], build["artifacts_file"]["filename"]) == (
        "delayed",
        True,
        "artifacts.zip",
    )
    assert build["environment"] == {
        "name": "production",
        "action": "start",
        "deployment_tier": "production",
    }
    assert build["runner"]["tags"] == []
    assert "source_pipeline" not in job
    assert "source_pipeline" not in pipeline


@pytest.mark.parametrize(
    ("name", "tier"),
    [("Staging/eu", "staging"), ("review/12", "development"), ("qa", "testing"), ("moon", "other")],
)
def test_tier_is_guessed_by_the_name(quiet, name, tier):
    world, app = quiet
    hook = Webhook(world, app, URL)
    world.add_job(world.add_pipeline(app), "unit", plan=JobPlan(environment=name))
    world.settle(START + 100)
    assert payloads(hook)[1]["builds"][0]["environment"]["deployment_tier"] == tier


def test_downstream_events_name_the_upstream(quiet):
    world, app = quiet
    hook = Webhook(world, app, URL)
    made = world.add_pipeline(app)
    world.add_job(made, "unit")
    bridge = world.add_bridge(
        made, "trigger", downstream=PipelinePlan(jobs=(PlannedJob("child"),), ref="main")
    )
    world.settle(START + 100)
    children = [body for body in emitted(hook) if body["build_name"] == "child"]
    source = children[-1]["source_pipeline"]
    assert (source["pipeline_id"], source["job_id"]) == (made.id, bridge.id)
    assert source["project"] == {
        "id": app.id,
        "web_url": "https://gitlab.example.com/group/app",
        "path_with_namespace": "group/app",
    }
    below = [
        body
        for body in emitted(hook, "pipeline")
        if body["object_attributes"]["source"] == "parent_pipeline"
    ]
    assert below[-1]["source_pipeline"] == source


def test_reason_is_unknown_where_nothing_failed(quiet):
    world, app = quiet
    hook = Webhook(world, app, URL)
    world.add_job(world.add_pipeline(app), "unit", plan=JobPlan(outcome="failed"))
    world.settle(START + 100)
    reasons = [body["build_failure_reason"] for body in emitted(hook)]
    assert reasons == ["unknown_failure"] * 3 + ["script_failure"]


def test_older_releases_send_less(quiet):
    world, app = quiet
    old = Webhook(world, app, URL, settings=SimulatorSettings(version="16.0"))
    world.add_job(world.add_pipeline(app), "unit")
    world.settle(START + 100)
    first = old.deliveries[0]
    assert not {"Idempotency-Key", "X-Gitlab-Webhook-UUID"} & set(first.headers)
    job, _ = payloads(old)
    assert job["build_created_at"] == "2025-06-15 15:06:40 UTC"
    assert job["commit"]["finished_at"] is None
    assert not [name for name in (*job, *job["commit"]) if name.endswith("_iso")]


async def test_deliveries_are_signed_when_they_are_sent(quiet, clock):
    world, app = quiet
    world.add_job(world.add_pipeline(app), "unit", plan=JobPlan(queued=2, duration=30))

    async def receive(_request):
        return web.Response(status=204)

    async with serving(receive) as server, Simulator(world, clock=clock) as gitlab:
        hook = Webhook(world, app, server.url, signing_token=SIGNING_TOKEN)
        clock.advance(3600)
        async with delivering(gitlab, hook) as sent:
            async with asyncio.timeout(10):
                await until(lambda: sent and not hook.deliveries and clock.next_wake)
    for request, delivered in zip(server.requests, sent, strict=True):
        assert request.headers["webhook-timestamp"] == str(int(START) + 3600)
        body = delivered.delivery.body
        assert request.headers["webhook-signature"] == signature_of(request.headers, body)


async def test_deliveries_follow_the_clock(quiet, clock):
    world, app = quiet
    answers = iter([200, 204, 500])

    async def receive(_request):
        return web.Response(status=next(answers, 202))

    async with serving(receive) as server, Simulator(world, clock=clock) as gitlab:
        hook = Webhook(world, app, server.url, token="s3cret")
        world.add_job(world.add_pipeline(app), "unit", plan=JobPlan(queued=2, duration=30))
        before = await others()
        async with delivering(gitlab, hook) as sent:
            for seconds, count in [(0, 3), (2, 5), (30, 7)]:
                clock.advance(seconds)
                await until(lambda count=count: len(sent) == count and clock.next_wake)
        assert await others() == before
        assert not hook.deliveries
    assert [delivered.status for delivered in sent] == [200, 204, 500, 202, 202, 202, 202]
    assert [delivered.at - START for delivered in sent] == [0, 0, 0, 2, 2, 32, 32]
    assert [request.headers["Idempotency-Key"] for request in server.requests] == [
        delivered.delivery.headers["Idempotency-Key"] for delivered in sent
    ]
    assert {request.headers["X-Gitlab-Token"] for request in server.requests} == {"s3cret"}


async def test_missing_receiver_is_skipped(quiet, clock):
    world, app = quiet
    async with serving(lambda _request: None) as server:
        anonymous = server.url
    async with Simulator(world, clock=clock) as gitlab:
        hook = Webhook(world, app, anonymous)
        world.add_job(world.add_pipeline(app), "unit")
        async with delivering(gitlab, hook) as sent:
            await until(lambda: len(sent) == 3)
    assert [delivered.status for delivered in sent] == [None, None, None]


async def test_block_end_cancels_a_slow_delivery(quiet, clock):
    world, app = quiet
    asked = asyncio.Event()

    async def receive(_request):
        asked.set()
        await asyncio.Event().wait()

    async with serving(receive) as server, Simulator(world, clock=clock) as gitlab:
        hook = Webhook(world, app, server.url)
        world.add_job(world.add_pipeline(app), "unit")
        before = await others()
        async with delivering(gitlab, hook) as sent:
            await asked.wait()
        assert await others() == before
    assert not sent


async def test_delivery_error_is_raised_at_block_end(quiet, clock):
    world, app = quiet
    world.add_job(world.add_pipeline(app), "unit")

    def broken(_row, _at):
        raise RuntimeError("broken")

    async def a_while():
        async with delivering(Simulator(world, clock=clock)):
            await asyncio.sleep(0)

    world.registry.listeners.append(broken)
    with pytest.raises(RuntimeError, match="broken"):
        await a_while()
