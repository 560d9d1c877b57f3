"""Run the steps of a transaction on a connection to PostgreSQL."""

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar, cast

from gitlab_jobs_async.concurrency import wait_for_end
from gitlab_jobs_async.store.checksums import ChecksumError
from gitlab_jobs_async.store.steps import NotOwnerError, Now, Rows, Step, Transaction

T = TypeVar("T")

# The server ends the transaction of a process that is frozen within it: others wait for its locks.
_BEGIN = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path TO gitlab_jobs;"
    " SET LOCAL idle_in_transaction_session_timeout TO '2s'"
)
_ANY_SOCKET = (socket.AF_INET, socket.SOCK_STREAM)


class VersionError(Exception):
    """The tables have another version."""


UNCHANGED = (NotOwnerError, VersionError, ChecksumError)
"""Errors after which a transaction is rolled back, and the connection is used again."""


async def uncancelled(connection: Any, work: Coroutine[Any, Any, T]) -> T:
    """Await *work*; if that is cancelled, *connection* ends.

    psycopg would ask the server to cancel the statement, and wait 10 s for one that is frozen.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        _cut(connection)
        await wait_for_end([task])
        raise


def _cut(connection: Any) -> None:
    # Not closed, since psycopg waits for the socket: it reads the end of the stream.
    with suppress(Exception), socket.fromfd(connection.fileno(), *_ANY_SOCKET) as same:
        same.shutdown(socket.SHUT_RDWR)


async def committed(connection: Any, transaction: Transaction[T]) -> T:
    """Run *transaction* and return its result; after an error of `UNCHANGED` it is rolled back."""
    await connection.execute(_BEGIN)
    try:
        result = await _driven(connection, transaction)
    except UNCHANGED:
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")
    return result


async def closed(connection: Any) -> None:
    """Close *connection*, in whatever state it is."""
    # psycopg only closes the socket here, without a wait.
    with suppress(Exception):
        await connection.close()


async def _driven(connection: Any, transaction: Transaction[T]) -> T:
    rows: Rows | None = None
    while True:
        try:
            step = transaction.send(cast("Rows", rows))
        except StopIteration as ended:
            return cast("T", ended.value)
        rows = await _executed(connection, step)


async def _executed(connection: Any, step: Step | Now) -> Rows:
    if isinstance(step, Now):
        step = Step("SELECT extract(epoch FROM clock_timestamp())::float8")
    sql = step.sql.replace("%", "%%").replace("?", "%s")
    async with connection.cursor() as cursor:
        if step.rows is not None:
            await cursor.executemany(sql, step.rows)
            return []
        await cursor.execute(sql, step.parameters)
        return await cursor.fetchall() if cursor.description is not None else []
