"""Build the timelines of a pipeline and of all below it, from their jobs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from attrs import evolve, frozen

from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.timelines import (
    PhaseKind,
    PipelineTimeline,
    TimelineAttempt,
    TimelineJob,
    TimelinePhase,
)
from gitlab_jobs_async.pipelines.attempt_times import times_of, unix
from gitlab_jobs_async.pipelines.critical_path import critical_path
from gitlab_jobs_async.pipelines.joined_paths import join_paths
from gitlab_jobs_async.pipelines.needs import JobNeeds, Needs
from gitlab_jobs_async.pipelines.predecessors import Attempt, Predecessors, link_attempts
from gitlab_jobs_async.pipelines.tree import PipelineTree

# A pipeline that is blocked may stay so for weeks, and its timeline ends with its last job.
_STANDS_STILL = frozenset({JobStatus.MANUAL, JobStatus.SCHEDULED})


def timelines_of(
    tree: PipelineTree, needs: Mapping[int, Needs], read_at: float, now: float
) -> list[PipelineTimeline]:
    """Return the timelines of a tree, the root first and each pipeline after its trigger's.

    *needs* are those of each pipeline by its id. The tree was read at *read_at*; what runs ends at
    *now*, in unix seconds.
    """
    start = _begin_of(tree)
    found = []
    stack: list[tuple[PipelineTree, int, Bridge | None]] = [(tree, 0, None)]
    while stack:
        one, depth, bridge = stack.pop()
        built = _Builder(one, needs.get(one.pipeline.id, {}), start, read_at, max(now, read_at))
        found.append(evolve(built.timeline(), depth=depth, bridge=bridge))
        below = [(item.tree, item.bridge) for item in one.downstream if item.tree is not None]
        stack += [(child, depth + 1, trigger) for child, trigger in below]
    return join_paths(found)


def _begin_of(tree: PipelineTree) -> float:
    """Return when a pipeline was created, by the earliest of its times."""
    times = [unix(tree.pipeline.created_at), *(unix(job.created_at) for job in _jobs_of(tree))]
    return min((at for at in times if at is not None), default=0.0)


def _jobs_of(tree: PipelineTree) -> list[Job | Bridge]:
    return sorted([*tree.jobs, *tree.bridges], key=lambda job: job.id)


@frozen(eq=False, repr=False)
class _Builder:
    """Builds the timeline of one pipeline; seconds count from *start*."""

    tree: PipelineTree
    needs: Needs
    start: float
    read_at: float
    present: float

    def timeline(self) -> PipelineTimeline:
        """Return the timeline."""
        begin = max(_begin_of(self.tree), self.start)
        pipeline, now = self.tree.pipeline, self.present
        if pipeline.status.is_finished or pipeline.status in _STANDS_STILL:
            now = self._last_time(begin)
        jobs = _jobs_of(self.tree)
        attempts = link_attempts([(job, times_of(job, begin, self.read_at, now)) for job in jobs])
        before = Predecessors.of(attempts, self.needs)
        phases = {one.job.id: self._phases(one, before) for one in attempts}
        path = critical_path(attempts, phases, before, begin - self.start)
        return PipelineTimeline(
            pipeline=pipeline,
            start=_moment(self.start),
            begin=begin - self.start,
            end=path[-1].end if path else begin - self.start,
            jobs=_by_job(attempts, phases),
            critical_path=tuple(path),
            basis="needs" if self.needs else "stages",
        )

    def _last_time(self, begin: float) -> float:
        """Return the last time at which something happened."""
        jobs = _jobs_of(self.tree)
        times = [unix(self.tree.pipeline.finished_at)]
        times += [unix(at) for job in jobs for at in (job.started_at, job.finished_at)]
        last = max((at for at in times if at is not None), default=begin)
        # A job may run on after its pipeline's status was read.
        has_active = any(job.status.is_active for job in jobs)
        return max(last, begin, self.present if has_active else begin)

    def _phases(self, one: Attempt, before: Predecessors) -> tuple[TimelinePhase, ...]:
        """Return the phases of an attempt, without empty ones."""
        times = one.times
        ready = min(max(times.created, before.ready_at(one)), times.queued)
        cuts: list[tuple[PhaseKind, float]] = [
            ("waiting", ready),
            (self._gate(one), times.queued),
            ("queued", times.started if times.was_queued else times.queued),
            ("running", times.ended if times.was_started else times.queued),
        ]
        phases, at = [], times.created
        for kind, end in cuts:
            if end > at:
                phases.append(self._phase(kind, at, end, one.job.id))
                at = end
        return tuple(phases)

    def _gate(self, one: Attempt) -> PhaseKind:
        """Return what keeps a job whose predecessors have ended from the queue."""
        if one.job.status == JobStatus.MANUAL:
            return "manual"
        if one.job.status == JobStatus.SCHEDULED:
            return "delayed"
        need = self.needs.get(one.job.name, JobNeeds())
        return "manual" if need.is_manual and one.previous is None else "held"

    def _phase(self, kind: PhaseKind, start: float, end: float, job_id: int) -> TimelinePhase:
        return TimelinePhase(
            kind=kind, start=start - self.start, end=end - self.start, job_id=job_id
        )


def _by_job(
    attempts: Sequence[Attempt], phases: Mapping[int, tuple[TimelinePhase, ...]]
) -> tuple[TimelineJob, ...]:
    """Return the jobs by stage, and in a stage by the ids of their first attempts."""
    repeated = {one.previous.job.id for one in attempts if one.previous is not None}
    jobs: dict[str, dict[str, list[TimelineAttempt]]] = {}
    for one in attempts:
        attempt = TimelineAttempt(
            job=one.job,
            phases=phases[one.job.id],
            is_retried=one.job.id in repeated,
        )
        jobs.setdefault(one.job.stage, {}).setdefault(one.job.name, []).append(attempt)
    return tuple(
        TimelineJob(name=name, stage=stage, attempts=tuple(tries))
        for stage, names in jobs.items()
        for name, tries in names.items()
    )


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
