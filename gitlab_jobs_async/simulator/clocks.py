"""Real, accelerated and stepped clocks: the only source of time in the simulator."""

import asyncio
import contextlib
import heapq
import itertools
import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Time for the simulator, and for a client that shares its clock."""

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
            raise ValueError(f"factor {factor!r}: expected a positive number")
        self.factor = factor
        self._start = time.time() if start is None else start
        self._origin = time.monotonic()

    def now(self) -> float:
        """Return Unix seconds of accelerated time."""
        return self._start + (time.monotonic() - self._origin) * self.factor

    async def sleep(self, seconds: float) -> None:
        """Sleep `seconds` simulated seconds, `seconds / factor` real ones."""
        await asyncio.sleep(seconds / self.factor)


class SteppedClock:
    """A clock that moves only by `advance`, which is thread-safe."""

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
        """Unix seconds at which the first sleeper is due, None without sleepers."""
        with self._lock:
            waiting = [entry[0] for entry in self._sleepers if not entry[3].done()]
        return min(waiting, default=None)

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has advanced by `seconds`; only yield if that is not positive."""
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
        """Advance the time and wake the sleepers that are due, the earliest first."""
        if seconds < 0:
            raise ValueError(f"seconds {seconds!r}: expected no negative number")
        with self._lock:
            self._now += seconds
            while self._sleepers and self._sleepers[0][0] <= self._now:
                _, _, loop, future = heapq.heappop(self._sleepers)
                with contextlib.suppress(RuntimeError):  # that loop was closed meanwhile
                    loop.call_soon_threadsafe(_wake, future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
