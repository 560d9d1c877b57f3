"""Former states of jobs and pipelines, as a replica of the database that lags behind sees them."""

import copy
from bisect import bisect_right
from collections import deque
from operator import attrgetter, itemgetter
from typing import Final, TypeVar

from attrs import define, field

from gitlab_jobs_async.simulator.records import Job, Pipeline

KEPT: Final = 900.0
"""Seconds for which former states are kept."""

_FIELDS: Final[dict[type, tuple[str, ...]]] = {
    Job: ("status", "queued_at", "started_at", "finished_at", "failure_reason", "retried"),
    Pipeline: ("status", "updated_at", "started_at", "finished_at"),
}
_VALUES: Final = {kind: attrgetter(*names) for kind, names in _FIELDS.items()}
RowT = TypeVar("RowT", Job, Pipeline)


@define
class History:
    """The values that rows had before each change, by row."""

    _states: dict[Job | Pipeline, list[tuple[float, tuple[object, ...]]]] = field(factory=dict)
    _order: deque[tuple[float, Job | Pipeline]] = field(factory=deque)

    def __len__(self) -> int:
        """Return the number of former states."""
        return len(self._order)

    def record(self, row: Job | Pipeline, at: float) -> None:
        """Record the state of *row* before a change at *at*."""
        self._states.setdefault(row, []).append((at, _VALUES[type(row)](row)))
        self._order.append((at, row))
        while self._order[0][0] < at - KEPT:
            _, old = self._order.popleft()
            states = self._states[old]
            del states[0]
            if not states:
                del self._states[old]

    def seen(self, row: RowT, at: float) -> RowT:
        """Return *row* as it was at *at*: itself, or a copy in a former state."""
        states = self._states.get(row, [])
        number = bisect_right(states, at, key=itemgetter(0))
        if number == len(states):
            return row
        former = copy.copy(row)
        for name, value in zip(_FIELDS[type(row)], states[number][1], strict=True):
            setattr(former, name, value)
        return former
