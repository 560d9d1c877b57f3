"""The demo's clock: it is held until the audience is there, however slow the machine."""

import asyncio
import time
from collections.abc import Iterable

from attrs import define, field

from gitlab_jobs_async.cli.demo.seen import Seen

_LONGEST = 5.0
"""Real seconds after which it begins without them."""


@define
class HeldClock:
    """Stands still until `begin`, then runs *factor* times as fast as real time."""

    factor: float
    _start: float = field(factory=time.time, init=False)
    _begun: float | None = field(default=None, init=False)

    def now(self) -> float:
        """Unix seconds."""
        if self._begun is None:
            return self._start
        return self._start + (time.monotonic() - self._begun) * self.factor

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds* of the clock as it runs once it has begun."""
        await asyncio.sleep(seconds / self.factor)

    def begin(self) -> None:
        """Let time pass; no more than that if it does already."""
        if self._begun is None:
            self._begun = time.monotonic()

    async def begin_when_told(self, seen: Seen, names: Iterable[str]) -> None:
        """Let time pass once jobs of all these names were told, or if they do not come."""
        wanted = set(names)
        try:
            async with asyncio.timeout(_LONGEST):
                await seen.until(lambda: wanted <= {job.name for job in seen.jobs.values()})
        except TimeoutError:
            pass
        finally:
            self.begin()
