"""Record the poll progress of targets cheaply: a hundred of them share one row.

A poll that emits nothing changes only these few values. So they are written apart from the jobs of
a target, at most `WRITES_PER_SECOND` rows. A row that was not written in time costs repeated scans,
never an event.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from math import inf

from attrs import define, field, frozen

from gitlab_jobs_async.monitor.checkpoint.serialization import loads, stored_as

PROGRESS = "progress "
"""Start of the names of these rows, before their number."""

WRITES_PER_SECOND = 2
# One write for many targets: the number of writes costs more than their size.
_PER_ROW = 100


@frozen
class Progress:
    """The poll progress of one target; times are unix seconds.

    *interval* is the wait after *polled_at*, *failures* the number of failed polls since. For a
    project: *floor* is the low watermark, and *rows* the number of jobs above it. *swept_at* is the
    time of the last scan of open jobs, and *compared_at* that of the last full scan, *scans* polls
    ago. The bridges of pipelines changed up to *updated_to* are known. All of it is valid in the
    *epoch* of the jobs' keys only.
    """

    polled_at: float = field(metadata=stored_as("looked_at"))
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
    """The rows of all targets, and which of them changed since they were written.

    *suffix* keeps the names of rows of several shards apart.
    """

    _suffix: str = ""
    _restored: dict[str, Progress] = field(factory=dict[str, Progress], init=False)
    _row_of: dict[str, int] = field(factory=dict[str, int], init=False)
    _names: dict[int, dict[str, None]] = field(factory=dict[int, dict[str, None]], init=False)
    _dirty: dict[int, None] = field(factory=dict[int, None], init=False)
    _filling: int = field(default=0, init=False)
    _next_at: float = field(default=0.0, init=False)

    def restore(self, name: str, data: bytes) -> None:
        """Read the row *name* of an earlier monitor.

        Raises:
            ValueError: *data* is invalid.
        """
        number = int(name.removeprefix(PROGRESS).partition(" ")[0])
        for target, progress in loads(data, ProgressRow).targets.items():
            self._restored[target] = progress
            self._put(target, number)

    def restored(self, target: str) -> Progress | None:
        """Return the progress of *target* in an earlier monitor."""
        return self._restored.get(target)

    def mark_dirty(self, target: str) -> None:
        """Schedule a write of the row of *target*."""
        number = self._row_of.get(target)
        if number is None:
            while len(self._names.get(self._filling, ())) >= _PER_ROW:
                self._filling += 1
            number = self._put(target, self._filling)
        self._dirty.setdefault(number)

    def forget(self, target: str) -> None:
        """Remove *target* from its row."""
        self._restored.pop(target, None)
        number = self._row_of.pop(target, None)
        if number is not None:
            del self._names[number][target]
            # Fill the gap first, so that rows stay few while targets come and go.
            self._filling = min(self._filling, number)
            self._dirty.setdefault(number)

    def next_write_at(self) -> float:
        """Return when the next row may be written, infinity if none changed."""
        return self._next_at if self._dirty else inf

    def pop_dirty(
        self, now: float, current: Callable[[str], Progress | None]
    ) -> tuple[str, ProgressRow] | None:
        """Return the name and the content of the row that has waited longest, `None` if none has.

        *current* returns the progress of a target, `None` to keep that of an earlier monitor.
        """
        if not self._dirty:
            return None
        number = next(iter(self._dirty))
        del self._dirty[number]
        self._next_at = now + 1 / WRITES_PER_SECOND
        rows = {name: current(name) or self._restored.get(name) for name in self._names[number]}
        return f"{PROGRESS}{number}{self._suffix}", ProgressRow(
            {name: progress for name, progress in rows.items() if progress is not None}
        )

    def _put(self, target: str, number: int) -> int:
        self._row_of[target] = number
        self._names.setdefault(number, {})[target] = None
        return number
