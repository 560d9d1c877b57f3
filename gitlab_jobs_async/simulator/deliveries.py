"""Delivery of webhooks as GitLab does it: once, in order, whatever the response."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout
from attrs import frozen

from gitlab_jobs_async.simulator.hooks import Delivery, Webhook
from gitlab_jobs_async.simulator.server import Simulator

_TIMEOUT: Final = ClientTimeout(total=10)


@frozen
class Delivered:
    """A delivery that was sent `at` (clock seconds).

    `status` is that of the receiver's response, None without one within ten seconds.
    """

    delivery: Delivery
    status: int | None
    at: float


@asynccontextmanager
async def delivering(simulator: Simulator, *hooks: Webhook) -> AsyncIterator[list[Delivered]]:
    """Send the deliveries of `hooks` during the block, each second of the simulator's clock.

    The yielded list grows with each delivery.
    """
    sent: list[Delivered] = []
    async with ClientSession(timeout=_TIMEOUT) as session:
        sending = asyncio.create_task(_send_all(simulator, hooks, session, sent))
        try:
            yield sent
        finally:
            sending.cancel()
            await asyncio.wait([sending])
            if not sending.cancelled():
                sending.result()  # raise the error that ended it early


async def _send_all(
    simulator: Simulator,
    hooks: tuple[Webhook, ...],
    session: ClientSession,
    sent: list[Delivered],
) -> None:
    while True:
        at = simulator.clock.now()
        simulator.world.settle(at)
        for hook in hooks:
            while hook.deliveries:
                delivery = hook.deliveries.popleft()
                sent.append(Delivered(delivery, await _send(session, delivery, at), at))
        await simulator.clock.sleep(at + 1.0 - simulator.clock.now())


async def _send(session: ClientSession, delivery: Delivery, at: float) -> int | None:
    try:
        async with session.post(
            delivery.url,
            data=BytesIO(delivery.body),
            headers=delivery.headers_at(at),
            allow_redirects=False,
        ) as response:
            return response.status
    except (ClientError, TimeoutError):
        return None
