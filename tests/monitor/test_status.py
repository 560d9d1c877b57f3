"""State of a monitor: the age of its view, the lag of its polls, and pauses."""

import pytest

from gitlab_jobs_async import ConnectionFailedError, GitLab, RequestBudget
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.schedule.scheduler import PollScheduler
from gitlab_jobs_async.monitor.schedule.timer import PollTimer
from gitlab_jobs_async.monitor.status import status_of
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.simulator import Fault, Simulator
from tests.support.clocks import SteppedClock
from tests.support.stepped_time import pass_time
from tests.support.tasks import in_background, until

APP = "group/app"


async def drain(events):
    async for _ in events:
        pass


@pytest.fixture
def stepped():
    return SteppedClock()


@pytest.fixture
async def monitored(stepped):
    """Yield client, monitor and simulator on one stepped, which only the test advances."""
    async with (
        Simulator(clock=stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=stepped) as gitlab,
        gitlab.monitor([APP]) as events,
        in_background(drain(events)),
    ):
        yield gitlab, events, simulator


async def test_status_before_the_first_scan(gitlab):
    async with gitlab.monitor([APP, "group/lib"]) as events:
        status = events.status()
    assert (status.targets, status.unscanned, status.unreachable) == (2, 2, 0)
    assert (status.oldest_scan, status.lag, status.paused) == (None, 0.0, ())


async def test_scans_keep_the_view_young(monitored, stepped):
    gitlab, events, _ = monitored
    await pass_time(gitlab, stepped, 120)
    status = events.status()
    assert (status.targets, status.unscanned) == (1, 0)
    assert 0 <= status.oldest_scan < 60
    assert status.lag < 1


async def test_failed_polls_are_no_scans(monitored, stepped):
    gitlab, events, simulator = monitored
    await pass_time(gitlab, stepped, 60)
    simulator.faults.add(Fault(status=404, times=None))
    before = events.status().oldest_scan
    await pass_time(gitlab, stepped, 900)
    status = events.status()
    assert status.unreachable == 1
    assert status.oldest_scan >= before + 900 - 60
    simulator.faults.clear()
    await pass_time(gitlab, stepped, 900)
    assert events.status().unreachable == 0
    assert events.status().oldest_scan < 200


async def test_pause_is_in_the_status(monitored, stepped):
    gitlab, events, simulator = monitored
    await pass_time(gitlab, stepped, 60)
    simulator.faults.add(Fault.throttled(retry_after=600, times=1))
    await pass_time(gitlab, stepped, 200)
    assert events.status().paused == ("",)
    await pass_time(gitlab, stepped, 900)
    assert events.status().paused == ()


async def test_slow_consumer_ages_the_view(stepped):
    async with (
        Simulator(clock=stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=stepped) as gitlab,
    ):
        world = simulator.world
        big = world.add_project("big")
        pipeline = world.add_pipeline(big)
        for number in range(1500):
            world.add_job(pipeline, f"job {number}")
        async with gitlab.monitor(["big"]) as events:
            await until(lambda: events.pending)
            await pass_time(gitlab, stepped, 600)
            status = events.status()
            assert status.pending == events.pending > 0
            # The poll goes on when there is room for its next events.
            assert status.oldest_scan >= 500


async def test_small_budget_makes_polls_late(stepped):
    budget = RequestBudget(per_minute=3)
    async with (
        Simulator(clock=stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=stepped, budget=budget) as gitlab,
    ):
        for number in range(9):
            simulator.world.add_project(f"many/{number}")
        targets = [f"many/{number}" for number in range(9)]
        async with gitlab.monitor(targets) as events, in_background(drain(events)):
            await pass_time(gitlab, stepped, 90)
            assert events.status().lag > 30


def test_lag_is_that_of_the_most_overdue():
    scheduler = PollScheduler()
    assert scheduler.lag(0.0) == 0.0
    scheduler.schedule("a", 0.0, 10.0)
    scheduler.schedule("b", 0.0, 20.0)
    assert scheduler.lag(9.0) == 0.0
    assert scheduler.lag(25.0) == pytest.approx(15.0)
    assert scheduler.pop_due(25.0) == "a"
    assert scheduler.lag(25.0) == pytest.approx(5.0)
    scheduler.remove("b")
    assert scheduler.lag(25.0) == 0.0


def test_lag_of_a_delayed_due_target():
    """One that is known to be due waits outside of the heap."""
    scheduler = PollScheduler(spacing=100.0)
    scheduler.schedule("a", 0.0, 1.0)
    scheduler.schedule("b", 0.0, 2.0)
    assert scheduler.pop_due(10.0)
    assert scheduler.lag(10.0) == pytest.approx(8.0)


@pytest.mark.parametrize(("failures", "scanned_at"), [(0, 90.0), (2, 0.0)])
def test_restored_failures_are_no_scan(failures, scanned_at):
    timer = PollTimer.restored(Progress(90.0, 30.0, None, failures), 100.0)
    assert timer.scanned_at == scanned_at


async def test_status_after_the_block(gitlab):
    async with gitlab.monitor([APP]) as events:
        await anext(events)
    assert events.status().targets == 1


async def test_answers_by_graphql_are_scans(stepped):
    """REST polls a project without changes every two hours then."""
    pytest.importorskip("graphql")
    async with (
        Simulator(clock=stepped) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=stepped) as gitlab,
    ):
        world = simulator.world
        for number in range(12):
            world.add_finished_jobs(world.add_project(f"many/{number}"), 1)
        stepped.advance(3600)
        targets = [f"many/{number}" for number in range(12)]
        async with gitlab.monitor(targets) as events, in_background(drain(events)):
            await pass_time(gitlab, stepped, 900)
            assert events.status().oldest_scan < 60
            listings = [r for r in simulator.requests if r.path.endswith("/jobs")]
            assert len(listings) < 40


def test_oldest_scan_is_that_of_any_target():
    watches = [ProjectWatch.of(number) for number in range(4)]
    for watch, scanned_at in zip(watches, (0.0, 70.0, 40.0, 90.0), strict=True):
        watch.timer.scanned_at = scanned_at
    status = status_of(watches, 100.0, pending=3, lag=1.5, paused={"b", "a"})
    assert (status.oldest_scan, status.targets, status.pending) == (60.0, 4, 3)
    assert (status.lag, status.paused) == (1.5, ("a", "b"))


def test_failed_poll_is_no_scan():
    timer = PollTimer()
    timer.on_success(50.0, ())
    timer.on_error(80.0, ConnectionFailedError("lost", "GET", "u"), TargetAvailability(7, "7"))
    assert (timer.polled_at, timer.scanned_at) == (80.0, 50.0)
