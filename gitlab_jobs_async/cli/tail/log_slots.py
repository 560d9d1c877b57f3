"""Bound the number of logs that are followed at once. Pure."""

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
    """Starts at most *most* logs, each job once; the one that has waited longest is next.

    Of jobs whose logs have ended, the newest are remembered.
    """

    most: int
    _active: dict[int, SelectedJob] = field(factory=dict, init=False)
    _waiting: dict[int, SelectedJob] = field(factory=dict, init=False)
    _ended: dict[int, None] = field(factory=dict, init=False)

    @property
    def waiting(self) -> int:
        """Number of the jobs that wait for a slot."""
        return len(self._waiting)

    def add(self, job: SelectedJob) -> SelectedJob | None:
        """Return *job* if its log is to be opened now; None if it waits, or was added before."""
        job_id = job.job.id
        if job_id in self._active or job_id in self._waiting or job_id in self._ended:
            return None
        if len(self._active) < self.most:
            self._active[job_id] = job
            return job
        self._waiting[job_id] = job
        return None

    def end(self, job_id: int) -> tuple[SelectedJob, SelectedJob | None]:
        """Free the slot of a log that has ended; return its job, and the job to open next."""
        ended = self._active.pop(job_id)
        self._ended[job_id] = None
        if len(self._ended) > _MOST_REMEMBERED:
            del self._ended[next(iter(self._ended))]
        if not self._waiting:
            return ended, None
        following = self._waiting.pop(next(iter(self._waiting)))
        self._active[following.job.id] = following
        return ended, following
