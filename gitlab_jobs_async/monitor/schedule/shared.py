"""Share poll slots and the poll rate among all monitors of one client.

A poll needs a slot, and there are as many slots as concurrent requests. Without them, each monitor
would send all its due polls to the rate limiter, and the busiest target would queue behind the
others.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import define, field


@define(eq=False, repr=False)
class SharedSchedule:
    """The *free_slots* of one client, its monitors, and the queue of those without a slot."""

    free_slots: int
    shares: list["ScheduleShare"] = field(factory=list["ScheduleShare"], init=False)
    queue: dict["ScheduleShare", None] = field(factory=dict["ScheduleShare", None], init=False)

    @property
    def targets(self) -> int:
        """Number of targets of all monitors."""
        return sum(share.targets for share in self.shares)

    @property
    def demand(self) -> float:
        """Polls a second that all monitors ask for."""
        return sum(share.demand for share in self.shares)

    @contextmanager
    def join(self, wake: Callable[[], None]) -> Iterator["ScheduleShare"]:
        """Yield the share of one monitor; *wake* is called when a slot is free for it."""
        share = ScheduleShare(self, wake)
        self.shares.append(share)
        try:
            yield share
        finally:
            self.shares.remove(share)
            share.leave_queue()
            share.release(share.slots)

    def wake_first(self) -> None:
        """Wake the first monitor in the queue if a slot is free."""
        first = next(iter(self.queue), None)
        if first is not None and self.free_slots > 0:
            first.wake()


@define(eq=False, repr=False)
class ScheduleShare:
    """The *slots* that one monitor holds, and its share of the poll rate."""

    _shared: SharedSchedule
    wake: Callable[[], None]
    slots: int = field(default=0, init=False)
    targets: int = field(default=0, init=False)
    demand: float = field(default=0.0, init=False)

    def claim(self, targets: int, demand: float) -> None:
        """Ask for *demand* polls a second; 0 leaves the rate to the other monitors."""
        self.targets, self.demand = targets, demand

    @property
    def stretch(self) -> float:
        """Spacing of this monitor's polls, relative to the spacing of all polls."""
        return self._shared.demand / self.demand if self.demand > 0 else 1.0

    def acquire(self) -> bool:
        """Take a slot or wait in the queue; return whether a slot was free."""
        queue = self._shared.queue
        # A free slot belongs to the first in the queue, even if it has not woken up yet.
        first = next(iter(queue), self)
        if self._shared.free_slots <= 0 or first is not self:
            queue.setdefault(self)
            return False
        queue.pop(self, None)
        self._shared.free_slots -= 1
        self.slots += 1
        return True

    def release(self, slots: int = 1) -> None:
        """Give back *slots*."""
        self.slots -= slots
        self._shared.free_slots += slots
        self._shared.wake_first()

    def leave_queue(self) -> None:
        """Need no further slot for now."""
        # A free slot was reserved for the first in the queue.
        if self._shared.queue.pop(self, self) is None:
            self._shared.wake_first()

    @property
    def is_queued(self) -> bool:
        """Whether `wake` is going to be called when a slot is free."""
        return self in self._shared.queue
