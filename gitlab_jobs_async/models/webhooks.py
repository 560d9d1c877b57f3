"""What webhooks say of jobs and pipelines, as frozen attrs classes like those of `models`.

Field names are GitLab's own, without the `build_` of Job events. What a server leaves out, sends as
null or in a type of its own is `None` here, or an empty tuple; `raw` has the object as it was sent.
Times are aware `datetime`s, durations are seconds.
See https://docs.gitlab.com/user/project/integrations/webhook_events/#job-events and
lib/gitlab/data_builder/{build,pipeline}.rb.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from gitlab_jobs_async.models.jobs import ArtifactsFile
from gitlab_jobs_async.models.statuses import FailureReason, JobStatus


@frozen(kw_only=True)
class HookUser:
    """The person or bot behind a job or pipeline; `email` is mostly "[REDACTED]"."""

    id: int | None = None
    username: str | None = None
    name: str | None = None
    avatar_url: str | None = None
    email: str | None = None


@frozen(kw_only=True)
class HookRunner:
    """The runner that took a job; `tags` are the runner's, not the job's."""

    id: int | None = None
    description: str | None = None
    runner_type: str | None = None
    active: bool | None = None
    is_shared: bool | None = None
    tags: tuple[str, ...] = ()


@frozen(kw_only=True)
class HookEnvironment:
    """The environment that a job deploys to; `deployment_tier` comes in Pipeline events only."""

    name: str | None = None
    action: str | None = None
    deployment_tier: str | None = None


@frozen(kw_only=True)
class HookProject:
    """The project; of an upstream one only `id`, `web_url` and `path_with_namespace` are sent."""

    id: int | None = None
    name: str | None = None
    description: str | None = None
    web_url: str | None = None
    avatar_url: str | None = None
    git_ssh_url: str | None = None
    git_http_url: str | None = None
    namespace: str | None = None
    visibility_level: int | None = None
    path_with_namespace: str | None = None
    default_branch: str | None = None
    ci_config_path: str | None = None


@frozen(kw_only=True)
class SourcePipeline:
    """The upstream pipeline, and its job or bridge, that made this pipeline."""

    project: HookProject | None = None
    pipeline_id: int | None = None
    job_id: int | None = None
    bridge_id: int | None = None


@frozen(kw_only=True)
class HookMergeRequest:
    """The merge request that a pipeline runs for."""

    id: int | None = None
    iid: int | None = None
    title: str | None = None
    source_branch: str | None = None
    source_project_id: int | None = None
    target_branch: str | None = None
    target_project_id: int | None = None
    state: str | None = None
    merge_status: str | None = None
    detailed_merge_status: str | None = None
    url: str | None = None


@frozen(kw_only=True)
class HookAuthor:
    """Who wrote a commit, as git has it."""

    name: str | None = None
    email: str | None = None


@frozen(kw_only=True)
class HookCommit:
    """The commit of a Pipeline event; `id` is its SHA."""

    id: str | None = None
    message: str | None = None
    title: str | None = None
    timestamp: datetime | None = None
    url: str | None = None
    author: HookAuthor | None = None

    @property
    def sha(self) -> str | None:
        """The SHA, under the name that a Job event has for it."""
        return self.id

    @property
    def author_name(self) -> str | None:
        """The author's name, under the name that a Job event has for it."""
        return None if self.author is None else self.author.name

    @property
    def author_email(self) -> str | None:
        """The author's address, under the name that a Job event has for it."""
        return None if self.author is None else self.author.email


@frozen(kw_only=True)
class JobHookCommit:
    """The commit of a Job event, with facts of its pipeline.

    `id` is the pipeline's id and `name` the pipeline's name (`workflow:name`); `status`, `duration`
    (seconds) and the times are the pipeline's, too.
    """

    id: int | None = None
    name: str | None = None
    sha: str | None = None
    message: str | None = None
    author_name: str | None = None
    author_email: str | None = None
    author_url: str | None = None
    status: JobStatus | None = None
    duration: float | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@frozen(kw_only=True)
