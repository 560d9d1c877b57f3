"""Rows of the simulated GitLab's database, with their links."""

from bisect import bisect_left, insort
from collections.abc import Mapping
from operator import attrgetter
from typing import Final

from attrs import define, field, frozen
from attrs.validators import in_

from gitlab_jobs_async.simulator.logs import Log
from gitlab_jobs_async.simulator.plans import JobPlan, PipelinePlan
from gitlab_jobs_async.simulator.statuses import COMPLETED

ACCESS: Final[dict[str, int]] = {
    "guest": 10,
    "planner": 15,
    "reporter": 20,
    "developer": 30,
    "maintainer": 40,
    "owner": 50,
}
VISIBILITIES: Final = ("private", "internal", "public")
VARIABLES_ROLES: Final = ("developer", "maintainer", "owner", "no_one_allowed")
RUNNER_TYPES: Final = ("instance_type", "group_type", "project_type")
_by_id = attrgetter("id")


def level_of(role: str) -> int:
    """Return a role as GitLab's number; raise `ValueError` for an unknown one."""
    if role not in ACCESS:
        raise ValueError(f"unknown role {role!r}: expected one of {', '.join(ACCESS)}")
    return ACCESS[role]


def _project_path(_project: object, _attribute: object, path: str) -> None:
    if not path or path.isdigit() or path != path.strip("/ "):
        raise ValueError(f"path {path!r}: expected a project path; a number would be an id")


@define(eq=False)
class User:
    """A person or a bot. `state` is "active", "blocked", "deactivated" ..."""

    id: int
    username: str
    name: str
    token: str = field(repr=False)
    state: str = "active"
    admin: bool = False
    created_at: float = 0.0


@define(eq=False)
class Token:
    """A personal, project or group access token, or an OAuth one (`kind`)."""

    value: str = field(repr=False)
    user: User
    scopes: tuple[str, ...] = ("api",)
    expires_at: float | None = None
    revoked: bool = False
    kind: str = "personal"


@define(eq=False)
class Runner:
    """A runner, with the one manager (machine) that runs it."""

    id: int
    description: str
    tags: tuple[str, ...] = ()
    runner_type: str = field(default="instance_type", validator=in_(RUNNER_TYPES))
    version: str = "19.4.0"
    paused: bool = False
    online: bool = True
    created_at: float = 0.0


@frozen
class Agent:
    """A GitLab agent for Kubernetes, configured in a project."""

    id: int
    config_project: "Project"


@define(eq=False)
class Project:
    """A project and, sorted by id, its builds and pipelines.

    `jobs_enabled`: CI/CD is on. `public_jobs`: all who see the project see its jobs.
    `shared_with`: paths of groups that it is shared with. `job_token_allowlist`: ids of projects
    whose job tokens have access, None for all. `job_token_permissions`: their permissions, None
    for all. `variables_role`: the lowest role that may pass variables. `configuration`: the jobs
    of its `.gitlab-ci.yml`, by default those of the newest pipeline; `inputs`: the names and
    default values of that file's inputs. `branches`: those without a pipeline.
    """

    id: int
    path: str = field(validator=_project_path)
    visibility: str = field(default="private", validator=in_(VISIBILITIES))
    members: dict[int, int] = field(factory=dict[int, int])
    jobs_enabled: bool = True
    public_jobs: bool = True
    shared_with: frozenset[str] = frozenset()
    job_token_allowlist: frozenset[int] | None = None
    job_token_permissions: frozenset[str] | None = None
    variables_role: str = field(default="developer", validator=in_(VARIABLES_ROLES))
    protected_refs: frozenset[str] = frozenset()
    refreshing_artifacts: bool = False
    archived: bool = False
    created_at: float = 0.0
    agents: list[Agent] = field(factory=list[Agent])
    builds: list["Job"] = field(factory=list["Job"], repr=False)
    pipelines: list["Pipeline"] = field(factory=list["Pipeline"], repr=False)
    merge_requests: dict[int, "MergeRequest"] = field(factory=dict[int, "MergeRequest"], repr=False)
    configuration: PipelinePlan | None = field(default=None, repr=False)
    inputs: dict[str, object] = field(factory=dict[str, object])
    branches: set[str] = field(factory=lambda: {"main"})

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]

    def has_ref(self, ref: str) -> bool:
        """Return whether a branch or tag exists: that of a pipeline, or one of `branches`."""
        return ref in self.branches or any(p.ref == ref for p in self.pipelines)

    def newest_pipeline(self, ref: str) -> "Pipeline | None":
        """Return the newest pipeline of a ref, child pipelines aside, or None."""
        found = [p for p in self.pipelines if p.ref == ref and p.source != "parent_pipeline"]
        return max(found, key=_by_id, default=None)

    def builds_below(self, job_id: int) -> int:
        """Return the number of builds with a smaller id, where a keyset page begins."""
        return bisect_left(self.builds, job_id, key=_by_id)

    def file(self, job: "Job") -> None:
        """Insert a build in the order of ids."""
        if self.builds and self.builds[-1].id > job.id:
            insort(self.builds, job, key=_by_id)
        else:
            self.builds.append(job)


