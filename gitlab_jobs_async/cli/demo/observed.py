"""State that the demo's monitor has reported, and a clock that waits for it."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection

from attrs import define, field

from gitlab_jobs_async.events import (
    AnyEvent,
    JobAppeared,
    JobChanged,
    JobErased,
    JobFinished,
    JobLogEnded,
    JobLogFailed,
    JobLogLine,
)
from gitlab_jobs_async.models.jobs import JobBasic

_LONGEST_HOLD = 10.0


@define
class HeldClock:
    """A clock that stands still until `begin`, then runs *factor* times as fast as real time.

    It begins by itself after ten real seconds.
    """

    # A slow machine would otherwise miss what happens before the monitor has its first dashboard.
    factor: float
    _start: float = field(factory=time.time, init=False)
    _origin: float = field(init=False, factory=lambda: time.monotonic() + _LONGEST_HOLD)

    def now(self) -> float:
        """Return Unix seconds."""
        return self._start + max(0.0, time.monotonic() - self._origin) * self.factor

    async def sleep(self, seconds: float) -> None:
        """Sleep *seconds* of a clock that runs."""
        await asyncio.sleep(seconds / self.factor)

    def begin(self) -> None:
        """Let time pass."""
        self._origin = min(self._origin, time.monotonic())


@define
class Observed:
    """The jobs of a monitor's events: latest state, retries, new ones, and lines of their logs."""

    events: int = 0
    jobs: dict[int, JobBasic] = field(factory=dict)
    replaced: dict[int, int] = field(factory=dict)
    created: set[int] = field(factory=set)
    lines: Counter[int] = field(factory=Counter)
    complete_logs: set[int] = field(factory=set)
    _changed: asyncio.Event = field(factory=asyncio.Event)

    def add(self, event: AnyEvent) -> None:
        """Record an event."""
        self.events += 1
        if isinstance(event, JobLogLine):
            self.lines[event.job.id] += 1
        elif isinstance(event, JobLogEnded | JobLogFailed):
            self.complete_logs.add(event.job.id)
        elif isinstance(event, JobAppeared | JobChanged | JobFinished | JobErased):
            self.jobs[event.job.id] = event.job
        if isinstance(event, JobAppeared):
            if event.is_new:
                self.created.add(event.job.id)
            if event.replaces is not None:
                self.replaced[event.replaces] = event.job.id
        self._changed.set()

    def has(self, names: Collection[str]) -> bool:
        """Return whether jobs of all these names were reported."""
        return set(names) <= {job.name for job in self.jobs.values()}

    async def until(self, condition: Callable[[], object]) -> None:
        """Return once *condition* holds after an event."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def finished(self, job_id: int) -> JobBasic:
        """Return the job once its end was reported."""
        await self.until(lambda: job_id in self.jobs and self.jobs[job_id].status.is_finished)
        return self.jobs[job_id]
