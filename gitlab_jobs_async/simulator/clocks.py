"""Clocks to run a simulation by: real, accelerated or stepped. The only door to time."""

import asyncio
import contextlib
import heapq
import itertools
import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What the simulator (and a client that shares its clock) asks of time."""

    def now(self) -> float:
        """Return Unix seconds."""

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` of this clock have passed."""


class RealClock:
    """The machine's own time."""

    def now(self) -> float:
        """Return Unix seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep `seconds` real seconds."""
        await asyncio.sleep(seconds)


class AcceleratedClock:
    """A clock that runs `factor` times as fast, from `start` (unix seconds; default: real now)."""

    def __init__(self, factor: float, *, start: float | None = None) -> None:
        if factor <= 0:
            raise ValueError(f"factor must be positive, not {factor!r}")
        self.factor = factor
        self._start = time.time() if start is None else start
        self._origin = time.monotonic()

    def now(self) -> float:
        """Return Unix seconds of the accelerated time."""
        return self._start + (time.monotonic() - self._origin) * self.factor

    async def sleep(self, seconds: float) -> None:
        """Sleep `seconds` simulated, that is `seconds / factor` real seconds."""
        await asyncio.sleep(seconds / self.factor)


class SteppedClock:
    """A clock that stands still until `advance` moves it; safe to move from another thread."""

    def __init__(self, start: float = 1_750_000_000.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._lock = threading.Lock()
        self._sleepers: list[
            tuple[float, int, asyncio.AbstractEventLoop, asyncio.Future[None]]
        ] = []

    def now(self) -> float:
        """Return Unix seconds."""
        return self._now

    @property
    def next_wake(self) -> float | None:
        """When the first sleeper is due (unix seconds), None when nobody sleeps."""
        with self._lock:
            waiting = [entry[0] for entry in self._sleepers if not entry[3].done()]
        return min(waiting, default=None)

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been advanced by `seconds`; zero and less only yield."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            entry = (self._now + seconds, next(self._order), loop, future)
            heapq.heappush(self._sleepers, entry)
        await future

    def advance(self, seconds: float) -> None:
        """Move time forward and wake those whose time has come, the earliest first."""
        if seconds < 0:
            raise ValueError(f"time does not run backwards: {seconds!r}")
        with self._lock:
            self._now += seconds
            while self._sleepers and self._sleepers[0][0] <= self._now:
                _, _, loop, future = heapq.heappop(self._sleepers)
                with contextlib.suppress(RuntimeError):  # that loop has been closed meanwhile
                    loop.call_soon_threadsafe(_wake, future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
