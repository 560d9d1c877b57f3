"""Restore the state of targets from a checkpoint, and record what changes.

The state of a target is written together with the events that lead to it. Its progress, which
changes with every poll, is written apart and rarely.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import TypeVar

from gitlab_jobs_async.errors import StoreError
from gitlab_jobs_async.events import AnyEvent, ProjectReset
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.checkpoint.progress import PROGRESS, Progress, ProgressRows
from gitlab_jobs_async.monitor.checkpoint.serialization import dumps, loads
from gitlab_jobs_async.monitor.watch.base import Watch
from gitlab_jobs_async.monitor.watch.factory import NormalizedTarget, create_watch
from gitlab_jobs_async.monitor.watch.id_history import IDS, IdHistory, IdState
from gitlab_jobs_async.store.values import route_of

T = TypeVar("T")


class StateRecorder:
    """The recorded *states* by name, and the watches restored from them.

    Raises:
        StoreError: a row cannot be read.
    """

    def __init__(self, outbox: Outbox, states: Mapping[str, bytes], *, downstream: bool) -> None:
        self._outbox = outbox
        self._downstream = downstream
        self._states = {n: data for n, data in states.items() if not n.startswith(PROGRESS)}
        self._shard = shard = None if outbox.record is None else outbox.record.shard
        self._suffix = "" if shard is None or shard.count == 1 else f" {shard.number}/{shard.count}"
        self._progress = ProgressRows(self._suffix)
        self._written: dict[str, tuple[bool, bool]] = {}
        self._watches: dict[str, Watch] = {}
        # Rows that were written for another number of shards are older.
        rows = states.keys() - self._states.keys()
        for name in sorted(rows, key=lambda name: name.endswith(self._suffix)):
            try:
                self._progress.restore(name, states[name])
            except ValueError as error:
                raise self._unreadable(name, error) from error
        self._history = self._restored_history()
        for name in self.names(IDS):
            del self._states[name]

    @property
    def store_name(self) -> str:
        """The store's name in errors."""
        return self._outbox.name

    def names(self, prefix: str) -> list[str]:
        """Return the names of recorded states that start with *prefix*."""
        return [name for name in self._states if name.startswith(prefix)]

    def state(self, name: str, kind: type[T]) -> T | None:
        """Return the recorded state of *name*, or `None`.

        Raises:
            StoreError: it cannot be read.
        """
        data = self._states.get(name)
        try:
            return None if data is None else loads(data, kind)
        except ValueError as error:
            raise self._unreadable(name, error) from error

    def is_elsewhere(self, target: str) -> bool:
        """Return whether *target* belongs to another shard."""
        return self._shard is not None and not self._shard.has(route_of(target))

    def keep_with(self, name: str, target: str) -> None:
        """Record the row *name* in the shard of *target*, however many shards there will be."""
        self._outbox.keep_with(name, target)

    def add(self, target: NormalizedTarget, name: str, now: float) -> tuple[Watch, bool]:
        """Return the watch of *target*, and whether it was restored.

        Raises:
            StoreError: the recorded state cannot be read.
        """
        recorded = self._states.pop(name, None)
        progress = None if recorded is None else self._progress.restored(name)
        try:
            watch = create_watch(
                target, recorded, now, progress, self._history, downstream=self._downstream
            )
        except ValueError as error:
            raise self._unreadable(name, error) from error
        self._watches[name] = watch
        if recorded is not None:
            self._written[name] = watch.is_known, watch.is_over
        return watch, recorded is not None

    def start(self, name: str, state: object) -> None:
        """Record the initial *state* of a target that is added next."""
        self._outbox.put(name, state, ())
        self._states[name] = dumps(state)

    def record(self, name: str, watch: Watch, events: Sequence[AnyEvent]) -> None:
        """Queue *events*, and record the state that they lead to."""
        # An empty baseline must be recorded, too: a restart would read another one.
        status = watch.is_known, watch.is_over
        # Written first: without the closed ids, a restart would detect the reset again.
        if any(isinstance(event, ProjectReset) for event in events):
            self._record_ids()
        if events or self._written.get(name) != status:
            self._outbox.put(name, watch.state(), events)
            self._written[name] = status

    def polled(self, name: str, watch: Watch) -> None:
        """Schedule a write of the progress of *name* after a complete poll."""
        if watch.is_over:
            self._progress.forget(name)
        elif self._outbox.is_recorded:
            self._progress.mark_dirty(name)

    def drop(self, name: str) -> None:
        """Stop watching *name*; keep the final state of a target that is over."""
        watch = self._watches.pop(name)
        self._written.pop(name, None)
        if watch.is_over:
            # If it is added again, its events must not be emitted again.
            self._states[name] = dumps(watch.state())

    def remove(self, name: str, *, keep_events: bool = False) -> None:
        """Discard the record of *name*, and its pending events."""
        self._progress.forget(name)
        if keep_events:
            self._outbox.forget(name)
        else:
            self._outbox.discard(name)

    def forget(self, name: str) -> None:
        """Delete the final state of *name*."""
        self._states.pop(name, None)
        self._outbox.forget(name)

    def next_write_at(self) -> float:
        """Return the time of the next progress write, infinity if nothing changed."""
        return self._progress.next_write_at() if self._outbox.is_recorded else inf

    def write(self, now: float, *, everything: bool = False) -> None:
        """Write the progress that is due at *now*, or all that changed.

        Raises:
            StoreError: it cannot be written.
        """
        until = inf if everything else now
        while self._outbox.is_recorded and self._progress.next_write_at() <= until:
            row = self._progress.pop_dirty(now, self._progress_of)
            if row is None:
                break
            name, progress = row
            self._outbox.put(name, progress, ())
            self._record_ids()
        if everything:
            self._record_ids()

    def _restored_history(self) -> IdHistory:
        own = self.state(f"{IDS}{self._suffix}", IdState)
        if own is not None:
            return IdHistory.restored([own])
        others = [self.state(name, IdState) for name in self.names(IDS)]
        return IdHistory.restored([state for state in others if state is not None])

    def _record_ids(self) -> None:
        if self._history.has_changed and self._outbox.is_recorded:
            self._outbox.put_for_all_shards(f"{IDS}{self._suffix}", self._history.state())

    def _progress_of(self, name: str) -> Progress | None:
        watch = self._watches.get(name)
        return watch.progress() if watch is not None and watch.timer.polled_at else None

    def _unreadable(self, name: str, error: ValueError) -> StoreError:
        return StoreError(self._outbox.name, f"state of {name!r} is invalid: {error}")
