"""The full screen on a simulated GitLab: from the pipelines to a log, and actions."""

import pytest

from gitlab_jobs_async.simulator import JobPlan, RunnerScript, World
from tests.cli.fullscreen.conftest import opened
from tests.support.tasks import prompt


@pytest.fixture
def world(clock):
    """Return a project with a failed pipeline and a manual job."""
    world = World(clock.now())
    app = world.add_project("shop/cart")
    pipeline = world.add_pipeline(app, stages=("build", "test", "deploy"), ref="main")
    fast = {"duration": 1.0, "queued": 0.0}
    world.add_job(pipeline, "compile", stage="build", plan=JobPlan(**fast))
    unit = JobPlan(**fast, outcome="failed", log=RunnerScript(failure=("E   assert 1 == 2",)))
    world.add_job(pipeline, "unit", stage="test", plan=unit)
    world.add_job(pipeline, "ship", stage="deploy", plan=JobPlan(when="manual"))
    world.settle(clock.now() + 60)
    return world


@prompt
async def test_failing_lines_are_two_keys_away(world, clock):
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("✗ unit", "script_failure")
        await screen.press("f", "enter")
        await screen.shows("E   assert 1 == 2", "✗ failed")
        await screen.press("g")
        await screen.shows("▹ get_sources", "▾ step_script")
        await screen.press("q")
        await screen.shows("» ship")
        await screen.press("q")


@prompt
async def test_retry_is_one_key_and_a_line_stays(world, clock):
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("✗ unit", "script_failure")
        failed = max(world.jobs)
        await screen.press("f")
        assert screen.selected.job.job.name == "unit"
        await screen.press("r")
        await screen.shows("runs again as job")
        assert screen.selected.job.job.id > failed
        await screen.press("q")


@prompt
async def test_erase_and_cancel_ask_first(world, clock):
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("✗ unit", "script_failure")
        await screen.press("f", "e")
        await screen.shows("Erase the log and artifacts of job")
        await screen.press("enter")
        await screen.shows("nothing was changed")
        await screen.press("e", "y")
        await screen.shows("is erased")
        posted = [one for one in screen.server.requests if one.method == "POST"]
        assert [one.path.rpartition("/")[2] for one in posted] == ["erase"]
        await screen.press("c", "y")
        await screen.shows("job 2 unit is failed")
        await screen.press("e", "y")
        await screen.shows("403")
        await screen.press("q")


@prompt
@pytest.mark.parametrize("keys", [["q"], ["f", "enter"], ["e"], ["question_mark"], ["slash", "x"]])
async def test_nothing_is_left_in_any_state(world, clock, keys):
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("✗ unit")
        await screen.press(*keys)
