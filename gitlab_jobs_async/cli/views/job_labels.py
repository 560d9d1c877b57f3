"""Prefixes of the lines of many jobs: project, name and id, each job in a colour. Pure."""

from typing import Final, Self
from zlib import crc32

from attrs import define, field, frozen

from gitlab_jobs_async.cli.cleaning import clean, ellipsis
from gitlab_jobs_async.models.jobs import JobBasic

_COLOURS: Final = (28, 30, 31, 63, 64, 98, 130, 131, 133, 163)
"""Of the 256 colours, ten with a contrast of at least 4 on white and on black."""


@frozen
class ShownJob:
    """A job as the output names it."""

    project: str
    id: int
    name: str
    stage: str = ""
    ref: str = ""
    pipeline: int | None = None

    @classmethod
    def of(cls, project: str, job: JobBasic) -> Self:
        """Return a job of *project*."""
        return cls(project, job.id, job.name, job.stage, job.ref, job.pipeline.id or None)

    def __str__(self) -> str:
        return f"{clean(self.project)} {clean(self.name)} {self.id}"


def colour_of(job: ShownJob) -> str:
    """Return the start of the job's colour, which depends on its name and id only."""
    number = crc32(f"{job.name} {job.id}".encode(errors="replace")) % len(_COLOURS)
    return f"\x1b[38;5;{_COLOURS[number]}m"


@define
class JobLabels:
    """Labels of jobs, by id.

    With *width* they are cut to this number of columns, and aligned with the widest so far. Without
    *has_project*, as for a single one, they are name and id.
    """

    width: int | None = None
    has_project: bool = True
    _jobs: dict[int, ShownJob] = field(factory=dict, init=False)
    _labels: dict[int, str] = field(factory=dict, init=False)
    _widest: int = field(default=0, init=False)

    def add(self, job: ShownJob) -> None:
        """Label a job."""
        self._jobs[job.id] = job
        self._labels[job.id] = label = self._cut(job)
        self._widest = max(self._widest, len(label))

    def forget(self, job_id: int) -> None:
        """Forget a job whose log has ended."""
        self._jobs.pop(job_id, None)
        self._labels.pop(job_id, None)

    def label(self, job_id: int) -> str | None:
        """Return the label of a job; None if it has none."""
        label = self._labels.get(job_id)
        if label is None or self.width is None:
            return label
        return f"{label:{self._widest}}"

    def _cut(self, job: ShownJob) -> str:
        """Return the label: too long a one has less of the project, but the whole id."""
        whole = str(job) if self.has_project else f"{clean(job.name)} {job.id}"
        if self.width is None or len(whole) <= self.width:
            return whole
        project = f"{job.project.rpartition('/')[2]} " if self.has_project else ""
        room = max(1, self.width - len(str(job.id)) - 1)
        return f"{ellipsis(f'{project}{job.name}', room)} {job.id}"
