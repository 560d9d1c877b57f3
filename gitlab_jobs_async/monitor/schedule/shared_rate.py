"""One pace for all monitors of a client: each has as much of it as its targets ask for.

Each monitor takes its turns by a rota of its own. What the budget lets all of them ask is divided
by how often their targets would be polled if nothing were scarce, so that all intervals stretch
alike, whichever monitor a target is in.
"""

from collections.abc import Hashable

from attrs import define, field, frozen

from gitlab_jobs_async.monitor.schedule.poll_slots import PollSlots


@frozen
class _Claim:
    targets: int
    demand: float


@define(eq=False)
class SharedRate:
    """What each monitor asks for: so many targets, and polls a second."""

    _claims: dict[Hashable, _Claim] = field(init=False, factory=dict[Hashable, _Claim])

    @property
    def targets(self) -> int:
        """How many targets all monitors have."""
        return sum(claim.targets for claim in self._claims.values())

    def claim(self, monitor: Hashable, targets: int, demand: float) -> None:
        """State what *monitor* asks for now; a demand of 0 leaves its share to the others."""
        self._claims[monitor] = _Claim(targets, demand)

    def leave(self, monitor: Hashable) -> None:
        """Forget *monitor*: it has ended."""
        self._claims.pop(monitor, None)

    def stretch(self, monitor: Hashable) -> float:
        """How many times longer the gap between two polls of *monitor* is than that of all."""
        own = self._claims[monitor].demand
        total = sum(claim.demand for claim in self._claims.values())
        return total / own if own > 0 else 1.0


class SharedSchedule:
    """What all monitors of one client share: their rate, and *concurrency* slots for polls."""

    def __init__(self, concurrency: int) -> None:
        self.rate = SharedRate()
        self.slots = PollSlots(concurrency)
