"""What was told of each job: how a job stands now against how it stood -> events, each told once.

Status and erasure are what is compared; a job's other fields come with them. `success`, `failed`
and `canceled` are never left again (a retry is a new id), so a row that says otherwise is an older
answer and is left aside. A skipped job may be taken up again, and then ends a second time.
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

LEFT_NEVER = frozenset({JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.CANCELED})
"""A job that has ended so never runs again."""

_SECONDS = 32


@define
class TrackedJob:
    """How a job stood when it was last told: with *events* so far, *since* a unix time.

    One that was there before the watching began, and had ended, is only remembered: no event.
    *times* are those of `times_of`.
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
        """Whether more is to come of it."""
        return not self.status.is_finished


def pipeline_of(job: Job | Bridge) -> int:
    """The id of the job's pipeline; 0 where it says none."""
    return 0 if job.pipeline is None else job.pipeline.id


def times_of(job: Job | Bridge) -> int:
    """When *job* was created and, if it has ended for good, when: seconds in one number, or 0."""
    created, ended = job.created_at, None
    if job.status in LEFT_NEVER and not isinstance(job, Bridge):
        ended = job.finished_at
    return _seconds(created) << _SECONDS | _seconds(ended)


def _seconds(at: datetime | None) -> int:
    return 0 if at is None else min(max(0, int(at.timestamp())), (1 << _SECONDS) - 1)


def stood_since(job: Job | Bridge, now: float) -> float:
    """Since when, as far as it says, *job* is as it is; *now* at the latest."""
    known = job.finished_at or job.started_at or job.created_at
    return now if known is None else min(now, known.timestamp())


@define
class JobTracker:
    """The jobs of one target, as they were told.

    *epoch* sets the keys of what is told after a reset apart from those before it. No job above
    *deleted_to* was deleted.
    """

    project: int | str
    jobs: dict[int, TrackedJob] = field(factory=dict[int, TrackedJob])
    epoch: int = 0
    deleted_to: int = 0
    _newest: dict[tuple[int, str], int] = field(factory=dict[tuple[int, str], int], init=False)

    def __attrs_post_init__(self) -> None:
        for told in self.jobs.values():
            self._index(told)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self.jobs

    def open_jobs(self) -> list[TrackedJob]:
        """Those of which more is to come."""
        return [told for told in self.jobs.values() if told.is_open]

    def tell(
        self, job: Job | Bridge, now: float, *, is_new: bool = True, first: int = 0
    ) -> list[JobEvent]:
        """What *job*, as it is seen at *now*, adds to what was told of it.

        *is_new* says whether it came to be while it was watched, should it be unknown, and *first*
        from what number on its events are counted then.
        """
        told = self.jobs.get(job.id)
        if told is None:
            return self._appeared(job, now, is_new=is_new, first=first)
        if job.status == told.status or told.status in LEFT_NEVER:
            told.times = told.times or (times_of(job) if job.status == told.status else 0)
            return self._erased(told, job)
        if not told.events:
            del self.jobs[job.id]
            events = self._appeared(job, now, is_new=False)
            return events + self._ended(self.jobs[job.id], job)
        previous = told.status
        told.status, told.since, told.times = job.status, now, times_of(job)
        kind = JobFinished if job.status.is_finished else JobChanged
        key = self._key(told, "finished" if job.status.is_finished else "changed")
        changed = kind(key=key, project=self.project, job=job, previous=previous)
        return [changed, *self._erased(told, job)]

    def remember(self, job: Job | Bridge, now: float) -> None:
        """Know *job*, which had ended before the watching began, and tell nothing of it."""
        if job.id not in self.jobs:
            self._add(job, now).is_erased = job.erased_at is not None

    def ended(self, job: Job | Bridge) -> list[JobEvent]:
        """That *job*, which was just told to be there, has ended."""
        return self._ended(self.jobs[job.id], job)

    def deleted(self, job_id: int) -> list[JobDeleted]:
        """The job is there no more."""
        told = self.jobs.get(job_id)
        if told is None:
            return []
        self.forget([job_id])
        self.deleted_to = max(self.deleted_to, job_id)
        if not told.is_open:
            return []
        return [
            JobDeleted(
                key=self._key(told, "deleted"),
                project=self.project,
                job_id=told.id,
                name=told.name,
                previous=told.status,
            )
        ]

    def forget(self, ids: Iterable[int]) -> None:
        """Know these no longer."""
        for job_id in ids:
            told = self.jobs.pop(job_id)
            if self._newest.get((told.pipeline_id, told.name)) == job_id:
                del self._newest[told.pipeline_id, told.name]

    def _appeared(
        self, job: Job | Bridge, now: float, *, is_new: bool, first: int = 0
    ) -> list[JobEvent]:
        earlier = self._newest.get((pipeline_of(job), job.name))
        told = self._add(job, now if is_new else stood_since(job, now))
        told.events = first
        events: list[JobEvent] = [
            JobAppeared(
                key=self._key(told, "appeared"),
                project=self.project,
                job=job,
                replaces=earlier if earlier is not None and earlier < job.id else None,
                is_new=is_new,
            )
        ]
        if not is_new:
            told.is_erased = job.erased_at is not None
            return events
        return [*events, *self._ended(told, job), *self._erased(told, job)]

    def _ended(self, told: TrackedJob, job: Job | Bridge) -> list[JobEvent]:
        """That it had ended when it was first seen."""
        if not job.status.is_finished:
            return []
        return [JobFinished(key=self._key(told, "finished"), project=self.project, job=job)]

    def _erased(self, told: TrackedJob, job: Job | Bridge) -> list[JobEvent]:
        if told.is_erased or job.erased_at is None:
            return []
        told.is_erased = True
        return [JobErased(key=self._key(told, "erased"), project=self.project, job=job)]

    def _add(self, job: Job | Bridge, since: float) -> TrackedJob:
        told = TrackedJob(
            id=job.id,
            status=job.status,
            name=job.name,
            pipeline_id=pipeline_of(job),
            since=since,
            is_bridge=isinstance(job, Bridge),
            times=times_of(job),
        )
        self.jobs[job.id] = told
        self._index(told)
        return told

    def _index(self, told: TrackedJob) -> None:
        key = (told.pipeline_id, told.name)
        self._newest[key] = max(told.id, self._newest.get(key, 0))

    def _key(self, told: TrackedJob, what: str) -> str:
        """What nothing else is called, not even by another target's ledger."""
        key = f"{job_stem(told.id, self.epoch)}/{told.events}/{what}/{told.status}"
        told.events += 1
        return key


def job_stem(job_id: int, epoch: int) -> str:
    """What the keys of a job's events begin with; *epoch* is 0 until a reset was noticed."""
    return f"job/{job_id}@{epoch}" if epoch else f"job/{job_id}"
