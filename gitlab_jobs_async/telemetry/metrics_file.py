"""Store series in an SQLite file, so that counters continue after a restart."""

import json
import os
import sqlite3
from contextlib import suppress
from os import PathLike, fspath

from attrs import define, field

from gitlab_jobs_async.errors import CheckpointError
from gitlab_jobs_async.telemetry.job_series import JobSeries

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS series (name TEXT, labels TEXT, sums TEXT, PRIMARY KEY (name, labels));
CREATE TABLE IF NOT EXISTS open_jobs (id INTEGER PRIMARY KEY, project TEXT, status TEXT);
CREATE TABLE IF NOT EXISTS seen (number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT);
"""


@define(eq=False, repr=False)
class MetricsFile:
    """The file at *path*; one process at a time may have it open.

    Raises:
        CheckpointError: the file is in use, of another version, or cannot be read or written.
    """

    path: str
    _database: sqlite3.Connection = field(init=False)

    def __attrs_post_init__(self) -> None:
        try:
            # Names of jobs and projects are for the owner only.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(self.path, timeout=0.0)
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if version not in (0, _VERSION):
                raise CheckpointError(
                    self.path, f"unsupported version {version} (expected {_VERSION})"
                )
            self._database.executescript(f"{_SCHEMA}PRAGMA user_version={_VERSION};")
        except (sqlite3.Error, OSError) as error:
            raise CheckpointError(self.path, str(error)) from None

    def restore(self, series: JobSeries) -> None:
        """Give *series* what an earlier process has stored."""
        try:
            for name, labels, sums in self._database.execute("SELECT * FROM series"):
                series.restore(name, tuple(json.loads(labels)), json.loads(sums))
            for number, project, status in self._database.execute("SELECT * FROM open_jobs"):
                series.open_jobs[number] = (project, status)
            rows = self._database.execute("SELECT key FROM seen ORDER BY number")
            series.restore_seen([key for (key,) in rows])
        except (sqlite3.Error, ValueError) as error:
            raise CheckpointError(self.path, str(error)) from None

    def store(self, series: JobSeries, key: str) -> None:
        """Store what the event with this *key* has changed, at once or not at all."""
        try:
            with self._database as database:
                database.executemany(
                    "INSERT OR REPLACE INTO series VALUES (?, ?, ?)",
                    [
                        (name, json.dumps(labels), json.dumps(series.values[name][labels]))
                        for name, labels in series.changed
                    ],
                )
                for number in series.changed_jobs:
                    database.execute("DELETE FROM open_jobs WHERE id = ?", (number,))
                    if (row := series.open_jobs.get(number)) is not None:
                        database.execute("INSERT INTO open_jobs VALUES (?, ?, ?)", (number, *row))
                at = database.execute("INSERT INTO seen (key) VALUES (?)", (key,)).lastrowid or 0
                database.execute("DELETE FROM seen WHERE number <= ?", (at - 1000,))
        except sqlite3.Error as error:
            raise CheckpointError(self.path, str(error)) from None
        series.changed.clear()
        series.changed_jobs.clear()

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._database.close()


def metrics_file(path: str | PathLike[str] | None) -> MetricsFile | None:
    """Return the open file at *path*, or None without one."""
    return None if path is None else MetricsFile(fspath(path))
