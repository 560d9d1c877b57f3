"""Keep a checkpoint in a SQLite file, which survives a kill and is left alone if it is refused.

WAL makes writes cost microseconds. SQLite's exclusive lock ends with the process:
https://sqlite.org/wal.html#noshm
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike, fspath
from typing import Any

from gitlab_jobs_async.errors import CheckpointError
from gitlab_jobs_async.monitor.checkpoint.checksums import (
    ChecksumError,
    seal,
    seal_offset,
    unseal,
    unseal_offset,
)
from gitlab_jobs_async.monitor.checkpoint.protocol import IN_USE
from gitlab_jobs_async.monitor.checkpoint.sqlite_file import FAILURES, failure, open_file

_BATCH = 100


class SqliteCheckpoint:
    """A checkpoint in a SQLite file, which is created if it is missing or empty.

    A new file has mode 0600; for a file that others may access, the log warns once. A row with a
    wrong checksum is refused. A file of version 1, without checksums, is converted by `open`.

    The file is locked by one open checkpoint at a time, until its process ends. Recorded data
    survives the end of the process. After a power loss the last seconds may be missing; their
    events are detected and emitted again. A file that is not a checkpoint is never written to.

    Raises:
        TypeError, ValueError: *path* does not name a file.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        named = fspath(path)
        if not isinstance(named, str):
            raise TypeError(f"invalid checkpoint {named!r}: expected a str or a path of str")
        # SQLite would open a private database without a file.
        if named in {"", ":memory:"} or "\0" in named:
            raise ValueError(f"invalid checkpoint {named!r}: expected the path of a file")
        self.path = named
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Lock the file and check its integrity, which reads all of it.

        Raises:
            CheckpointError: it is in use, corrupt, not a checkpoint, of a newer version, or
                read-only. It is left unchanged.
        """
        if self._connection is not None:
            raise CheckpointError(self.path, IN_USE)
        self._connection = open_file(self.path)

    def close(self) -> None:
        """Merge the WAL into the file and unlock it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def states(self) -> Mapping[str, bytes]:
        """Return the last recorded state by target."""
        # In a damaged file, a column may have any type.
        rows = self._rows("SELECT target, CAST(state AS BLOB) FROM states")
        return {target: self._unseal(target, state) for target, state in rows}

    def pending(self) -> Iterator[tuple[str, bytes]]:
        """Yield the events that are pending now, read in batches of a hundred."""
        # Later events go to the consumer directly.
        [[last]] = self._rows("SELECT max(place) FROM untold")
        return self._pending_up_to(last or 0)

    def _pending_up_to(self, last: int) -> Iterator[tuple[str, bytes]]:
        place = 0
        # In batches: an open cursor would block the checkpoints of the WAL.
        while rows := self._rows(
            "SELECT place, key, CAST(event AS BLOB) FROM untold WHERE place > ? AND place <= ?"
            " ORDER BY place LIMIT ?",
            (place, last, _BATCH),
        ):
            place = rows[-1][0]
            for _, key, event in rows:
                yield key, self._unseal(key, event)

    def record(self, target: str, state: bytes, events: Sequence[tuple[str, bytes]]) -> None:
        """Replace the target's *state* and append *events* in one transaction."""
        try:
            with self._opened() as connection:
                # Autocommit is on, and a state without its events would lose them.
                connection.execute("BEGIN")
                connection.execute(
                    "INSERT INTO states VALUES (?, ?)"
                    " ON CONFLICT (target) DO UPDATE SET state = excluded.state",
                    (target, seal(target, state)),
                )
                connection.executemany(
                    "INSERT INTO untold (key, event) VALUES (?, ?) ON CONFLICT (key) DO NOTHING",
                    [(key, seal(key, event)) for key, event in events],
                )
        except FAILURES as error:
            raise failure(self.path, error) from error

    def acknowledge(self, key: str) -> None:
        """Delete the pending event with this key; ignore a missing one."""
        self._rows("DELETE FROM untold WHERE key = ?", (key,))

    def forget(self, target: str) -> None:
        """Delete the state of this target; ignore a missing one."""
        self._rows("DELETE FROM states WHERE target = ?", (target,))

    def log_offset(self, job_id: int) -> int | None:
        """Return the recorded offset in bytes, or `None`."""
        found = self._rows("SELECT told_to FROM logs WHERE job_id = ?", (job_id,))
        try:
            return unseal_offset(job_id, found[0][0]) if found else None
        except ChecksumError as error:
            raise failure(self.path, error) from error

    def record_log_offset(self, job_id: int, offset: int) -> None:
        """Record an offset in bytes."""
        self._rows(
            "INSERT INTO logs VALUES (?, ?)"
            " ON CONFLICT (job_id) DO UPDATE SET told_to = excluded.told_to",
            (job_id, seal_offset(job_id, offset)),
        )

    def forget_log(self, job_id: int) -> None:
        """Delete the offset of a job's log; ignore a missing one."""
        self._rows("DELETE FROM logs WHERE job_id = ?", (job_id,))

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise CheckpointError(self.path, "not open")
        return self._connection

    def _rows(self, sql: str, values: tuple[str | int | bytes, ...] = ()) -> list[Any]:
        try:
            return self._opened().execute(sql, values).fetchall()
        except FAILURES as error:
            raise failure(self.path, error) from error

    def _unseal(self, name: str, stored: object) -> bytes:
        try:
            return unseal(name, stored)
        except ChecksumError as error:
            raise failure(self.path, error) from error
