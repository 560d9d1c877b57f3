"""Detect job state changes and emit each exactly once.

Status and erasure are compared; all other fields are only passed on. GitLab never runs a job again
that is `success`, `failed` or `canceled` (a retry gets a new id). A row that contradicts this is
stale and ignored. A `skipped` job can be reopened, and then finishes a second time.
"""

from collections.abc import Iterable
from datetime import datetime

from attrs import define, field

from gitlab_jobs_async.events import (
    JobAppeared,
    JobChanged,
    JobDeleted,
    JobErased,
    JobEvent,
    JobFinished,
)
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.statuses import JobStatus

FINAL = frozenset({JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.CANCELED})
"""Statuses that a job never leaves."""

# Packed into one integer, since a monitor may track a million jobs.
_SECONDS = 32


@define
class TrackedJob:
    """The last known state of a job, unchanged *since* a unix time, with *events* emitted so far.

    A job that had finished before the watch began has none. *times* is `times_of` the job.
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

    @property
    def is_open(self) -> bool:
        """Whether the job is unfinished."""
        return not self.status.is_finished


def pipeline_id_of(job: Job | Bridge) -> int:
    """Return the id of the job's pipeline, or 0."""
    return 0 if job.pipeline is None else job.pipeline.id


def times_of(job: Job | Bridge) -> int:
    """Return the unix seconds of creation and final end, packed as two halves of 32 bits."""
    created, ended = job.created_at, None
    # Other ends may change: a bridge runs again, and a skipped job may be reopened.
    if job.status in FINAL and not isinstance(job, Bridge):
        ended = job.finished_at
    return _seconds(created) << _SECONDS | _seconds(ended)


def _seconds(at: datetime | None) -> int:
    return 0 if at is None else min(max(0, int(at.timestamp())), (1 << _SECONDS) - 1)


def unchanged_since(job: Job | Bridge, now: float) -> float:
    """Return the unix time of the job's last known change, *now* at the latest."""
    known = job.finished_at or job.started_at or job.created_at
    return now if known is None else min(now, known.timestamp())


def by_id(jobs: Iterable[TrackedJob]) -> dict[int, TrackedJob]:
    """Return *jobs* by their ids."""
    return {job.id: job for job in jobs}


