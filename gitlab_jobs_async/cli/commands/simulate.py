"""The command `simulate`: a GitLab on this machine's loopback until it is told to end."""

import asyncio
import signal
from contextlib import suppress
from functools import partial
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.commands.faults import GRAMMAR, fault_of
from gitlab_jobs_async.cli.errors import OK
from gitlab_jobs_async.cli.terminal import write, write_json
from gitlab_jobs_async.cli.views.rows import json_line
from gitlab_jobs_async.simulator import (
    AcceleratedClock,
    Faults,
    Simulator,
    SimulatorSettings,
    World,
    default_world,
    demo_world,
)
from gitlab_jobs_async.simulator.versions import NEWEST, full_version


def _check_version(_type: object, version: str) -> None:
    full_version(version)


async def simulate(
    *,
    port: Annotated[
        int,
        Parameter(
            validator=Number(gte=0, lte=65535), help="0 takes a free one.", show_default=True
        ),
    ] = 0,
    host: Annotated[
        str,
        Parameter(
            help="Another address than the loopback lets others in: everybody knows the token."
        ),
    ] = "127.0.0.1",
    speed: Annotated[
        float,
        Parameter(
            validator=Number(gt=0, lte=100_000),
            help="Seconds that pass there in one second here.",
            show_default=True,
        ),
    ] = 1.0,
    world: Annotated[
        Literal["demo", "small", "empty"],
        Parameter(
            help="demo: ten projects at work; small: one, with four jobs; empty: nobody but root.",
            show_default=True,
        ),
    ] = "demo",
    server_version: Annotated[
        str,
        Parameter(
            validator=_check_version,
            help="The release of GitLab to play, such as 16.0 or 18.4.",
            show_default=True,
        ),
    ] = NEWEST,
    fault: Annotated[tuple[str, ...], Parameter(help=GRAMMAR)] = (),
    seed: Annotated[
        int, Parameter(help="What is random in --fault repeats by it.", show_default=True)
    ] = 0,
    json: Annotated[bool, Parameter(help="Say where it is as one JSON object.")] = False,
) -> int:
    """Serve a simulated GitLab until Ctrl-C or SIGTERM, which end it with exit code 0.

    Its first lines say where it is and which token opens it, ready to be set:
    `export GITLAB_URL=… GITLAB_TOKEN=…`.
    """
    clock = AcceleratedClock(speed)
    # Nobody here looks at the requests, and it may run for days.
    settings = SimulatorSettings(version=server_version, kept_requests=0)
    simulator = Simulator(_world(world, clock.now()), settings, clock, host, port)
    simulator.faults = Faults(seed)
    simulator.faults.add(*(fault_of(rule, partial(_insert, simulator)) for rule in fault))
    async with simulator as gitlab:
        if json:
            write_json(json_line({"url": gitlab.url, "token": gitlab.token}))
        else:
            write(f"export GITLAB_URL={gitlab.url}\nexport GITLAB_TOKEN={gitlab.token}\n")
            write(_hint(gitlab))
        await _told_to_end()
    return OK


def _world(name: str, now: float) -> World:
    if name == "empty":
        return World(now)
    return demo_world(now) if name == "demo" else default_world(now)


def _insert(simulator: Simulator, count: int) -> None:
    world = simulator.world
    for project in world.projects:
        world.add_finished_jobs(project, count)


def _hint(gitlab: Simulator) -> str:
    projects = " ".join(project.path for project in gitlab.world.projects[:3])
    tried = f"try in another shell: gitlab-jobs list {projects}\n# " if projects else ""
    return f"# {tried}Ctrl-C ends it\n"


async def _told_to_end() -> None:
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C interrupts instead
            loop.add_signal_handler(number, end.set)
    await end.wait()
