"""A checkpoint in a SQLite file: what is recorded survives a kill; a file refused stays as it is.

SQLite's own means do it: WAL for writes that cost microseconds, and its exclusive lock, which ends
with the process: https://sqlite.org/wal.html#noshm
"""

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from gitlab_jobs_async.clock import jitter
from gitlab_jobs_async.errors import CheckpointError
from gitlab_jobs_async.monitor.checkpoint.checksums import (
    ChecksumError,
    sealed,
    sealed_offset,
    unsealed,
    unsealed_offset,
)
from gitlab_jobs_async.monitor.checkpoint.protocol import IN_USE

_APPLICATION_ID = int.from_bytes(b"glja")
_VERSION = 2
_WITHOUT_CHECKSUMS = 1
_TABLES = (
    "CREATE TABLE states (target TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE untold (place INTEGER PRIMARY KEY AUTOINCREMENT,"
    " key TEXT NOT NULL UNIQUE, event BLOB NOT NULL)",
    "CREATE TABLE logs (job_id INTEGER PRIMARY KEY, told_to INTEGER NOT NULL)",
)
_BATCH = 100

_PATIENCE = 0.05
"""Seconds at most until a file is found in use: of two that open it at once, one waits longer."""

_SMALLEST = 512
"""The bytes of SQLite's smallest page: a file of one byte, too, SQLite would take as new."""

_REASONS = {
    sqlite3.SQLITE_BUSY: IN_USE,
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_CORRUPT: "it is corrupt",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "it cannot be read or written",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database",
    sqlite3.SQLITE_PERM: "it may not be opened",
    sqlite3.SQLITE_READONLY: "it cannot be written",
}


_FAILURES = (sqlite3.Error, UnicodeDecodeError, ChecksumError)
"""A damaged file may also have SQLite speak in bytes that are no text."""

_log = logging.getLogger("gitlab_jobs_async")
_warned: set[str] = set()


