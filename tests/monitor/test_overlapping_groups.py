"""A project that several groups or targets name is polled once, as long as one of them does."""

import re

import pytest
from yarl import URL

from gitlab_jobs_async import GitLab, GroupTarget
from gitlab_jobs_async.events import JobAppeared, ProjectUnreachable
from gitlab_jobs_async.monitor.memberships import GroupMembers, Memberships
from gitlab_jobs_async.simulator import (
    Fault,
    JobPlan,
    PipelinePlan,
    PlannedJob,
    Simulator,
    SteppedClock,
    World,
)
from gitlab_jobs_async.store.memory import MemoryStore
from tests.support.connections import open_connections
from tests.support.stepped_time import pass_time
from tests.support.tasks import others, until
from tests.support.watched_groups import START, finished, listings, run, watched

SHOP, DEEP, OTHER = GroupTarget("shop"), GroupTarget("shop/deep"), GroupTarget("other")


@pytest.fixture
def world():
    world = World(START)
    for path in ("shop/web", "shop/deep/api", "other/app"):
        world.add_project(path)
    return world


def keys(seen):
    return [event.key for event in seen]


@pytest.mark.parametrize("targets", [(SHOP, DEEP), (DEEP, SHOP), (SHOP, GroupTarget(1))])
async def test_nested_groups_poll_projects_once(world, targets):
    async with watched(world, *targets) as (step, seen, monitor, _):
        assert len(monitor) == 2
        run(world, "shop/deep/api")
        await step(240)
        assert finished(seen) == [("shop/deep/api", "job")]
        assert len(set(keys(seen))) == len(seen)
        assert monitor.remove(SHOP)
        assert len(monitor) == (2 if GroupTarget(1) in targets else 1)


async def test_project_moves_between_groups_unharmed(world):
    async with watched(world, SHOP, OTHER) as (step, seen, monitor, _):
        run(world, "shop/web", plan=JobPlan(queued=1, duration=400))
        await step(200)
        world.move_project(world.project("shop/web"), "other/web")
        await step(900)
        assert len(monitor) == 3
        assert finished(seen) == [("other/web", "job")]
        assert [event.is_new for event in seen if isinstance(event, JobAppeared)] == [True]
        assert len(set(keys(seen))) == len(seen)


async def test_unreachable_group_keeps_no_other_project(world):
    async with watched(world, SHOP, GroupTarget("typo")) as (step, seen, monitor, _):
        assert [e.project for e in seen if isinstance(e, ProjectUnreachable)] == ["typo"]
        world.project("shop/web").archived = True
        await step(330)
        assert len(monitor) == 1


@pytest.mark.parametrize("target", ["shop/web", "SHOP/web/", 1])
async def test_target_of_a_group_may_be_added(world, target):
    async with watched(world, SHOP) as (step, seen, monitor, _):
        monitor.add(target)
        monitor.add(target)
        assert len(monitor) == 2
        run(world, "shop/web")
        await step(240)
        assert len(finished(seen)) == 1
        world.project("shop/web").archived = True
        await step(330)
        assert len(monitor) == 2
        assert monitor.remove(target)
        assert not monitor.remove(target)
        assert len(monitor) == 1


@pytest.mark.parametrize("target", ["shop/web", 1])
async def test_removed_target_stays_in_its_group(world, target):
    async with watched(world, target, SHOP) as (step, seen, monitor, simulator):
        run(world, "shop/web", plan=JobPlan(queued=1, duration=100))
        await step(60)
        before = len(listings(simulator))
        assert monitor.remove(target)
        assert not monitor.remove(target)
        await step(200)
        assert len(listings(simulator)) == before
        assert len(monitor) == 2
        assert len(finished(seen)) == 1
        assert monitor.remove(SHOP)
        assert len(monitor) == 0


async def test_project_of_a_group_is_no_target_itself(world):
    async with watched(world, SHOP) as (_, _, monitor, _):
        assert not monitor.remove(1)
        assert not monitor.remove("shop/web")
        assert len(monitor) == 2


