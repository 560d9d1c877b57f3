"""Cancel calls and check that nothing is left running."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.simulator import Fault, Simulator
from tests.support.connections import open_connections
from tests.support.tasks import others, until


async def cancel_once(is_waiting: Callable[[], object], gitlab: GitLab, call: Awaitable) -> None:
    """Cancel *call* as soon as *is_waiting*, and check that nothing is left."""
    before = await others()
    task = asyncio.ensure_future(call)
    await until(is_waiting)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await others() == before
    assert open_connections(gitlab) == 0


async def cancel_half_way(simulator: Simulator, gitlab: GitLab, call: Awaitable) -> None:
    """Cancel *call* while the server holds its request, and check that nothing is left."""
    simulator.faults.add(Fault(latency=1.0, times=None))
    await cancel_once(lambda: simulator.clock.next_wake, gitlab, call)
    simulator.clock.advance(5)