class HookVariable:
    """A variable that a pipeline was started with; `value` may be a secret and is not shown."""

    key: str | None = None
    value: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class HookJob:
    """What Job events and Pipeline events both say of a job.

    `duration` and `queued_duration` are seconds. `failure_reason` is there only when `status` is
    failed.
    """

    status: JobStatus
    name: str | None = None
    stage: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration: float | None = None
    queued_duration: float | None = None
    failure_reason: FailureReason | None = None
    allow_failure: bool | None = None
    user: HookUser | None = None
    runner: HookRunner | None = None
    environment: HookEnvironment | None = None


@frozen(kw_only=True)
class HookBuild(HookJob):
    """One job of a pipeline in a Pipeline event; `bridge` is true for a trigger job.

    `when` is the keyword of the job's configuration, `manual` whether a person starts it.
    """

    id: int
    when: str | None = None
    manual: bool | None = None
    artifacts_file: ArtifactsFile | None = None
    bridge: bool | None = None


class _Delivered:
    """What all hooks can tell of their project and of the object that was sent."""

    __slots__ = ()
    project: HookProject | None
    _raw: dict[str, Any]

    @property
    def raw(self) -> Mapping[str, Any]:
        """The object that GitLab sent, read-only; it may hold secrets, such as variables."""
        return MappingProxyType(self._raw)

    @property
    def project_path(self) -> str | None:
        """The full path of the project, such as "group/app"; newer servers send it."""
        return None if self.project is None else self.project.path_with_namespace


@frozen(kw_only=True)
class JobHook(HookJob, _Delivered):
    """A job as a Job event describes it; trigger jobs have none.

    `project` and `retries_count` come from newer servers only; `retries_count` is 0 for a job's
    first attempt. `delivery` is the same for each repeat of one delivery.
    https://docs.gitlab.com/user/project/integrations/webhook_events/#job-events
    """

    project_id: int
    job_id: int
    pipeline_id: int
    project: HookProject | None = None
    ref: str | None = None
    tag: bool | None = None
    sha: str | None = None
    before_sha: str | None = None
    retries_count: int | None = None
    commit: JobHookCommit | None = None
    source_pipeline: SourcePipeline | None = None
    delivery: str | None = None
    _raw: dict[str, Any] = field(factory=dict, alias="raw", eq=False, repr=False)


@frozen(kw_only=True)
class PipelineHook(_Delivered):
    """A pipeline and the latest attempts of its jobs, as a Pipeline event describes them.

    `duration` and `queued_duration` are seconds. `bridges`, the trigger jobs, and
    `root_pipeline_id` come from GitLab 19. `delivery` is the same for each repeat of one delivery.
    https://docs.gitlab.com/user/project/integrations/webhook_events/#pipeline-events
    """

    project_id: int
    pipeline_id: int
    status: JobStatus
    detailed_status: str | None = None
    iid: int | None = None
    name: str | None = None
    project: HookProject | None = None
    ref: str | None = None
    tag: bool | None = None
    sha: str | None = None
    before_sha: str | None = None
    source: str | None = None
    stages: tuple[str, ...] = ()
    created_at: datetime | None = None
    finished_at: datetime | None = None
    duration: float | None = None
    queued_duration: float | None = None
    protected_ref: bool | None = None
    variables: tuple[HookVariable, ...] = ()
    url: str | None = None
    root_pipeline_id: int | None = None
    merge_request: HookMergeRequest | None = None
    user: HookUser | None = None
    commit: HookCommit | None = None
    builds: tuple[HookBuild, ...] = ()
    bridges: tuple[HookBuild, ...] = ()
    source_pipeline: SourcePipeline | None = None
    delivery: str | None = None
    _raw: dict[str, Any] = field(factory=dict, alias="raw", eq=False, repr=False)