@define
class JobTracker:
    """The tracked jobs of one target, by id.

    *epoch* distinguishes event keys from those before a server reset, and *baseline_id* is the
    newest id when the watch began. No job above *deleted_to* was deleted, and none above
    *evicted_to* was evicted.
    """

    project: int | str
    jobs: dict[int, TrackedJob] = field(factory=dict[int, TrackedJob])
    epoch: int = 0
    deleted_to: int = 0
    evicted_to: int = 0
    baseline_id: int = 0
    _newest: dict[tuple[int, str], int] = field(factory=dict[tuple[int, str], int], init=False)

    def __attrs_post_init__(self) -> None:
        for tracked in self.jobs.values():
            self._index(tracked)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self.jobs

    def open_jobs(self) -> list[TrackedJob]:
        """Return the unfinished jobs and bridges."""
        return [tracked for tracked in self.jobs.values() if tracked.is_open]

    def newest(self, count: int) -> list[int]:
        """Return the highest ids, at most *count*."""
        return sorted(self.jobs, reverse=True)[:count]

    def update(
        self, job: Job | Bridge, now: float, *, is_new: bool = True, first: int = 0
    ) -> list[JobEvent]:
        """Compare *job*, as received at *now*, with its last known state; return the events.

        For an unknown job, *is_new* says whether it was created during the watch, and *first* is
        the number of its first event.
        """
        tracked = self.jobs.get(job.id)
        if tracked is None:
            return self._appeared(job, now, is_new=is_new, first=first)
        if job.status == tracked.status or tracked.status in FINAL:
            tracked.times = tracked.times or (times_of(job) if job.status == tracked.status else 0)
            return self._erased(tracked, job)
        # Seeded as finished, and reopened now: no event has announced this job yet.
        if not tracked.events:
            del self.jobs[job.id]
            return self._appeared(job, now, is_new=False) + self.finish(job)
        previous = tracked.status
        tracked.status, tracked.since, tracked.times = job.status, now, times_of(job)
        kind = JobFinished if job.status.is_finished else JobChanged
        key = self._key(tracked, "finished" if job.status.is_finished else "changed")
        changed = kind(key=key, project=self.project, job=job, previous=previous)
        return [changed, *self._erased(tracked, job)]

    def seed(self, job: Job | Bridge, now: float) -> None:
        """Track a finished job without an event."""
        if job.id not in self.jobs:
            self._add(job, now).is_erased = job.erased_at is not None

    def finish(self, job: Job | Bridge) -> list[JobEvent]:
        """Emit the end of a tracked job that was finished when it first appeared."""
        if not job.status.is_finished:
            return []
        key = self._key(self.jobs[job.id], "finished")
        return [JobFinished(key=key, project=self.project, job=job)]

    def delete(self, job_id: int) -> list[JobDeleted]:
        """Remove a job that was deleted; report it if it was unfinished."""
        tracked = self.jobs.get(job_id)
        if tracked is None:
            return []
        self._remove(job_id)
        self.deleted_to = max(self.deleted_to, job_id)
        # Its end was emitted already, and projects delete old pipelines every day.
        if not tracked.is_open:
            return []
        return [
            JobDeleted(
                key=self._key(tracked, "deleted"),
                project=self.project,
                job_id=tracked.id,
                name=tracked.name,
                previous=tracked.status,
            )
        ]

    def evict(self, ids: Iterable[int]) -> None:
        """Stop tracking finished jobs, to bound memory."""
        for job_id in ids:
            self._remove(job_id)
            self.evicted_to = max(self.evicted_to, job_id)

    def may_be_evicted(self, job_id: int) -> bool:
        """Return whether an unknown job may have been tracked before."""
        return job_id <= max(self.evicted_to, self.deleted_to) and job_id not in self.jobs

    def was_finished(self, job_id: int) -> bool:
        """Return whether an unknown job was tracked before and had finished or was deleted."""
        is_past = self.baseline_id < job_id <= self.evicted_to or job_id <= self.deleted_to
        return is_past and job_id not in self.jobs

    def _remove(self, job_id: int) -> None:
        tracked = self.jobs.pop(job_id)
        if self._newest.get((tracked.pipeline_id, tracked.name)) == job_id:
            del self._newest[tracked.pipeline_id, tracked.name]

    def _appeared(
        self, job: Job | Bridge, now: float, *, is_new: bool, first: int = 0
    ) -> list[JobEvent]:
        earlier = self._newest.get((pipeline_id_of(job), job.name))
        tracked = self._add(job, now if is_new else unchanged_since(job, now))
        tracked.events = first
        events: list[JobEvent] = [
            JobAppeared(
                key=self._key(tracked, "appeared"),
                project=self.project,
                job=job,
                replaces=earlier if earlier is not None and earlier < job.id else None,
                is_new=is_new,
            )
        ]
        if not is_new:
            tracked.is_erased = job.erased_at is not None
            return events
        return [*events, *self.finish(job), *self._erased(tracked, job)]

    def _erased(self, tracked: TrackedJob, job: Job | Bridge) -> list[JobEvent]:
        if tracked.is_erased or job.erased_at is None:
            return []
        tracked.is_erased = True
        return [JobErased(key=self._key(tracked, "erased"), project=self.project, job=job)]

    def _add(self, job: Job | Bridge, since: float) -> TrackedJob:
        tracked = TrackedJob(
            id=job.id,
            status=job.status,
            name=job.name,
            pipeline_id=pipeline_id_of(job),
            since=since,
            is_bridge=isinstance(job, Bridge),
            times=times_of(job),
        )
        self.jobs[job.id] = tracked
        self._index(tracked)
        return tracked

    def _index(self, tracked: TrackedJob) -> None:
        # A retry has the pipeline and the name of the job that it replaces.
        key = (tracked.pipeline_id, tracked.name)
        self._newest[key] = max(tracked.id, self._newest.get(key, 0))

    def _key(self, tracked: TrackedJob, what: str) -> str:
        # Unique on the server: two targets may track the same job, and emit the same key.
        key = f"{key_prefix(tracked.id, self.epoch)}/{tracked.events}/{what}/{tracked.status}"
        tracked.events += 1
        return key


def key_prefix(job_id: int, epoch: int) -> str:
    """Return the prefix of a job's event keys; *epoch* is 0 until a server reset is detected."""
    return f"job/{job_id}@{epoch}" if epoch else f"job/{job_id}"
