"""Jobs and pipelines of webhook events, as frozen attrs classes.

Field names are GitLab's own, without the `build_` of Job events. A field that GitLab always sends
is never None; if it is missing, null or of an undocumented type, it is empty: "", 0, False, or 1970
for a time. `raw` has the object as it was sent. Times are aware `datetime`s, durations are seconds.
See https://docs.gitlab.com/user/project/integrations/webhook_events/#job-events and
lib/gitlab/data_builder/{build,pipeline}.rb.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from gitlab_jobs_async.models.artifacts import ArtifactsFile
from gitlab_jobs_async.models.hook_parts import (
    NO_COMMIT,
    NO_PROJECT,
    HookCommit,
    HookEnvironment,
    HookMergeRequest,
    HookProject,
    HookRunner,
    HookUser,
    HookVariable,
    JobHookCommit,
    SourcePipeline,
)
from gitlab_jobs_async.models.statuses import FailureReason, JobStatus
from gitlab_jobs_async.models.values import UNKNOWN_TIME


@frozen(kw_only=True)
class HookJob:
    """Fields of a job in Job events and Pipeline events.

    Attributes:
        status: see `JobStatus`.
        name: as in the configuration.
        stage: name of the stage.
        created_at: when it was created.
        started_at: when a runner took it; None until then.
        finished_at: when it ended; None until then.
        duration: seconds from start to end, or until now while it runs; None before.
        queued_duration: seconds in which it waited for a runner; None if it never did.
        failure_reason: see `FailureReason`; None unless *status* is failed.
        allow_failure: whether the pipeline passes even if the job fails.
        user: who started it; None for a deleted user.
        runner: the runner that took it; None until then.
        environment: None for a job without one.
    """

    status: JobStatus
    name: str = ""
    stage: str = ""
    created_at: datetime = UNKNOWN_TIME
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration: float | None = None
    queued_duration: float | None = None
    failure_reason: FailureReason | None = None
    allow_failure: bool = False
    user: HookUser | None = None
    runner: HookRunner | None = None
    environment: HookEnvironment | None = None


@frozen(kw_only=True)
class HookBuild(HookJob):
    """A job of a Pipeline event.

    Attributes:
        id: unique on the server; a retry has another one.
        when: the keyword of the job's configuration, such as "on_success".
        manual: whether a person starts it.
        artifacts_file: the archive of its artifacts; None without one.
        bridge: true for a trigger job; None from older releases.
    """

    id: int
    when: str = ""
    manual: bool = False
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
        return None if self.project is None else self.project.path_with_namespace or None


@frozen(kw_only=True)
class JobHook(HookJob, _Delivered):
    """A Job event; trigger jobs have none.

    https://docs.gitlab.com/user/project/integrations/webhook_events/#job-events

    Attributes:
        project_id: the number of the project.
        job_id: the number of the job.
        pipeline_id: the number of its pipeline.
        project: None from older releases.
        ref: branch, tag or merge request ref.
        tag: whether *ref* is a tag.
        sha: the commit.
        before_sha: the commit before a push; zeros without one.
        retries_count: 0 for a job's first attempt; None from older releases.
        commit: the commit, with fields of the pipeline.
        source_pipeline: the upstream pipeline; None without one.
        delivery: the same for each repeat of a delivery; None from older releases.
    """

    project_id: int
    job_id: int
    pipeline_id: int
    project: HookProject | None = None
    ref: str = ""
    tag: bool = False
    sha: str = ""
    before_sha: str = ""
    retries_count: int | None = None
    commit: JobHookCommit = NO_COMMIT
    source_pipeline: SourcePipeline | None = None
    delivery: str | None = None
    _raw: dict[str, Any] = field(factory=dict, alias="raw", eq=False, repr=False)


@frozen(kw_only=True)
class PipelineHook(_Delivered):
    """A Pipeline event: a pipeline and the latest attempts of its jobs.

    https://docs.gitlab.com/user/project/integrations/webhook_events/#pipeline-events

    Attributes:
        project_id: the number of the project.
        pipeline_id: the number of the pipeline.
        status: of all its jobs; see `JobStatus`.
        detailed_status: a few words, such as "passed with warnings".
        iid: counts the pipelines of the project.
        name: from `workflow:name`; None without one.
        project: the project.
        ref: branch, tag or merge request ref; None if it runs for none.
        tag: whether *ref* is a tag.
        sha: the commit.
        before_sha: the commit before a push; zeros without one.
        source: the trigger, such as "push" or "schedule".
        stages: the names of its stages.
        created_at: when it was created.
        finished_at: None until it has finished.
        duration: seconds in which jobs ran; None until it has finished.
        queued_duration: seconds before the first job ran; None until then.
        protected_ref: whether *ref* is protected; None from older releases.
        variables: given by the person or program that started it.
        url: URL of its page; None from older releases.
        root_pipeline_id: the first of its chain of pipelines; None before GitLab 19.
        merge_request: None for a pipeline of a branch or tag.
        user: who started it; None for a deleted user.
        commit: None if the commit no longer exists.
        builds: its jobs.
        bridges: its trigger jobs; empty before GitLab 19.
        source_pipeline: the upstream pipeline; None without one.
        delivery: the same for each repeat of a delivery; None from older releases.
    """

    project_id: int
    pipeline_id: int
    status: JobStatus
    detailed_status: str = ""
    iid: int = 0
    name: str | None = None
    project: HookProject = NO_PROJECT
    ref: str | None = None
    tag: bool = False
    sha: str = ""
    before_sha: str = ""
    source: str = ""
    stages: tuple[str, ...] = ()
    created_at: datetime = UNKNOWN_TIME
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