@frozen(kw_only=True)
class MergeRequest:
    """A merge request of a project."""

    iid: int
    title: str = "Draft"
    source_branch: str = "topic"
    target_branch: str = "main"
    state: str = "opened"

    @property
    def id(self) -> int:
        """An id that is unique in the whole instance, unlike `iid`."""
        return 100_000 + self.iid

    @property
    def ref(self) -> str:
        """The ref that its pipelines run on."""
        return f"refs/merge-requests/{self.iid}/head"


@define(eq=False)
class Pipeline:
    """A pipeline; `jobs` holds builds and bridges of all attempts.

    `started`: jobs have started. `has_commit`: the repository still has its commit; else its jobs
    have none. `variables`, `inputs`: those that it was started with.
    """

    id: int
    iid: int
    project: Project
    ref: str
    sha: str
    source: str
    user: User | None
    created_at: float
    updated_at: float
    tag: bool = False
    name: str | None = None
    title: str = "Update"
    stages: list[str] = field(factory=list[str])
    jobs: list["Job"] = field(factory=list["Job"], repr=False)
    status: str = "created"
    started_at: float | None = None
    finished_at: float | None = None
    yaml_errors: str | None = None
    upstream: "Job | None" = field(default=None, repr=False)
    started: bool = False
    has_commit: bool = True
    merge_request: MergeRequest | None = None
    variables: dict[str, str] = field(factory=dict[str, str], repr=False)
    inputs: dict[str, object] = field(factory=dict[str, object], repr=False)

    @property
    def source_ref(self) -> str:
        """The branch that it runs for, of a merge request the source."""
        return self.ref if self.merge_request is None else self.merge_request.source_branch

    @property
    def builds(self) -> list["Job"]:
        """The jobs without bridges."""
        return [job for job in self.jobs if not job.is_bridge]

    @property
    def bridges(self) -> list["Job"]:
        """The trigger jobs."""
        return [job for job in self.jobs if job.is_bridge]


@define(eq=False)
class Job:
    """A job or, with `downstream`, a bridge. Times are unix seconds.

    `timeline` counts the plans made for it; events of an older number are void.
    """

    id: int
    pipeline: Pipeline = field(repr=False)
    name: str
    stage: str
    plan: JobPlan = field(repr=False)
    user: User | None = field(repr=False)
    created_at: float
    status: str = "created"
    attempt: int = 0
    retried: bool = False
    allow_failure: bool = False
    queued_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    erased_at: float | None = None
    failure_reason: str | None = None
    runner: Runner | None = None
    timeline: int = 0
    written: Log | None = field(default=None, repr=False)
    log_revision: int = 0
    artifacts: Mapping[str, bytes] | None = field(default=None, repr=False)
    artifacts_expire_at: float | None = None
    variables: dict[str, str] = field(factory=dict[str, str])
    inputs: dict[str, object] = field(factory=dict[str, object])
    downstream: PipelinePlan | None = field(default=None, repr=False)
    downstream_pipeline: Pipeline | None = field(default=None, repr=False)
    token: str = field(default="", repr=False)

    @property
    def project(self) -> Project:
        """The project of its pipeline."""
        return self.pipeline.project

    @property
    def is_bridge(self) -> bool:
        """Whether it triggers another pipeline instead of running on a runner."""
        return self.downstream is not None

    @property
    def complete(self) -> bool:
        """Whether its status is one of the final four."""
        return self.status in COMPLETED

    @property
    def log(self) -> Log:
        """The whole log of a job that runs to its end, written on first use."""
        if self.written is None:
            script = self.plan.log
            if isinstance(script, Log):
                self.written = script
            else:
                started = self.created_at if self.started_at is None else self.started_at
                self.written = script.record(
                    self.name, started, self._log_seconds(), self.plan.outcome
                )
        return self.written

    def replace_log(self, log: Log) -> None:
        """Return `log` from the server from now on."""
        self.written = log
        self.log_revision += 1

    def log_at(self, at: float) -> int:
        """Return the number of log bytes that the job has written by *at*."""
        if self.started_at is None or self.erased_at is not None:
            return 0
        if self.finished_at is not None and (self.status != "canceled" or not self.plan.duration):
            return self.log.size
        until = at if self.finished_at is None else min(at, self.finished_at)
        seconds = self._log_seconds()
        share = (until - self.started_at) / seconds if seconds > 0 else 1.0
        return int(self.log.size * min(max(share, 0.0), 1.0))

    def _log_seconds(self) -> float:
        return self.plan.duration if self.plan.duration < 1e9 else 3600.0
