"""Draw the pictures of the README and the guide: `python .pictures/draw.py`.

The world, its time and the size of the screen are fixed, so that a picture changes only with the
program. Each picture is one SVG that loads nothing from elsewhere.
"""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from textual.pilot import Pilot

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.cli.fullscreen import ConnectionState, Watched, make_app, show
from gitlab_jobs_async.cli.waterfall.rows import chart_of
from gitlab_jobs_async.cli.waterfall.svg import timeline_svg
from gitlab_jobs_async.simulator import (
    AcceleratedClock,
    JobPlan,
    PipelinePlan,
    PlannedJob,
    Simulator,
    SteppedClock,
    World,
    demo_world,
)

HERE = Path(__file__).parent
NOW = 1_750_000_000.0
COLUMNS, LINES = 100, 24
WIDTH = 960
FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
PROJECTS = ("shop/payments", "shop/checkout")


async def screen(keys: Sequence[str], waits_for: str) -> str:
    """Return the full screen over the demo's world after some keys."""
    clock = AcceleratedClock(1.0, start=NOW)
    connection = ConnectionState(clock)
    drawn: list[str] = []

    async def press(pilot: Pilot[int]) -> None:
        await _shown(pilot, "contract")
        for key in keys:
            await pilot.press(key)
        await _shown(pilot, waits_for)
        drawn.append(pilot.app.export_screenshot(title="gitlab-jobs watch"))
        await pilot.press("q", "q")

    async with (
        Simulator(demo_world(NOW), clock=clock) as server,
        GitLab(server.url, auth=server.token, clock=clock, hooks=connection.hooks) as gitlab,
    ):
        watched = Watched(check=lambda _event: None)
        app = make_app(gitlab, connection, PROJECTS, watched, theme="dark")
        app.session.title = "gitlab.example.com"  # the port of the simulator differs
        await show(app, headless=True, size=(COLUMNS, LINES), auto_pilot=press)
    return self_contained(drawn[0])


async def _shown(pilot: Pilot[int], words: str) -> None:
    async with asyncio.timeout(10):
        while words not in pilot.app.export_screenshot().replace("&#160;", " "):
            await pilot.pause(0.02)


def self_contained(svg: str) -> str:
    """Return *svg* in a fixed width, with fonts of the reader in place of linked ones."""
    svg = svg.replace("<svg ", f'<svg width="{WIDTH}" ', 1)
    svg = re.sub(r"@font-face\s*\{[^}]*\}\s*", "", svg)
    return re.sub(r"font-family: ?[^;]*;", f"font-family: {FONTS};", svg)


def release(now: float) -> World:
    """Return a world with one pipeline: a retry, needs, a manual job and a child pipeline."""
    world = World(now)
    pipeline = world.add_pipeline(
        world.add_project("shop/checkout"), stages=("build", "test", "package", "deploy")
    )
    again = JobPlan(queued=9, duration=130)
    unit = {"queued": 12, "needs": ("compile",)}
    jobs = (
        ("build", "compile", JobPlan(queued=4, duration=95)),
        ("build", "assets", JobPlan(queued=6, duration=48)),
        ("test", "lint", JobPlan(queued=5, duration=22, needs=())),
        ("test", "unit 1/2", JobPlan(duration=92, **unit)),
        ("test", "unit 2/2", JobPlan(duration=64, **unit)),
        (
            "test",
            "integration",
            JobPlan(queued=48, duration=110, outcome="failed", auto_retry=1, attempts=(again,)),
        ),
    )
    for stage, name, plan in jobs:
        world.add_job(pipeline, name, stage=stage, plan=plan)
    images = tuple(
        PlannedJob(f"image {name}", "build", JobPlan(queued=queued, duration=seconds))
        for name, queued, seconds in (("api", 4, 82), ("web", 6, 52))
    )
    child = PipelinePlan(jobs=images, depend=True, name="images")
    world.add_bridge(pipeline, "trigger images", stage="package", downstream=child)
    staging = JobPlan(when="manual", allow_failure=False, queued=3, duration=45)
    manual = world.add_job(pipeline, "staging", stage="deploy", plan=staging)
    world.settle(now + 620)
    world.play(manual)
    world.settle(now + 900)
    return world


async def timeline() -> str:
    """Return the waterfall of a pipeline."""
    clock = SteppedClock(NOW + 900)
    async with (
        Simulator(release(NOW), clock=clock) as server,
        GitLab(server.url, auth=server.token, clock=clock) as gitlab,
    ):
        timelines = await gitlab.project("shop/checkout").list_timelines(1)
    # The port of the simulator differs.
    return timeline_svg(chart_of(timelines)).replace(server.url, "https://gitlab.example.com")


PICTURES: Mapping[str, Callable[[], Awaitable[str]]] = {
    "watch": lambda: screen(["f", "f"], "contract"),
    "timeline": timeline,
    "watch-log": lambda: screen(["f", "f", "enter"], "AssertionError"),
}


def main(names: Sequence[str]) -> None:
    """Write the pictures of these names, or all."""
    for name in names or PICTURES:
        (HERE / f"{name}.svg").write_text(asyncio.run(PICTURES[name]()))


if __name__ == "__main__":
    main(sys.argv[1:])
