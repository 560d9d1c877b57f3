"""Time that passes only while no request is in flight, so that a run is the same on any machine."""

import asyncio
from collections.abc import Awaitable

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.simulator import SteppedClock

_QUIET_ROUNDS = 25
"""Rounds of the loop without a request in flight or a task that can run; then none follows."""


async def _settled(client: GitLab) -> None:
    quiet, loop = 0, asyncio.get_running_loop()
    while quiet < _QUIET_ROUNDS:
        usage = client.budget.snapshot()
        is_quiet = usage.in_flight == usage.streams == 0
        # The loop says in no other way whether a task can run. Each line of a log takes rounds.
        is_idle = is_quiet and not getattr(loop, "_ready", ())
        quiet = quiet + 1 if is_idle else 0
        await asyncio.sleep(0 if is_quiet else 0.0002)


async def finish(call: Awaitable[object], client: GitLab, clock: SteppedClock) -> None:
    """Advance *clock* from one wake-up to the next until *call*, which uses *client*, has ended."""
    task = asyncio.ensure_future(call)
    try:
        while True:
            await _settled(client)
            if task.done():
                break
            wake = clock.next_wake
            # Without a sleeper, only another round of the loop can help.
            clock.advance(0.0 if wake is None else max(0.0, wake - clock.now()))
    finally:
        task.cancel()
        await asyncio.wait([task])
    task.result()
