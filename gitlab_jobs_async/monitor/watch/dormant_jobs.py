"""Jobs that stay open for long are parked: no look reaches down to them, a rare sweep asks for all.

A manual job may wait for ever, and every pipeline may leave one. A sweep is the listing of what is
open, a hundred jobs a request; only what is missing there, having moved on, is asked for singly.
"""

from attrs import define, field

from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.watch.job_tracker import TrackedJob
from gitlab_jobs_async.monitor.watch.watermark import Watermark

OPEN = tuple(status for status in JobStatus if not status.is_finished)
_OF_GITLAB_17 = {JobStatus.CANCELING, JobStatus.WAITING_FOR_CALLBACK}
OPEN_BEFORE_17 = tuple(status for status in OPEN if status not in _OF_GITLAB_17)
"""Servers refuse a scope that has a status unknown to them."""

_BLOCKED = frozenset({JobStatus.CREATED, JobStatus.MANUAL, JobStatus.SCHEDULED})
_PATIENCE = 3600.0
_PATIENCE_BLOCKED = 300.0
_SOONEST = 30.0
_SOONEST_BLOCKED = 120.0
_LATEST = 3600.0
_NEVER = -1e18


@define
class DormantJobs:
    """The ids of parked jobs, each with the time when it was last asked for singly."""

    ids: dict[int, float] = field(factory=dict[int, float])
    swept_at: float = _NEVER

    def park(self, told: TrackedJob) -> None:
        """Leave this one to the sweeps, until it is told anew."""
        self.ids.setdefault(told.id, 0.0)

    def choose(self, jobs: list[TrackedJob], reach: Watermark, now: float) -> None:
        """Park those of the open *jobs* that have stood for long: the deeper, the sooner."""
        known = {told.id for told in jobs}
        self.ids = {job_id: at for job_id, at in self.ids.items() if job_id in known}
        for told in jobs:
            patience = _PATIENCE_BLOCKED if told.status in _BLOCKED else _PATIENCE
            if now - told.since > patience / reach.pages_to(told.id) ** 2:
                self.park(told)

    def due(self, jobs: list[TrackedJob], reach: Watermark, now: float) -> list[int]:
        """The parked ones that no look brings, when it is time to ask for them; oldest id first."""
        out_of_sight = [t for t in jobs if t.id in self.ids and not reach.saw(t.id)]
        if not out_of_sight or now < self.swept_at + min(_wait(t, now) for t in out_of_sight):
            return []
        self.swept_at = now
        return sorted(told.id for told in out_of_sight)

    def stood(self, jobs: list[TrackedJob], reach: Watermark, now: float) -> list[float]:
        """For how many seconds each of *jobs* has been as it is, those out of sight as one.

        No look brings these, and a sweep asks for all of them at once.
        """
        in_sight = [t for t in jobs if t.id not in self.ids or reach.saw(t.id)]
        stood = [now - told.since for told in in_sight]
        if len(in_sight) < len(jobs):
            seen = {told.id for told in in_sight}
            stood.append(min(now - told.since for told in jobs if told.id not in seen))
        return stood

    def least_asked(self, ids: list[int], now: float) -> int:
        """Which of *ids*, too deep for a sweep, is asked for singly this time."""
        chosen = min(ids, key=lambda job_id: self.ids.get(job_id, 0.0))
        self.ids[chosen] = now
        return chosen


def _wait(told: TrackedJob, now: float) -> float:
    """Seconds between two sweeps for the sake of one job."""
    stood = now - told.since
    if told.status in _BLOCKED:
        return min(_LATEST, max(_SOONEST_BLOCKED, stood / 10))
    return min(_LATEST, max(_SOONEST, stood / 30))
