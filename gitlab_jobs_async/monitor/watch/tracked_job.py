"""The last known state of one job, and the parts of a row that identify the job."""

from datetime import datetime
from hashlib import blake2b

from attrs import define

from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.values import UNKNOWN_TIME

FINAL = frozenset({JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.CANCELED})
"""Statuses that a job never leaves."""

# Packed into one integer, since a monitor may track a million jobs.
_SECONDS = 32
_MAX_SECONDS = (1 << _SECONDS) - 1


@define
class TrackedJob:
    """The last known state of a job, unchanged *since* a unix time, with *events* emitted so far.

    A job that had finished before the watch began has none. *times* is `times_of` the job. Of a
    finished job, the name may be empty, and only its *name_hash* known.
    """

    id: int
    status: JobStatus
    name: str
    pipeline_id: int
    since: float
    events: int = 0
    is_erased: bool = False
    is_bridge: bool = False
    times: int = 0
    name_hash: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether the job is unfinished."""
        return not self.status.is_finished

    def is_named(self, name: str) -> bool:
        """Return whether *name* is the job's name."""
        return name == self.name if self.name_hash is None else hash_of(name) == self.name_hash

    def attempt_key(self) -> tuple[int, int]:
        """Return what the job has in common with its retries: the pipeline and the name."""
        return self.pipeline_id, hash_of(self.name) if self.name_hash is None else self.name_hash


def hash_of(name: str) -> int:
    """Return 64 bits that stand for a job's *name*, the same in every process."""
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def pipeline_id_of(job: Job | Bridge) -> int:
    """Return the id of the job's pipeline, or 0."""
    return job.pipeline.id


def times_of(job: Job | Bridge) -> int:
    """Return the unix seconds of creation and final end, packed as two halves of 32 bits."""
    created, ended = job.created_at, None
    # Other ends may change: a bridge runs again, and a skipped job may be reopened.
    if job.status in FINAL and not isinstance(job, Bridge):
        ended = job.finished_at
    return _seconds(created) << _SECONDS | _seconds(ended)


def _seconds(at: datetime | None) -> int:
    if at is None:
        return 0
    # Computed for every row: comparisons take half the time of min and max.
    seconds = int(at.timestamp())
    return seconds if 0 <= seconds <= _MAX_SECONDS else 0 if seconds < 0 else _MAX_SECONDS


def unchanged_since(job: Job | Bridge, now: float) -> float:
    """Return the unix time of the job's last known change, *now* at the latest."""
    known = job.finished_at or job.started_at or job.created_at
    return now if known == UNKNOWN_TIME else min(now, known.timestamp())
