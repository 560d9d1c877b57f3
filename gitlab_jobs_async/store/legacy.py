"""Convert the file of an earlier version, which one monitor had for itself, to a store."""

import sqlite3

from gitlab_jobs_async.store.checksums import seal, seal_offset, unseal, unseal_offset
from gitlab_jobs_async.store.schema import statements
from gitlab_jobs_async.store.values import route_of

WITHOUT_CHECKSUMS = 1
TABLES = (
    "CREATE TABLE states (target TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE untold (place INTEGER PRIMARY KEY AUTOINCREMENT,"
    " key TEXT NOT NULL UNIQUE, event BLOB NOT NULL)",
    "CREATE TABLE logs (job_id INTEGER PRIMARY KEY, told_to INTEGER NOT NULL)",
)

_SERVER = "server"
_IDS = "ids of jobs"
_OF_FIRST_SHARD = ("progress ", "log of job ")
"""Rows of no single target: they go to the first of any number of shards."""


def convert(connection: sqlite3.Connection, version: int, now: float) -> None:
    """Convert the tables within the open transaction.

    Raises:
        ChecksumError: a row was damaged.
    """
    states = connection.execute("SELECT target, CAST(state AS BLOB) FROM states").fetchall()
    events = connection.execute(
        "SELECT key, CAST(event AS BLOB) FROM untold ORDER BY place"
    ).fetchall()
    logs = connection.execute("SELECT job_id, told_to FROM logs").fetchall()
    for table in ("states", "untold", "logs"):
        connection.execute(f"DROP TABLE {table}")
    for statement in statements("BLOB"):
        connection.execute(statement)
    if version == WITHOUT_CHECKSUMS:
        states = [(name, seal(name, state)) for name, state in states]
        events = [(key, seal(key, event)) for key, event in events]
        logs = [(job_id, seal_offset(job_id, max(0, int(offset)))) for job_id, offset in logs]
    for name, state in states:
        if name == _SERVER:
            url = unseal(name, state).decode(errors="replace")
            connection.execute("INSERT INTO properties VALUES (?, ?)", (_SERVER, url))
        else:
            route = _route(name)
            row = (name, route, seal(name, unseal(name, state), route))
            connection.execute("INSERT INTO states VALUES (?, ?, ?)", row)
    connection.executemany(
        "INSERT INTO events VALUES (?, ?, NULL, ?, ?, 1)",
        [(place, key, event, now) for place, (key, event) in enumerate(events, 1)],
    )
    connection.execute(
        "UPDATE counters SET value = ?, complement = ? WHERE name = 'place'",
        (len(events), -len(events)),
    )
    for job_id, offset in logs:
        read_to = seal_offset(job_id, unseal_offset(job_id, offset), 0)
        connection.execute("INSERT INTO logs VALUES (?, 0, ?)", (job_id, read_to))


def _route(name: str) -> int | None:
    if name == _IDS:
        return None
    return 0 if name.startswith(_OF_FIRST_SHARD) else route_of(name)
