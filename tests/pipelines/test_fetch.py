"""Fetch a pipeline tree: each pipeline once, with an error for those that cannot be read."""

import asyncio
import re

import pytest
from aiohttp import web
from attrs import evolve

from gitlab_jobs_async import (
    AuthenticationError,
    ConnectionFailedError,
    GitLab,
    NotFoundError,
    PermissionDeniedError,
    RetryPolicy,
    ServerError,
)
from gitlab_jobs_async.simulator import Fault, JobPlan, PipelinePlan, PlannedJob
from tests.support.cancellation import cancel_half_way
from tests.support.connections import open_connections
from tests.support.servers import serving
from tests.support.tasks import others, prompt, until


def planned(name, *bridges, project=None):
    """Return a plan with one job called *name*, and with bridges to the given pipelines."""
    triggers = tuple(
        PlannedJob(f"to {below.name}", downstream=below, plan=JobPlan(queued=0.0))
        for below in bridges
    )
    return PipelinePlan(jobs=(PlannedJob(name), *triggers), project=project, name=name)


@pytest.fixture
def world(simulator):
    world = simulator.world
    bob = world.project("group/app").pipelines[0].user
    world.add_project("group/lib", members={bob: "developer"})
    world.add_project("group/docs", public_jobs=False, visibility="internal")
    world.add_project("group/secret")
    return world


@pytest.fixture
def root(world, clock):
    """A pipeline with children, grandchildren, and pipelines in three other projects."""
    pipeline = world.add_pipeline(world.project("group/app"))
    world.add_job(pipeline, "build")
    child = planned("child", planned("grandchild"), planned("lib", project="group/lib"))
    for below in (
        child,
        planned("docs", project="group/docs"),
        planned("secret", project="group/secret"),
    ):
        world.add_bridge(pipeline, f"to {below.name}", downstream=below, plan=JobPlan(queued=0.0))
    manual = JobPlan(when="manual")
    world.add_bridge(pipeline, "to nothing yet", downstream=planned("later"), plan=manual)
    clock.stepped.advance(300)
    world.settle(clock.now())
    return pipeline


def shape(tree):
    """Return the names of jobs, and the shape below each bridge by its name."""
    return {
        "jobs": [job.name for job in tree.jobs],
        **{
            item.bridge.name: item.tree and shape(item.tree)
            for item in sorted(tree.downstream, key=lambda item: item.bridge.id)
        },
    }


async def test_tree_has_everything_downstream(gitlab, root):
    tree = await gitlab.project("group/app").walk_pipeline(root.id)
    leaf = {"grandchild": {"jobs": ["grandchild"]}, "lib": {"jobs": ["lib"]}}
    assert shape(tree) == {
        "jobs": ["build"],
        "to child": {
            "jobs": ["child"],
            "to grandchild": leaf["grandchild"],
            "to lib": leaf["lib"],
        },
        "to docs": {"jobs": ["docs"]},
        "to secret": {"jobs": ["secret"]},
        "to nothing yet": None,
    }
    assert tree.pipeline == await gitlab.project("group/app").get_pipeline(root.id)
    assert tree.bridges == tuple(await gitlab.project("group/app").list_bridges(root.id))
    assert {job.name for job in tree.all_jobs()} == {
        "build", "child", "grandchild", "lib", "docs", "secret",
    }  # fmt: skip
    assert all(found.pipeline.finished_at for found in tree.walk() if found is not tree)
    assert not list(tree.unreadable())
    waiting = next(item for item in tree.downstream if item.bridge.name == "to nothing yet")
    assert waiting.bridge.downstream_pipeline is None
    assert not waiting.is_repeated


async def test_forbidden_project_is_an_error_in_tree(simulator, root):
    async with GitLab(simulator.url, auth="glpat-bob") as gitlab:
        tree = await gitlab.project("group/app").walk_pipeline(root.id)
    errors = {item.bridge.name: type(item.error) for item in tree.unreadable()}
    assert errors == {"to docs": PermissionDeniedError, "to secret": NotFoundError}
    names = {job.name for job in tree.all_jobs()}
    assert names == {"build", "child", "grandchild", "lib"}
    secret = next(item for item in tree.downstream if item.bridge.name == "to secret")
    assert secret.error.message == "404 Project Not Found"
    assert (
        secret.bridge.downstream_pipeline.project_id == simulator.world.project("group/secret").id
    )
    assert (secret.tree, secret.is_repeated) == (None, False)


async def test_downstream_is_fetched_by_project_id(simulator, gitlab, root):
    """The project of the root may be given by an old path, which redirects."""
    simulator.world.registry.redirects["group/old"] = simulator.world.project("group/app")
    del simulator.requests[:]
    tree = await gitlab.project("group/old").walk_pipeline(root.id)
    assert len(list(tree.walk())) == 6
    asked = {request.path for request in simulator.requests}
    below = {path for path in asked if f"/pipelines/{root.id}" not in path}
    assert len(below) == 5 * 3
    assert all(re.match(r"/api/v4/projects/\d+/pipelines/", path) for path in below)


async def test_retried_jobs_are_optional(gitlab):
    project = gitlab.project(1)
    await project.retry_job(3)
    latest = await project.walk_pipeline(1)
    every = await project.walk_pipeline(1, include_retried=True)
    assert (len(latest.jobs), len(every.jobs)) == (4, 5)
    assert list(latest.jobs) == await project.list_pipeline_jobs(1)


async def test_retried_bridge_has_its_latest_pipeline(gitlab, world, root, clock):
    """GitLab's listing leaves retried bridges out."""
    bridge = next(job for job in root.jobs if job.name == "to child")
    before = await gitlab.project(1).walk_pipeline(root.id)
    again = world.retry(bridge)
    clock.stepped.advance(60)
    after = await gitlab.project(1).walk_pipeline(root.id)
    ids = [{item.bridge.id for item in tree.downstream} for tree in (before, after)]
    assert ids[0] - ids[1] == {bridge.id}
    assert ids[1] - ids[0] == {again.id}
    assert shape(before) == shape(after)


