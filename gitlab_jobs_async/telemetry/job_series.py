"""Count what a monitor's events say, in a bounded number of series that can be stored.

A series is a metric with one set of labels. Past the limit of a metric, new label sets are counted
together under "other", so that no number of branches, jobs or projects fills the memory.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from attrs import define, field

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

DROPPED: Final = "label_sets_dropped"
"""The counter of values that went to `OTHER`."""

OTHER: Final = "other"
"""The value of labels past the limit."""

BUCKETS: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)
"""Upper bounds of durations and queue times, in seconds."""

_REMEMBERED: Final = 1000
"""Keys of the newest events, which a restart may repeat."""

Labels = tuple[str, ...]
Row = tuple[str, Labels]


@define(eq=False, repr=False)
class JobSeries:
    """The series of all metrics by name and labels; *limit* is the most label sets of a metric.

    A counter has one value, a histogram the counts of its buckets, of all, and the sum of seconds.
    `changed` has the rows that are to be stored.
    """

    limit: int
    values: dict[str, dict[Labels, list[float]]] = field(factory=dict, init=False)
    open_jobs: dict[int, tuple[str, str]] = field(factory=dict, init=False)
    unreachable: set[str] = field(factory=set, init=False)
    paused: set[str] = field(factory=set, init=False)
    changed: set[Row] = field(factory=set, init=False)
    changed_jobs: set[int] = field(factory=set, init=False)
    _seen: deque[str] = field(factory=lambda: deque(maxlen=_REMEMBERED), init=False)

    def observe(self, event: AnyEvent, now: float) -> bool:
        """Count *event*, observed at *now*, unless it was counted; return whether it was new."""
        if event.key in self._seen:
            return False
        self._seen.append(event.key)
        if isinstance(event, JobAppeared | JobChanged):
            self._set_open(event.job, event)
        elif isinstance(event, JobFinished):
            self._forget(event.job.id)
            if event.is_new:
                self._count_end(event, event.job, now)
        elif isinstance(event, JobDeleted):
            self._forget(event.job_id)
        else:
            self._note_state(event)
        return True

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
                known, project = list(self.open_jobs.items()), _project(event)
                for number in [number for number, (owner, _) in known if owner == project]:
                    self._forget(number)
            case _:
                pass

    def seen(self) -> Iterator[str]:
        """Yield the keys of the newest events, oldest first."""
        yield from self._seen

    def restore(self, name: str, labels: Labels, values: list[float]) -> None:
        """Take one stored series."""
        self.values.setdefault(name, {})[labels] = values

    def restore_seen(self, keys: list[str]) -> None:
        """Take the stored keys."""
        self._seen.extend(keys)

    def open_by_status(self) -> dict[Labels, int]:
        """Return the number of unfinished jobs by project and status."""
        counts: dict[Labels, int] = {}
        for project, status in self.open_jobs.copy().values():
            row = (project, status)
            if row not in counts and len(counts) >= self.limit:
                row = (OTHER, status)
            counts[row] = counts.get(row, 0) + 1
        return counts

    def _set_open(self, job: Job | Bridge, event: MonitorEvent) -> None:
        if job.status.is_finished:
            self._forget(job.id)
        else:
            self.open_jobs[job.id] = (_project(event), str(job.status))
            self.changed_jobs.add(job.id)

    def _forget(self, number: int) -> None:
        if self.open_jobs.pop(number, None) is not None:
            self.changed_jobs.add(number)

    def _count_end(self, event: MonitorEvent, job: Job | Bridge, now: float) -> None:
        project, status = _project(event), str(job.status)
        reason = str(job.failure_reason or "")
        self._add("jobs_finished", (project, job.name, status, reason))
        for tag in job.tag_list if isinstance(job, Job) else ():
            self._add("jobs_finished_by_tag", (tag, status))
        if job.duration is not None:
            self._observe("job_duration_seconds", (project, job.name), job.duration)
        if job.queued_duration is not None:
            self._observe("job_queued_duration_seconds", (project, job.name), job.queued_duration)
        if job.finished_at is not None:
            delay = max(0.0, now - job.finished_at.timestamp())
            self._observe("event_delay_seconds", (), delay)

    def _row(self, name: str, labels: Labels, size: int) -> list[float]:
        series = self.values.setdefault(name, {})
        if labels not in series and len(series) >= self.limit and labels:
            self._row(DROPPED, (), 1)[0] += 1
            # The status is kept: it has few values, and says most.
            labels = tuple(OTHER if at < _OPEN_LABELS[name] else v for at, v in enumerate(labels))
        self.changed.add((name, labels))
        return series.setdefault(labels, [0.0] * size)

    def _add(self, name: str, labels: Labels) -> None:
        self._row(name, labels, 1)[0] += 1

    def _observe(self, name: str, labels: Labels, seconds: float) -> None:
        row = self._row(name, labels, len(BUCKETS) + 2)
        for at, bound in enumerate(BUCKETS):
            row[at] += seconds <= bound
        row[-2] += 1
        row[-1] += seconds


_OPEN_LABELS: Final = {
    "jobs_finished": 2,
    "jobs_finished_by_tag": 1,
    "job_duration_seconds": 2,
    "job_queued_duration_seconds": 2,
    "event_delay_seconds": 0,
}
"""The leading labels of each metric that may have any value."""


def _project(event: MonitorEvent) -> str:
    return str(event.project_path or event.project)