class SqliteCheckpoint:
    """A checkpoint in a SQLite file of its own, made if it is not there or empty.

    It is made for its owner alone to read and write (mode 0600); one that others may read is used
    as it is, and the log warns of it once. Every row has a checksum, and is refused if it was
    changed. A file of the version before, which had none, is brought up to date when it is opened.

    The file belongs to one open checkpoint at a time, in this process and in others; a process that
    ends in whatever way gives it up. What was recorded survives the end of the process; when the
    machine loses power, its last seconds may be missing, and are then seen and told anew.
    Nothing is ever written to a file that is not a checkpoint of this version.

    Raises:
        ValueError: *path* is no path of a file.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        named = fspath(path)
        if not isinstance(named, str):
            raise TypeError(f"checkpoint is {named!r}, not a str or a path of str")
        if named in {"", ":memory:"} or "\0" in named:
            raise ValueError(f"checkpoint is {named!r}, not the path of a file")
        self.path = named
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Lock the file and see that it is whole; this reads it once.

        Raises:
            CheckpointError: it is in use, corrupt, something else or of a newer version, or it
                cannot be written; it is left as it was.
        """
        if self._connection is not None:
            raise CheckpointError(self.path, IN_USE)
        try:
            self._look_at_file()
            patience = _PATIENCE * jitter()
            connection = sqlite3.connect(self.path, timeout=patience, isolation_level=None)
        except (OSError, *_FAILURES) as error:
            raise self._failure(error) from error
        try:
            connection.text_factory = _text
            self._take(connection)
        except BaseException as error:
            connection.interrupt()  # or closing would move what a -wal holds into a file refused
            connection.close()
            if isinstance(error, _FAILURES):
                raise self._failure(error) from error
            raise
        self._connection = connection

    def _look_at_file(self) -> None:
        """Refuse what SQLite would take, or would have no good word for."""
        path = Path(self.path)
        if path.exists() and not path.is_file():
            raise CheckpointError(self.path, "it is no file")
        if not path.absolute().parent.is_dir():
            raise CheckpointError(self.path, "its directory is not there")
        if 0 < _size(path) < _SMALLEST:
            raise CheckpointError(self.path, _REASONS[sqlite3.SQLITE_NOTADB])
        log = Path(f"{self.path}-wal")
        if _size(log) and not _size(path):
            raise CheckpointError(self.path, f"it is empty, but {log.name} beside it is not")
        if not path.exists():
            # SQLite would let the umask decide, and gives the files beside it the same mode.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        elif os.name == "posix" and (mode := path.stat().st_mode & 0o777) & 0o077:
            self._warn(mode)

    def _warn(self, mode: int) -> None:
        if self.path not in _warned:
            _warned.add(self.path)
            _log.warning(
                "checkpoint %s: others may read or write it (mode %04o); chmod 600 ends that",
                self.path,
                mode,
            )

    def _take(self, connection: sqlite3.Connection) -> None:
        # https://sqlite.org/pragma.html#pragma_locking_mode: the lock stays until it is closed.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        version = self._version(connection)
        if not version:
            for table in _TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        # With the indexes, unlike quick_check: by a wrong one another event would be taken as told.
        said = str(_asked(connection, "PRAGMA integrity_check(1)"))
        if said != "ok":
            raise CheckpointError(self.path, f"it is corrupt: {said.splitlines()[-1]}")
        if version == _WITHOUT_CHECKSUMS:
            _seal(connection)
        if version != _VERSION:
            connection.execute(f"PRAGMA user_version={_VERSION}")
        for job_id, offset in connection.execute("SELECT job_id, told_to FROM logs"):
            unsealed_offset(job_id, offset)  # asked for by id later, a wrong id would be missing
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    def _version(self, connection: sqlite3.Connection) -> int:
        """The version of the file, 0 if nothing is in it yet."""
        application = _asked(connection, "PRAGMA application_id")
        version = _asked(connection, "PRAGMA user_version")
        tables = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master")}
        if not (application or version or tables):
            return 0
        if application != _APPLICATION_ID:
            raise CheckpointError(self.path, "it is the database of another application")
        if version not in {_VERSION, _WITHOUT_CHECKSUMS}:
            raise CheckpointError(
                self.path, f"it is of version {version}, and only versions 1 and 2 can be read"
            )
        if not tables.issuperset(_TABLES):
            raise CheckpointError(self.path, "its tables are not those of a checkpoint")
        return int(version)

    def close(self) -> None:
        """Leave the file, whole and by itself, to the next monitor."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def states(self) -> Mapping[str, bytes]:
        """See `Checkpoint.states`, and so on."""
        rows = self._rows("SELECT target, CAST(state AS BLOB) FROM states")
        return {target: self._unsealed(target, state) for target, state in rows}

    def pending(self) -> Iterator[tuple[str, bytes]]:
        """Those that wait now, read a hundred at a time as they are asked for."""
        [[last]] = self._rows("SELECT max(place) FROM untold")
        return self._untold_up_to(last or 0)

    def _untold_up_to(self, last: int) -> Iterator[tuple[str, bytes]]:
        place = 0
        while rows := self._rows(
            "SELECT place, key, CAST(event AS BLOB) FROM untold WHERE place > ? AND place <= ?"
            " ORDER BY place LIMIT ?",
            (place, last, _BATCH),
        ):
            place = rows[-1][0]
            for _, key, event in rows:
                yield key, self._unsealed(key, event)

    def record(self, target: str, state: bytes, events: Sequence[tuple[str, bytes]]) -> None:
        """One transaction."""
        try:
            with self._held() as connection:
                connection.execute("BEGIN")
                connection.execute(
                    "INSERT INTO states VALUES (?, ?)"
                    " ON CONFLICT (target) DO UPDATE SET state = excluded.state",
                    (target, sealed(target, state)),
                )
                connection.executemany(
                    "INSERT INTO untold (key, event) VALUES (?, ?) ON CONFLICT (key) DO NOTHING",
                    [(key, sealed(key, event)) for key, event in events],
                )
        except _FAILURES as error:
            raise self._failure(error) from error

    def acknowledge(self, key: str) -> None:
        """A key that is not there may be told as well."""
        self._rows("DELETE FROM untold WHERE key = ?", (key,))

    def forget(self, target: str) -> None:
        """A target that is not there may be forgotten as well."""
        self._rows("DELETE FROM states WHERE target = ?", (target,))

    def log_offset(self, job_id: int) -> int | None:
        """In bytes."""
        found = self._rows("SELECT told_to FROM logs WHERE job_id = ?", (job_id,))
        try:
            return unsealed_offset(job_id, found[0][0]) if found else None
        except ChecksumError as error:
            raise self._failure(error) from error

    def record_log_offset(self, job_id: int, offset: int) -> None:
        """In bytes."""
        self._rows(
            "INSERT INTO logs VALUES (?, ?)"
            " ON CONFLICT (job_id) DO UPDATE SET told_to = excluded.told_to",
            (job_id, sealed_offset(job_id, offset)),
        )

    def forget_log(self, job_id: int) -> None:
        """A log that is not there may be forgotten as well."""
        self._rows("DELETE FROM logs WHERE job_id = ?", (job_id,))

    def _held(self) -> sqlite3.Connection:
        if self._connection is None:
            raise CheckpointError(self.path, "it is not open")
        return self._connection

    def _rows(self, sql: str, values: tuple[str | int | bytes, ...] = ()) -> list[Any]:
        try:
            return self._held().execute(sql, values).fetchall()
        except _FAILURES as error:
            raise self._failure(error) from error

    def _unsealed(self, name: str, stored: object) -> bytes:
        try:
            return unsealed(name, stored)
        except ChecksumError as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> CheckpointError:
        if isinstance(error, ChecksumError):
            return CheckpointError(self.path, f"it is corrupt: {error}")
        if isinstance(error, UnicodeDecodeError):
            return CheckpointError(self.path, "it is corrupt")
        if isinstance(error, OSError):
            return CheckpointError(self.path, str(error.strerror))
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        return CheckpointError(self.path, _REASONS.get(code & 0xFF, str(error)))


def _seal(connection: sqlite3.Connection) -> None:
    """Give every row the checksum that the version before did not have."""
    for read, write in (
        (
            "SELECT target, CAST(state AS BLOB) FROM states",
            "UPDATE states SET state = ? WHERE target = ?",
        ),
        (
            "SELECT key, CAST(event AS BLOB) FROM untold",
            "UPDATE untold SET event = ? WHERE key = ?",
        ),
    ):
        rows = connection.execute(read).fetchall()
        connection.executemany(write, [(sealed(name, data), name) for name, data in rows])
    logs = connection.execute("SELECT job_id, max(0, CAST(told_to AS INTEGER)) FROM logs")
    connection.executemany(
        "UPDATE logs SET told_to = ? WHERE job_id = ?",
        [(sealed_offset(job_id, offset), job_id) for job_id, offset in logs.fetchall()],
    )


def _text(data: bytes) -> str:
    """Read also what is no text, so that a damaged file is refused for what it holds."""
    return data.decode(errors="replace")


def _asked(connection: sqlite3.Connection, sql: str) -> Any:
    return connection.execute(sql).fetchone()[0]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
