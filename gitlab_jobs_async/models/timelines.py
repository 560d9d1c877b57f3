"""The timeline of a pipeline: what each of its jobs waited for, and for how long it ran."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal

from attrs import field, frozen

from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus

PhaseKind = Literal["waiting", "manual", "delayed", "held", "retry", "queued", "running"]
"""What a job does or waits for.

- waiting: for earlier jobs
- manual: for a user who starts it
- delayed: for the time that `start_in` sets
- held: for anything else, such as a resource group or GitLab's own processing
- retry: from the end of an attempt to the next one; only on the critical path
- queued: for a runner
- running: until its end
"""


@frozen(kw_only=True)
class TimelinePhase:
    """A part of an attempt, or of the critical path.

    Attributes:
        kind: see `PhaseKind`.
        start: seconds since `PipelineTimeline.start`.
        end: seconds, never below *start*.
        job_id: the job or bridge, also of a downstream pipeline; 0 for the time before the first
            one.
    """

    kind: PhaseKind
    start: float
    end: float
    job_id: int

    @property
    def seconds(self) -> float:
        """The length."""
        return self.end - self.start


@frozen(kw_only=True)
class TimelineAttempt:
    """One attempt of a job or bridge; each retry is another one.

    Attributes:
        job: the job or bridge.
        phases: in order, without gaps; empty for a job that was skipped.
        is_retried: whether a later attempt exists.
        is_critical: whether it is on the critical path of the root pipeline.
    """

    job: Job | Bridge
    phases: tuple[TimelinePhase, ...] = ()
    is_retried: bool = False
    is_critical: bool = False

    def seconds(self, kind: PhaseKind) -> float:
        """Return the seconds that it spent in phases of a kind."""
        return sum(phase.seconds for phase in self.phases if phase.kind == kind)


@frozen(kw_only=True)
class TimelineJob:
    """A job of a pipeline with all its attempts, oldest first."""

    name: str
    stage: str
    attempts: tuple[TimelineAttempt, ...]

    @property
    def latest(self) -> TimelineAttempt:
        """The last attempt."""
        return self.attempts[-1]

    @property
    def is_critical(self) -> bool:
        """Whether an attempt is on the critical path of the root pipeline."""
        return any(attempt.is_critical for attempt in self.attempts)


@frozen(kw_only=True)
class PipelineTimeline:
    """A pipeline's jobs in time, and its critical path.

    Attributes:
        pipeline: the pipeline.
        start: when the root pipeline was created; all seconds count from then.
        begin: seconds until this pipeline was created; 0 for the root.
        end: seconds until its last job ended, or until now while it is active.
        jobs: jobs and bridges by stage, in the order of their ids.
        critical_path: the phases that make up the time from *begin* to *end*, without gaps. They
            lead from the job that ended last back over the job, need or attempt that ended last
            before it. Where a trigger job waited for its pipeline, they are those of that pipeline.
        basis: "needs" if GitLab says which job waits for which; "stages" if each job was taken to
            wait for all earlier stages.
        depth: 0 for the root, 1 for pipelines that it triggered, and so on.
        bridge: the trigger job that created the pipeline; None for the root.
    """

    pipeline: Pipeline
    start: datetime
    begin: float
    end: float
    jobs: tuple[TimelineJob, ...] = field(repr=lambda jobs: f"<{len(jobs)} jobs>")
    critical_path: tuple[TimelinePhase, ...] = field(repr=lambda path: f"<{len(path)} phases>")
    basis: Literal["needs", "stages"] = "stages"
    depth: int = 0
    bridge: Bridge | None = field(default=None, repr=False)

    @property
    def seconds(self) -> float:
        """The time from its creation to the end."""
        return self.end - self.begin

    @property
    def has_ended(self) -> bool:
        """Whether nothing happens without a user: it has finished, or only a manual job is left."""
        return self.pipeline.status.is_finished or self.pipeline.status == JobStatus.MANUAL

    @property
    def time_spent(self) -> Mapping[PhaseKind, float]:
        """The seconds of the critical path by kind, the largest first; their sum is `seconds`."""
        return _largest_first(self.critical_path)

    @property
    def job_time(self) -> Mapping[PhaseKind, float]:
        """The seconds of all attempts by kind, the largest first."""
        phases = (phase for one in self.attempts() for phase in one.phases)
        return _largest_first(phases)

    def attempts(self) -> Iterator[TimelineAttempt]:
        """Yield the attempts of all jobs."""
        return (attempt for job in self.jobs for attempt in job.attempts)


def _largest_first(
    phases: "Iterator[TimelinePhase] | tuple[TimelinePhase, ...]",
) -> Mapping[PhaseKind, float]:
    sums: dict[PhaseKind, float] = {}
    for phase in phases:
        sums[phase.kind] = sums.get(phase.kind, 0.0) + phase.seconds
    return dict(sorted(sums.items(), key=lambda item: -item[1]))
