"""Keep a store in PostgreSQL, for processes of any number of machines.

A transaction leaves nothing in its session, so that this works behind a pooler in transaction mode.
Another connection listens for changes; a pooler may lose these, so a question a second makes up for
it. https://www.psycopg.org/psycopg3/docs/api/connections.html
"""

import asyncio
from contextlib import suppress
from importlib import import_module
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from gitlab_jobs_async.concurrency import cancel_and_wait
from gitlab_jobs_async.errors import FencedError, StoreAwayError, StoreError
from gitlab_jobs_async.store import forwarded_hooks, states, steps
from gitlab_jobs_async.store.checksums import ChecksumError
from gitlab_jobs_async.store.postgres_transactions import (
    UNCHANGED,
    VersionError,
    closed,
    committed,
    uncancelled,
)
from gitlab_jobs_async.store.schema import VERSION, statements
from gitlab_jobs_async.store.sql_store import SqlStore, lease_seconds_of
from gitlab_jobs_async.store.steps import NotOwnerError, Step, Transaction
from gitlab_jobs_async.store.values import Batch, Lease

T = TypeVar("T")

_SCHEMES = frozenset({"postgresql", "postgres"})
_EVENTS, _HOOKS = "gitlab_jobs", "gitlab_jobs_hooks"
_CREATE_LOCK = int.from_bytes(b"glja")
_TIMEOUT = 5.0
"""Longest transaction or connect in seconds: a lost network gives no answer for much longer."""

