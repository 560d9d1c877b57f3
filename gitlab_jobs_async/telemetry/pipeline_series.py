"""Find out which pipelines may have ended, and count those that have.

GitLab lists jobs without trigger jobs, and the status of a pipeline follows its jobs with a delay.
Its duration also includes downstream pipelines (lib/gitlab/ci/pipeline/duration.rb). So no event of
a job shows the end of its pipeline: when no known job can run any more, the pipeline is requested.
"""

import math
from itertools import islice
from typing import Final

from attrs import define, field

from gitlab_jobs_async.errors import GitLabError, NotFoundError, PermissionDeniedError
from gitlab_jobs_async.intervals import PollIntervals
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.telemetry.series import Labels, Series, count_by_status

SETTLING: Final = 5.0
"""Seconds from an event to the request: the server updates the status of a pipeline later."""

_INTERVALS: Final = PollIntervals(SETTLING, 3600.0)
_SHARE: Final = 0.5
_GIVEN_UP_AFTER: Final = 86_400.0
"""Seconds without an event, after which a pipeline without unfinished jobs is left alone."""

REMEMBERED_ENDS: Final = 10_000
"""Pipelines whose end was counted, which a late event may have requested again."""


@define(eq=False, repr=False)
class OpenPipeline:
    """A pipeline whose end was not counted.

    `jobs` has the status of its unfinished jobs by id, `active_at` the time of the last event, and
    `check_at` that of the next request, infinity for none.
    """

    project: str
    project_id: int
    status: str
    active_at: float
    check_at: float = math.inf
    jobs: dict[int, str] = field(factory=dict)

    @property
    def is_running(self) -> bool:
        """Whether a known job may end without a user: its event will follow."""
        return any(status != JobStatus.MANUAL for status in self.jobs.values())


