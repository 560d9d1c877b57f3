"""The bound of 20 requests as the server counts them, faults, and cancellation."""

import pytest
from aiohttp import web

from gitlab_jobs_async import GitLab, GitLabError, RetryPolicy, estimate_complexity
from gitlab_jobs_async.cli.doctor.findings import Problem
from gitlab_jobs_async.cli.doctor.probe import diagnose
from gitlab_jobs_async.cli.doctor.questions import CHANGES, JOBS
from gitlab_jobs_async.cli.doctor.request_cap import RequestCap
from gitlab_jobs_async.monitor.hints.questions import changes_question, jobs_question
from gitlab_jobs_async.simulator import Fault, JobPlan, Simulator, SimulatorSettings, World
from tests.support.cancellation import cancel_half_way, cancel_once
from tests.support.clocks import JumpClock
from tests.support.servers import serving

ONCE = RetryPolicy(attempts=1)


@pytest.mark.parametrize(
    ("asked", "question"), [(CHANGES, changes_question([1])), (JOBS, jobs_question([1]))]
)
def test_questions_are_those_of_the_monitor(asked, question):
    assert asked.replace("  queryComplexity { score limit }\n", "") == question.query
    assert estimate_complexity(asked) == question.complexity + 3


@pytest.fixture
def clock():
    return JumpClock()


@pytest.fixture
def world(clock):
    """Return a project with old jobs and running ones, reachable by its old path, too."""
    world = World(clock.now() - 100)
    for number in range(60):
        world.add_project(f"group/p{number}", members={world.root: "owner"})
    app = world.add_project("group/old", members={world.root: "owner"})
    world.move_project(app, "group/app")
    world.add_finished_jobs(app, 40)
    pipeline = world.add_pipeline(app)
    world.add_job(pipeline, "unit", plan=JobPlan(queued=0.0, duration=900.0))
    world.settle(clock.now())
    return world


@pytest.fixture
async def simulator(world, clock):
    async with Simulator(world, SimulatorSettings(), clock=clock.stepped) as running:
        yield running


@pytest.fixture
def cap():
    return RequestCap(most=20)


@pytest.fixture
async def gitlab(simulator, clock, cap):
    async with GitLab(
        simulator.url, auth=simulator.token, clock=clock, retry=ONCE, budget=cap
    ) as client:
        yield client


async def test_most_questions_stay_within_the_bound(simulator, gitlab, cap, clock):
    simulator.faults.add(Fault.bad_gateway(times=2), Fault.bad_gateway(path="*/trace", times=None))
    findings = await diagnose(gitlab, cap, clock, project="group/old", group="group")
    assert len(simulator.requests) == findings.requests <= 20
    assert findings.reply("trace").status == 502
    assert findings.reply("reading").is_good
    assert clock.slept == [10.0]
    assert findings.job_status == "success"


@pytest.mark.parametrize("attempts", [1, 2, 3, 9])
async def test_passing_errors_are_repeated_rarely(simulator, gitlab, cap, clock, attempts):
    simulator.faults.add(Fault.bad_gateway(path="*/metadata", times=None))
    findings = await diagnose(gitlab, cap, clock, attempts=attempts)
    sent = [one for one in simulator.requests if one.path.endswith("/metadata")]
    assert len(sent) == min(3, attempts)
    assert findings.reply("metadata").status == 502
    assert findings.reply("jobs").is_good


async def test_project_without_jobs_gives_way(simulator, gitlab, cap, clock, world):
    world.add_project("group/empty", members={world.root: "owner"})
    world.add_project("group/closed", members={world.root: "owner"})
    closed = world.project("group/closed").id
    simulator.faults.add(Fault(path=f"*/projects/{closed}/jobs", status=403, times=None))
    findings = await diagnose(gitlab, cap, clock)
    assert findings.project == world.project("group/app").id
    assert findings.project_ids[0] == findings.project
    assert findings.reply("last").is_good
    assert len(simulator.requests) <= 20


