"""When each target was polled and how far, kept cheaply: a hundred targets share one row.

A scan that emits nothing changes only these few values, so they are written apart from the jobs of
a target and in batches: `WRITES_PER_SECOND` rows at most, however many targets there are. A row
that was not written in time costs repeated scans, never an event.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from attrs import define, field, frozen

from gitlab_jobs_async.monitor.checkpoint.serialization import loads

PROGRESS = "progress "
"""What the names of these rows begin with, before their number."""

WRITES_PER_SECOND = 2
_PER_ROW = 100


@frozen
class Progress:
    """How far the polls of one target have come; times are unix seconds.

    *interval* is how long it waits after *looked_at*, *failures* how many polls failed since. Of a
    project: *floor* is the watermark, *rows* how many jobs lie above it, *swept_at* the time of
    the last scan of open jobs, *updated_to* that of the last pipeline whose bridges are known,
    *compared_at* that of the last full comparison, with so many *scans* since; all of it counts
    in the *epoch* of its jobs' keys alone.
    """

    looked_at: float
    interval: float
    active_at: float | None = None
    failures: int = 0
    floor: int | None = None
    rows: int | None = None
    swept_at: float | None = None
    updated_to: datetime | None = None
    compared_at: float | None = None
    scans: int = 0
    epoch: int = 0


@frozen
class ProgressRow:
    """The progress of up to a hundred targets by name."""

    targets: Mapping[str, Progress]


@define
class ProgressRows:
    """Which targets share a row, and which rows have changed since they were written."""

    _known: dict[str, Progress] = field(factory=dict[str, Progress], init=False)
    _row_of: dict[str, int] = field(factory=dict[str, int], init=False)
    _names: dict[int, dict[str, None]] = field(factory=dict[int, dict[str, None]], init=False)
    _changed: dict[int, None] = field(factory=dict[int, None], init=False)
    _filling: int = field(default=0, init=False)
    _next_at: float = field(default=0.0, init=False)

    def restore(self, name: str, data: bytes) -> None:
        """Take the row *name* that an earlier monitor has written.

        Raises:
            ValueError: it cannot be read.
        """
        number = int(name.removeprefix(PROGRESS))
        for target, progress in loads(data, ProgressRow).targets.items():
            self._known[target] = progress
            self._put(target, number)

    def known(self, target: str) -> Progress | None:
        """Return what an earlier monitor has written of *target*."""
        return self._known.get(target)

    def changed(self, target: str) -> None:
        """Have the row of *target* written soon."""
        number = self._row_of.get(target)
        if number is None:
            while len(self._names.get(self._filling, ())) >= _PER_ROW:
                self._filling += 1
            number = self._put(target, self._filling)
        self._changed.setdefault(number)

    def forget(self, target: str) -> None:
        """Keep nothing of *target*."""
        self._known.pop(target, None)
        number = self._row_of.pop(target, None)
        if number is not None:
            del self._names[number][target]
            self._filling = min(self._filling, number)
            self._changed.setdefault(number)

    def next_at(self) -> float | None:
        """When the next row may be written; `None` if none has changed."""
        return self._next_at if self._changed else None

    def take(
        self, now: float, current: Callable[[str], Progress | None]
    ) -> tuple[str, ProgressRow] | None:
        """Return the name and the content of the row that has waited longest.

        *current* says how a target stands; of one that is not polled, what is known is kept.
        """
        if not self._changed:
            return None
        number = next(iter(self._changed))
        del self._changed[number]
        self._next_at = now + 1 / WRITES_PER_SECOND
        rows = {name: current(name) or self._known.get(name) for name in self._names[number]}
        return f"{PROGRESS}{number}", ProgressRow(
            {name: progress for name, progress in rows.items() if progress is not None}
        )

    def _put(self, target: str, number: int) -> int:
        self._row_of[target] = number
        self._names.setdefault(number, {})[target] = None
        return number