@define(eq=False, repr=False)
class PipelineSeries:
    """The pipelines that have not ended; those that have are counted in *series*.

    `ends` has the time at which a counted pipeline ended, as the server says. `changed` has the
    ids of the pipelines that are to be stored. Unless *is_followed*, no pipeline is requested, and
    one without unfinished jobs is forgotten.
    """

    series: Series
    is_followed: bool = False
    unfinished: dict[int, OpenPipeline] = field(factory=dict, init=False)
    ends: dict[int, float] = field(factory=dict, init=False)
    changed: set[int] = field(factory=set, init=False)

    def on_job(self, project: str, job: Job | Bridge, now: float, *, is_new: bool) -> None:
        """Take the state of a job, which is history without *is_new*."""
        basic = job.pipeline
        is_history = not is_new and basic.status.is_finished
        if not basic.id or not basic.project_id or (is_history and basic.id not in self.unfinished):
            return
        pipeline = self.unfinished.get(basic.id)
        if pipeline is None:
            pipeline = OpenPipeline(project, basic.project_id, "", now)
            self.unfinished[basic.id] = pipeline
        pipeline.project, pipeline.status = project, str(basic.status)
        if job.status.is_finished:
            pipeline.jobs.pop(job.id, None)
        else:
            pipeline.jobs[job.id] = str(job.status)
        # Many old pipelines wait for a user, and need no request.
        is_blocked = not is_new and basic.status == JobStatus.MANUAL
        self._schedule(basic.id, pipeline, now, is_blocked=is_blocked)

    def on_deleted_job(self, number: int, job_id: int, now: float) -> None:
        """Take the deletion of an unfinished job of pipeline *number*."""
        if (pipeline := self.unfinished.get(number)) is not None:
            pipeline.jobs.pop(job_id, None)
            self._schedule(number, pipeline, now, is_blocked=False)

    def on_reset(self, project: str) -> None:
        """Forget the pipelines of *project*, whose ids the server may use again."""
        for number in [at for at, known in self.unfinished.items() if known.project == project]:
            self._remove(number)

    def due(self, now: float) -> int | None:
        """Return the id of the pipeline to request next, or None."""
        number = min(self.unfinished, key=lambda at: self.unfinished[at].check_at, default=None)
        return number if number is not None and self.unfinished[number].check_at <= now else None

    def next_at(self) -> float:
        """Return the time of the next request, infinity for none."""
        return min((pipeline.check_at for pipeline in self.unfinished.values()), default=math.inf)

    def on_pipeline(self, answer: Pipeline, now: float) -> None:
        """Take a requested pipeline, and count it once if it has ended."""
        number, pipeline = answer.id, self.unfinished.get(answer.id)
        if pipeline is None:
            return
        self.changed.add(number)
        if not answer.status.is_finished:
            pipeline.status = str(answer.status)
            self._check_later(number, pipeline, now)
            return
        ended_at = now if answer.finished_at is None else answer.finished_at.timestamp()
        if answer.finished_at is None or self.ends.get(number) != ended_at:
            self._count(pipeline.project, answer, ended_at)
            self.ends.pop(number, None)
            self.ends[number] = ended_at
            for old in list(islice(self.ends, max(0, len(self.ends) - REMEMBERED_ENDS))):
                del self.ends[old]
                self.changed.add(old)
        if pipeline.is_running:
            # A job was retried while the answer was on its way.
            pipeline.check_at = math.inf
        else:
            self._remove(number)

    def on_error(self, number: int, error: GitLabError, now: float) -> None:
        """Take a failed request: forget a pipeline that is gone, and request others again."""
        if isinstance(error, NotFoundError | PermissionDeniedError):
            self._remove(number)
        elif (pipeline := self.unfinished.get(number)) is not None:
            self._check_later(number, pipeline, now)

    def open_by_status(self) -> dict[Labels, int]:
        """Return the number of pipelines that have not ended by project and status."""
        known = self.unfinished.copy().values()
        rows = (
            (pipeline.project, pipeline.status)
            for pipeline in known
            if not JobStatus(pipeline.status).is_finished
        )
        return count_by_status(rows, self.series.limit)

    def restore_job(self, number: int, job_id: int, status: str) -> None:
        """Take the stored job of a pipeline."""
        if (pipeline := self.unfinished.get(number)) is not None:
            pipeline.jobs[job_id] = status

    def _schedule(
        self, number: int, pipeline: OpenPipeline, now: float, *, is_blocked: bool
    ) -> None:
        if not self.is_followed and not pipeline.jobs:
            self._remove(number)
            return
        is_due = not pipeline.is_running and not is_blocked
        pipeline.active_at, pipeline.check_at = now, now + SETTLING if is_due else math.inf
        self.changed.add(number)

    def _check_later(self, number: int, pipeline: OpenPipeline, now: float) -> None:
        age = now - pipeline.active_at
        # An unfinished job has an event of its own. Trigger jobs have none.
        has_event = bool(pipeline.jobs) or age > _GIVEN_UP_AFTER
        pipeline.check_at = math.inf if has_event else now + _INTERVALS.for_age(age, _SHARE)
        self.changed.add(number)

    def _remove(self, number: int) -> None:
        if self.unfinished.pop(number, None) is not None:
            self.changed.add(number)

    def _count(self, project: str, pipeline: Pipeline, ended_at: float) -> None:
        series, status, source = self.series, str(pipeline.status), pipeline.source
        kind = _kind(pipeline)
        series.count("pipelines_finished", (project, status, source, kind))
        series.set("pipeline_finished_timestamp_seconds", (project, status, kind), ended_at)
        labels = (project, source)
        if pipeline.duration is not None:
            series.observe("pipeline_duration_seconds", labels, pipeline.duration)
        if pipeline.started_at is not None:
            # GitLab sends None for less than a second.
            queued = pipeline.queued_duration or 0.0
            series.observe("pipeline_queued_duration_seconds", labels, queued)
        if (coverage := _number(pipeline.coverage)) is not None:
            series.set("pipeline_coverage_percent", (project, kind), coverage)


def _kind(pipeline: Pipeline) -> str:
    """Return the kind of the ref that a pipeline runs for."""
    if (pipeline.ref or "").startswith("refs/merge-requests/"):
        return "merge_request"
    return "tag" if pipeline.tag else "branch"


def _number(coverage: float | str | None) -> float | None:
    """Return the coverage, which GitLab sends as text; None if it is not a number."""
    try:
        value = math.nan if coverage is None else float(coverage)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
