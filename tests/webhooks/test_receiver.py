"""A receiver as in the README: deliveries over loopback into a monitor's `notify`."""

import asyncio
import base64
import hmac
import io
import time
from contextlib import asynccontextmanager

import aiohttp
import orjson
import pytest
from aiohttp import web
from attrs import define, field

from gitlab_jobs_async import (
    GitLab,
    JobHook,
    PipelineHook,
    SeenDeliveries,
    WebhookRejectedError,
    parse_webhook,
)
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
from tests.support.tasks import others, until

SECRET = "wh-s3cret"
SIGNING, SIGNING_BEFORE = (
    "whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"k", b"o")
)


def webhook_app(events, secrets):
    async def receive(request: web.Request) -> web.Response:
        try:
            hook = parse_webhook(request.headers, await request.read(), **secrets)
        except WebhookRejectedError as refused:
            return web.Response(status=refused.status, text=refused.reason)
        events.notify(hook)
        return web.Response(status=204)

    app = web.Application(client_max_size=25 * 1024**2)
    app.router.add_post("/gitlab", receive)
    return app


@define
class Notified:
    """The part of a monitor that a receiver needs."""

    hooks: list = field(factory=list)

    def notify(self, hook):
        self.hooks.append(hook)


@asynccontextmanager
async def receiving(events, **secrets):
    """Serve the receiver on the loopback; yield its URL."""
    app = webhook_app(events, secrets or {"token": SECRET})
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/gitlab"
    finally:
        await runner.cleanup()


@pytest.fixture
def world():
    world = World()
    made = world.add_pipeline(world.add_project("group/app"))
    world.add_job(made, "compile", stage="build")
    world.add_job(made, "unit", plan=JobPlan(outcome="failed"))
    return world


async def test_deliveries_match_the_api(world, clock):
    events, before = Notified(), await others()
    async with receiving(events) as url, Simulator(world, clock=clock.stepped) as simulator:
        hook = Webhook(world, world.project("group/app"), url, token=SECRET, instance=simulator.url)
        async with delivering(simulator, hook) as sent:
            for _ in range(20):
                await until(lambda: not hook.deliveries and clock.stepped.next_wake)
                clock.stepped.advance(10)
        assert {delivered.status for delivered in sent} == {204}
        assert len(events.hooks) == len(sent)
        last = {getattr(hook, "job_id", 0): hook for hook in events.hooks}
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            project = gitlab.project("group/app")
            pipeline = await project.get_pipeline(last[0].pipeline_id)
            jobs = await project.list_jobs()
    for job in jobs:
        names = ("name", "stage", "status", "ref", "created_at", "started_at", "finished_at")
        for name in (*names, "duration", "queued_duration", "failure_reason", "allow_failure"):
            assert getattr(last[job.id], name) == getattr(job, name), name
        assert last[job.id].project_id == job.project_id
        assert (last[job.id].sha, last[job.id].tag) == (pipeline.sha, pipeline.tag)
        assert last[job.id].commit.message == job.commit.message
        for name in ("user", "runner"):
            said, had = getattr(last[job.id], name), getattr(job, name)
            assert (said and said.id) == (had and had.id), name
        assert last[job.id].project_path == "group/app"
    for name in ("status", "ref", "sha", "source", "duration", "queued_duration"):
        assert getattr(last[0], name) == getattr(pipeline, name), name
    assert {build.id: build.status for build in last[0].builds} == {j.id: j.status for j in jobs}
    assert await others() == before


async def test_receiver_answers_with_the_right_status(world):
    events, deliveries = Notified(), SeenDeliveries()
    hook = Webhook(world, world.project("group/app"), "", token=SECRET)
    job = hook.job_event(world.jobs[1], world.now)
    headers = job.headers
    push = headers | {"X-Gitlab-Event": "Push Hook"}
    asked = [
        (headers, job.body, 204),
        (headers, job.body, 204),
        (push, b"{}", 202),
        (headers | {"X-Gitlab-Token": "guess"}, job.body, 401),
        ({k: v for k, v in headers.items() if k != "X-Gitlab-Token"}, job.body, 401),
        (headers, job.body[:-1], 400),
        (headers, orjson.dumps({"object_kind": "build"}), 400),
        (headers, b" " * (25 * 1024**2 + 1), 413),
    ]
    async with receiving(events) as url, aiohttp.ClientSession() as session:
        for sent, body, status in asked:
            async with session.post(url, headers=sent, data=io.BytesIO(body)) as response:
                said = await response.text()
                assert response.status == status
                assert SECRET not in said
                assert bool(said) == (status != 204)
    assert [hook.job_id for hook in events.hooks] == [1, 1]
    assert [deliveries.is_repeat(hook) for hook in events.hooks] == [False, True]


