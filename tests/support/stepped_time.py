"""Drive a stepped clock from outside: time passes only while no request is in flight."""

import asyncio
from contextlib import asynccontextmanager

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.simulator import Simulator, SteppedClock

START = 1_750_000_000.0

_QUIET_ROUNDS = 25
"""Rounds of the loop without a request in flight or a task that can run; then none follows."""


@asynccontextmanager
async def stepped_gitlab():
    """Yield a clock that only the test advances, a server with the default world and a client."""
    clock = SteppedClock(START)
    async with (
        Simulator(clock=clock) as simulator,
        GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab,
    ):
        yield clock, simulator, gitlab


async def settled(gitlab):
    """Return when no request of *gitlab* is in flight."""
    quiet, loop, usage = 0, asyncio.get_running_loop(), gitlab.budget.usage
    while quiet < _QUIET_ROUNDS:
        is_quiet = usage.responses.in_use == usage.streams.in_use == 0
        # The loop says in no other way whether a task can run. Each line of a log takes rounds.
        quiet = quiet + 1 if is_quiet and not loop._ready else 0
        await asyncio.sleep(0 if is_quiet else 0.0005)


async def pass_time(gitlab, clock, seconds, is_enough=lambda: False):
    """Advance *clock* by *seconds*, or until *is_enough*."""
    end = clock.now() + seconds
    while clock.now() < end:
        await settled(gitlab)
        if is_enough():
            return
        wake = clock.next_wake
        clock.advance(max(0.0, (end if wake is None else min(wake, end)) - clock.now()))
    await settled(gitlab)
