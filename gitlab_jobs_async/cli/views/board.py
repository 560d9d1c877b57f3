"""State of a live table: pipelines with their jobs, from a monitor's events.

No I/O and no clock: times are passed in, in seconds. Memory is bounded: each pipeline keeps the
latest attempt of each job, and inactive pipelines are dropped.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from attrs import define, field

from gitlab_jobs_async.cli.views.rows import pipeline_of
from gitlab_jobs_async.events import (
    AnyEvent,
    JobAppeared,
    JobChanged,
    JobDeleted,
    JobErased,
    JobFinished,
    MonitorPaused,
    MonitorResumed,
    ProjectRecovered,
    ProjectReset,
    ProjectUnreachable,
)
from gitlab_jobs_async.models.jobs import Bridge, JobBasic
from gitlab_jobs_async.models.pipelines import PipelineBasic
from gitlab_jobs_async.models.statuses import JobStatus

ACTIVE: Final = 0
WAITING: Final = 1
ENDED: Final = 2
"""Ranks of pipelines: jobs are active; only manual or delayed jobs are left; all have ended."""

_KEPT_SECONDS: Final = 600.0
_KEPT_PIPELINES: Final = 200
_DEEPEST: Final = 8
_BLOCKING: Final = (JobStatus.CANCELING, JobStatus.SCHEDULED, JobStatus.MANUAL)
_ENDS: Final = (JobStatus.FAILED, JobStatus.CANCELED, JobStatus.SUCCESS, JobStatus.SKIPPED)


@define
class JobRow:
    """The latest attempt of a job, the time of its last event, and the attempt that it replaces."""

    job: JobBasic
    updated_at: float
    replaces: int | None = None

    def seconds(self, now: float) -> float | None:
        """Return the seconds of its run or in the queue, None in other statuses."""
        # Ticks by our clock from the server's duration, as the two clocks may differ.
        job = self.job
        if job.status.is_finished:
            return job.duration
        since = max(0.0, now - self.updated_at)
        if job.status in {JobStatus.RUNNING, JobStatus.CANCELING}:
            return (job.duration or 0.0) + since
        return (job.queued_duration or 0.0) + since if job.status.is_active else None


@define(eq=False, repr=False)
class PipelineRow:
    """A pipeline by its jobs; `id` is None for jobs without a pipeline."""

    id: int | None
    project: str
    changed: float
    target: str = ""
    pipeline: PipelineBasic | None = None
    jobs: dict[str, JobRow] = field(factory=dict)
    _status: JobStatus | None = None

    def update(self, job: JobBasic, now: float, replaces: int | None) -> None:
        """Store a job's new state; ignore attempts that were replaced."""
        row = self.jobs.get(job.name)
        # Events of two attempts may come in any order.
        if row is not None and row.job.id > job.id:
            return
        if row is not None and row.job.id == job.id:
            replaces = row.replaces
        self.jobs[job.name] = JobRow(job, now, replaces)
        self.pipeline = job.pipeline if job.pipeline.id else self.pipeline
        self.changed = now
        self._status = None

    def remove(self, name: str) -> None:
        """Remove a deleted job."""
        del self.jobs[name]
        self._status = None

    @property
    def status(self) -> JobStatus:
        """Status by its jobs, computed roughly as GitLab does."""
        if self._status is None:
            self._status = pipeline_status(row.job for row in self.jobs.values())
        return self._status

    @property
    def rank(self) -> int:
        """`ACTIVE`, `WAITING` or `ENDED`."""
        if self.status.is_finished:
            return ENDED
        return WAITING if self.status in {JobStatus.MANUAL, JobStatus.SCHEDULED} else ACTIVE

    @property
    def counts(self) -> Counter[JobStatus]:
        """Number of its jobs by status."""
        return Counter(row.job.status for row in self.jobs.values())

    @property
    def failed(self) -> list[JobRow]:
        """Failed jobs."""
        return [row for row in self.jobs.values() if row.job.status == JobStatus.FAILED]


def pipeline_status(jobs: Iterable[JobBasic]) -> JobStatus:
    """Return the status of a pipeline with these jobs; optional jobs do not count."""
    every = list(jobs)
    states = {job.status for job in every}
    if any(status.is_active for status in states):
        has_started = any(status.is_finished for status in states) or JobStatus.RUNNING in states
        return JobStatus.RUNNING if has_started else JobStatus.PENDING
    # GitLab ignores these statuses of jobs with allow_failure.
    optional = {JobStatus.MANUAL, JobStatus.FAILED, JobStatus.CANCELED}
    binding = {job.status for job in every if not (job.allow_failure and job.status in optional)}
    for status in _BLOCKING:
        if status in binding:
            return status
    if unfinished := {status for status in binding if not status.is_finished}:
        return JobStatus.RUNNING if len(unfinished) < len(binding) else min(unfinished)
    return next((status for status in _ENDS if status in binding), JobStatus.SUCCESS)


