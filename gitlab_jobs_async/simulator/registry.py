"""The simulated GitLab's database: rows by id, and the agenda of planned events."""

import hashlib
import heapq
import itertools
from collections.abc import Callable

from attrs import frozen

from gitlab_jobs_async.simulator.groups import Groups
from gitlab_jobs_async.simulator.history import History
from gitlab_jobs_async.simulator.plans import JobPlan, PipelinePlan
from gitlab_jobs_async.simulator.records import Job, Pipeline, Project, Runner, Token, User


@frozen
class Due:
    """One entry of the agenda: an event of a job (under its timeline) or pipeline, or a call."""

    event: str
    target: Job | Pipeline | Project | Callable[[float], None]
    timeline: int = 0
    plan: PipelinePlan | None = None
    user: User | None = None


class Registry:
    """All rows, and their planned events ordered by time."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.status_delay = 0.0
        self.knows_canceling = True
        self.users: dict[int, User] = {}
        self.tokens: dict[str, Token] = {}
        self.projects: dict[int, Project] = {}
        self.paths: dict[str, Project] = {}
        self.redirects: dict[str, Project] = {}
        self.groups = Groups()
        self.runners: list[Runner] = []
        self.pipelines: dict[int, Pipeline] = {}
        self.jobs: dict[int, Job] = {}
        self.job_tokens: dict[str, Job] = {}
        self.history = History()
        self.listeners: list[Callable[[Job | Pipeline, float], None]] = []
        self._next_job_id = 1
        self._next_pipeline_id = 1
        self._agenda: list[tuple[float, int, Due]] = []
        self._order = itertools.count()

    def plan(self, at: float, due: Due) -> None:
        """Add an event to the agenda, unless its time is infinite."""
        if at != float("inf"):
            heapq.heappush(self._agenda, (at, next(self._order), due))

    def notify(self, row: Job | Pipeline, at: float) -> None:
        """Report a new row or a new status to the webhooks."""
        for listener in self.listeners:
            listener(row, at)

    def next_due(self) -> float | None:
        """Return when the next event is due, None when nothing is planned."""
        return self._agenda[0][0] if self._agenda else None

    def pop_due(self, now: float) -> tuple[float, Due] | None:
        """Pop the earliest event that is due by `now`."""
        if self._agenda and self._agenda[0][0] <= now:
            at, _, due = heapq.heappop(self._agenda)
            return at, due
        return None

    def add_token(self, token: Token) -> Token:
        """Add a token; its value must be unique."""
        if token.value in self.tokens:
            raise ValueError("token (not shown) already exists")
        self.tokens[token.value] = token
        return token

    def add_project(self, project: Project) -> Project:
        """Add a project; its id and path must be unique."""
        if project.id in self.projects or project.path in self.paths:
            raise ValueError(f"project {project.id} or {project.path!r} already exists")
        self.projects[project.id] = self.paths[project.path] = project
        self.groups.add_above(project.path, self.now)
        return project

    def delete_project(self, project: Project) -> None:
        """Delete a project with its pipelines and jobs."""
        for pipeline in list(project.pipelines):
            self.delete_pipeline(pipeline)
        del self.projects[project.id], self.paths[project.path]
        self.redirects = {old: new for old, new in self.redirects.items() if new is not project}

    def move_project(self, project: Project, path: str) -> None:
        """Give a project a new path; the old one redirects."""
        if path in self.paths:
            raise ValueError(f"project {path!r} already exists")
        old, project.path = project.path, path
        self.redirects.pop(path, None)
        self.redirects[old] = self.paths[path] = self.paths.pop(old)
        self.groups.add_above(path, self.now)

    def move_group(self, old: str, new: str) -> None:
        """Give a group a new path; old paths of its projects redirect, its own does not."""
        self.groups.move(old, new)
        for project in list(self.projects.values()):
            if project.path.startswith(f"{old}/"):
                self.move_project(project, new + project.path.removeprefix(old))

    def busy_runners(self) -> frozenset[int]:
        """Return the ids of runners that run a job."""
        running = [job for job in self.job_tokens.values() if job.status == "running"]
        return frozenset(job.runner.id for job in running if job.runner is not None)

    def job_id(self, wanted: int | None = None) -> int:
        """Return the wanted id of a job, or the next free one; raise if the wanted id is taken."""
        if wanted is None:
            wanted = self._next_job_id
        elif wanted in self.jobs:
            raise ValueError(f"job {wanted} already exists")
        self._next_job_id = max(self._next_job_id, wanted + 1)
        return wanted

    def add_pipeline(self, pipeline: Pipeline) -> Pipeline:
        """Add a pipeline."""
        self.pipelines[pipeline.id] = pipeline
        pipeline.project.pipelines.append(pipeline)
        return pipeline

    def new_pipeline(
        self,
        project: Project,
        *,
        at: float,
        ref: str = "main",
        source: str = "push",
        user: User | None = None,
        pipeline_id: int | None = None,
    ) -> Pipeline:
        """Return a new row for a pipeline, with a unique sha."""
        number = pipeline_id or self._next_pipeline_id
        if number in self.pipelines:
            raise ValueError(f"pipeline {number} already exists")
        self._next_pipeline_id = max(self._next_pipeline_id, number + 1)
        digest = hashlib.sha1(f"{project.path}/{number}".encode(), usedforsecurity=False)
        pipeline = Pipeline(
            id=number,
            # Deleted pipelines do not free their numbers.
            iid=1 + max((p.iid for p in project.pipelines[-1:]), default=0),
            project=project,
            ref=ref,
            sha=digest.hexdigest(),
            source=source,
            user=user,
            created_at=at,
            updated_at=at,
        )
        return self.add_pipeline(pipeline)

    def new_job(
        self,
        pipeline: Pipeline,
        *,
        name: str,
        stage: str,
        plan: JobPlan,
        at: float,
        user: User | None,
        downstream: PipelinePlan | None = None,
        job_id: int | None = None,
    ) -> Job:
        """Return a new row for a job or a bridge, in the status `created`."""
        job = Job(
            id=self.job_id(job_id),
            pipeline=pipeline,
            name=name,
            stage=stage,
            plan=plan,
            user=user,
            created_at=at,
            allow_failure=plan.may_fail,
            downstream=downstream,
            inputs=dict(plan.inputs),
        )
        self.add_job(job)
        self.notify(job, at)
        return job

    def add_job(self, job: Job) -> Job:
        """Add a job."""
        self.jobs[job.id] = job
        if job.stage not in job.pipeline.stages:
            job.pipeline.stages.append(job.stage)
        job.pipeline.jobs.append(job)
        if not job.is_bridge:
            job.project.file(job)
        return job

    def delete_job(self, job: Job) -> None:
        """Delete a job; what is planned for it is void."""
        job.timeline += 1
        self.job_tokens.pop(job.token, None)
        del self.jobs[job.id]
        job.pipeline.jobs.remove(job)
        if not job.is_bridge:
            job.project.builds.remove(job)

    def delete_pipeline(self, pipeline: Pipeline) -> None:
        """Delete a pipeline with its jobs, but not its children."""
        for job in list(pipeline.jobs):
            self.delete_job(job)
        for job in pipeline.upstream.pipeline.jobs if pipeline.upstream else ():
            if job.downstream_pipeline is pipeline:
                job.downstream_pipeline = None
        del self.pipelines[pipeline.id]
        pipeline.project.pipelines.remove(pipeline)

    def runner_for(self, job: Job) -> Runner | None:
        """Return a runner that has all of the job's tags."""
        fitting = [r for r in self.runners if set(job.plan.tags) <= set(r.tags) and not r.paused]
        return fitting[job.id % len(fitting)] if fitting else None

    def issue_token(self, job: Job) -> None:
        """Give a job its token: valid while the job runs."""
        secret = hashlib.sha256(f"{job.project.path}/{job.id}".encode()).hexdigest()
        job.token = f"glcbt-64_{secret[:20]}"
        self.job_tokens[job.token] = job