async def test_signed_deliveries_over_http(world):
    events, deliveries, key = Notified(), SeenDeliveries(), b"k" * 32
    secret = "whsec_" + base64.b64encode(key).decode()
    job = Webhook(world, world.project("group/app"), "").job_event(world.jobs[1], world.now)

    def signed(body, stamp):
        number = job.headers["Idempotency-Key"]
        digest = hmac.digest(key, f"{number}.{stamp}.".encode() + body, "sha256")
        signature = f"v1,{base64.b64encode(digest).decode()}"
        return job.headers | {
            "webhook-id": number,
            "webhook-timestamp": str(stamp),
            "webhook-signature": signature,
        }

    now = int(time.time())
    asked = [
        (signed(job.body, now), job.body, 204),
        (signed(job.body, now), job.body, 204),
        (signed(job.body, now), job.body + b" ", 401),
        (signed(job.body, now - 1000), job.body, 401),
        (job.headers, job.body, 401),
    ]
    async with receiving(events, signing_token=secret) as url, aiohttp.ClientSession() as session:
        for sent, body, status in asked:
            async with session.post(url, headers=sent, data=io.BytesIO(body)) as response:
                assert response.status == status, await response.text()
    assert [deliveries.is_repeat(hook) for hook in events.hooks] == [False, True]


def test_signed_simulator_hooks_are_parsed(world, caplog):
    hook = Webhook(world, world.project("group/app"), "", token=SECRET, signing_token=SIGNING)
    world.settle(world.now + 600)
    assert len(hook.deliveries) > 5
    secrets = {"token": SECRET, "signing_token": [SIGNING_BEFORE, SIGNING]}
    for delivery in hook.deliveries:
        sent_at = world.now + 86400
        headers = delivery.headers_at(sent_at)
        read = parse_webhook(headers, delivery.body, **secrets, now=sent_at + 30)
        assert read.raw == orjson.loads(delivery.body)
        assert read.delivery == delivery.headers["webhook-id"]
        with pytest.raises(WebhookRejectedError, match=r"timestamp"):
            parse_webhook(headers, delivery.body, **secrets, now=sent_at + 301)
    assert not caplog.records, "GitLab's own bodies have nothing odd"


async def test_truncated_delivery_emits_nothing(world):
    events, before = Notified(), await others()
    hook = Webhook(world, world.project("group/app"), "", token=SECRET)
    job = hook.job_event(world.jobs[1], world.now)

    written = asyncio.Event()

    async def half():
        yield job.body[:100]
        written.set()
        await asyncio.Event().wait()

    async with receiving(events) as url, aiohttp.ClientSession() as session:
        sending = asyncio.ensure_future(session.post(url, headers=job.headers, data=half()))
        await written.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    assert not events.hooks
    assert await others() == before


@pytest.mark.parametrize("version", ["16.0", "18.1", "19.5"])
@pytest.mark.parametrize("token", [None, SECRET])
def test_simulated_deliveries_are_parsed(world, version, token, caplog):
    """No value of a simulated release is odd or missing."""
    app, signing = world.project("group/app"), f"whsec_{base64.b64encode(b'k' * 32).decode()}"
    settings = SimulatorSettings(version=version)
    hook = Webhook(world, app, "", token=token, signing_token=signing, settings=settings)
    request = MergeRequest(iid=4)
    made = world.add_pipeline(app, merge_request=request, variables={"A": "b"})
    world.add_job(made, "ship", plan=JobPlan(environment="production"))
    world.add_bridge(made, "below", downstream=PipelinePlan(jobs=(PlannedJob("child"),)))
    world.settle(world.now + 1000)
    read = [
        parse_webhook(
            sent.headers, sent.body, token=token, signing_token=signing, tolerance=float(10**12)
        )
        for sent in hook.deliveries
    ]
    assert not caplog.records
    jobs = {one.name: one for one in read if isinstance(one, JobHook)}
    pipelines = [one for one in read if isinstance(one, PipelineHook)]
    assert jobs["ship"].environment.name == "production"
    assert jobs["ship"].finished_at is not None
    assert jobs["child"].source_pipeline.pipeline_id == made.id
    last = next(one for one in reversed(pipelines) if one.pipeline_id == made.id)
    assert (last.merge_request.iid, last.ref) == (4, "topic")
    assert [(one.key, one.value) for one in last.variables] == [("A", "b")]
    assert last.builds[0].environment.deployment_tier == "production"
    assert all(one.delivery for one in read)
