"""Detect job state changes and emit each exactly once.

Status and erasure are compared; all other fields are only passed on. GitLab never runs a job again
that is `success`, `failed` or `canceled` (a retry gets a new id). A row that contradicts this is
stale and ignored. A `skipped` job can be reopened, and then finishes a second time.
"""

from collections.abc import Iterable

from attrs import define, field

from gitlab_jobs_async.events import (
    AnyJobEvent,
    JobAppeared,
    JobChanged,
    JobDeleted,
    JobErased,
    JobFinished,
)
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.monitor.watch.tracked_job import (
    FINAL,
    TrackedJob,
    hash_of,
    pipeline_id_of,
    times_of,
    unchanged_since,
)
from gitlab_jobs_async.monitor.watch.tracked_jobs import TrackedJobs

_RECENT = 20
"""Newest jobs among which the newest pipeline is looked up."""


@define
class JobTracker:
    """The tracked jobs of one target, by id.

    *epoch* distinguishes event keys from those before a server reset, and *baseline_id* is the
    newest id when the watch began. No job above *deleted_to* was deleted, and none above
    *evicted_to* was evicted.
    """

    project: int | str
    jobs: TrackedJobs = field(factory=TrackedJobs)
    epoch: int = 0
    deleted_to: int = 0
    evicted_to: int = 0
    baseline_id: int = 0
    _newest: dict[tuple[int, int], int] | None = field(default=None, init=False)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self.jobs

    def open_jobs(self) -> list[TrackedJob]:
        """Return the unfinished jobs and bridges."""
        return list(self.jobs.unfinished.values())

    def newest(self, count: int) -> list[int]:
        """Return the highest ids, at most *count*."""
        return sorted(self.jobs, reverse=True)[:count]

    def newest_pipeline(self) -> int:
        """Return the highest id of a pipeline with tracked jobs, or 0."""
        # Jobs of a later pipeline have higher ids, but a retry of an old one has, too.
        return max((self.jobs[i].pipeline_id for i in self.newest(_RECENT)), default=0)

    def update(
        self, job: Job | Bridge, now: float, *, is_new: bool = True, first: int = 0
    ) -> list[AnyJobEvent]:
        """Compare *job*, as received at *now*, with its last known state; return the events.

        For an unknown job, *is_new* says whether it was created during the watch, and *first* is
        the number of its first event.
        """
        tracked = self.jobs.find(job.id)
        if tracked is None:
            return self._appeared(job, now, is_new=is_new, first=first)
        if job.status == tracked.status or tracked.status in FINAL:
            if not tracked.times and job.status == tracked.status and (times := times_of(job)):
                tracked.times = times
                self.jobs.put(tracked)
            return self._erased(tracked, job)
        # Seeded as finished, and reopened now: no event has announced this job yet.
        if not tracked.events:
            return self._appeared(job, now, is_new=False) + self.finish(job)
        previous = tracked.status
        tracked.status, tracked.since, tracked.times = job.status, now, times_of(job)
        tracked.name, tracked.name_hash = job.name, None
        kind = JobFinished if job.status.is_finished else JobChanged
        key = self._key(tracked, "finished" if job.status.is_finished else "changed")
        changed = kind(key=key, project=self.project, job=job, previous=previous)
        return [changed, *self._erased(tracked, job)]

    def seed(self, job: Job | Bridge, now: float) -> None:
        """Track a finished job without an event."""
        if job.id not in self.jobs:
            self._add(job, now, is_erased=job.erased_at is not None)

    def finish(self, job: Job | Bridge) -> list[AnyJobEvent]:
        """Emit the end of a tracked job that was finished when it first appeared."""
        return self._finished(self.jobs[job.id], job)

    def delete(self, job_id: int) -> list[JobDeleted]:
        """Remove a job that was deleted; report it if it was unfinished."""
        tracked = self.jobs.find(job_id)
        if tracked is None:
            return []
        self._remove(tracked)
        self.deleted_to = max(self.deleted_to, job_id)
        # Its end was emitted already, and projects delete old pipelines every day.
        if not tracked.is_open:
            return []
        return [
            JobDeleted(
                key=self._next_key(tracked, "deleted"),
                project=self.project,
                job_id=tracked.id,
                name=tracked.name,
                previous=tracked.status,
            )
        ]

    def evict(self, ids: Iterable[int]) -> None:
        """Stop tracking finished jobs, to bound memory."""
        for job_id in ids:
            self._remove(self.jobs[job_id])
            self.evicted_to = max(self.evicted_to, job_id)

    def may_be_evicted(self, job_id: int) -> bool:
        """Return whether an unknown job may have been tracked before."""
        return job_id <= max(self.evicted_to, self.deleted_to) and job_id not in self.jobs

    def was_finished(self, job_id: int) -> bool:
        """Return whether an unknown job was tracked before and had finished or was deleted."""
        is_past = self.baseline_id < job_id <= self.evicted_to or job_id <= self.deleted_to
        return is_past and job_id not in self.jobs

    def release_index(self) -> None:
        """Free the index of retries, which the next new job builds again."""
        self._newest = None

    def _remove(self, tracked: TrackedJob) -> None:
        self.jobs.remove(tracked.id)
        key = tracked.attempt_key()
        if self._newest is not None and self._newest.get(key) == tracked.id:
            del self._newest[key]

    def _appeared(
        self, job: Job | Bridge, now: float, *, is_new: bool, first: int = 0
    ) -> list[AnyJobEvent]:
        earlier = self._newest_attempts().get((pipeline_id_of(job), hash_of(job.name)))
        since = now if is_new else unchanged_since(job, now)
        is_erased = not is_new and job.erased_at is not None
        tracked = self._add(job, since, first, is_erased=is_erased)
        events: list[AnyJobEvent] = [
            JobAppeared(
                key=self._key(tracked, "appeared"),
                project=self.project,
                job=job,
                replaces=earlier if earlier is not None and earlier < job.id else None,
                is_new=is_new,
            )
        ]
        if not is_new:
            return events
        return [*events, *self._finished(tracked, job), *self._erased(tracked, job)]

    def _finished(self, tracked: TrackedJob, job: Job | Bridge) -> list[AnyJobEvent]:
        if not job.status.is_finished:
            return []
        return [JobFinished(key=self._key(tracked, "finished"), project=self.project, job=job)]

    def _erased(self, tracked: TrackedJob, job: Job | Bridge) -> list[AnyJobEvent]:
        if tracked.is_erased or job.erased_at is None:
            return []
        tracked.is_erased = True
        return [JobErased(key=self._key(tracked, "erased"), project=self.project, job=job)]

    def _add(
        self, job: Job | Bridge, since: float, events: int = 0, *, is_erased: bool
    ) -> TrackedJob:
        tracked = TrackedJob(
            id=job.id,
            status=job.status,
            name=job.name,
            pipeline_id=pipeline_id_of(job),
            since=since,
            events=events,
            is_erased=is_erased,
            is_bridge=isinstance(job, Bridge),
            times=times_of(job),
        )
        self.jobs.put(tracked)
        if self._newest is not None:
            key = tracked.attempt_key()
            self._newest[key] = max(tracked.id, self._newest.get(key, 0))
        return tracked

    def _newest_attempts(self) -> dict[tuple[int, int], int]:
        """Return the newest job of each pipeline and name: a retry replaces that one."""
        if self._newest is None:
            # Ascending, so that the newest comes last.
            self._newest = {self.jobs[i].attempt_key(): i for i in sorted(self.jobs)}
        return self._newest

    def _key(self, tracked: TrackedJob, what: str) -> str:
        """Return the key of the next event of *tracked*, and store the job."""
        key = self._next_key(tracked, what)
        tracked.events += 1
        self.jobs.put(tracked)
        return key

    def _next_key(self, tracked: TrackedJob, what: str) -> str:
        # Unique on the server: two targets may track the same job, and emit the same key.
        return f"{key_prefix(tracked.id, self.epoch)}/{tracked.events}/{what}/{tracked.status}"


def key_prefix(job_id: int, epoch: int) -> str:
    """Return the prefix of a job's event keys; *epoch* is 0 until a server reset is detected."""
    return f"job/{job_id}@{epoch}" if epoch else f"job/{job_id}"
