"""Time and randomness, from one replaceable source."""

import asyncio
import random
import time
from typing import Protocol


async def yield_to_loop() -> None:
    """Let other tasks of the loop run, without a clock."""
    await asyncio.sleep(0)


class Clock(Protocol):
    """Source of time for all waiting of the SDK: `GitLab(clock=...)`, such as a test's own."""

    def now(self) -> float:
        """Return unix seconds, which never decrease."""

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds*."""


class SystemClock:
    """The system's clock, unaffected by clock changes while the program runs."""

    def __init__(self) -> None:
        self._epoch = time.time() - time.monotonic()

    def now(self) -> float:
        """Return unix seconds, which never decrease."""
        return self._epoch + time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds*."""
        await asyncio.sleep(seconds)


def jitter() -> float:
    """Return a random number in [0, 1) that spreads simultaneous retries."""
    return random.random()  # noqa: S311 - spreads retries, guards nothing
