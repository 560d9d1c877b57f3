"""Slots for polls under way, shared by all monitors of a client: at most as many as requests.

A monitor that finds none free is woken when one is, in the order in which they have asked. Were
each to begin as many as it could alone, all would wait for the budget in one crowd, and the busiest
target would have to wait behind every other.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field


@define(eq=False)
class PollSlots:
    """The slots of one client; *free* is how many there are."""

    free: int
    _waiting: dict[asyncio.Event, None] = field(init=False, factory=dict[asyncio.Event, None])

    def take(self, wanted_by: asyncio.Event) -> bool:
        """Take a slot; if it is the turn of others, *wanted_by* is set when to ask again."""
        first = next(iter(self._waiting), wanted_by)
        if self.free <= 0 or first is not wanted_by:
            self._waiting.setdefault(wanted_by)
            return False
        self._waiting.pop(wanted_by, None)
        self.free -= 1
        return True

    def give_up(self, wanted_by: asyncio.Event) -> None:
        """Want none for now; who comes next may go."""
        if wanted_by in self._waiting:
            del self._waiting[wanted_by]
            self._wake()

    def give_back(self, count: int = 1) -> None:
        """Give back slots that were taken."""
        self.free += count
        self._wake()

    def is_waiting(self, wanted_by: asyncio.Event) -> bool:
        """Whether *wanted_by* is going to be set when a slot is free."""
        return wanted_by in self._waiting

    def _wake(self) -> None:
        first = next(iter(self._waiting), None)
        if first is not None and self.free > 0:
            first.set()


@define(eq=False)
class HeldSlots:
    """The slots that one monitor holds."""

    _slots: PollSlots
    _changed: asyncio.Event
    _count: int = field(init=False, default=0)

    def take(self) -> bool:
        """Take one more, if it is this monitor's turn."""
        is_taken = self._slots.take(self._changed)
        self._count += is_taken
        return is_taken

    def give_back(self) -> None:
        """Give one back."""
        self._count -= 1
        self._slots.give_back()

    def give_up(self) -> None:
        """Want no more for now."""
        self._slots.give_up(self._changed)

    @property
    def is_waiting(self) -> bool:
        """Whether it is going to be woken when one is free."""
        return self._slots.is_waiting(self._changed)

    def close(self) -> None:
        """Give all back."""
        self.give_up()
        count, self._count = self._count, 0
        self._slots.give_back(count)


@contextmanager
def held_slots(slots: PollSlots, changed: asyncio.Event) -> Iterator[HeldSlots]:
    """Slots for the length of the block; *changed* is set when one is free again."""
    held = HeldSlots(slots, changed)
    try:
        yield held
    finally:
        held.close()
