"""A group as a target: its projects are kept up to date while the monitor runs."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from yarl import URL

from gitlab_jobs_async import AuthenticationError, GitLab, GroupTarget
from gitlab_jobs_async.events import JobAppeared, JobFinished, ProjectRecovered, ProjectUnreachable
from gitlab_jobs_async.simulator import Fault, JobPlan, Simulator, SteppedClock, World
from tests.support.connections import open_connections
from tests.support.stepped_time import pass_time
from tests.support.tasks import others

START = 1_750_000_000.0
QUICK = JobPlan(queued=1, duration=20)


@asynccontextmanager
async def watched(world, *targets, settled=30, clock=None, port=0, **options):
    """Watch *targets* on a clock that the test moves; yield `step(seconds)` and the events."""
    clock = clock or SteppedClock(START)
    async with Simulator(world, clock=clock, port=port) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            seen = []

            async def read(monitor):
                async for event in monitor:
                    seen.append(event)  # noqa: PERF401 - the test reads it meanwhile

            async with gitlab.monitor(targets, **options) as monitor:
                reading = asyncio.create_task(read(monitor))

                async def step(seconds):
                    await pass_time(gitlab, clock, seconds)

                await step(settled)
                try:
                    yield step, seen, monitor, simulator
                finally:
                    reading.cancel()
                    await asyncio.gather(reading, return_exceptions=True)
            assert open_connections(gitlab) == 0


@pytest.fixture
def world():
    world = World(START)
    for path in ("shop/web", "shop/deep/api", "other/app"):
        world.add_project(path)
    return world


def run(world, path, name="job", plan=QUICK):
    return world.add_job(world.add_pipeline(world.project(path)), name, plan=plan)


def finished(seen):
    ends = [event for event in seen if isinstance(event, JobFinished)]
    return [(event.project_path, event.job.name) for event in ends]


async def test_projects_of_all_levels_are_watched(world):
    async with watched(world, GroupTarget("shop")) as (step, seen, monitor, _):
        assert len(monitor) == 2
        for path in ("shop/web", "shop/deep/api", "other/app"):
            run(world, path)
        await step(240)
        assert sorted(finished(seen)) == [("shop/deep/api", "job"), ("shop/web", "job")]
    assert not await others()


async def test_subgroups_may_be_left_out(world):
    target = GroupTarget("shop", include_subgroups=False)
    async with watched(world, target) as (_, _, monitor, _):
        assert len(monitor) == 1


async def test_members_change_within_five_minutes(world):
    async with watched(world, GroupTarget("shop")) as (step, seen, monitor, _):
        world.add_project("shop/new")
        world.project("shop/web").archived = True
        world.delete_project(world.project("shop/deep/api"))
        await step(330)
        assert len(monitor) == 1
        run(world, "shop/new")
        run(world, "shop/web", "of an archived project")
        await step(240)
        assert finished(seen) == [("shop/new", "job")]
        world.move_project(world.project("shop/new"), "other/new")
        await step(330)
        assert len(monitor) == 0


@pytest.mark.parametrize("is_created", [True, False])
async def test_jobs_of_created_projects_are_new(world, is_created, tmp_path):
    clock, path = SteppedClock(START), tmp_path / "ci.db"
    world.add_project("elsewhere/old")
    async with watched(world, GroupTarget("shop"), clock=clock, checkpoint=path) as watching:
        step, seen, _, sim = watching
        port = URL(sim.url).port
        await step(60)
        if is_created:
            world.add_project("shop/new")
        else:
            world.move_project(world.project("elsewhere/old"), "shop/new")
        run(world, "shop/new", "quick")
        await step(60)
        assert not seen
    # The project was not listed yet, so that a restart must know when the group was.
    clock.advance(60)
    again = watched(world, GroupTarget("shop"), clock=clock, checkpoint=path, port=port)
    async with again as (step, seen, _, _):
        await step(60)
        run(world, "shop/new", "later")
        await step(240)
        expected = ["quick", "later"] if is_created else ["later"]
        assert [name for _, name in finished(seen)] == expected
        assert all(event.is_new for event in seen if isinstance(event, JobAppeared))


async def test_moved_project_goes_on_under_its_id(world):
    async with watched(world, GroupTarget("shop")) as (step, seen, monitor, _):
        job = run(world, "shop/web", plan=JobPlan(queued=1, duration=500))
        await step(200)
        world.move_project(world.project("shop/web"), "shop/deep/web")
        await step(900)
        assert len(monitor) == 2
        told = [event for event in seen if getattr(event, "job", None) and event.job.id == job.id]
        assert [event.key for event in told] == list(dict.fromkeys(event.key for event in told))
        assert finished(seen) == [("shop/deep/web", "job")]


@pytest.mark.parametrize("own", ["shop/web", 1])
async def test_project_named_twice_is_watched_once(world, own):
    async with watched(world, own, GroupTarget("shop")) as (step, seen, monitor, _):
        assert len(monitor) == 2
        run(world, "shop/web")
        await step(240)
        assert len(finished(seen)) == 1
        world.project("shop/web").archived = True
        await step(330)
        # It is a target of its own.
        assert len(monitor) == 2


async def test_refresh_costs_a_request_in_five_minutes(world):
    async with watched(world, GroupTarget("shop")) as (step, _, _, simulator):
        before = len(simulator.requests)
        await step(3600)
        listed = [r for r in simulator.requests[before:] if "/groups/" in r.path]
        assert 11 <= len(listed) <= 13


async def test_large_group_is_listed_less_often(world):
    for number in range(1150):
        world.add_project(f"big/p{number}")
    async with watched(world, GroupTarget("big")) as (step, _, monitor, simulator):
        assert len(monitor) == 1150
        before = len(simulator.requests)
        await step(300)
        assert not [r for r in simulator.requests[before:] if "/groups/" in r.path]


@pytest.mark.parametrize("status", [403, 404, 500, 502])
async def test_failed_listing_changes_no_target(world, status):
    async with watched(world, GroupTarget("shop")) as (step, seen, monitor, simulator):
        fault = Fault(path="*/groups/*", status=status, body=b"{}", times=None)
        simulator.faults.add(fault)
        await step(900)
        assert len(monitor) == 2
        outages = [event for event in seen if isinstance(event, ProjectUnreachable)]
        assert [(event.project, event.status) for event in outages] == [("shop", status)]
        simulator.faults.clear()
        world.add_project("shop/new")
        await step(1000)
        assert [e.project for e in seen if isinstance(e, ProjectRecovered)] == ["shop"]
        assert len(monitor) == 3


async def test_empty_group_is_waited_for():
    world = World(START)
    world.add_project("shop/old").archived = True
    async with watched(world, GroupTarget("shop")) as (step, seen, monitor, _):
        assert len(monitor) == 0
        world.add_project("shop/new")
        await step(330)
        run(world, "shop/new")
        await step(240)
        assert finished(seen) == [("shop/new", "job")]


async def test_group_is_added_and_removed(world):
    async with watched(world, 3) as (step, _, monitor, _):
        monitor.add(GroupTarget("shop"))
        monitor.add(GroupTarget("shop"))
        await step(30)
        assert len(monitor) == 3
        assert monitor.remove(GroupTarget("shop"))
        assert not monitor.remove(GroupTarget("shop"))
        assert len(monitor) == 1


async def test_group_removed_while_listed_is_gone(world):
    target, removed = GroupTarget("shop"), []
    async with watched(world, 3) as (step, _, monitor, simulator):
        remove = Fault(path="*/groups/*", effect=lambda: removed.append(monitor.remove(target)))
        simulator.faults.add(remove)
        monitor.add(target)
        await step(60)
        assert removed == [True]
        assert len(monitor) == 1


async def test_project_of_two_groups_stays_in_one(world):
    targets = GroupTarget("shop"), GroupTarget("shop/deep")
    async with watched(world, *targets) as (step, seen, monitor, _):
        assert len(monitor) == 2
        assert monitor.remove(targets[0])
        assert len(monitor) == 1
        run(world, "shop/deep/api")
        await step(240)
        assert finished(seen) == [("shop/deep/api", "job")]


async def test_restart_loses_nothing_of_a_group(world, tmp_path):
    path, clock = tmp_path / "ci.db", SteppedClock(START)
    target = GroupTarget("shop")
    async with watched(world, target, clock=clock, checkpoint=path) as (step, seen, _, sim):
        port = URL(sim.url).port
        run(world, "shop/web", "first")
        await step(240)
        assert finished(seen) == [("shop/web", "first")]
    job = run(world, "shop/web", "between")
    clock.advance(600)
    world.settle(clock.now())
    assert job.complete
    again = watched(world, target, clock=clock, checkpoint=path, port=port, settled=0)
    async with again as (step, seen, monitor, sim):
        assert len(monitor) == 2
        # Known projects are polled also while the group cannot be listed.
        sim.faults.add(Fault(path="*/groups/*", status=500, times=None))
        await step(240)
        assert finished(seen) == [("shop/web", "between")]


async def test_refused_token_ends_an_unknown_group(world):
    clock = SteppedClock(START)
    async with Simulator(world, clock=clock) as simulator:
        async with GitLab(simulator.url, auth="wrong", clock=clock) as gitlab:
            async with gitlab.monitor([GroupTarget("shop")]) as monitor:
                reading = asyncio.ensure_future(anext(monitor))
                await pass_time(gitlab, clock, 60, reading.done)
                with pytest.raises(AuthenticationError):
                    await reading


@pytest.mark.parametrize(
    "target", [GroupTarget(""), GroupTarget(0), GroupTarget("a/../b"), GroupTarget(None)]
)
async def test_bad_group_sends_nothing(gitlab, simulator, target):
    for call in (
        lambda: gitlab.monitor([target]),
        lambda: gitlab.group(target.group),
    ):
        with pytest.raises((TypeError, ValueError), match="group"):
            call()
    with pytest.raises((TypeError, ValueError), match="group"):
        await gitlab.list_jobs([target])
    assert not simulator.requests
