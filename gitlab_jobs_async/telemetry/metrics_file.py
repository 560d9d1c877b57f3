"""Store series in an SQLite file, so that counters continue after a restart."""

import json
import os
import sqlite3
from contextlib import suppress
from os import PathLike, fspath

from attrs import define, field

from gitlab_jobs_async.errors import StoreError
from gitlab_jobs_async.telemetry.definitions import METRICS
from gitlab_jobs_async.telemetry.job_series import REMEMBERED_KEYS, JobSeries, OpenJob
from gitlab_jobs_async.telemetry.pipeline_series import OpenPipeline, PipelineSeries
from gitlab_jobs_async.telemetry.series import Series

_VERSION = 2
_IN_USE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SCHEMA = """
CREATE TABLE IF NOT EXISTS series (name TEXT, labels TEXT, sums TEXT, PRIMARY KEY (name, labels));
CREATE TABLE IF NOT EXISTS open_jobs (
    id INTEGER PRIMARY KEY, project TEXT, status TEXT, pipeline INTEGER
);
CREATE TABLE IF NOT EXISTS open_pipelines (
    id INTEGER PRIMARY KEY, project TEXT, project_id INTEGER, status TEXT, active_at REAL,
    check_at REAL
);
CREATE TABLE IF NOT EXISTS pipeline_ends (id INTEGER PRIMARY KEY, ended_at REAL);
CREATE TABLE IF NOT EXISTS seen (number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT);
"""


@define(eq=False, repr=False)
class MetricsFile:
    """The file at *path*; one process at a time may have it open.

    Raises:
        StoreError: the file is in use, of another version, or cannot be read or written.
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
                raise StoreError(self.path, f"unsupported version {version} (expected {_VERSION})")
            self._database.executescript(f"{_SCHEMA}PRAGMA user_version={_VERSION};")
        except (sqlite3.Error, OSError) as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
            reason = "in use by another process" if code in _IN_USE else str(error)
            raise StoreError(self.path, reason) from None

    def restore(self, jobs: JobSeries) -> None:
        """Give *jobs* what an earlier process has stored."""
        execute, pipelines = self._database.execute, jobs.pipelines
        try:
            for name, labels, values in execute("SELECT * FROM series"):
                # A later version may have other metrics.
                if name in METRICS:
                    key, sums = tuple(json.loads(labels)), tuple(json.loads(values))
                    jobs.series.restore(name, key, sums)
            for number, *values in execute("SELECT * FROM open_pipelines"):
                pipelines.unfinished[number] = OpenPipeline(*values)
            pipelines.ends.update(execute("SELECT * FROM pipeline_ends ORDER BY ended_at"))
            for number, *values in execute("SELECT * FROM open_jobs"):
                jobs.restore_job(number, OpenJob(*values))
            jobs.restore_seen([key for (key,) in execute("SELECT key FROM seen ORDER BY number")])
        except (sqlite3.Error, ValueError) as error:
            raise StoreError(self.path, str(error)) from None

    def store(self, jobs: JobSeries, key: str | None = None) -> None:
        """Store what an event with this *key*, or a requested pipeline, has changed.

        All of it at once or nothing.
        """
        try:
            with self._database:
                self._store_series(jobs.series)
                self._store_jobs(jobs)
                self._store_pipelines(jobs.pipelines)
                if key is not None:
                    self._store_key(key)
        except sqlite3.Error as error:
            raise StoreError(self.path, str(error)) from None
        for changed in (jobs.series.changed, jobs.changed_jobs, jobs.pipelines.changed):
            changed.clear()

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._database.close()

    def _store_series(self, series: Series) -> None:
        self._database.executemany(
            "INSERT OR REPLACE INTO series VALUES (?, ?, ?)",
            [
                (name, json.dumps(labels), json.dumps(series.values[name][labels]))
                for name, labels in series.changed
            ],
        )

    def _store_jobs(self, jobs: JobSeries) -> None:
        execute = self._database.execute
        for number in jobs.changed_jobs:
            execute("DELETE FROM open_jobs WHERE id = ?", (number,))
            if (job := jobs.open_jobs.get(number)) is not None:
                row = (number, job.project, job.status, job.pipeline)
                execute("INSERT INTO open_jobs VALUES (?, ?, ?, ?)", row)

    def _store_pipelines(self, pipelines: PipelineSeries) -> None:
        execute = self._database.execute
        for number in pipelines.changed:
            execute("DELETE FROM open_pipelines WHERE id = ?", (number,))
            execute("DELETE FROM pipeline_ends WHERE id = ?", (number,))
            if (known := pipelines.unfinished.get(number)) is not None:
                row = (known.project, known.project_id, known.status, known.active_at)
                values = (number, *row, known.check_at)
                execute("INSERT INTO open_pipelines VALUES (?, ?, ?, ?, ?, ?)", values)
            if (ended_at := pipelines.ends.get(number)) is not None:
                execute("INSERT INTO pipeline_ends VALUES (?, ?)", (number, ended_at))

    def _store_key(self, key: str) -> None:
        execute = self._database.execute
        number = execute("INSERT INTO seen (key) VALUES (?)", (key,)).lastrowid or 0
        execute("DELETE FROM seen WHERE number <= ?", (number - REMEMBERED_KEYS,))


def metrics_file(path: str | PathLike[str] | None) -> MetricsFile | None:
    """Return the open file at *path*, or None without one."""
    return None if path is None else MetricsFile(fspath(path))