REFUSED = [
    (Fault(status=403, body=b"{}", times=None), PermissionDeniedError),
    (Fault(status=404, body=b"{}", times=None), NotFoundError),
    (Fault(status=401, body=b"{}", times=None), AuthenticationError),
    (Fault(status=502, times=None), ServerError),
    (Fault(reset="before", times=None), ConnectionFailedError),
]


@pytest.mark.parametrize("part", ["", "/jobs", "/bridges"])
@pytest.mark.parametrize(("fault", "kind"), REFUSED, ids=[kind.__name__ for _, kind in REFUSED])
async def test_failure_is_never_a_smaller_tree(simulator, clock, root, fault, kind, part):
    """Below the root, only a refusal of one pipeline is tolerated."""
    docs = next(job for job in root.jobs if job.name == "to docs").downstream_pipeline
    for pipeline in (root, docs):
        simulator.faults.clear()
        simulator.faults.add(evolve(fault, path=f"*/pipelines/{pipeline.id}{part}"))
        retry = RetryPolicy(attempts=2)
        async with GitLab(simulator.url, auth=simulator.token, clock=clock, retry=retry) as gitlab:
            project = gitlab.project("group/app")
            if pipeline is docs and kind in {PermissionDeniedError, NotFoundError}:
                (item,) = (await project.walk_pipeline(root.id)).unreadable()
                assert (item.bridge.name, type(item.error)) == ("to docs", kind)
            else:
                with pytest.raises(kind):
                    await project.walk_pipeline(root.id)
            assert open_connections(gitlab) == 0
            assert not await others()


def graph_server(made, *, slow=None):
    """Return a server whose pipelines have one bridge to each pipeline in *made*."""

    def basic(number):
        return {"id": number, "status": "success", "project_id": number + 100}

    async def answer(request):
        found = re.fullmatch(r"/api/v4/projects/\w+/pipelines/(\d+)(/\w+)?", request.path)
        number, part = int(found[1]), found[2]
        if slow is not None:
            await slow(number)
        common = {"status": "success", "stage": "test", "pipeline": basic(number)}
        rows = {
            None: basic(number),
            "/jobs": [{"id": number, "name": f"job {number}", **common}],
            "/bridges": [
                {
                    "id": number * 100 + place,
                    "name": f"to {below}",
                    "downstream_pipeline": basic(below),
                    **common,
                }
                for place, below in enumerate(made.get(number, ()))
            ],
        }
        return web.json_response(rows[part], headers={"X-Total-Pages": "1", "X-Page": "1"})

    return answer


@prompt
async def test_cycle_of_pipelines_ends():
    made = {1: [2, 3], 2: [4, 1], 3: [4, 3], 4: [2]}
    async with serving(graph_server(made)) as server, GitLab(server.url, auth="t") as gitlab:
        tree = await gitlab.project("any").walk_pipeline(1)
    assert sorted(found.pipeline.id for found in tree.walk()) == [1, 2, 3, 4]
    assert len(server.requests) == 4 * 3
    repeated = [
        (found.pipeline.id, item.bridge.downstream_pipeline.id)
        for found in tree.walk()
        for item in found.downstream
        if item.is_repeated
    ]
    assert sorted(below for _, below in repeated) == [1, 2, 3, 4]


async def test_longest_chain_is_fetched():
    """GitLab allows a hierarchy of 1,000 pipelines."""
    made = {number: [number + 1] for number in range(1, 1000)}
    async with serving(graph_server(made)) as server, GitLab(server.url, auth="t") as gitlab:
        tree = await gitlab.project(101).walk_pipeline(1)
    assert [found.pipeline.id for found in tree.walk()] == list(range(1, 1001))
    assert [job.id for job in tree.all_jobs()] == list(range(1, 1001))


async def test_tree_is_fetched_within_concurrency():
    at_once, most, most_tasks = 0, 0, 0

    async def slow(_number):
        nonlocal at_once, most, most_tasks
        at_once += 1
        most, most_tasks = max(most, at_once), max(most_tasks, len(await others()))
        at_once -= 1

    made = {1: list(range(2, 80))}
    async with serving(graph_server(made, slow=slow)) as server:
        async with GitLab(server.url, auth="t", concurrency=5) as gitlab:
            tree = await gitlab.project(101).walk_pipeline(1)
    assert len(list(tree.walk())) == 79
    assert most == 5
    assert most_tasks < 79


@prompt
async def test_cancelled_fetch_leaves_nothing(simulator, gitlab, root):
    await cancel_half_way(simulator, gitlab, gitlab.project(1).walk_pipeline(root.id))


async def test_timed_out_fetch_leaves_nothing(simulator, gitlab, root):
    simulator.faults.add(Fault(latency=1.0, skip=4, times=None))
    before = await others()
    walking = asyncio.create_task(gitlab.project(1).walk_pipeline(root.id))
    await until(lambda: simulator.clock.next_wake)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await walking
    assert await others() == before
    assert open_connections(gitlab) == 0
    simulator.clock.advance(5)


@pytest.mark.parametrize(
    ("args", "kwargs"), [((0,), {}), (("1",), {}), ((1,), {"include_retried": 1})]
)
async def test_invalid_input_is_refused_at_once(simulator, gitlab, args, kwargs):
    with pytest.raises((TypeError, ValueError), match=r"pipeline_id|include_retried"):
        await gitlab.project(1).walk_pipeline(*args, **kwargs)
    assert simulator.requests == []
