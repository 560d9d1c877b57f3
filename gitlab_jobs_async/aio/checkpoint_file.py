"""A checkpoint in a SQLite file: what is recorded survives a kill; a file refused stays as it is.

SQLite's own means do it: WAL for writes that cost microseconds, and its exclusive lock, which ends
with the process: https://sqlite.org/wal.html#noshm
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from gitlab_jobs_async.aio.checkpoints import IN_USE
from gitlab_jobs_async.aio.retrying import chance
from gitlab_jobs_async.errors import CheckpointError

_APPLICATION_ID = int.from_bytes(b"glja")
_VERSION = 1
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


class SqliteCheckpoint:
    """A checkpoint in a SQLite file of its own, made if it is not there or empty.

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
            patience = _PATIENCE * chance()
            connection = sqlite3.connect(self.path, timeout=patience, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise self._failure(error) from error
        try:
            self._take(connection)
        except BaseException as error:
            connection.interrupt()  # or closing would move what a -wal holds into a file refused
            connection.close()
            if isinstance(error, sqlite3.Error):
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

    def _take(self, connection: sqlite3.Connection) -> None:
        # https://sqlite.org/pragma.html#pragma_locking_mode: the lock stays until it is closed.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        if self._is_new(connection):
            for table in _TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={_VERSION}")
        connection.execute("COMMIT")
        said = _asked(connection, "PRAGMA quick_check(1)")
        if said != "ok":
            raise CheckpointError(self.path, f"it is corrupt: {said.splitlines()[-1]}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        application = _asked(connection, "PRAGMA application_id")
        version = _asked(connection, "PRAGMA user_version")
        tables = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master")}
        if not (application or version or tables):
            return True
        if application != _APPLICATION_ID:
            raise CheckpointError(self.path, "it is the database of another application")
        if version != _VERSION:
            raise CheckpointError(
                self.path, f"it is of version {version}, and only version {_VERSION} can be read"
            )
        if not tables.issuperset(_TABLES):
            raise CheckpointError(self.path, "its tables are not those of a checkpoint")
        return False

    def close(self) -> None:
        """Leave the file, whole and by itself, to the next monitor."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def states(self) -> Mapping[str, bytes]:
        """See `Checkpoint.states`, and so on."""
        return dict(self._rows("SELECT target, CAST(state AS BLOB) FROM states"))

    def untold(self) -> Iterator[tuple[str, bytes]]:
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
            yield from ((key, event) for _, key, event in rows)

    def record(self, target: str, state: bytes, events: Sequence[tuple[str, bytes]]) -> None:
        """One transaction."""
        try:
            with self._held() as connection:
                connection.execute("BEGIN")
                connection.execute(
                    "INSERT INTO states VALUES (?, ?)"
                    " ON CONFLICT (target) DO UPDATE SET state = excluded.state",
                    (target, state),
                )
                connection.executemany(
                    "INSERT INTO untold (key, event) VALUES (?, ?) ON CONFLICT (key) DO NOTHING",
                    events,
                )
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def told(self, key: str) -> None:
        """A key that is not there may be told as well."""
        self._rows("DELETE FROM untold WHERE key = ?", (key,))

    def forget(self, target: str) -> None:
        """A target that is not there may be forgotten as well."""
        self._rows("DELETE FROM states WHERE target = ?", (target,))

    def log_offset(self, job_id: int) -> int | None:
        """In bytes."""
        found = self._rows(
            "SELECT max(0, CAST(told_to AS INTEGER)) FROM logs WHERE job_id = ?", (job_id,)
        )
        return found[0][0] if found else None

    def record_log_offset(self, job_id: int, offset: int) -> None:
        """In bytes."""
        self._rows(
            "INSERT INTO logs VALUES (?, ?)"
            " ON CONFLICT (job_id) DO UPDATE SET told_to = excluded.told_to",
            (job_id, offset),
        )

    def forget_log(self, job_id: int) -> None:
        """A log that is not there may be forgotten as well."""
        self._rows("DELETE FROM logs WHERE job_id = ?", (job_id,))

    def _held(self) -> sqlite3.Connection:
        if self._connection is None:
            raise CheckpointError(self.path, "it is not open")
        return self._connection

    def _rows(self, sql: str, values: tuple[str | int, ...] = ()) -> list[Any]:
        try:
            return self._held().execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError | sqlite3.Error) -> CheckpointError:
        if isinstance(error, OSError):
            return CheckpointError(self.path, str(error.strerror))
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        return CheckpointError(self.path, _REASONS.get(code & 0xFF, str(error)))


def _asked(connection: sqlite3.Connection, sql: str) -> Any:
    return connection.execute(sql).fetchone()[0]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