_AWAY = frozenset({"25006", "25P03", "3F000", "42P01"})
"""SQLSTATEs of a standby, which only reads, of a transaction that the server has ended as idle, and
of a schema or table that is being restored.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

_LONGEST_WAIT = 1.0
"""Seconds between two questions for changes, where no notification arrives."""


class PostgresStore(SqlStore):
    """A store in the schema `gitlab_jobs` of a PostgreSQL database, which is created if missing.

    *url* is "postgresql://user@host/database" as libpq reads it, so that a password may come from
    its own places: https://www.postgresql.org/docs/current/libpq-connect.html. PostgreSQL 12 or
    newer is needed, and the extra `postgres`. Times are those of the database server.

    A server that does not answer within 5 seconds is away, as is one that only reads, for example
    after a failover. Name several hosts and `target_session_attrs=read-write` to find the other.

    The lease of a process that does not answer goes to another one after *lease_seconds*.

    Raises:
        ValueError: *url* is not that of a PostgreSQL database, or *lease_seconds* is less than 1.
    """

    def __init__(self, url: str, *, lease_seconds: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES:
            raise ValueError(f"invalid store {parts.scheme!r}: expected a URL postgresql://…")
        super().__init__()
        self.lease_seconds = lease_seconds_of(lease_seconds)
        self._url = url
        host = parts.netloc.rpartition("@")[2]
        self._name = f"postgresql://{host}{parts.path}"
        self._psycopg: Any = None
        self._connection: Any = None
        self._is_open = False
        self._busy = asyncio.Lock()
        self._outage: tuple[int, str] = 0, ""
        self._listener: asyncio.Task[None] | None = None
        self._notified = {_EVENTS: asyncio.Event(), _HOOKS: asyncio.Event()}

    @property
    def name(self) -> str:
        """The address of the database, without user and password."""
        return self._name

    async def _open(self) -> None:
        self._psycopg = _imported()
        self._is_open = True
        await self._run(_create())

    async def _close(self) -> None:
        self._is_open = False
        await self._disconnect()
        listener, self._listener = self._listener, None
        if listener is not None:
            await cancel_and_wait([listener])

    async def record(self, lease: Lease, batch: Batch) -> None:
        """Write *batch*. An event whose key is recorded already is skipped."""
        transaction = states.record(lease, batch)
        if any(change.events for change in batch.changes):
            transaction = _notifying(transaction, _EVENTS)
        lease.version = await self._run(transaction)

    async def send_hook(self, hook: bytes) -> None:
        """Forward a webhook to the process that monitors its project."""
        await self._run(_notifying(forwarded_hooks.send(hook), _HOOKS))

    async def wait_for_change(self, seconds: float) -> None:
        """Return soon after events were recorded, at the latest after *seconds*."""
        await self._notification(_EVENTS, min(seconds, _LONGEST_WAIT))

    async def wait_for_hook(self) -> None:
        """Return soon after a webhook was forwarded, at the latest after `poll_seconds`."""
        await self._notification(_HOOKS, self.poll_seconds)

    async def _notification(self, channel: str, seconds: float) -> None:
        if not self._is_open:
            raise StoreError(self.name, "is not open: use it between open and close")
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._notified[channel].wait()
        self._notified[channel].clear()

    async def _listen(self) -> None:
        # A failure ends the task; a later wait starts it again.
        with suppress(self._psycopg.Error, OSError):
            connection = await self._connected()
            try:
                for channel in self._notified:
                    await uncancelled(connection, connection.execute(f"LISTEN {channel}"))
                async for notify in connection.notifies():
                    # A pooler may pass on those of another program.
                    if notify.channel in self._notified:
                        self._notified[notify.channel].set()
            finally:
                await closed(connection)

    async def _run(self, transaction: Transaction[T]) -> T:
        if not self._is_open:
            transaction.close()
            raise StoreError(self.name, "is not open: use it between open and close")
        seen = self._outage
        try:
            async with self._busy:
                # Not one timeout after the other for all that wait.
                if self._outage != seen:
                    raise StoreAwayError(self.name, self._outage[1])
                async with asyncio.timeout(_TIMEOUT):
                    return await self._transact(transaction)
        except NotOwnerError:
            raise FencedError(self.name, "the lease has another owner") from None
        except VersionError as error:
            raise StoreError(self.name, str(error)) from None
        except ChecksumError as error:
            raise StoreError(self.name, f"corrupt: {error}") from None
        except (TimeoutError, OSError) as error:
            raise self._away(str(error) or f"no answer in {_TIMEOUT:g} s") from None
        except self._psycopg.Error as error:
            reason = str(error).partition("\n")[0]
            away = self._psycopg.OperationalError, self._psycopg.InterfaceError
            if isinstance(error, away) or error.sqlstate in _AWAY:
                raise self._away(reason) from None
            raise StoreError(self.name, reason) from None
        finally:
            transaction.close()

    def _away(self, reason: str) -> StoreAwayError:
        self._outage = self._outage[0] + 1, reason
        if self._listener is not None:
            # Its server may be gone, which only this connection has noticed.
            self._listener.cancel()
        return StoreAwayError(self.name, reason)

    async def _transact(self, transaction: Transaction[T]) -> T:
        if self._connection is None or self._connection.closed:
            self._connection = await self._connected()
        is_done = False
        try:
            result = await uncancelled(self._connection, committed(self._connection, transaction))
            is_done = True
        except UNCHANGED:
            is_done = True
            raise
        finally:
            if not is_done:
                # Cut off in between: the server rolls it back.
                await self._disconnect()
        return result

    async def _connected(self) -> Any:
        # Prepared statements and sessions belong to another client behind a pooler.
        return await self._psycopg.AsyncConnection.connect(
            self._url,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=int(_TIMEOUT),
            client_encoding="utf8",
        )

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await closed(connection)


def _create() -> Transaction[None]:
    # Two processes may start at once.
    yield Step("SELECT pg_advisory_xact_lock(?)", (_CREATE_LOCK,))
    rows = yield Step("SELECT to_regclass('gitlab_jobs.properties') IS NOT NULL")
    if not rows[0][0]:
        yield Step("CREATE SCHEMA IF NOT EXISTS gitlab_jobs")
        for statement in statements("BYTEA"):
            yield Step(statement)
        yield from steps.set_property("incarnation", uuid4().hex)
    recorded = yield from steps.set_property("version", str(VERSION))
    if recorded != str(VERSION):
        raise VersionError(f"unsupported version {recorded} (expected {VERSION})")


def _notifying(transaction: Transaction[T], channel: str) -> Transaction[T]:
    result = yield from transaction
    yield Step("SELECT pg_notify(?, '')", (channel,))
    return result


def _imported() -> Any:
    try:
        return import_module("psycopg")
    except ImportError as error:
        raise ImportError(
            "PostgresStore needs psycopg: pip install 'gitlab_jobs_async[postgres]'"
        ) from error
