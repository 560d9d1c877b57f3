"""A group as a target: its projects are kept up to date while the monitor runs."""

import asyncio
from contextlib import suppress

import pytest
from yarl import URL

from gitlab_jobs_async import AuthenticationError, GitLab, GroupTarget, StoreError
from gitlab_jobs_async.events import (
    AllTargetsUnreachable,
    JobAppeared,
    ProjectRecovered,
    ProjectUnreachable,
)
from gitlab_jobs_async.monitor import groups
from gitlab_jobs_async.simulator import Fault, JobPlan, Simulator, SteppedClock, World
from gitlab_jobs_async.store.memory import MemoryStore
from tests.support.stepped_time import pass_time
from tests.support.stores import MortalStore, content
from tests.support.tasks import others, until
from tests.support.watched_groups import START, finished, listings, run, watched


@pytest.fixture
def world():
    world = World(START)
    for path in ("shop/web", "shop/deep/api", "other/app"):
        world.add_project(path)
    return world


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
    world.add_project("elsewhere/old").created_at -= 3600
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
        before = len(listings(simulator))
        await step(3600)
        assert 11 <= len(listings(simulator)) - before <= 13


async def test_large_group_is_listed_less_often(world, monkeypatch):
    # As if each project were a page of them.
    monkeypatch.setattr(groups, "PER_PAGE", 1)
    for number in range(20):
        world.add_project(f"big/p{number}")
    async with watched(world, GroupTarget("big")) as (step, _, monitor, simulator):
        assert len(monitor) == 20
        await step(540)
        assert len(listings(simulator)) == 1
        await step(60)
        assert len(listings(simulator)) == 2


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


@pytest.mark.parametrize(("group", "refused"), [("shop", 0), ("absent", 1)])
async def test_unlisted_group_may_be_reachable(world, group, refused):
    """The refusal of a project often comes before the list of the group."""
    async with watched(world, GroupTarget(group), "shop/absent", settled=120) as (_, seen, _, _):
        kinds = [type(event) for event in seen]
    assert kinds.count(AllTargetsUnreachable) == refused
    assert ProjectUnreachable in kinds


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
    async with watched(world, 3) as (step, seen, monitor, simulator):
        remove = Fault(path="*/groups/*", effect=lambda: removed.append(monitor.remove(target)))
        simulator.faults.add(remove)
        monitor.add(target)
        await step(60)
        assert removed == [True]
        assert len(monitor) == 1
        run(world, "other/app")
        await step(240)
        assert finished(seen) == [("other/app", "job")]


async def test_project_of_two_groups_stays_in_one(world):
    targets = GroupTarget("shop"), GroupTarget("shop/deep")
    async with watched(world, *targets) as (step, seen, monitor, _):
        assert len(monitor) == 2
        assert monitor.remove(targets[0])
        assert len(monitor) == 1
        run(world, "shop/deep/api")
        await step(240)
        assert finished(seen) == [("shop/deep/api", "job")]


async def test_removed_group_leaves_no_record(world):
    kept = MemoryStore()
    async with watched(world, GroupTarget("shop"), checkpoint=kept) as watching:
        step, seen, monitor, simulator = watching
        removed = []
        fault = Fault(
            path="*/groups/*",
            status=404,
            effect=lambda: removed.append(monitor.remove(GroupTarget("shop"))),
        )
        simulator.faults.add(fault)
        await step(400)
        assert removed == [True]
    states = (await content(kept)).states
    assert not [name for name in states if "shop" in name or "project" in name]
    assert not seen


async def test_projects_without_ci_are_left_out(world):
    world.project("shop/web").jobs_enabled = False
    async with watched(world, GroupTarget("shop")) as (step, seen, monitor, _):
        assert len(monitor) == 1
        world.project("shop/web").jobs_enabled = True
        await step(330)
        assert len(monitor) == 2
        assert not seen


async def test_renamed_group_is_reported(world):
    async with watched(world, GroupTarget("shop"), GroupTarget(1)) as (step, seen, monitor, _):
        world.registry.move_group("shop", "store")
        run(world, "store/web")
        await step(400)
        # GitLab redirects the paths of projects, not those of groups.
        outages = [event for event in seen if isinstance(event, ProjectUnreachable)]
        assert [(event.project, event.status) for event in outages] == [("shop", 404)]
        assert len(monitor) == 2
        assert finished(seen) == [("store/web", "job")]


async def test_returning_project_starts_anew(world):
    async with watched(world, GroupTarget("shop")) as (step, seen, monitor, _):
        job = run(world, "shop/web", plan=JobPlan(queued=1, duration=5000))
        await step(120)
        world.project("shop/web").archived = True
        await step(330)
        assert len(monitor) == 1
        world.project("shop/web").archived = False
        await step(330)
        shown = [event for event in seen if getattr(event, "job", None) and event.job.id == job.id]
        # Under the same key, so that a consumer can tell.
        assert len({event.key for event in shown if isinstance(event, JobAppeared)}) == 1
        await step(5000)
        assert finished(seen) == [("shop/web", "job")]


async def test_pending_events_outlive_their_project(world):
    clock = SteppedClock(START)
    async with Simulator(world, clock=clock) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            async with gitlab.monitor([GroupTarget("shop")]) as monitor:
                await pass_time(gitlab, clock, 30)
                run(world, "shop/web")
                await pass_time(gitlab, clock, 240)
                world.project("shop/web").archived = True
                await pass_time(gitlab, clock, 330)
                assert len(monitor) == 1
                async with asyncio.timeout(5):
                    async for event in monitor:
                        if finished([event]):
                            break


async def test_project_is_new_despite_clock_skew(world):
    async with watched(world, GroupTarget("shop")) as (step, seen, _, _):
        await step(250)
        world.add_project("shop/new").created_at = START - 850
        run(world, "shop/new")
        await step(180)
        assert finished(seen) == [("shop/new", "job")]


async def test_restart_right_after_a_project_joined(world, tmp_path):
    clock, path = SteppedClock(START), tmp_path / "ci.db"
    async with watched(world, GroupTarget("shop"), clock=clock, checkpoint=path) as watching:
        step, seen, monitor, sim = watching
        port = URL(sim.url).port
        world.add_project("shop/new")
        run(world, "shop/new")
        # The first poll of the new project is not answered in time.
        sim.faults.add(Fault(path="*/projects/4/jobs", latency=1000, times=None))
        clock.advance(301)
        await until(lambda: len(monitor) == 3)
        assert not seen
    again = watched(world, GroupTarget("shop"), clock=clock, checkpoint=path, port=port)
    async with again as (step, seen, _, _):
        await step(240)
        assert finished(seen) == [("shop/new", "job")]


@pytest.mark.parametrize("writes", range(4))
async def test_crash_while_a_project_joins(world, writes, monkeypatch):
    # The listings of a large group lie further apart than any tolerance.
    monkeypatch.setattr(groups, "_CLOCK_SKEW", 0.0)
    clock, kept = SteppedClock(START), MortalStore()
    with suppress(StoreError):
        async with watched(world, GroupTarget("shop"), clock=clock, checkpoint=kept) as watching:
            step, seen, _, sim = watching
            port = URL(sim.url).port
            await step(260)
            world.add_project("shop/new")
            run(world, "shop/new")
            await step(8)
            kept.left = writes
            await step(12)
    before = finished(seen)
    kept.left = None
    clock.advance(1000)
    again = watched(world, GroupTarget("shop"), clock=clock, checkpoint=kept, port=port)
    async with again as (step, seen, _, _):
        await step(240)
        assert {*before, *finished(seen)} == {("shop/new", "job")}


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
