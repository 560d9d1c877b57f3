"""The jobs of a made-up day, and the pipelines that they belong to, as GitLab shows them."""

from collections import Counter
from datetime import UTC, datetime

from attrs import define, evolve, field

from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.hints.snapshots import PipelineSnapshot

_ENDS = {JobStatus.SUCCESS, JobStatus.FAILED}


@define(eq=False)
class Made:
    """A job with all that will become of it: status after status, each with its time."""

    name: str
    pipeline: Pipeline
    steps: list[tuple[float, JobStatus]]
    id: int = 0

    def row(self, done: int) -> Job:
        """Return its row by REST after *done* of its steps."""
        times = {status: _moment(at) for at, status in self.steps[:done]}
        status = self.steps[done - 1][1]
        return Job(
            id=self.id,
            status=status,
            stage=self.name.partition("-")[0],
            name=self.name,
            created_at=_moment(self.steps[0][0]),
            started_at=times.get(JobStatus.RUNNING),
            finished_at=times[status] if status in _ENDS else None,
            pipeline=self.pipeline,
        )


@define(eq=False)
class PipelineNow:
    """A pipeline at present. *updated_at* moves with its status alone, as GitLab's does."""

    pipeline: Pipeline
    status: JobStatus | None = None
    updated_at: datetime | None = None
    ids: list[int] = field(factory=list)
    _rows: dict[int, Job] = field(factory=dict)
    _newest: dict[str, tuple[int, JobStatus]] = field(factory=dict)
    _counts: Counter[JobStatus] = field(factory=Counter[JobStatus])
    _partial: dict[int, Job] = field(factory=dict)
    _shown: Pipeline = field(init=False)

    def __attrs_post_init__(self) -> None:
        # GraphQL is not asked for these.
        self._shown = evolve(self.pipeline, ref=None, source="")

    def move(self, row: Job, status: JobStatus, at: float) -> None:
        """Take the next state of a job."""
        if row.id not in self._rows:
            self.ids.append(row.id)
        self._rows[row.id] = row
        self._partial.pop(row.id, None)
        newest = self._newest.get(row.name)
        if newest is not None and newest[0] > row.id:
            return  # a retried job does not count
        if newest is not None:
            self._counts[newest[1]] -= 1
        self._newest[row.name] = row.id, status
        self._counts[status] += 1
        if (common := status_of(self._counts)) is not self.status:
            self.status, self.updated_at = common, _moment(int(at))

    def snapshot(self, *, with_jobs: bool) -> PipelineSnapshot:
        """Return its part of an answer by GraphQL."""
        assert self.status is not None
        if not with_jobs:
            return PipelineSnapshot(self.pipeline.id, self.status, self.updated_at)
        for job_id in self._rows.keys() - self._partial.keys():
            self._partial[job_id] = _partial(self._rows[job_id], self._shown)
        jobs = tuple(self._partial[job_id] for job_id in sorted(self.ids, reverse=True)[:100])
        return PipelineSnapshot(
            self.pipeline.id, self.status, self.updated_at, jobs, is_complete=len(self.ids) < 100
        )


def status_of(counts: Counter[JobStatus]) -> JobStatus:
    """Return the status of a pipeline by those of its jobs: lib/gitlab/ci/status/composite.rb."""
    present = {status for status, count in counts.items() if count}
    for status, allowed in _ONLY:
        if present <= allowed:
            return status
    for status, wanted in _ANY:
        if present & wanted:
            return status
    return JobStatus.FAILED


_ONLY = [
    (JobStatus.SKIPPED, {JobStatus.SKIPPED}),
    (JobStatus.SUCCESS, {JobStatus.SUCCESS, JobStatus.SKIPPED}),
    (JobStatus.CREATED, {JobStatus.CREATED}),
    (JobStatus.PENDING, {JobStatus.PENDING, JobStatus.CREATED, JobStatus.SKIPPED}),
]
_ANY = [
    (JobStatus.RUNNING, {JobStatus.RUNNING, JobStatus.PENDING}),
    (JobStatus.MANUAL, {JobStatus.MANUAL}),
    (JobStatus.RUNNING, {JobStatus.CREATED}),
]


def _partial(row: Job, pipeline: Pipeline) -> Job:
    """Return *row* as GraphQL has it: with whole seconds, and without most fields."""
    return Job(
        id=row.id,
        status=row.status,
        stage=row.stage,
        name=row.name,
        created_at=_whole(row.created_at),
        started_at=_whole(row.started_at),
        finished_at=_whole(row.finished_at),
        pipeline=pipeline,
        is_partial=True,
    )


def _whole(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(microsecond=0)


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
