"""A client clock that never waits."""

import asyncio

from attrs import define, field

from gitlab_jobs_async.simulator import SteppedClock


@define
class JumpClock:
    """A client's clock that advances the simulator's instead of waiting."""

    stepped: SteppedClock = field(factory=SteppedClock)
    slept: list[float] = field(factory=list)

    def now(self):
        return self.stepped.now()

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.stepped.advance(seconds)
        await asyncio.sleep(0)
