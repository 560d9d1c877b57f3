"""Define the store of a monitor's state and pending events, for the next monitor to resume from.

A store knows bytes only. Its calls are short local reads and writes, so they are plain functions.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from gitlab_jobs_async.errors import CheckpointError

IN_USE = "in use by another monitor"


@runtime_checkable
class Checkpoint(Protocol):
    """The state of a monitor's targets, and the events that its consumer has not acknowledged.

    A call returns once its effect survives the end of the process. It blocks the event loop until
    then, so it should be a short local write. Every call raises a `CheckpointError` if it fails.
    """

    @property
    def path(self) -> str:
        """The name of the checkpoint in errors."""

    def open(self) -> None:
        """Lock the checkpoint for one monitor.

        Raises:
            CheckpointError: it is in use or unusable.
        """

    def close(self) -> None:
        """Unlock the checkpoint; do nothing if it is not open."""

    def states(self) -> Mapping[str, bytes]:
        """Return the last recorded state by target."""

    def pending(self) -> Iterator[tuple[str, bytes]]:
        """Yield the key and the data of each event that is pending now, in recorded order."""

    def record(self, target: str, state: bytes, events: Sequence[tuple[str, bytes]]) -> None:
        """Replace the target's *state* and append *events*, atomically.

        Skip an event if its key is pending already.
        """

    def acknowledge(self, key: str) -> None:
        """Delete the pending event with this key; ignore a missing one."""

    def forget(self, target: str) -> None:
        """Delete the state of this target, and keep its pending events."""

    def log_offset(self, job_id: int) -> int | None:
        """Return the offset in bytes after the last acknowledged line of a job's log."""

    def record_log_offset(self, job_id: int, offset: int) -> None:
        """Record the offset in bytes after the last acknowledged line of a job's log."""

    def forget_log(self, job_id: int) -> None:
        """Delete the offset of a job's log."""


class MemoryCheckpoint:
    """A checkpoint that lasts as long as this object, for monitors of one process."""

    path = "in memory"

    def __init__(self) -> None:
        self._is_open = False
        self._states: dict[str, bytes] = {}
        self._pending: dict[str, bytes] = {}
        self._offsets: dict[int, int] = {}

    def open(self) -> None:
        """Lock the checkpoint for one monitor.

        Raises:
            CheckpointError: it is in use.
        """
        if self._is_open:
            raise CheckpointError(self.path, IN_USE)
        self._is_open = True

    def close(self) -> None:
        """Unlock the checkpoint, and keep its content."""
        self._is_open = False

    def states(self) -> Mapping[str, bytes]:
        """Return the last recorded state by target."""
        return dict(self._states)

    def pending(self) -> Iterator[tuple[str, bytes]]:
        """Yield the events that are pending now, none that are recorded later."""
        # A copy, since events are recorded and acknowledged during the iteration.
        return iter(list(self._pending.items()))

    def record(self, target: str, state: bytes, events: Sequence[tuple[str, bytes]]) -> None:
        """Replace the target's *state* and append *events*."""
        self._states[target] = state
        for key, event in events:
            # Overlapping targets detect the same event; its first place is kept.
            self._pending.setdefault(key, event)

    def acknowledge(self, key: str) -> None:
        """Delete the pending event with this key; ignore a missing one."""
        self._pending.pop(key, None)

    def forget(self, target: str) -> None:
        """Delete the state of this target; ignore a missing one."""
        self._states.pop(target, None)

    def log_offset(self, job_id: int) -> int | None:
        """Return the recorded offset in bytes, or `None`."""
        return self._offsets.get(job_id)

    def record_log_offset(self, job_id: int, offset: int) -> None:
        """Record an offset in bytes."""
        self._offsets[job_id] = offset

    def forget_log(self, job_id: int) -> None:
        """Delete the offset of a job's log; ignore a missing one."""
        self._offsets.pop(job_id, None)
