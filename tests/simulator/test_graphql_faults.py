"""Slow, late, stale and broken answers of GraphQL."""

import asyncio

import aiohttp
import pytest

from gitlab_jobs_async.simulator import (
    Fault,
    GraphqlSettings,
    JobPlan,
    Simulator,
    SimulatorSettings,
    SteppedClock,
    actions,
)
from gitlab_jobs_async.simulator.history import KEPT
from tests.support.tasks import until

STATES = """{ projects { nodes { fullPath pipelines { nodes { id status updatedAt
    jobs { nodes { name status startedAt retried } } } } } } }"""
PATHS = "{ projects { nodes { fullPath pipelines { count } } } }"
GRAPHQL = "/api/graphql"


def paths(reply):
    return [node["fullPath"] for node in reply.json["data"]["projects"]["nodes"]]


@pytest.fixture
def states(graphql):
    """Return the states of the pipelines and jobs of group/app."""

    async def find():
        nodes = (await graphql(STATES)).json["data"]["projects"]["nodes"]
        (app,) = [node for node in nodes if node["fullPath"] == "group/app"]
        return app["pipelines"]["nodes"]

    return find


async def slow(serve, world, clock, text=PATHS, **settings):
    """Run a query on a slow server; return its reply and the seconds it took."""
    api = await serve(world, graphql=GraphqlSettings(**settings))
    running = asyncio.create_task(api.graphql(text))
    began = clock.now()
    while not running.done():
        if clock.next_wake is not None:
            clock.advance(clock.next_wake - clock.now())
        await asyncio.sleep(0)
    return running.result(), clock.now() - began


async def test_work_takes_seconds_of_the_clock(serve, world, clock):
    reply, seconds = await slow(serve, world, clock, seconds=1.0, seconds_per_project=0.5)
    assert (reply.status, seconds) == (200, 2.5)
    assert "errors" not in reply.json


async def test_slow_answer_is_as_old_as_its_work(serve, world, clock):
    """It states what was true when the request came."""
    world.add_job(world.pipelines[1], "soon", stage="build", plan=JobPlan(queued=5, duration=1e9))
    text = '{ project(fullPath: "group/app") { jobs(first: 1) { nodes { name status } } } }'
    reply, _ = await slow(serve, world, clock, text, seconds=20.0)
    (node,) = reply.json["data"]["project"]["jobs"]["nodes"]
    assert node == {"name": "soon", "status": "PENDING"}
    world.settle(clock.now())
    assert world.jobs[11].status == "running"


async def test_late_fields_are_null_with_errors(serve, world, clock):
    """Past the limit no further field is resolved, and a node without its id is null."""
    text = "{ projects { nodes { id fullPath pipelines(first: 1) { nodes { id } } } } }"
    reply, seconds = await slow(
        serve, world, clock, text, seconds_per_project=12.0, time_limit=20.0
    )
    assert (reply.status, seconds) == (200, 24.0)
    assert reply.json["data"]["projects"]["nodes"] == [
        {"id": "gid://gitlab/Project/3", "fullPath": "open/lib", "pipelines": {"nodes": []}},
        {"id": "gid://gitlab/Project/2", "fullPath": "group/closed", "pipelines": {"nodes": None}},
        None,
    ]
    errors = {tuple(error["path"]): error["message"] for error in reply.json["errors"]}
    assert errors == {
        ("projects", "nodes", 1, "pipelines", "nodes"): "Timeout on PipelineConnection.nodes",
        ("projects", "nodes", 2, "id"): "Timeout on Project.id",
    }


async def test_canceled_statement_is_a_503(serve, world, clock):
    reply, seconds = await slow(serve, world, clock, seconds=60.0, partial=False)
    assert (reply.status, seconds) == (503, 60.0)
    message = "Request timed out. Please try a less complex query or a smaller set of records."
    assert reply.json == {"errors": [{"message": message}]}


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.bad_gateway(path=GRAPHQL), 502),
        (Fault.throttled(path=GRAPHQL), 429),
        (Fault.sign_in_page(path=GRAPHQL), 200),
    ],
)
async def test_responses_in_place_of_an_answer(api, fault, status):
    api.gitlab.faults.add(fault)
    reply = await api.graphql(PATHS)
    assert (reply.status, reply.headers["Content-Type"]) != (200, "application/json")
    assert reply.status == status
    assert len(paths(await api.graphql(PATHS))) == 3


@pytest.mark.parametrize("reset", ["before", "unanswered", "within", "truncated"])
async def test_connections_break(api, reset):
    api.gitlab.faults.add(Fault(path=GRAPHQL, reset=reset))
    with pytest.raises(aiohttp.ClientError):
        await api.graphql(PATHS)
    assert len(paths(await api.graphql(PATHS))) == 3


async def test_projects_are_dropped(api):
    api.gitlab.faults.add(Fault.without_projects(every=2))
    assert paths(await api.graphql(PATHS)) == ["open/lib", "group/app"]
    api.gitlab.faults.add(Fault.without_projects(every=1))
    assert paths(await api.graphql(PATHS)) == []
    api.gitlab.faults.add(Fault.without_projects())
    edges = await api.graphql("{ projects { edges { node { fullPath } } } }")
    assert len(edges.json["data"]["projects"]["edges"]) == 2


