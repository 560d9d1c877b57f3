"""The command `demo`: every part of the SDK once, against a simulated GitLab in this process.

The client speaks real HTTP to it and has no other access; only the costs are read on the server.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Annotated, Final

from attrs import evolve
from cyclopts import Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.demo import steps
from gitlab_jobs_async.cli.demo.nodes import demo_nodes
from gitlab_jobs_async.cli.demo.observed import HeldClock, Observed
from gitlab_jobs_async.cli.demo.screen import DemoScreen, StepReport
from gitlab_jobs_async.cli.demo.steps import Scene
from gitlab_jobs_async.cli.errors import OK, CommandError, error_line, usage_error
from gitlab_jobs_async.cli.terminal import write_json
from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.cli.views.live import Dashboard
from gitlab_jobs_async.cli.views.log_pane import LogPane
from gitlab_jobs_async.cli.views.rows import json_line, pipeline_of
from gitlab_jobs_async.cli.views.screen import console
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.simulator import ServedRequest, Simulator, demo_world

Step = Callable[[Scene], Awaitable[str]]

STEP_TIMEOUT: Final = 60.0
_HEADLINE: Final = "ten projects at work; one of their logs below"
_BEGIN_WITH: Final = (steps.FOLLOWED, "contract", "deploy production", "image api")
WHILE_WATCHING: Final[Mapping[str, Step]] = {
    "follow": steps.follow_log,
    "retry": steps.retry_failed,
    "play": steps.play_manual,
    "child": steps.see_child,
}
_PURPOSES: Final = {"trace": "follow", "retry": "retry", "play": "play", "bridges": "child"}
"""The step that a request is for, by the end of its path; all others are the monitor's."""


