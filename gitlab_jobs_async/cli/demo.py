"""The command `demo`: the whole way once, against a simulated GitLab in this very process.

It asks over real HTTP and knows nothing that a client cannot know; only the bill is the server's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Annotated

from attrs import frozen
from cyclopts import Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli import demo_steps
from gitlab_jobs_async.cli.demo_screen import DemoScreen, StepReport
from gitlab_jobs_async.cli.demo_steps import Scene
from gitlab_jobs_async.cli.failures import OK, CommandError, line_of
from gitlab_jobs_async.cli.rows import json_line
from gitlab_jobs_async.cli.terminal import console, write
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.simulator import AcceleratedClock, Simulator, demo_world

_STEP_SECONDS = 60


@frozen
class Step:
    """What is done, in the words of the summary, and how; it returns what came of it."""

    name: str
    title: str
    act: Callable[[Scene], Awaitable[str]]


_STEPS = (
    Step("list", "List the jobs of all projects, side by side", demo_steps.list_everything),
    Step("follow", "Follow the log of a running job to its end", demo_steps.follow_log),
    Step("retry", "Retry a failed job", demo_steps.retry_failed),
    Step("play", "Play a manual job, with a variable", demo_steps.play_manual),
    Step("child", "See the child pipeline through its trigger job", demo_steps.show_child),
)


async def demo(
    *,
    speed: Annotated[
        float,
        Parameter(
            validator=Number(gt=0, lte=1000),
            help="How many seconds pass on the simulated GitLab in one second here.",
            show_default=True,
        ),
    ] = 25.0,
    json: Annotated[
        bool,
        Parameter(help="Only the summary: one JSON object a step, last the total."),
    ] = False,
) -> int:
    """See it all on a simulated GitLab: list, follow, retry, play. Ends by itself.

    Nothing is needed for it, nothing leaves this machine and nothing stays behind.
    """
    clock = AcceleratedClock(speed)
    screen = DemoScreen(console(), quiet=json)
    server = Simulator(demo_world(clock.now()), clock=clock)
    return await perform(server, clock, screen, speed=speed, json=json)


async def perform(
    server: Simulator, clock: AcceleratedClock, screen: DemoScreen, *, speed: float, json: bool
) -> int:
    """All steps, on a server that is not running yet; a step that fails keeps no other from it.

    Raises:
        CommandError: a step did not show what it is there to show.
    """
    async with server, GitLab(server.url, auth=server.token, clock=clock) as gitlab:
        projects = [project.path for project in server.world.projects]
        scene = Scene(gitlab, clock, screen, projects)
        screen.opening(server.url, len(projects), speed)
        reports = [
            await _carried_out(step, scene, server, number)
            for number, step in enumerate(_STEPS, start=1)
        ]
    reports.append(_total(reports))
    screen.summary(reports)
    if json:
        write("".join(json_line(report) for report in reports))
    failed = [report.step for report in reports[:-1] if not report.ok]
    if failed:
        raise CommandError(f"the demo failed at: {', '.join(failed)}")
    return OK


async def _carried_out(step: Step, scene: Scene, server: Simulator, number: int) -> StepReport:
    scene.screen.heading(f"{number}/{len(_STEPS)}  {step.title}")
    begun, first = monotonic(), len(server.requests)
    is_done = False
    try:
        async with asyncio.timeout(_STEP_SECONDS):
            detail = await step.act(scene)
        is_done = True
    except TimeoutError:
        detail = f"not done after {_STEP_SECONDS} s"
    except (GitLabError, OSError, LookupError, CommandError) as error:
        detail = line_of(error)
    scene.screen.outcome(detail, ok=is_done)
    served = server.requests[first:]
    return StepReport(
        step=step.name,
        ok=is_done,
        detail=detail,
        requests=len(served),
        bytes=sum(request.sent for request in served),
        seconds=round(monotonic() - begun, 2),
    )


def _total(reports: list[StepReport]) -> StepReport:
    done = sum(report.ok for report in reports)
    return StepReport(
        step="total",
        ok=done == len(reports),
        detail=f"{done} of {len(reports)} steps done",
        requests=sum(report.requests for report in reports),
        bytes=sum(report.bytes for report in reports),
        seconds=round(sum(report.seconds for report in reports), 2),
    )