async def test_nodes_are_reversed(api):
    before = (await api.graphql(STATES)).json["data"]["projects"]["nodes"]
    api.gitlab.faults.add(Fault.reversed_nodes())
    after = (await api.graphql(STATES)).json["data"]["projects"]["nodes"]
    assert [node["fullPath"] for node in after] == ["group/app", "group/closed", "open/lib"]
    jobs = [rows["pipelines"]["nodes"][0]["jobs"]["nodes"] for rows in (before[-1], after[0])]
    assert jobs[1] == jobs[0][::-1]


@pytest.mark.parametrize(
    "fault", [Fault.without_projects(times=None), Fault.reversed_nodes(times=None)]
)
async def test_edits_spare_other_answers(api, fault):
    api.gitlab.faults.add(fault)
    assert (await api.graphql("{ metadata { version } }")).json["data"]["metadata"]
    assert "errors" in (await api.graphql("{ invalid }")).json
    assert (await api.graphql("{ projects(first: 0) { count } }")).json["data"]["projects"]


async def test_edit_changes_any_answer(api):
    api.gitlab.faults.add(Fault(path="*/version", edit=lambda body: body.replace(b"19.5.0", b"x")))
    assert (await api("GET /version")).json["version"] == "x"
    assert (await api("GET /version")).json["version"] == "19.5.0"


async def test_stale_answer_states_the_past(api, world, clock, states):
    """A replica that lags behind has neither later states nor later rows."""
    world.retry(world.jobs[3])
    world.add_pipeline(world.project("group/app"))
    then = await states()
    clock.advance(60)
    world.cancel(api.gitlab.world.jobs[2])
    world.add_pipeline(world.project("group/app"))
    added = world.add_job(world.pipelines[1], "later", stage="build")
    world.retry(world.jobs[1])
    now = await states()
    assert now != then
    api.gitlab.faults.add(Fault(path=GRAPHQL, behind=60))
    assert await states() == then
    assert await states() == now
    assert added.status == "pending"


async def test_stale_answer_has_the_former_status(api, world, clock, states):
    (then,) = await states()
    clock.advance(60)
    actions.cancel_pipeline(world.registry, api.gitlab.world.pipelines[1], clock.now())
    (now,) = await states()
    assert (then["status"], now["status"]) == ("RUNNING", "CANCELING")
    assert now["updatedAt"] > then["updatedAt"]
    api.gitlab.faults.add(Fault(path=GRAPHQL, behind=1))
    (seen,) = await states()
    assert (seen["status"], seen["updatedAt"]) == ("RUNNING", then["updatedAt"])


async def test_stale_answer_lacks_children(api, clock):
    text = '{ project(fullPath: "group/app") { pipelines { nodes { totalJobs downstream { count }'
    text += " jobs(jobKind: BRIDGE) { nodes { status downstreamPipeline { id } } } } } } }"
    clock.advance(10)
    api.gitlab.faults.add(Fault(path=GRAPHQL, behind=109))
    reply = await api.graphql(text)
    assert reply.json["data"]["project"]["pipelines"]["nodes"] == [
        {
            "totalJobs": 9,
            "downstream": {"count": 0},
            "jobs": {"nodes": [{"status": "PENDING", "downstreamPipeline": None}]},
        }
    ]


async def test_lag_of_all_answers_is_a_setting(serve, world, clock):
    api = await serve(world, graphql=GraphqlSettings(replica_lag=30))
    world.add_pipeline(world.project("open/lib"))
    clock.advance(29)
    text = '{ project(fullPath: "open/lib") { pipelines { count } } }'
    assert (await api.graphql(text)).json["data"]["project"]["pipelines"]["count"] == 0
    clock.advance(1)
    assert (await api.graphql(text)).json["data"]["project"]["pipelines"]["count"] == 1


async def test_history_is_bounded(world):
    """Former states are kept for a quarter of an hour."""
    history = world.registry.history
    for at in range(10):
        history.record(world.jobs[1], world.now + at)
    assert len(history) >= 10
    history.record(world.jobs[2], world.now + KEPT + 100)
    assert len(history) == 1


@pytest.mark.parametrize("seconds", [-1, KEPT + 1])
def test_lag_beyond_the_history_is_refused(seconds):
    with pytest.raises(ValueError, match="behind"):
        Fault(behind=seconds)
    with pytest.raises(ValueError, match="replica_lag"):
        GraphqlSettings(replica_lag=seconds)


async def test_leaving_ends_a_slow_query():
    """A client that disconnects, and a server that stops, leave no task behind."""
    clock = SteppedClock()
    settings = SimulatorSettings(graphql=GraphqlSettings(seconds=10.0))
    async with Simulator(settings=settings, clock=clock) as gitlab:
        async with aiohttp.ClientSession() as session:
            query = session.post(f"{gitlab.url}{GRAPHQL}", json={"query": PATHS})
            call = asyncio.create_task(query)
            await until(lambda: clock.next_wake is not None)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
    assert asyncio.all_tasks() == {asyncio.current_task()}
