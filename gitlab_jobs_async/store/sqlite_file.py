"""Open the SQLite file of a store: check, create or convert it, and refuse any other file."""

import logging
import os
import sqlite3
from pathlib import Path
from typing import Any
from uuid import uuid4

from gitlab_jobs_async.errors import StoreAwayError, StoreError
from gitlab_jobs_async.store import legacy
from gitlab_jobs_async.store.checksums import ChecksumError
from gitlab_jobs_async.store.schema import VERSION, statements

_APPLICATION_ID = int.from_bytes(b"glja")
_LEGACY = (legacy.WITHOUT_CHECKSUMS, 2)

BUSY_TIMEOUT = 5.0
"""Longest wait for the writes of other processes, in seconds."""

_ATTEMPTS = 100

_MIN_SIZE = 512
"""Bytes of SQLite's smallest page; SQLite would overwrite a shorter file as if it were new."""

_REASONS = {
    sqlite3.SQLITE_BUSY: "locked by another process",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_FULL: "disk is full",
    sqlite3.SQLITE_IOERR: "cannot be read or written",
    sqlite3.SQLITE_NOTADB: "not a SQLite database",
    sqlite3.SQLITE_PERM: "permission denied",
    sqlite3.SQLITE_READONLY: "read-only",
}
_AWAY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
"""Codes of failures that may pass."""


# Error messages of SQLite for a damaged file may contain invalid UTF-8.
FAILURES = (sqlite3.Error, UnicodeDecodeError, ChecksumError)

_log = logging.getLogger("gitlab_jobs_async")
_warned: set[str] = set()


def open_file(path: str, now: float) -> sqlite3.Connection:
    """Check the file's integrity, which reads all of it, and return its connection.

    Raises:
        StoreError: it is locked by an earlier version, corrupt, not a store, of a newer version, or
            read-only. It is left unchanged.
    """
    try:
        _check_file(Path(path))
        connection = connect(path)
    except (OSError, *FAILURES) as error:
        raise failure(path, error) from error
    try:
        _prepare(path, connection, now)
    except BaseException as error:
        connection.interrupt()  # or closing would copy the -wal into the refused file
        connection.close()
        if isinstance(error, FAILURES):
            raise failure(path, error) from error
        raise
    return connection


def connect(path: str) -> sqlite3.Connection:
    """Return a connection that one thread after another may use."""
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = _decode
    return connection


def create_tables(connection: sqlite3.Connection) -> None:
    """Create the tables of an empty store."""
    for statement in statements("BLOB"):
        connection.execute(statement)
    _name_incarnation(connection)


def failure(path: str, error: Exception) -> StoreError:
    """Return the error to raise for *error*."""
    if isinstance(error, ChecksumError):
        return StoreError(path, f"corrupt: {error}")
    if isinstance(error, UnicodeDecodeError):
        return StoreError(path, "corrupt")
    if isinstance(error, OSError):
        return StoreError(path, str(error.strerror))
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    kind = StoreAwayError if code in _AWAY else StoreError
    return kind(path, _REASONS.get(code, str(error)))


def _check_file(path: Path) -> None:
    """Refuse files that SQLite would overwrite, or refuse without a clear message."""
    if path.exists() and not path.is_file():
        raise StoreError(str(path), "not a regular file")
    if not path.absolute().parent.is_dir():
        raise StoreError(str(path), "directory does not exist")
    if 0 < _size(path) < _MIN_SIZE:
        raise StoreError(str(path), _REASONS[sqlite3.SQLITE_NOTADB])
    log = Path(f"{path}-wal")
    if _size(log) and not _size(path):
        raise StoreError(str(path), f"empty, but {log.name} beside it is not")
    if not path.exists():
        # SQLite would apply the umask, and it gives the files beside this one the same mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    elif os.name == "posix" and (mode := path.stat().st_mode & 0o777) & 0o077:
        _warn(str(path), mode)


def _warn(path: str, mode: int) -> None:
    if path not in _warned:
        _warned.add(path)
        _log.warning(
            "store %s: accessible to other users (mode %04o), chmod 600 prevents it",
            path,
            mode,
        )


def _prepare(path: str, connection: sqlite3.Connection, now: float) -> None:
    # Only read, so that a large store is not kept from the processes that use it.
    connection.execute("BEGIN")
    _version(path, connection)
    # Unlike quick_check, this checks the indexes: a wrong one would acknowledge another event.
    result = str(_value(connection, "PRAGMA integrity_check(1)"))
    if result != "ok":
        raise StoreError(path, f"corrupt: {result.splitlines()[-1]}")
    connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")
    version = _version(path, connection)
    if not version:
        create_tables(connection)
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    elif version in _LEGACY:
        legacy.convert(connection, version, now)
        _name_incarnation(connection)
    if version != VERSION:
        connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("COMMIT")
    _use_wal(connection)
    # Without an fsync per commit: a power loss costs seconds, which are polled again.
    connection.execute("PRAGMA synchronous=NORMAL")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Change the journal once; another process may be doing it."""
    for _ in range(_ATTEMPTS):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            # SQLite does not wait for this lock, but for that of a transaction.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
        else:
            return
    connection.execute("PRAGMA journal_mode=WAL")


def _name_incarnation(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO properties VALUES ('incarnation', ?)", (uuid4().hex,))


def _version(path: str, connection: sqlite3.Connection) -> int:
    """Return the version of the file, 0 if it is empty."""
    application = _value(connection, "PRAGMA application_id")
    version = int(_value(connection, "PRAGMA user_version"))
    tables = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master")}
    if not (application or version or tables):
        return 0
    if application != _APPLICATION_ID:
        raise StoreError(path, "database of another application")
    if version not in {VERSION, *_LEGACY}:
        raise StoreError(path, f"unsupported version {version} (expected 1 to {VERSION})")
    expected = legacy.TABLES if version in _LEGACY else statements("BLOB")
    if not tables.issuperset(sql for sql in expected if sql.startswith("CREATE")):
        raise StoreError(path, "tables of a store are missing")
    return version


def _decode(data: bytes) -> str:
    """Decode invalid text, too, so that a damaged file is refused with a clear message."""
    return data.decode(errors="replace")


def _value(connection: sqlite3.Connection, sql: str) -> Any:
    return connection.execute(sql).fetchone()[0]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
