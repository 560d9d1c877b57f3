"""The command `simulate`: a simulated GitLab on the loopback."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Annotated, Literal

from attrs import frozen
from cyclopts import Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.commands.faults import FAULT_HELP, fault_of
from gitlab_jobs_async.cli.errors import OK, usage_error
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


@Parameter(name="*")
@frozen(kw_only=True)
class SimulatorOptions:
    """Options of the simulated server."""

    port: Annotated[
        int,
        Parameter(
            metavar="N",
            validator=Number(gte=0, lte=65535),
            help="Port; 0 selects a free one.",
            show_default=True,
        ),
    ] = 0
    host: Annotated[
        str,
        Parameter(
            metavar="ADDRESS",
            help="Address. Others than the loopback are open to all, as the token is public.",
        ),
    ] = "127.0.0.1"
    speed: Annotated[
        float,
        Parameter(
            metavar="FACTOR",
            validator=Number(gt=0, lte=100_000),
            help="Simulated seconds per real second. Clients poll in real time: at 10, one that "
            "polls every 5 s sees a job of 60 s once or twice, and a limit per minute lasts 6 s.",
            show_default=True,
        ),
    ] = 1.0
    world: Annotated[
        Literal["demo", "small", "empty"],
        Parameter(
            help="demo: ten active projects; small: one with four jobs; empty: only the user root.",
            show_default=True,
        ),
    ] = "demo"
    server_version: Annotated[
        str,
        Parameter(
            metavar="VERSION",
            validator=_check_version,
            help="Release of GitLab to simulate, such as 16.0 or 18.4.",
            show_default=True,
        ),
    ] = NEWEST
    fault: Annotated[tuple[str, ...], Parameter(metavar="RULE...", help=FAULT_HELP)] = ()
    seed: Annotated[
        int, Parameter(metavar="N", help="Seed of random faults.", show_default=True)
    ] = 0


_DEFAULTS = SimulatorOptions()


async def simulate(
    *,
    options: SimulatorOptions = _DEFAULTS,
    json: Annotated[bool, Parameter(help="Print URL and token as one JSON object.")] = False,
) -> int:
    """Serve a simulated GitLab until Ctrl-C or SIGTERM."""
    simulator = _simulator(options)
    async with AsyncExitStack() as stack:
        try:
            gitlab = await stack.enter_async_context(simulator)
        except OSError as error:
            at = f"--host {options.host} --port {options.port}"
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise usage_error(f"{at}: {reason}; --port 0 selects a free one") from error
        # Before the output: who reads it may send a signal at once.
        end = _end_on_signal()
        if json:
            write_json(json_line({"url": gitlab.url, "token": gitlab.token}))
        else:
            write(f"export GITLAB_URL={gitlab.url}\nexport GITLAB_TOKEN={gitlab.token}\n")
            write(_hint(gitlab))
        await end.wait()
    return OK


def _simulator(options: SimulatorOptions) -> Simulator:
    clock = AcceleratedClock(options.speed)
    # It may run for days, and no code reads the requests.
    settings = SimulatorSettings(version=options.server_version, kept_requests=0)
    world = _world(options.world, clock.now())
    simulator = Simulator(world, settings, clock, options.host, options.port)
    simulator.faults = Faults(options.seed)
    insert = partial(_insert, simulator)
    simulator.faults.add(*(fault_of(rule, insert) for rule in options.fault))
    return simulator


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
    example = f"try in another shell: gitlab-jobs list {projects}\n# " if projects else ""
    return f"# {example}Ctrl-C stops it\n"


def _end_on_signal() -> asyncio.Event:
    """Return an event that Ctrl-C and SIGTERM set."""
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C interrupts instead
            loop.add_signal_handler(number, end.set)
    return end
