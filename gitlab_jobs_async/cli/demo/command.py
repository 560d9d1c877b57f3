"""The command `demo`: the whole way once, against a simulated GitLab in this very process.

It asks over real HTTP and knows nothing that a client cannot know; only the bill is the server's.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Annotated

from attrs import evolve, frozen
from cyclopts import Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.commands.watch import Events
from gitlab_jobs_async.cli.demo import steps
from gitlab_jobs_async.cli.demo.clock import HeldClock
from gitlab_jobs_async.cli.demo.screen import DemoScreen, StepReport
from gitlab_jobs_async.cli.demo.seen import Seen
from gitlab_jobs_async.cli.demo.steps import Scene
from gitlab_jobs_async.cli.errors import OK, CommandError, line_of
from gitlab_jobs_async.cli.signals import ended_like_an_interrupt
from gitlab_jobs_async.cli.terminal import console, write_json
from gitlab_jobs_async.cli.views.live import Picture
from gitlab_jobs_async.cli.views.log_pane import LogPane
from gitlab_jobs_async.cli.views.rows import json_line, pipeline_of
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.concurrency import gathered
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.events import Event
from gitlab_jobs_async.simulator import ServedRequest, Simulator, demo_world

_PATIENCE = 60.0
"""Real seconds after which a step is given up."""

_FIRST_WORDS = "ten projects at work; one of their logs below"


@frozen
class Step:
    """How something is done, and which of the requests served while watching were for it."""

    name: str
    act: Callable[[Scene], Awaitable[str]]
    paths: tuple[str, ...]


_LIST = Step("list", steps.list_everything, ())
_FIRST_SEEN = (steps.FOLLOWED, "contract", "deploy production", "image api")
_WATCHED = (
    Step("follow", steps.follow_log, ("/trace",)),
    Step("retry", steps.retry_failed, ("/retry",)),
    Step("play", steps.play_manual, ("/play",)),
    Step("child", steps.see_child, ("/bridges",)),
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
    ] = 15.0,
    json: Annotated[
        bool,
        Parameter(help="Only the summary: one JSON object a step, last the total."),
    ] = False,
) -> int:
    """See it all on a simulated GitLab: list, watch, retry, play. Ends by itself.

    Nothing is needed for it, nothing leaves this machine and nothing stays behind.
    """
    clock = HeldClock(speed)
    screen = DemoScreen(console(), quiet=json)
    server = Simulator(demo_world(clock.now()), clock=clock)
    with ended_like_an_interrupt(), _directly():
        return await perform(server, clock, screen, speed=speed, json=json)


@contextmanager
def _directly() -> Iterator[None]:
    """Reach this machine without the proxy that leads away from it."""
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
    patience: float = _PATIENCE,
) -> int:
    """All steps, on a server that is not running yet; a step that fails keeps no other from it.

    Raises:
        CommandError: a step did not show what it is there to show.
    """
    async with server, GitLab(server.url, auth=server.token, clock=clock) as gitlab:
        projects = [project.path for project in server.world.projects]
        scene = Scene(gitlab, clock, screen, projects, Seen())
        begun = monotonic()
        screen.opening(server.url, len(projects), speed)
        listed = await _carried_out(_LIST, scene, patience)
        reports = [_billed(listed, server.requests)]
        reports += await _watched(scene, server, clock, patience)
    reports.append(_total(reports, monotonic() - begun))
    screen.summary(reports)
    if json:
        write_json("".join(json_line(report) for report in reports))
    failed = [report.step for report in reports[:-1] if not report.ok]
    if failed:
        raise CommandError(f"the demo failed at: {', '.join(failed)}")
    return OK


async def _watched(
    scene: Scene, server: Simulator, clock: HeldClock, patience: float
) -> list[StepReport]:
    """What came of the steps that act while all is watched, and of the watching itself."""
    begun, first = monotonic(), len(server.requests)
    gitlab = scene.gitlab
    async with gitlab.monitor(scene.projects, logs=True, downstream=True) as events:
        pane = LogPane(only=steps.FOLLOWED)
        picture = Picture(
            gitlab.budget, lambda: len(events), scene.clock, logs=pane, headline=_FIRST_WORDS
        )
        async with scene.screen.watching(picture) as tell:
            reading = asyncio.create_task(_read(events, scene.seen, tell))
            starting = asyncio.create_task(clock.begin_when_told(scene.seen, _FIRST_SEEN))
            acting = asyncio.create_task(
                gathered([_carried_out(step, scene, patience) for step in _WATCHED])
            )
            try:
                await asyncio.wait({reading, acting}, return_when=asyncio.FIRST_COMPLETED)
                if reading.done():
                    reading.result()
                reports = await acting
            finally:
                reading.cancel()
                starting.cancel()
                acting.cancel()
                await asyncio.wait({reading, starting, acting})
    seen, seconds = scene.seen, monotonic() - begun
    pipelines = {pipeline_of(job) for job in seen.jobs.values()}
    detail = f"{seen.events} events of {len(seen.jobs)} jobs in {len(pipelines)} pipelines"
    watch = StepReport(
        step="watch",
        ok=bool(seen.jobs),
        detail=detail,
        requests=0,
        bytes=0,
        seconds=round(seconds, 2),
    )
    served = server.requests[first:]
    bills: dict[str, list[ServedRequest]] = defaultdict(list)
    for one in served:
        bills[_purpose(one)].append(one)
    return [_billed(report, bills[report.step]) for report in (watch, *reports)]


def _purpose(request: ServedRequest) -> str:
    """The step that a request was for; what is asked by no step is asked by the monitor."""
    return next((step.name for step in _WATCHED if request.path.endswith(step.paths)), "watch")


async def _read(events: Events, seen: Seen, tell: Callable[[Event], None]) -> None:
    async for event in events:
        seen.tell(event)
        tell(event)


async def _carried_out(step: Step, scene: Scene, patience: float) -> StepReport:
    begun, is_done = monotonic(), False
    try:
        async with asyncio.timeout(patience):
            detail = await step.act(scene)
        is_done = True
    except TimeoutError:
        detail = f"not done after {patience:g} s"
    except (GitLabError, OSError, LookupError, CommandError) as error:
        detail = line_of(error)
    seconds = round(monotonic() - begun, 2)
    return StepReport(
        step=step.name, ok=is_done, detail=detail, requests=0, bytes=0, seconds=seconds
    )


def _billed(report: StepReport, served: Sequence[ServedRequest]) -> StepReport:
    return evolve(report, requests=len(served), bytes=sum(one.sent for one in served))


def _total(reports: Sequence[StepReport], seconds: float) -> StepReport:
    done = sum(report.ok for report in reports)
    return StepReport(
        step="total",
        ok=done == len(reports),
        detail=f"{done} of {len(reports)} steps done",
        requests=sum(report.requests for report in reports),
        bytes=sum(report.bytes for report in reports),
        seconds=round(seconds, 2),
    )
