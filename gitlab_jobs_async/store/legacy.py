"""Convert the file of an earlier version, which one monitor had for itself, to a store."""

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

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
_OF_ALL_SHARDS = ("ids of jobs", "progress ")
_LOG = "log of job "
_GROUP = "group "


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
        logs = [(job_id, max(0, int(offset))) for job_id, offset in logs]
    else:
        states = [(name, unseal(name, state)) for name, state in states]
        events = [(key, unseal(key, event)) for key, event in events]
        logs = [(job_id, unseal_offset(job_id, offset)) for job_id, offset in logs]
    routes = _Routes(states)
    for name, state in states:
        if name == _SERVER:
            url = state.decode(errors="replace")
            connection.execute("INSERT INTO properties VALUES (?, ?)", (_SERVER, url))
        else:
            route = routes.of_state(name)
            row = (name, route, seal(name, state, route))
            connection.execute("INSERT INTO states VALUES (?, ?, ?)", row)
    for place, (key, event) in enumerate(events, 1):
        route = routes.of_project_in(event)
        connection.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?, 1)",
            (place, key, route, seal(key, event, route), now),
        )
    connection.execute(
        "UPDATE counters SET value = ?, complement = ? WHERE name = 'place'",
        (len(events), -len(events)),
    )
    for job_id, offset in logs:
        route = routes.of_log(job_id)
        row = (job_id, route, seal_offset(job_id, offset, route))
        connection.execute("INSERT INTO logs VALUES (?, ?, ?)", row)


class _Routes:
    """The routes of the rows of a file: the projects of a group are in its shard."""

    def __init__(self, states: Iterable[tuple[str, bytes]]) -> None:
        self._by_name: dict[str, int] = {}
        self._logs: dict[str, int] = {}
        rows = list(states)
        for name, state in rows:
            projects = _parsed(state).get("projects") if name.startswith(_GROUP) else None
            if isinstance(projects, dict):
                members = [f"project {project}" for project in projects.values()]
                self._by_name.update(dict.fromkeys(members, route_of(name)))
        for name, state in rows:
            if name.startswith(_LOG):
                self._logs[name] = self.of_project_in(state)

    def of_state(self, name: str) -> int | None:
        """Return the route of a state; progress and ids are read by every shard."""
        if name.startswith(_OF_ALL_SHARDS):
            return None
        return self._logs[name] if name in self._logs else self._of_name(name)

    def of_log(self, job_id: int) -> int:
        """Return the route of the offset of a job's log."""
        return self._logs.get(f"{_LOG}{job_id}", 0)

    def of_project_in(self, data: bytes) -> int:
        """Return the route of the project that *data* in JSON is about."""
        return self._of_name(f"project {_parsed(data).get('project')}")

    def _of_name(self, name: str) -> int:
        return self._by_name[name] if name in self._by_name else route_of(name)


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        parsed = None  # refused where it is used
    return parsed if isinstance(parsed, dict) else {}
