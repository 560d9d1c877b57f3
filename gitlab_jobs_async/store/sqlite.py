"""Keep a store in a SQLite file, for the processes of one machine.

A thread runs the transactions, so that a slow disk does not block the loop. WAL makes writes cost
microseconds: https://sqlite.org/wal.html
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from os import PathLike, fspath
from typing import Any, TypeVar

from gitlab_jobs_async.clock import Clock, SystemClock, jitter
from gitlab_jobs_async.errors import FencedError, StoreError
from gitlab_jobs_async.store import leases
from gitlab_jobs_async.store.shard_locks import ShardLocks
from gitlab_jobs_async.store.sql_store import SqlStore, lease_seconds_of
from gitlab_jobs_async.store.sqlite_file import (
    BUSY_TIMEOUT,
    FAILURES,
    connect,
    failure,
    open_file,
)
from gitlab_jobs_async.store.sqlite_transactions import BusyError, run_transaction
from gitlab_jobs_async.store.steps import NotOwnerError, Transaction
from gitlab_jobs_async.store.values import Lease

T = TypeVar("T")

_CHECKPOINT_EACH = 500
"""Transactions between two checkpoints of the WAL."""

_POLL_SECONDS = 0.2
"""Seconds between two questions whether another process has written."""

_BUSY_SECONDS = 0.01
"""Longest wait between two attempts to write while another process writes."""


class SqliteStore(SqlStore):
    """A store in a SQLite file, which is created if it is missing or empty.

    Processes of one machine share it; on a network file system SQLite's locks may fail. A new file
    has mode 0600; for a file that others may access, the log warns once. A row with a wrong
    checksum is refused. A file of an earlier version is converted by `open`.

    Recorded data survives the end of the process. After a power loss the last seconds may be
    missing; their events are detected and emitted again. A file that is not a store is never
    written to. Files named `….lock` beside it show at once that an owner of a lease was killed.

    The lease of a process that does not answer goes to another one after *lease_seconds*.

    Raises:
        TypeError, ValueError: *path* does not name a file, or *lease_seconds* is less than 1.
    """

    poll_seconds = 0.25
    is_fast = True
    is_steady = True

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        lease_seconds: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        named = fspath(path)
        if not isinstance(named, str):
            raise TypeError(f"invalid store {named!r}: expected a str or a path of str")
        # SQLite would open a private database without a file.
        if named in {"", ":memory:"} or "\0" in named:
            raise ValueError(f"invalid store {named!r}: expected the path of a file")
        super().__init__()
        self.lease_seconds = lease_seconds_of(lease_seconds)
        self._path = named
        self.clock = clock or SystemClock()
        self._connection: sqlite3.Connection | None = None
        self._slow: sqlite3.Connection | None = None
        self._transactions = 0
        self._thread: ThreadPoolExecutor | None = None
        self._locks = ShardLocks(named)

    @property
    def name(self) -> str:
        """The path of the file."""
        return self._path

    async def _open(self) -> None:
        self._thread = ThreadPoolExecutor(1, "gitlab_jobs_async store")
        await self._call(self._connect)

    def _connect(self) -> None:
        # Kept here: a caller that was cancelled could not close what this returns.
        self._connection = open_file(self._path, self.clock.now())
        # `_checkpoint` does it, in the thread.
        self._connection.execute("PRAGMA wal_autocheckpoint=0")
        # SQLite would wait in the loop; `_until_free` waits beside it.
        self._connection.execute("PRAGMA busy_timeout=0")

    async def _close(self) -> None:
        self._locks.close()
        thread, self._thread = self._thread, None
        if thread is not None:
            # Not awaited, so that a cancellation cannot leave the thread; it ends in milliseconds.
            thread.shutdown()
        slow, self._slow = self._slow, None
        if slow is not None:
            slow.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def claim(self, name: str, owner: str, seconds: float) -> Lease | None:
        """Take or renew the lease *name* for *seconds*; return None while another owner has it."""
        dead = self._locks.lock(name, owner)
        try:
            lease = await self._run(leases.claim(name, owner, seconds, dead))
        except BaseException:
            if dead is not None:
                self._locks.give_back(name, dead)
            raise
        if lease is None:
            # The lock is the present owner's, also if it was frozen and has lost the lease since.
            self._locks.unlock(name, owner)
        return lease

    async def owners(self, prefix: str) -> list[str]:
        """Return the names of leases that start with *prefix* and are held."""
        names = await super().owners(prefix)
        ended = {name for name in names if self._locks.has_ended(name)}
        for name in ended:
            await self._run(leases.delete(name))
        return [name for name in names if name not in ended]

    async def release(self, lease: Lease) -> None:
        """Give up *lease*, so that another owner may take it at once."""
        await super().release(lease)
        self._locks.unlock(lease.name, lease.owner)

    async def wait_for_change(self, seconds: float) -> None:
        """Return soon after another connection has written, at the latest after *seconds*."""
        until = self.clock.now() + seconds
        before = self._data_version()
        while (left := until - self.clock.now()) > 0:
            await self.clock.sleep(min(_POLL_SECONDS, left))
            if self._data_version() != before:
                return

    def _data_version(self) -> Any:
        try:
            return self._opened.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            return None  # the transaction that follows says why

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(self.name, "is not open: use it between open and close")
        return self._connection

    async def _run(self, transaction: Transaction[T]) -> T:
        """Run *transaction* at once, or soon if another process writes.

        Most take microseconds, less than a change of threads. What reads or deletes much is given
        to `_run_long`.
        """
        self._transactions += 1
        if self._transactions % _CHECKPOINT_EACH == 0 and self._thread is not None:
            self._thread.submit(self._checkpoint)

        async def attempt() -> T:
            return run_transaction(self._opened, transaction, self.clock)

        return await self._until_free(attempt)

    async def _run_long(self, transaction: Transaction[T]) -> T:
        """Run *transaction* in the thread."""
        return await self._until_free(lambda: self._call(self._transact, transaction))

    async def _until_free(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Run *attempt* until no other process writes, for at most `BUSY_TIMEOUT`."""
        real = SystemClock()
        until = real.now() + BUSY_TIMEOUT
        while True:
            try:
                return await attempt()
            except NotOwnerError:
                raise FencedError(self.name, "the lease has another owner") from None
            except FAILURES as error:
                if not isinstance(error, BusyError) or real.now() >= until:
                    raise failure(self.name, error) from error
            # Spread, so that two processes do not meet again and again.
            await real.sleep(_BUSY_SECONDS * jitter())

    def _transact(self, transaction: Transaction[T]) -> T:
        return run_transaction(self._slow_connection(), transaction, self.clock)

    def _checkpoint(self) -> None:
        """Move what was written to the file, which waits for the disk."""
        with suppress(sqlite3.Error):  # it is tried again later, and at the end
            self._slow_connection().execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _slow_connection(self) -> sqlite3.Connection:
        if self._slow is None:
            self._slow = connect(self._path)
            self._slow.execute("PRAGMA busy_timeout=0")
        return self._slow

    async def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call *function* in the thread; it goes on if the caller is cancelled."""
        if self._thread is None:
            raise StoreError(self.name, "is not open: use it between open and close")
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
