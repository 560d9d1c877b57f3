"""Count what a monitor's events say."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from attrs import define, field, frozen

from gitlab_jobs_async.events import (
    AnyEvent,
    JobAppeared,
    JobChanged,
    JobDeleted,
    JobFinished,
    MonitorEvent,
    MonitorPaused,
    MonitorResumed,
    ProjectRecovered,
    ProjectReset,
    ProjectUnreachable,
)
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.telemetry.pipeline_series import PipelineSeries
from gitlab_jobs_async.telemetry.series import Labels, Series, count_by_status

REMEMBERED_KEYS: Final = 1000
"""Keys of the newest events, which a restart may repeat."""


@frozen
class OpenJob:
    """An unfinished job: label of its project, status, and id of its pipeline."""

    project: str
    status: str
    pipeline: int


@define(eq=False, repr=False)
class JobSeries:
    """Unfinished jobs, and what has been counted in *series*.

    `changed_jobs` has the ids of the jobs that are to be stored.
    """

    series: Series
    pipelines: PipelineSeries
    open_jobs: dict[int, OpenJob] = field(factory=dict, init=False)
    unreachable: set[str] = field(factory=set, init=False)
    paused: set[str] = field(factory=set, init=False)
    changed_jobs: set[int] = field(factory=set, init=False)
    _seen: deque[str] = field(factory=lambda: deque(maxlen=REMEMBERED_KEYS), init=False)

    @classmethod
    def of(cls, limit: int) -> "JobSeries":
        """Return empty series with at most *limit* label sets of a metric."""
        series = Series(limit)
        return cls(series, PipelineSeries(series))

    def observe(self, event: AnyEvent, now: float) -> bool:
        """Count *event*, observed at *now*, unless it was counted; return whether it was new."""
        if event.key in self._seen:
            return False
        self._seen.append(event.key)
        match event:
            case JobAppeared() | JobChanged() | JobFinished():
                self._note_job(event, event.job, now)
                if isinstance(event, JobFinished) and event.is_new:
                    self._count_end(event, event.job, now)
            case JobDeleted(job_id=number):
                job = self.open_jobs.get(number)
                self._forget(number)
                if job is not None:
                    self.pipelines.on_deleted_job(job.pipeline, number, now)
            case _:
                self._note_state(event)
        return True

    def seen(self) -> Iterator[str]:
        """Yield the keys of the newest events, oldest first."""
        yield from self._seen

    def restore_seen(self, keys: list[str]) -> None:
        """Take the stored keys."""
        self._seen.extend(keys)

    def restore_job(self, number: int, job: OpenJob) -> None:
        """Take one stored job, after the pipelines."""
        self.open_jobs[number] = job
        self.pipelines.restore_job(job.pipeline, number, job.status)

    def open_by_status(self) -> dict[Labels, int]:
        """Return the number of unfinished jobs by project and status."""
        jobs = self.open_jobs.copy().values()
        return count_by_status(((job.project, job.status) for job in jobs), self.series.limit)

    def _note_job(self, event: MonitorEvent, job: Job | Bridge, now: float) -> None:
        project = _project(event)
        if job.status.is_finished:
            self._forget(job.id)
        else:
            self.open_jobs[job.id] = OpenJob(project, str(job.status), job.pipeline.id)
            self.changed_jobs.add(job.id)
        self.pipelines.on_job(project, job, now, is_new=event.is_new)

    def _forget(self, number: int) -> None:
        if self.open_jobs.pop(number, None) is not None:
            self.changed_jobs.add(number)

    def _note_state(self, event: AnyEvent) -> None:
        """Note outages, pauses and resets."""
        match event:
            case ProjectUnreachable(project=project):
                self.unreachable.add(str(project))
            case ProjectRecovered(project=project):
                self.unreachable.discard(str(project))
            case MonitorPaused(kind=kind):
                self.paused.add(kind)
            case MonitorResumed(kind=kind):
                self.paused.discard(kind)
            case ProjectReset():
                # The unfinished jobs are emitted again.
                project, known = _project(event), list(self.open_jobs.items())
                for number in [number for number, job in known if job.project == project]:
                    self._forget(number)
                self.pipelines.on_reset(project)
            case _:
                pass

    def _count_end(self, event: MonitorEvent, job: Job | Bridge, now: float) -> None:
        series, project, status = self.series, _project(event), str(job.status)
        reason = str(job.failure_reason or "")
        series.count("jobs_finished", (project, job.name, status, reason))
        for tag in job.tag_list if isinstance(job, Job) else ():
            series.count("jobs_finished_by_tag", (tag, status))
        labels = (project, job.name)
        if job.duration is not None:
            series.observe("job_duration_seconds", labels, job.duration)
        if job.queued_duration is not None:
            series.observe("job_queued_duration_seconds", labels, job.queued_duration)
        if job.finished_at is not None:
            delay = max(0.0, now - job.finished_at.timestamp())
            series.observe("event_delay_seconds", (), delay)


def _project(event: MonitorEvent) -> str:
    return str(event.project_path or event.project)
