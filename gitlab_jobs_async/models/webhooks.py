"""Jobs and pipelines of webhook events, as frozen attrs classes.

Field names are GitLab's own, without the `build_` of Job events. A missing value, null, or value of
an undocumented type is None here, or an empty tuple; `raw` has the object as it was sent.
Times are aware `datetime`s, durations are seconds.
See https://docs.gitlab.com/user/project/integrations/webhook_events/#job-events and
lib/gitlab/data_builder/{build,pipeline}.rb.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from gitlab_jobs_async.models.artifacts import ArtifactsFile
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
    """The runner of a job; `tags` are the runner's, not the job's."""

    id: int | None = None
    description: str | None = None
    runner_type: str | None = None
    active: bool | None = None
    is_shared: bool | None = None
    tags: tuple[str, ...] = ()


@frozen(kw_only=True)
class HookEnvironment:
    """The environment of a job; only Pipeline events have `deployment_tier`."""

    name: str | None = None
    action: str | None = None
    deployment_tier: str | None = None


@frozen(kw_only=True)
class HookProject:
    """The project; an upstream one has only `id`, `web_url` and `path_with_namespace`."""

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
    """The upstream pipeline and job, or bridge, that created this pipeline."""

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
    """The author of a commit, as in git."""

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
        """The SHA, under its name in Job events."""
        # This name and the two below let consumers handle both events in the same way.
        return self.id

    @property
    def author_name(self) -> str | None:
        """The author's name, as in Job events."""
        return None if self.author is None else self.author.name

    @property
    def author_email(self) -> str | None:
        """The author's address, as in Job events."""
        return None if self.author is None else self.author.email


@frozen(kw_only=True)
class JobHookCommit:
    """The commit of a Job event, with fields of its pipeline.

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
    """A variable of a pipeline."""

    key: str | None = None
    # It may be a secret.
    value: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class HookJob:
    """Fields of a job in Job events and Pipeline events.

    `duration` and `queued_duration` are seconds. `failure_reason` is None unless `status` is
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
    """A job of a Pipeline event; `bridge` is true for a trigger job.

    `when` is the keyword of the job's configuration; `manual` is true if a person starts it.
    """

    id: int
    when: str | None = None
    manual: bool | None = None
    artifacts_file: ArtifactsFile | None = None
    bridge: bool | None = None


class _Delivered:
    """The project and the raw object of a hook."""

    # Otherwise each hook would have a __dict__ beside its slots.
    __slots__ = ()
    project: HookProject | None
    _raw: dict[str, Any]

    @property
    def raw(self) -> Mapping[str, Any]:
        """The object that GitLab sent, read-only; it may have secrets, such as variables."""
        return MappingProxyType(self._raw)

    @property
    def project_path(self) -> str | None:
        """The full path of the project, such as "group/app"; None from older servers."""
        return None if self.project is None else self.project.path_with_namespace


@frozen(kw_only=True)
class JobHook(HookJob, _Delivered):
    """A Job event; trigger jobs have none.

    Older servers do not send `project` and `retries_count`, which is 0 for a job's first attempt.
    `delivery` is the same for each repeat of a delivery.
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
    """A Pipeline event: a pipeline and the latest attempts of its jobs.

    GitLab 19 added `bridges`, the trigger jobs, and `root_pipeline_id`. `delivery` is the same for
    each repeat of a delivery.
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
