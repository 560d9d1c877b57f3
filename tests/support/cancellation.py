"""Cancel calls and check that nothing is left running."""

import asyncio
from collections.abc import Awaitable

import pytest

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.simulator import Fault, Simulator
from tests.support.connections import open_connections
from tests.support.tasks import others, until


async def cancel_half_way(simulator: Simulator, gitlab: GitLab, call: Awaitable) -> None:
    """Cancel *call* while the server holds its request, and check that nothing is left."""
    simulator.faults.add(Fault(latency=1.0, times=None))
    before = await others()
    task = asyncio.ensure_future(call)
    await until(lambda: simulator.clock.next_wake)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await others() == before
    assert open_connections(gitlab) == 0
    simulator.clock.advance(5)
