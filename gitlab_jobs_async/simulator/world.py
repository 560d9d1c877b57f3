"""The state of the simulated GitLab, which `settle` advances in time. No I/O.

Planned events wait on an agenda until the world is settled, so a simulated day costs only its
events. Settling often or once gives the same world.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from gitlab_jobs_async.simulator import actions, bulk
from gitlab_jobs_async.simulator.instance import Instance
from gitlab_jobs_async.simulator.logs import BytesLog, Log
from gitlab_jobs_async.simulator.plans import JobPlan, PipelinePlan
from gitlab_jobs_async.simulator.records import (
    Job,
    MergeRequest,
    Pipeline,
    Project,
    User,
)
from gitlab_jobs_async.simulator.registry import Due
from gitlab_jobs_async.simulator.settling import settle


class World(Instance):
    """Users, projects, pipelines and jobs of a GitLab, at `now` (unix seconds).

    Starts with the administrator `root`, whose token is `token`, and one shared runner. Methods
    that take `at` default to the present. Change it between requests, not during one.
    """

    def __init__(self, now: float = 1_750_000_000.0, *, seed: int = 0) -> None:
        super().__init__(now)
        self.random = random.Random(seed)  # noqa: S311 - repeatable, not secret

    @property
    def pipelines(self) -> Mapping[int, Pipeline]:
        """All pipelines by id."""
        return self.registry.pipelines

    @property
    def jobs(self) -> Mapping[int, Job]:
        """All jobs and bridges by id."""
        return self.registry.jobs

    def settle(self, now: float) -> None:
        """Carry out all events planned up to `now`, in the order of their times."""
        settle(self.registry, now)

    def next_event(self) -> float | None:
        """Return Unix seconds at which the next planned event is due, or None."""
        return self.registry.next_due()

    def add_pipeline(
        self,
        project: Project,
        *,
        ref: str = "main",
        stages: Sequence[str] = ("build", "test", "deploy"),
        source: str = "push",
        user: User | None = None,
        at: float | None = None,
        pipeline_id: int | None = None,
        merge_request: MergeRequest | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Pipeline:
        """Add a pipeline without jobs; stages run in the given order.

        One for a `merge_request` has its ref and source. Webhooks report `variables`.
        """
        pipeline = self.registry.new_pipeline(
            project,
            at=self.now if at is None else at,
            ref=ref if merge_request is None else merge_request.ref,
            source=source if merge_request is None else "merge_request_event",
            user=user or self.root,
            pipeline_id=pipeline_id,
        )
        if merge_request is not None:
            self.add_merge_request(project, merge_request)
        pipeline.merge_request, pipeline.variables = merge_request, dict(variables or {})
        pipeline.stages = list(stages)
        return pipeline

    def add_job(
        self,
        pipeline: Pipeline,
        name: str,
        *,
        stage: str = "test",
        plan: JobPlan | None = None,
        job_id: int | None = None,
        user: User | None = None,
    ) -> Job:
        """Add a job to the pipeline, created with it, or now if it already runs.

        The job starts with its stage. A `job_id` below others makes an id appear out of order.
        """
        return self._add(pipeline, name, stage, plan or JobPlan(), None, job_id, user)

    def add_bridge(
        self,
        pipeline: Pipeline,
        name: str,
        *,
        stage: str = "test",
        downstream: PipelinePlan,
        plan: JobPlan | None = None,
        job_id: int | None = None,
    ) -> Job:
        """Add a trigger job, which creates the downstream pipeline when it runs."""
        return self._add(pipeline, name, stage, plan or JobPlan(), downstream, job_id, None)

    def _add(
        self,
        pipeline: Pipeline,
        name: str,
        stage: str,
        plan: JobPlan,
        downstream: PipelinePlan | None,
        job_id: int | None,
        user: User | None,
    ) -> Job:
        at = self.now if pipeline.started else pipeline.created_at
        job = self.registry.new_job(
            pipeline,
            name=name,
            stage=stage,
            plan=plan,
            at=at,
            user=user or pipeline.user,
            downstream=downstream,
            job_id=job_id,
        )
        self.registry.plan(at, Due("advance", pipeline))
        return job

    def plan_pipeline(
        self, project: Project, plan: PipelinePlan, *, at: float, user: User | None = None
    ) -> None:
        """Schedule the creation of a whole pipeline."""
        self.registry.plan(at, Due("pipeline", project, plan=plan, user=user or self.root))

    def call_at(self, at: float, action: Callable[[float], None]) -> None:
        """Schedule `action(at)`, which may change the world and schedule itself again."""
        self.registry.plan(at, Due("call", action))

    def add_finished_jobs(
        self,
        project: Project,
        count: int,
        *,
        gaps: str = "uniform",
        first_id: int | None = None,
        per_pipeline: int = 20,
        mean_gap: int = 10,
    ) -> list[Job]:
        """Add finished jobs cheaply; `gaps` between ids: dense, uniform, bursty, heavy_tailed."""
        first = self.registry.job_id(first_id)
        steps = bulk.gaps(gaps, count - 1, self.random, mean=mean_gap)
        ids = accumulate(steps, initial=first)
        return bulk.add_finished_jobs(
            self.registry,
            project,
            iter(ids) if count else iter(()),
            per_pipeline=per_pipeline,
            user=self.root,
            rng=self.random,
        )

    def cancel(self, job: Job, *, force: bool = False) -> None:
        """Cancel a job now."""
        actions.cancel_job(self.registry, job, self.now, force=force)

    def retry(self, job: Job, *, user: User | None = None) -> Job:
        """Retry a job now and return the new job."""
        return actions.retry_job(self.registry, job, self.now, user=user or self.root)

    def erase(self, job: Job) -> None:
        """Erase a job's log and artifacts now."""
        actions.erase_job(job, self.now)

    def play(self, job: Job, *, user: User | None = None) -> Job:
        """Start a manual job now."""
        return actions.play_job(self.registry, job, self.now, user=user or self.root)

    def replace_log(self, job: Job, log: bytes | Log) -> None:
        """Replace a job's log, as after a loss of chunks."""
        job.replace_log(BytesLog(log) if isinstance(log, bytes) else log)

    def delete_job(self, job: Job) -> None:
        """Delete a job, as the deletion of its pipeline does."""
        self.registry.delete_job(job)

    def delete_pipeline(self, pipeline: Pipeline) -> None:
        """Delete a pipeline with its jobs; child pipelines stay."""
        self.registry.delete_pipeline(pipeline)
