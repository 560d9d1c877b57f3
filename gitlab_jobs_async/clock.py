"""The only source of time and chance, so that a test can simulate a day in a second."""

import asyncio
import random
import time
from typing import Protocol


async def yield_to_loop() -> None:
    """Let the other tasks of the loop run; no time passes, and no clock is asked."""
    await asyncio.sleep(0)


class Clock(Protocol):
    """Tells the time and lets it pass; all of the SDK's waiting goes through one."""

    def now(self) -> float:
        """Unix seconds; never runs backwards."""

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*."""


class SystemClock:
    """The machine's clock, immune to its being set while the program runs."""

    def __init__(self) -> None:
        self._epoch = time.time() - time.monotonic()

    def now(self) -> float:
        """Unix seconds; never runs backwards."""
        return self._epoch + time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*."""
        await asyncio.sleep(seconds)


def jitter() -> float:
    """Return a random number in [0, 1) that spreads out what would happen at the same moment."""
    return random.random()  # noqa: S311 - spreads retries, guards nothing