@pytest.mark.parametrize("targets", [("shop/web", SHOP), (SHOP, "shop/web")])
async def test_restart_polls_shared_projects_once(world, targets):
    clock, kept = SteppedClock(START), MemoryStore()
    async with watched(world, *targets, clock=clock, checkpoint=kept) as watching:
        step, seen, monitor, simulator = watching
        port = URL(simulator.url).port
        await step(30)
        assert len(monitor) == 2
    job = run(world, "shop/web", "between")
    clock.advance(60)
    async with watched(world, *targets, clock=clock, checkpoint=kept, port=port) as watching:
        step, seen, monitor, _ = watching
        await step(300)
        assert job.complete
        assert len(monitor) == 2
        assert finished(seen) == [("shop/web", "between")]
        assert len(set(keys(seen))) == len(seen)


async def test_groups_are_listed_side_by_side(world):
    clock = SteppedClock(START)
    async with Simulator(world, clock=clock) as simulator:
        simulator.faults.add(Fault(path="*/groups/shop/*", status=502, times=None))
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            async with gitlab.monitor([SHOP, OTHER]) as monitor:
                # Retries of one group do not delay the next.
                await pass_time(gitlab, clock, 0.1)
                assert len(monitor) == 1


async def test_monitor_left_in_a_listing_ends_it(world):
    clock = SteppedClock(START)
    async with Simulator(world, clock=clock) as simulator:
        simulator.faults.add(Fault(path="*/groups/*", latency=100, times=None))
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            before = await others()
            async with gitlab.monitor([SHOP, OTHER]):
                await until(lambda: gitlab.budget.snapshot().in_flight == 2)
            assert await others() == before
            assert open_connections(gitlab) == 0
        clock.advance(200)


def test_project_leaves_after_all_listings():
    memberships = Memberships()
    memberships.groups["a"] = GroupMembers({1: "a/x", 2: "a/y"}, 10.0)
    memberships.groups["b"] = GroupMembers({}, 20.0)
    memberships.listed("a", {2: "a/y"}, 30.0)
    assert memberships.take_left() == []
    memberships.listed("b", {}, 29.0)  # it began before the other
    assert memberships.take_left() == []
    memberships.listed("b", {}, 30.0)
    assert memberships.take_left() == [(1, "a/x")]
    assert memberships.take_left() == []


def test_project_that_another_group_lists_stays():
    memberships = Memberships()
    memberships.groups["a"] = GroupMembers({1: "a/x"}, 10.0)
    memberships.groups["b"] = GroupMembers({}, 20.0)
    memberships.listed("a", {}, 30.0)
    memberships.listed("b", {1: "b/x"}, 40.0)
    assert memberships.take_left() == []
    memberships.listed("b", {}, 50.0)
    memberships.listed("a", {}, 50.0)
    assert memberships.take_left() == [(1, "b/x")]


def job_listings(simulator, *paths):
    """Return how many requests were for jobs of pipelines of these projects."""
    ids = {simulator.world.project(path).id for path in paths}
    found = [
        re.fullmatch(r".*/projects/(\d+)/pipelines/\d+/jobs", r.path) for r in simulator.requests
    ]
    return sum(int(match[1]) in ids for match in found if match)


async def test_groups_of_two_shards_record_events_once(world):
    """Both may poll a project that is shared, but not a downstream pipeline of the other."""
    clock = SteppedClock(START)
    kept = MemoryStore(clock=clock)
    await kept.join("bot")
    world.add_project("tools/lint").shared_with = frozenset({"shop", "other"})
    world.add_project("tools/own")
    how = {"clock": clock, "checkpoint": kept, "shards": 2, "downstream": True}
    async with watched(world, SHOP, OTHER, **how) as (step, seen, monitor, simulator):
        await step(60)
        assert monitor.status().unscanned == 0
        assert len(monitor) == 5, "tools/lint is polled in both shards"
        run(world, "tools/lint")
        pipeline = world.add_pipeline(world.project("shop/web"))
        for project in ("other/app", "tools/own"):
            child = PipelinePlan(jobs=(PlannedJob("sub"),), project=project)
            world.add_bridge(pipeline, project, downstream=child)
        await step(300)
        assert sorted(set(finished(seen))) == [
            ("other/app", "sub"),
            ("shop/web", "other/app"),
            ("shop/web", "tools/own"),
            ("tools/lint", "job"),
            ("tools/own", "sub"),
        ]
        recorded = [event.key for event in (await kept.read("bot", 0, 1000)).events]
        assert len(recorded) == len(set(recorded))
        assert set(recorded) == set(keys(seen))
        assert not job_listings(simulator, "other/app")
        assert job_listings(simulator, "tools/own")
