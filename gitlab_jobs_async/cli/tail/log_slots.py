"""Bound the number of logs that are followed at once. Pure."""

from collections import deque
from typing import Final

from attrs import define, field, frozen

from gitlab_jobs_async.cli.views.job_labels import ShownJob
from gitlab_jobs_async.models.jobs import Job

_MOST_REMEMBERED: Final = 10_000


@frozen
class SelectedJob:
    """A job whose log is to be followed; of its existing lines only the *last* are shown."""

    project: int | str
    job: Job
    shown: ShownJob
    last: int | None = None


@define
class LogSlots:
    """Starts at most *most* logs, each job once; the one that has waited longest is next."""

    most: int
    _active: dict[int, SelectedJob] = field(factory=dict, init=False)
    _waiting: deque[SelectedJob] = field(factory=deque, init=False)
    _seen: dict[int, None] = field(factory=dict, init=False)

    @property
    def waiting(self) -> int:
        """Number of the jobs that wait for a slot."""
        return len(self._waiting)

    def add(self, job: SelectedJob) -> SelectedJob | None:
        """Return *job* if its log is to be opened now; None if it waits, or was added before."""
        if job.job.id in self._seen:
            return None
        self._seen[job.job.id] = None
        if len(self._active) < self.most:
            self._active[job.job.id] = job
            return job
        self._waiting.append(job)
        return None

    def end(self, job_id: int) -> tuple[SelectedJob, SelectedJob | None]:
        """Free the slot of a log that has ended; return its job, and the job to open in its place.

        Of ended jobs only the newest are remembered.
        """
        ended = self._active.pop(job_id)
        following = self._waiting.popleft() if self._waiting else None
        if following is not None:
            self._active[following.job.id] = following
        while len(self._seen) > _MOST_REMEMBERED + len(self._active) + len(self._waiting):
            del self._seen[next(iter(self._seen))]
        return ended, following