@define
class Board:
    """All pipelines, unreachable projects and pauses; `events` counts the events.

    A pipeline is dropped *kept_seconds* after it has ended.
    """

    events: int = 0
    kept_seconds: float = _KEPT_SECONDS
    pipelines: dict[tuple[str, int | None], PipelineRow] = field(factory=dict)
    unreachable: dict[str, str] = field(factory=dict)
    paused: dict[str, str] = field(factory=dict)
    _parents: dict[int, int] = field(factory=dict)

    def add(self, event: AnyEvent, now: float) -> None:
        """Update the state by an event."""
        self.events += 1
        if isinstance(event, ProjectUnreachable):
            self.unreachable[str(event.project)] = event.reason
        elif isinstance(event, ProjectRecovered):
            self.unreachable.pop(str(event.project), None)
        elif isinstance(event, ProjectReset):
            self._reset(str(event.project))
        elif isinstance(event, MonitorPaused):
            self.paused[event.kind] = event.reason
        elif isinstance(event, MonitorResumed):
            self.paused.pop(event.kind, None)
        elif isinstance(event, JobDeleted):
            self._remove(event.job_id, event.name)
        elif isinstance(event, JobAppeared | JobChanged | JobFinished | JobErased):
            replaces = event.replaces if isinstance(event, JobAppeared) else None
            self._job(event.project, event.job, now, replaces)

    def parent_of(self, row: PipelineRow) -> int | None:
        """Return the id of the upstream pipeline, or None."""
        return None if row.id is None else self._parents.get(row.id)

    def ordered(self, now: float) -> list[PipelineRow]:
        """Return pipelines by rank, newest first, children below their parents."""
        self.evict(now)
        roots = {key: self._root(row) for key, row in self.pipelines.items()}
        ranks: dict[int, int] = {}
        for key, row in self.pipelines.items():
            root = roots[key]
            ranks[root] = min(row.rank, ranks.get(root, row.rank))
        keys = sorted(self.pipelines, key=lambda key: (ranks[roots[key]], -roots[key], key[1] or 0))
        return [self.pipelines[key] for key in keys]

    def _job(self, project: int | str, job: JobBasic, now: float, replaces: int | None) -> None:
        number = pipeline_of(job)
        # Pipeline ids are unique on a server; jobs without one are grouped by project.
        key = ("" if number else str(project), number)
        row = self.pipelines.get(key)
        if row is None:
            path = project_name(project, job)
            row = self.pipelines[key] = PipelineRow(number, path, now, str(project))
        row.update(job, now, replaces)
        if isinstance(job, Bridge) and job.downstream_pipeline and number:
            self._parents[job.downstream_pipeline.id] = number

    def _reset(self, project: str) -> None:
        """Remove the pipelines of a project whose server was restored."""
        named = {key for key, row in self.pipelines.items() if project in {row.project, row.target}}
        for key in named:
            del self.pipelines[key]

    def _remove(self, job_id: int, name: str) -> None:
        for key, row in self.pipelines.items():
            if name in row.jobs and row.jobs[name].job.id == job_id:
                row.remove(name)
                if not row.jobs:
                    del self.pipelines[key]
                return

    def _root(self, row: PipelineRow) -> int:
        root = row.id or 0
        # Bounded, as a malformed chain of parents could be a cycle.
        for _ in range(_DEEPEST):
            if root not in self._parents:
                break
            root = self._parents[root]
        return root

    def evict(self, now: float) -> None:
        """Drop pipelines that have ended long ago, and the oldest of too many quiet ones."""
        quiet = [(row.changed, key) for key, row in self.pipelines.items() if row.rank != ACTIVE]
        quiet.sort(key=lambda one: one[0], reverse=True)
        gone = [
            key
            for place, (changed, key) in enumerate(quiet)
            if place >= _KEPT_PIPELINES
            or (self.pipelines[key].rank == ENDED and now - changed > self.kept_seconds)
        ]
        for key in gone:
            del self.pipelines[key]
        if gone:
            known = {row.id for row in self.pipelines.values()}
            self._parents = {
                child: parent for child, parent in self._parents.items() if parent in known
            }


def project_name(project: int | str, job: JobBasic) -> str:
    """Return the path of a project; for an id, that of the job's URL."""
    return project if isinstance(project, str) else job.project_path or str(project)