async def demo(
    *,
    speed: Annotated[
        float,
        Parameter(
            metavar="FACTOR",
            validator=Number(gt=0, lte=1000),
            help="Simulated seconds per real second.",
            show_default=True,
        ),
    ] = 15.0,
    nodes: Annotated[
        int | None,
        Parameter(
            metavar="N",
            validator=Number(gte=2, lte=10),
            help="Number of processes with one store; one is killed every 5 seconds.",
        ),
    ] = None,
    store: Annotated[
        str | None,
        Parameter(
            metavar="STORE",
            help="Store of --nodes: an empty database, postgresql://…; a file by default.",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        Parameter(
            metavar="SECONDS",
            validator=Number(gte=5, lte=3600),
            help="How long --nodes runs: 30 by default.",
        ),
    ] = None,
    json: Annotated[
        bool,
        Parameter(help="Print only the summary: one JSON object per step, the total last."),
    ] = False,
) -> int:
    """Show listing, watching, a retry and a manual job on a simulated GitLab, then exit."""
    if nodes is not None:
        with _no_proxy():
            return await demo_nodes(nodes, store, seconds=seconds or 30.0, json=json)
    if store is not None or seconds is not None:
        raise usage_error("--store and --seconds: expected --nodes")
    clock = HeldClock(speed)
    screen = DemoScreen(console(), quiet=json)
    server = Simulator(demo_world(clock.now()), clock=clock)
    with _no_proxy():
        return await perform(server, clock, screen, speed=speed, json=json)


@contextmanager
def _no_proxy() -> Iterator[None]:
    """Connect to the loopback directly, whatever proxy the environment names."""
    known = os.environ.get("no_proxy")
    os.environ["no_proxy"] = "*"
    try:
        yield
    finally:
        os.environ.pop("no_proxy")
        if known is not None:
            os.environ["no_proxy"] = known


async def perform(
    server: Simulator,
    clock: HeldClock,
    screen: DemoScreen,
    *,
    speed: float,
    json: bool,
    timeout: float = STEP_TIMEOUT,
) -> int:
    """Run all steps on *server*, each for at most *timeout* real seconds.

    Raises:
        CommandError: at least one step failed; the others were run.
    """
    async with server, GitLab(server.url, auth=server.token, clock=clock) as gitlab:
        projects = [project.path for project in server.world.projects]
        scene = Scene(gitlab, clock, screen, projects, Observed())
        started = monotonic()
        screen.opening(server.url, len(projects), speed)
        listed = await carry_out("list", steps.list_everything, scene, timeout)
        reports = [_with_cost(listed, server.requests)]
        reports += await _watched(scene, server, clock, timeout)
    reports.append(total(reports, monotonic() - started))
    screen.summary(reports)
    if json:
        write_json("".join(json_line(report) for report in reports))
    failed = [report.step for report in reports[:-1] if not report.ok]
    if failed:
        raise CommandError(f"the demo failed at: {', '.join(failed)}")
    return OK


async def _watched(
    scene: Scene, server: Simulator, clock: HeldClock, timeout: float
) -> list[StepReport]:
    """Run the steps of `WHILE_WATCHING` side by side under one monitor."""
    started, first = monotonic(), len(server.requests)
    gitlab, observed, reports = scene.gitlab, scene.observed, dict[str, StepReport]()
    async with gitlab.monitor(scene.projects, logs=True, downstream=True) as events:
        dashboard = Dashboard(
            gitlab.budget,
            lambda: len(events),
            scene.clock,
            logs=LogPane(only=steps.FOLLOWED),
            headline=_HEADLINE,
        )

        async def read() -> None:
            async for event in events:
                observed.add(event)
                show(event)
                if observed.has(_BEGIN_WITH):
                    clock.begin()

        async with scene.screen.watching(dashboard) as show, task_pool() as tasks:
            tasks.start("watch", read())
            for name, step in WHILE_WATCHING.items():
                tasks.start(name, carry_out(name, step, scene, timeout))
            while len(reports) < len(WHILE_WATCHING):
                name, task = await tasks.next_done()
                if (report := task.result()) is not None:
                    reports[name] = report
    pipelines = {pipeline_of(job) for job in observed.jobs.values()}
    detail = (
        f"{counted(observed.events, 'event')} of {counted(len(observed.jobs), 'job')} in "
        f"{counted(len(pipelines), 'pipeline')}"
    )
    watch = StepReport(
        step="watch", ok=bool(observed.jobs), detail=detail, seconds=monotonic() - started
    )
    costs: dict[str, list[ServedRequest]] = defaultdict(list)
    for request in server.requests[first:]:
        costs[_PURPOSES.get(request.path.rpartition("/")[2], "watch")].append(request)
    ordered = [watch, *(reports[name] for name in WHILE_WATCHING)]
    return [_with_cost(report, costs[report.step]) for report in ordered]


async def carry_out(name: str, step: Step, scene: Scene, timeout: float) -> StepReport:
    """Run a step and report its result or its error; its cost is still zero."""
    started, is_done = monotonic(), False
    try:
        async with asyncio.timeout(timeout):
            detail = await step(scene)
        is_done = True
    except TimeoutError:
        detail = f"not done after {timeout:g} s"
    except (GitLabError, OSError, LookupError, CommandError) as error:
        # A failed step must not hide the results of the others.
        detail = error_line(error)
    return StepReport(step=name, ok=is_done, detail=detail, seconds=monotonic() - started)


def _with_cost(report: StepReport, served: Sequence[ServedRequest]) -> StepReport:
    return evolve(report, requests=len(served), bytes=sum(one.sent for one in served))


def total(reports: Sequence[StepReport], seconds: float) -> StepReport:
    """Sum up the reports of all steps."""
    done = sum(report.ok for report in reports)
    return StepReport(
        step="total",
        ok=done == len(reports),
        detail=f"{done} of {counted(len(reports), 'step')} done",
        requests=sum(report.requests for report in reports),
        bytes=sum(report.bytes for report in reports),
        seconds=seconds,
    )
