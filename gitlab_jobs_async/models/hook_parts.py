"""The objects within webhook events: people, runners, projects and commits.

Follows lib/gitlab/data_builder/{build,pipeline}.rb. A field that GitLab always sends is never None;
see `gitlab_jobs_async.models.webhooks`.
"""

from datetime import datetime

from attrs import field, frozen

from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.values import UNKNOWN_STATUS, UNKNOWN_TIME


@frozen(kw_only=True)
class HookUser:
    """The person or bot behind a job or pipeline.

    Attributes:
        id: the number of the user.
        username: the unique name.
        name: the displayed name.
        avatar_url: URL of the picture, None without one.
        email: mostly "[REDACTED]".
    """

    id: int = 0
    username: str = ""
    name: str = ""
    avatar_url: str | None = None
    email: str = ""


@frozen(kw_only=True)
class HookRunner:
    """The runner of a job.

    Attributes:
        id: the number of the runner.
        description: what its owner calls it; None without one.
        runner_type: "instance_type", "group_type" or "project_type".
        active: whether it takes new jobs.
        is_shared: whether it serves the whole instance.
        tags: the runner's, not the job's.
    """

    id: int = 0
    description: str | None = None
    runner_type: str = ""
    active: bool = False
    is_shared: bool = False
    tags: tuple[str, ...] = ()


@frozen(kw_only=True)
class HookEnvironment:
    """The environment of a job.

    Attributes:
        name: such as "review/main".
        action: "start", "stop", "prepare", "verify" or "access".
        deployment_tier: such as "production"; only in Pipeline events, None for a new environment.
    """

    name: str = ""
    action: str = ""
    deployment_tier: str | None = None


@frozen(kw_only=True)
class HookProject:
    """The project; an upstream one has only `id`, `web_url` and `path_with_namespace`.

    Attributes:
        id: the number of the project.
        name: the displayed name.
        description: None or empty without one.
        web_url: URL of its page.
        avatar_url: URL of its picture, None without one.
        git_ssh_url: URL to clone by SSH.
        git_http_url: URL to clone by HTTP.
        namespace: the displayed name of its group.
        visibility_level: 0 for private, 10 for internal, 20 for public.
        path_with_namespace: the full path, such as "group/app".
        default_branch: None for an empty repository.
        ci_config_path: None for the usual ".gitlab-ci.yml".
    """

    id: int = 0
    name: str | None = None
    description: str | None = None
    web_url: str = ""
    avatar_url: str | None = None
    git_ssh_url: str | None = None
    git_http_url: str | None = None
    namespace: str | None = None
    visibility_level: int | None = None
    path_with_namespace: str = ""
    default_branch: str | None = None
    ci_config_path: str | None = None


NO_PROJECT = HookProject()
"""The project of a Pipeline event from a server that did not send it."""


@frozen(kw_only=True)
class SourcePipeline:
    """The upstream pipeline and job, or bridge, that created this pipeline.

    Attributes:
        project: the project of that pipeline.
        pipeline_id: its number.
        job_id: the job or bridge that created the pipeline.
        bridge_id: the bridge; None from older releases.
    """

    project: HookProject = NO_PROJECT
    pipeline_id: int = 0
    job_id: int | None = None
    bridge_id: int | None = None


@frozen(kw_only=True)
class HookMergeRequest:
    """The merge request that a pipeline runs for.

    Attributes:
        id: unique on the server.
        iid: the number in the project, as in "!42".
        title: its title.
        source_branch: the branch with the changes.
        source_project_id: the project of that branch; None for a deleted fork.
        target_branch: the branch to merge into.
        target_project_id: the project of the merge request.
        state: "opened", "closed", "locked" or "merged".
        merge_status: deprecated by GitLab for the next one.
        detailed_merge_status: such as "mergeable"; None from older releases.
        url: URL of its page.
    """

    id: int = 0
    iid: int = 0
    title: str = ""
    source_branch: str = ""
    source_project_id: int | None = None
    target_branch: str = ""
    target_project_id: int = 0
    state: str = ""
    merge_status: str = ""
    detailed_merge_status: str | None = None
    url: str = ""


@frozen(kw_only=True)
class HookAuthor:
    """The author of a commit, as in git."""

    name: str = ""
    email: str = ""


_NO_AUTHOR = HookAuthor()


@frozen(kw_only=True)
class HookCommit:
    """The commit of a Pipeline event.

    Attributes:
        id: its SHA.
        message: the whole message.
        title: its first line.
        timestamp: when it was applied.
        url: URL of its page.
        author: who wrote it.
    """

    id: str = ""
    message: str = ""
    title: str = ""
    timestamp: datetime = UNKNOWN_TIME
    url: str = ""
    author: HookAuthor = _NO_AUTHOR

    @property
    def sha(self) -> str:
        """The SHA, under its name in Job events."""
        # This name and the two below let consumers handle both events in the same way.
        return self.id

    @property
    def author_name(self) -> str:
        """The author's name, as in Job events."""
        return self.author.name

    @property
    def author_email(self) -> str:
        """The author's address, as in Job events."""
        return self.author.email


@frozen(kw_only=True)
class JobHookCommit:
    """The commit of a Job event, with fields of its pipeline.

    Attributes:
        id: the number of the pipeline, not of the commit.
        name: the pipeline's name, from `workflow:name`; None without one.
        sha: the SHA of the commit.
        message: the whole message; None if the commit no longer exists, as are the next two.
        author_name: who wrote it.
        author_email: the address of the author.
        author_url: URL of the author's profile, or "mailto:" and the address.
        status: the pipeline's.
        duration: seconds in which the pipeline's jobs ran; None until it has finished.
        started_at: when the pipeline started; None until then.
        finished_at: when the pipeline finished; None until then.
    """

    id: int = 0
    name: str | None = None
    sha: str = ""
    message: str | None = None
    author_name: str | None = None
    author_email: str | None = None
    author_url: str = ""
    status: JobStatus = UNKNOWN_STATUS
    duration: float | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


NO_COMMIT = JobHookCommit()
"""The commit of a Job event from a server that did not send it."""


@frozen(kw_only=True)
class HookVariable:
    """A variable of a pipeline; its value is not in its `repr`."""

    key: str = ""
    # It may be a secret.
    value: str = field(default="", repr=False)
