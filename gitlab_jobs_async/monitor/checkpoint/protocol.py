"""Where a monitor keeps what it has seen and has yet to tell, for the next one to go on from.

A store knows bytes only. Its calls are short local reads and writes that hold no connection and no
task, so they are plain functions.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from gitlab_jobs_async.errors import CheckpointError

IN_USE = "it is in use by another monitor"


@runtime_checkable
class Checkpoint(Protocol):
    """Where a monitor keeps the state of its targets and the events that it has yet to tell.

    Every call returns when what it says is done and survives the end of the process; each may block
    the event loop for as long, so let it be a short local write. All of them raise a
    `CheckpointError` if that cannot be done.
    """

    @property
    def path(self) -> str:
        """What errors call it."""

    def open(self) -> None:
        """Take it for one monitor; it is not for two at once.

        Raises:
            CheckpointError: it is in use, or cannot be used.
        """

    def close(self) -> None:
        """Leave it to the next one. Nothing happens if it is not open."""

    def states(self) -> Mapping[str, bytes]:
        """The state that was recorded last for each target."""

    def pending(self) -> Iterator[tuple[str, bytes]]:
        """The key and the event of all that wait now to be told, in the order of recording."""

    def record(self, target: str, state: bytes, events: Sequence[tuple[str, bytes]]) -> None:
        """All or nothing: *state* replaces the target's, and *events* wait after those before.

        An event whose key is waiting already is not put there twice.
        """

    def acknowledge(self, key: str) -> None:
        """The event of this key waits no more."""

    def forget(self, target: str) -> None:
        """The state of this target goes. Its events still wait: what was seen is told."""

    def log_offset(self, job_id: int) -> int | None:
        """The byte of the job's trace up to which its lines were told, `None` if none were."""

    def record_log_offset(self, job_id: int, offset: int) -> None:
        """The lines of the job's log were told up to this byte of its trace."""

    def forget_log(self, job_id: int) -> None:
        """The job's log is of no more interest."""


class MemoryCheckpoint:
    """A checkpoint that lasts as long as this object: for a monitor begun anew in one process."""

    path = "in memory"

    def __init__(self) -> None:
        self._is_open = False
        self._states: dict[str, bytes] = {}
        self._untold: dict[str, bytes] = {}
        self._offsets: dict[int, int] = {}

    def open(self) -> None:
        """Take it for one monitor.

        Raises:
            CheckpointError: it is in use.
        """
        if self._is_open:
            raise CheckpointError(self.path, IN_USE)
        self._is_open = True

    def close(self) -> None:
        """Leave it, with all that it holds, to the next monitor."""
        self._is_open = False

    def states(self) -> Mapping[str, bytes]:
        """See `Checkpoint.states`, and so on."""
        return dict(self._states)

    def pending(self) -> Iterator[tuple[str, bytes]]:
        """Those that wait now; what is recorded while they are read is not among them."""
        return iter(list(self._untold.items()))

    def record(self, target: str, state: bytes, events: Sequence[tuple[str, bytes]]) -> None:
        """Never in part: there is nothing that can go wrong."""
        self._states[target] = state
        for key, event in events:
            self._untold.setdefault(key, event)

    def acknowledge(self, key: str) -> None:
        """A key that is not there may be told as well."""
        self._untold.pop(key, None)

    def forget(self, target: str) -> None:
        """A target that is not there may be forgotten as well."""
        self._states.pop(target, None)

    def log_offset(self, job_id: int) -> int | None:
        """In bytes."""
        return self._offsets.get(job_id)

    def record_log_offset(self, job_id: int, offset: int) -> None:
        """In bytes."""
        self._offsets[job_id] = offset

    def forget_log(self, job_id: int) -> None:
        """A log that is not there may be forgotten as well."""
        self._offsets.pop(job_id, None)
