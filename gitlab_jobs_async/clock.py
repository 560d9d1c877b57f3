"""Time and randomness from one replaceable source, and a timer on it."""

import asyncio
import math
import random
import time
from collections.abc import Callable
from typing import Protocol


async def yield_to_loop() -> None:
    """Let other tasks of the loop run."""
    # Not through a clock: a replaced one must not delay it.
    await asyncio.sleep(0)


class Clock(Protocol):
    """Source of time for all waiting of the SDK: `GitLab(clock=...)`, such as a test's own."""

    def now(self) -> float:
        """Return unix seconds, which never decrease."""

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds*."""


class SystemClock:
    """The system's clock."""

    def __init__(self) -> None:
        # The system's time may be set while the program runs, so it is read only once.
        self._epoch = time.time() - time.monotonic()

    def now(self) -> float:
        """Return unix seconds, which never decrease."""
        return self._epoch + time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds*."""
        await asyncio.sleep(seconds)


def machine_time(clock: Clock) -> float:
    """Return seconds by *clock* that are the same in all processes of this machine.

    The system's time is set now and then, and each process has read it at its own start. Only
    differences count; they begin anew with the machine.
    """
    return time.monotonic() if isinstance(clock, SystemClock) else clock.now()


def jitter() -> float:
    """Return a random number in [0, 1) that spreads simultaneous retries."""
    return random.random()  # noqa: S311 - spreads retries, guards nothing


class Timer:
    """Calls *expired* at a time of *clock*, with the clock's error if it fails."""

    def __init__(self, clock: Clock, expired: Callable[[BaseException | None], None]) -> None:
        self._clock = clock
        self._expired = expired
        self._task: asyncio.Task[None] | None = None
        self._at = math.inf
        # A cancelled task needs a step of the loop to end, so `close` waits for all of them.
        self._unfinished: set[asyncio.Task[None]] = set()

    def set(self, at: float, now: float) -> None:
        """Expire at *at*, or earlier if an earlier time is set; infinity changes nothing."""
        if self._task is not None and at < self._at:
            self.stop()
        if self._task is None and at < math.inf:
            self._at = at
            self._task = asyncio.create_task(self._clock.sleep(at - now))
            self._unfinished.add(self._task)
            self._task.add_done_callback(self._ended)

    def stop(self) -> None:
        """Cancel the pending time, if any."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def close(self) -> None:
        """Stop, and wait for the end of all tasks."""
        self.stop()
        if self._unfinished:
            await asyncio.wait(self._unfinished)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._unfinished.discard(task)
        if task is self._task:
            self._task = None
            self._expired(asyncio.CancelledError() if task.cancelled() else task.exception())
