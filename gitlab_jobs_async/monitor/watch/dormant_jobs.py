"""Dormant jobs: unfinished for long, so that scans of the newest jobs no longer reach them.

A manual job may wait forever, and each pipeline may leave one. A scan of open jobs lists a hundred
of them per request; only those that it no longer returns are requested singly.
"""

from collections.abc import Iterable

from attrs import define, field

from gitlab_jobs_async.intervals import PollIntervals
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.watch.tracked_job import TrackedJob
from gitlab_jobs_async.monitor.watch.watermark import Watermark

# These wait for a person, a time or an earlier stage, often for days.
BLOCKED = frozenset({JobStatus.CREATED, JobStatus.MANUAL, JobStatus.SCHEDULED})
_DORMANT_AFTER = 3600.0
_DORMANT_AFTER_BLOCKED = 300.0
_INTERVALS = PollIntervals(30.0, 3600.0)
_INTERVALS_BLOCKED = PollIntervals(120.0, 3600.0)
_NEVER = -1e18


@define
class DormantJobs:
    """The ids of dormant jobs, each with the time when it was last requested singly."""

    ids: dict[int, float] = field(factory=dict[int, float])
    scanned_at: float = _NEVER

    def __contains__(self, job_id: object) -> bool:
        return job_id in self.ids

    def add(self, job_id: int) -> None:
        """Leave a job to the scans of open jobs until it changes."""
        self.ids.setdefault(job_id, 0.0)

    def wake(self, job_id: int) -> None:
        """Return a job that has changed to the scans of the newest jobs."""
        self.ids.pop(job_id, None)

    def select(self, open_jobs: list[TrackedJob], watermark: Watermark, now: float) -> None:
        """Add those of *open_jobs* that have not changed for long, the deeper the sooner."""
        open_ids = {job.id for job in open_jobs}
        self.ids = {job_id: at for job_id, at in self.ids.items() if job_id in open_ids}
        for job in open_jobs:
            # A deep job makes each scan read all pages above it, so its limit is shorter.
            limit = _DORMANT_AFTER_BLOCKED if job.status in BLOCKED else _DORMANT_AFTER
            if now - job.since > limit / watermark.pages_to(job.id) ** 2:
                self.add(job.id)

    def due(self, open_jobs: list[TrackedJob], watermark: Watermark, now: float) -> list[int]:
        """Return the dormant jobs below the last scan if a scan of open jobs is due, by id."""
        hidden = [job for job in open_jobs if self._is_hidden(job, watermark)]
        if not hidden or now < self.scanned_at + min(_interval(job, now) for job in hidden):
            return []
        self.scanned_at = now
        return sorted(job.id for job in hidden)

    def ages(
        self, open_jobs: Iterable[TrackedJob], watermark: Watermark, now: float
    ) -> list[float]:
        """Return the seconds since each of *open_jobs* changed, the hidden ones as one."""
        ages: list[float] = []
        hidden: list[float] = []
        for job in open_jobs:
            (hidden if self._is_hidden(job, watermark) else ages).append(now - job.since)
        # One scan of open jobs requests all hidden ones, so they count as one job.
        return [*ages, min(hidden)] if hidden else ages

    def least_recently_polled(self, ids: list[int], now: float) -> int:
        """Return the one of *ids*, all too deep for a scan, to request singly this time."""
        # In rotation: with a fixed choice, changes of the other jobs would stay unseen.
        chosen = min(ids, key=lambda job_id: self.ids.get(job_id, 0.0))
        self.ids[chosen] = now
        return chosen

    def _is_hidden(self, job: TrackedJob, watermark: Watermark) -> bool:
        return job.id in self.ids and not watermark.is_in_scan(job.id)


def _interval(job: TrackedJob, now: float) -> float:
    """Return the seconds between two scans of open jobs that *job* calls for."""
    age = now - job.since
    if job.status in BLOCKED:
        return _INTERVALS_BLOCKED.for_age(age, 1 / 10)
    return _INTERVALS.for_age(age, 1 / 30)