async def test_error_500_is_an_answer(simulator, gitlab, cap, clock):
    findings = await diagnose(gitlab, cap, clock, project="group/app")
    assert findings.reply("below").status == 500
    assert [one.status for one in simulator.requests].count(500) == 1


@pytest.mark.parametrize("hops", [1, 3, 5])
async def test_redirects_count_as_requests(clock, cap, hops):
    """A server that redirects each request within itself, as a renamed project does."""
    served = 0

    async def answer(request):
        nonlocal served
        served += 1
        hop = int(request.query.get("hop", "0"))
        if hop < hops:
            query = f"{request.query_string}&hop={hop + 1}".replace(f"hop={hop}&", "")
            return web.Response(status=301, headers={"Location": f"{request.path}?{query}"})
        row = {"id": 7, "started_at": "x", "status": "success", "version": "19.5.0"}
        listed = [row] if request.path.endswith(("/jobs", "/projects")) else row
        return web.json_response(listed, headers={"ETag": 'W/"1"'})

    async with serving(answer) as server:
        async with GitLab(server.url, auth="t", clock=clock, retry=ONCE, budget=cap) as gitlab:
            findings = await diagnose(gitlab, cap, clock)
    assert served == findings.requests <= 20
    if hops == 5:
        assert Problem.LIMIT in {reply.problem for reply in findings.replies.values()}


async def test_renewed_token_is_no_finding(simulator, clock, cap):
    auth = iter(["glpat-expired", simulator.token]).__next__
    async with GitLab(simulator.url, auth=auth, clock=clock, retry=ONCE, budget=cap) as gitlab:
        findings = await diagnose(gitlab, cap, clock, project="group/app")
    assert findings.reply("version").is_good
    assert not findings.is_job_token
    assert len(simulator.requests) == findings.requests <= 20


async def test_request_beyond_the_cap_is_refused(simulator, clock):
    cap = RequestCap(most=2)
    async with GitLab(simulator.url, auth=simulator.token, clock=clock, budget=cap) as gitlab:
        await gitlab.project(1).list_pipelines()
        await gitlab.project(1).list_pipelines()
        with pytest.raises(GitLabError, match="not sent"):
            await gitlab.project(1).list_pipelines()
    assert (len(simulator.requests), cap.left) == (2, 0)
    assert sum(clock.slept) == 0


async def test_second_pause_is_waited_for(simulator, gitlab, cap, clock):
    simulator.faults.add(Fault.throttled(path="*/metadata", retry_after=7))
    findings = await diagnose(gitlab, cap, clock)
    assert findings.reply("metadata").status == 429
    assert findings.reply("token").is_good
    assert 7 <= max(clock.slept) < 30


@pytest.mark.parametrize(
    "fault",
    [
        Fault(path="*/trace", reset="truncated", times=None),
        Fault(path="*/graphql", status=200, body="<html>", times=None),
        Fault(path="*/jobs", status=200, body="[1, {}, {\"id\": \"x\"}]",
              content_type="application/json", times=None),
        Fault(path="*/projects", status=200, body="{}", content_type="application/json",
              times=None),
        Fault(path="*/user", status=200, body="[]", content_type="application/json", times=None),
        Fault(path="*/trace", status=200, body=b"x" * 5_000_000, content_type="text/plain",
              times=None),
    ],
)  # fmt: skip
async def test_odd_answers_end_nothing(simulator, gitlab, cap, clock, fault):
    simulator.faults.add(fault)
    findings = await diagnose(gitlab, cap, clock, project="group/app")
    assert findings.reply("version").is_good
    assert findings.reply("jobs").status == 200
    assert len(simulator.requests) <= 20


async def test_diagnosis_cancelled_half_way(simulator, gitlab, cap):
    await cancel_half_way(simulator, gitlab, diagnose(gitlab, cap, simulator.clock))


async def test_diagnosis_cancelled_between_readings(simulator, gitlab, cap):
    call = diagnose(gitlab, cap, simulator.clock, project="group/app")
    await cancel_once(lambda: simulator.clock.next_wake, gitlab, call)
