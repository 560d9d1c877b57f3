"""Open the SQLite file of a checkpoint: check, create or convert it, and refuse any other file."""

import logging
import os
import sqlite3
from pathlib import Path
from typing import Any

from gitlab_jobs_async.clock import jitter
from gitlab_jobs_async.errors import CheckpointError
from gitlab_jobs_async.monitor.checkpoint.checksums import (
    ChecksumError,
    seal,
    seal_offset,
    unseal_offset,
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
_LOCK_TIMEOUT = 0.05
"""Longest wait for the lock, in seconds; jitter lets one of two concurrent openers win."""

_MIN_SIZE = 512
"""Bytes of SQLite's smallest page; SQLite would overwrite a shorter file as if it were new."""

_REASONS = {
    sqlite3.SQLITE_BUSY: IN_USE,
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_FULL: "disk is full",
    sqlite3.SQLITE_IOERR: "cannot be read or written",
    sqlite3.SQLITE_NOTADB: "not a SQLite database",
    sqlite3.SQLITE_PERM: "permission denied",
    sqlite3.SQLITE_READONLY: "read-only",
}

# Error messages of SQLite for a damaged file may contain invalid UTF-8.
FAILURES = (sqlite3.Error, UnicodeDecodeError, ChecksumError)

_log = logging.getLogger("gitlab_jobs_async")
_warned: set[str] = set()


def open_file(path: str) -> sqlite3.Connection:
    """Lock the file, check its integrity, which reads all of it, and return its connection.

    Raises:
        CheckpointError: it is in use, corrupt, not a checkpoint, of a newer version, or
            read-only. It is left unchanged.
    """
    try:
        _check_file(Path(path))
        timeout = _LOCK_TIMEOUT * jitter()
        connection = sqlite3.connect(path, timeout=timeout, isolation_level=None)
    except (OSError, *FAILURES) as error:
        raise failure(path, error) from error
    try:
        connection.text_factory = _decode
        _lock(path, connection)
    except BaseException as error:
        connection.interrupt()  # or closing would copy the -wal into the refused file
        connection.close()
        if isinstance(error, FAILURES):
            raise failure(path, error) from error
        raise
    return connection


def failure(path: str, error: Exception) -> CheckpointError:
    """Return the error to raise for *error*."""
    if isinstance(error, ChecksumError):
        return CheckpointError(path, f"corrupt: {error}")
    if isinstance(error, UnicodeDecodeError):
        return CheckpointError(path, "corrupt")
    if isinstance(error, OSError):
        return CheckpointError(path, str(error.strerror))
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return CheckpointError(path, _REASONS.get(code & 0xFF, str(error)))


def _check_file(path: Path) -> None:
    """Refuse files that SQLite would overwrite, or refuse without a clear message."""
    if path.exists() and not path.is_file():
        raise CheckpointError(str(path), "not a regular file")
    if not path.absolute().parent.is_dir():
        raise CheckpointError(str(path), "directory does not exist")
    if 0 < _size(path) < _MIN_SIZE:
        raise CheckpointError(str(path), _REASONS[sqlite3.SQLITE_NOTADB])
    log = Path(f"{path}-wal")
    if _size(log) and not _size(path):
        raise CheckpointError(str(path), f"empty, but {log.name} beside it is not")
    if not path.exists():
        # SQLite would apply the umask, and it gives the files beside this one the same mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    elif os.name == "posix" and (mode := path.stat().st_mode & 0o777) & 0o077:
        _warn(str(path), mode)


def _warn(path: str, mode: int) -> None:
    if path not in _warned:
        _warned.add(path)
        _log.warning(
            "checkpoint %s: accessible to other users (mode %04o), chmod 600 prevents it",
            path,
            mode,
        )


def _lock(path: str, connection: sqlite3.Connection) -> None:
    # https://sqlite.org/pragma.html#pragma_locking_mode: held until the file is closed.
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    version = _version(path, connection)
    if not version:
        for table in _TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    # Unlike quick_check, this checks the indexes: a wrong one would acknowledge another event.
    result = str(_value(connection, "PRAGMA integrity_check(1)"))
    if result != "ok":
        raise CheckpointError(path, f"corrupt: {result.splitlines()[-1]}")
    if version == _WITHOUT_CHECKSUMS:
        _add_checksums(connection)
    if version != _VERSION:
        connection.execute(f"PRAGMA user_version={_VERSION}")
    for job_id, offset in connection.execute("SELECT job_id, told_to FROM logs"):
        unseal_offset(job_id, offset)  # later they are read by id, and a wrong id is missed
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode=WAL")
    # Without an fsync per commit: a power loss costs seconds, which are polled again.
    connection.execute("PRAGMA synchronous=NORMAL")


def _version(path: str, connection: sqlite3.Connection) -> int:
    """Return the version of the file, 0 if it is empty."""
    application = _value(connection, "PRAGMA application_id")
    version = _value(connection, "PRAGMA user_version")
    tables = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master")}
    if not (application or version or tables):
        return 0
    if application != _APPLICATION_ID:
        raise CheckpointError(path, "database of another application")
    if version not in {_VERSION, _WITHOUT_CHECKSUMS}:
        raise CheckpointError(path, f"unsupported version {version} (expected 1 or 2)")
    if not tables.issuperset(_TABLES):
        raise CheckpointError(path, "tables of a checkpoint are missing")
    return int(version)


def _add_checksums(connection: sqlite3.Connection) -> None:
    """Convert a file of version 1."""
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
        connection.executemany(write, [(seal(name, data), name) for name, data in rows])
    logs = connection.execute("SELECT job_id, max(0, CAST(told_to AS INTEGER)) FROM logs")
    connection.executemany(
        "UPDATE logs SET told_to = ? WHERE job_id = ?",
        [(seal_offset(job_id, offset), job_id) for job_id, offset in logs.fetchall()],
    )


def _decode(data: bytes) -> str:
    """Decode invalid text, too, so that a damaged file is refused with a clear message."""
    return data.decode(errors="replace")


def _value(connection: sqlite3.Connection, sql: str) -> Any:
    return connection.execute(sql).fetchone()[0]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
