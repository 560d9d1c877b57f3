"""Run the steps of a transaction on a connection to SQLite."""

import sqlite3
from typing import TypeVar, cast

from gitlab_jobs_async.clock import Clock, machine_time
from gitlab_jobs_async.store.steps import Now, Rows, Step, Transaction

T = TypeVar("T")


class BusyError(sqlite3.OperationalError):
    """Another process writes; the transaction was not started."""


def run_transaction(connection: sqlite3.Connection, transaction: Transaction[T], clock: Clock) -> T:
    """Run *transaction*, and return its result; on an error nothing is changed.

    Raises:
        BusyError: another process writes; the transaction was not started.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            busy = BusyError(*error.args)
            busy.sqlite_errorcode = error.sqlite_errorcode
            raise busy from None
        raise
    try:
        rows: Rows | None = None
        while True:
            try:
                step = transaction.send(cast("Rows", rows))
            except StopIteration as ended:
                result = cast("T", ended.value)
                break
            rows = _execute(connection, step, clock)
        connection.execute("COMMIT")
    except BaseException:
        transaction.close()
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _execute(connection: sqlite3.Connection, step: Step | Now, clock: Clock) -> Rows:
    if isinstance(step, Now):
        return [(machine_time(clock) if step.is_steady else clock.now(),)]
    if step.rows is not None:
        connection.executemany(step.sql, step.rows)
        return []
    return connection.execute(step.sql, step.parameters).fetchall()
