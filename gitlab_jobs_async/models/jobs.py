"""Jobs, pipelines and logs, as frozen attrs classes.

Names are GitLab's: https://docs.gitlab.com/api/jobs/. Unknown fields are dropped, unknown statuses
are kept. Times are aware `datetime`s, durations are seconds. A field that GitLab always sends is
never None. From a server that leaves it out it is empty: "", 0, False, or 1970 for a time. Other
fields are None where GitLab sends null, or for releases without them.
"""

from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen

from gitlab_jobs_async.models.artifacts import Artifact, ArtifactsFile
from gitlab_jobs_async.models.runners import Runner, RunnerManager
from gitlab_jobs_async.models.statuses import FailureReason, JobStatus
from gitlab_jobs_async.models.users import Commit, User
from gitlab_jobs_async.models.values import UNKNOWN_STATUS, UNKNOWN_TIME, short_repr


@frozen(kw_only=True)
class JobProject:
    """A job's fields of its project; the id is `job.project_id`.

    Attributes:
        ci_job_token_scope_enabled: whether the project limits what its job tokens may access.
    """

    ci_job_token_scope_enabled: bool = False


@frozen(kw_only=True)
class DetailedStatus:
    """A pipeline's status as GitLab's web pages show it: app/serializers/detailed_status_entity.rb.

    Attributes:
        icon: name of the symbol.
        text: one word, such as "Passed".
        label: a few words, such as "passed with warnings".
        group: style, such as "success-with-warnings".
        tooltip: text beside the pointer.
        has_details: whether there is a page to link to.
        details_path: path of that page on the server, None without one.
        favicon: path of a small picture.
    """

    icon: str = ""
    text: str = ""
    label: str = ""
    group: str = ""
    tooltip: str = ""
    has_details: bool = False
    details_path: str | None = None
    favicon: str = ""


NO_DETAILS = DetailedStatus()
"""The details of a pipeline that a server sent without them; GitLab always sends them."""


@frozen(kw_only=True, repr=False)
class PipelineBasic:
    """A pipeline in listings, and of a job or bridge: lib/api/entities/ci/pipeline_basic.rb.

    Attributes:
        id: unique on the server; 0 if it sent a job without its pipeline.
        status: of all its jobs; see `JobStatus`.
        iid: counts the pipelines of the project.
        project_id: the number of the project.
        ref: branch, tag or merge request ref; None if it runs for none.
        sha: the commit.
        source: the trigger, such as "push", "schedule" or "parent_pipeline".
        created_at: when it was created.
        updated_at: when its status last changed.
        web_url: URL of its page.
        name: from `workflow:name`; None without one, and as a part of a job.
    """

    id: int
    status: JobStatus
    iid: int = 0
    project_id: int = 0
    ref: str | None = None
    sha: str = ""
    source: str = ""
    created_at: datetime = UNKNOWN_TIME
    updated_at: datetime = UNKNOWN_TIME
    web_url: str = ""
    name: str | None = None

    def __repr__(self) -> str:
        place = project_path_of(self.web_url, getattr(self, "user", None)) or self.project_id
        return short_repr(
            self, id=self.id, status=str(self.status), ref=self.ref, sha=self.sha[:8], project=place
        )


@frozen(kw_only=True, repr=False)
class Pipeline(PipelineBasic):
    """One pipeline: https://docs.gitlab.com/api/pipelines/, lib/api/entities/ci/pipeline.rb.

    Attributes:
        before_sha: the commit before a push; zeros without one.
        tag: whether *ref* is a tag.
        yaml_errors: why its configuration is invalid; None if it is valid.
        user: who started it; None for a deleted user.
        started_at: None until its first job runs.
        finished_at: None until it has finished.
        committed_at: time of the commit; mostly None.
        duration: seconds in which jobs ran; None until it has finished.
        queued_duration: seconds before the first job ran; None until then, and if below one.
        coverage: percent, which GitLab sends as a string such as "91.20"; None without any.
        detailed_status: as the web page shows it.
        archived: whether it is too old to be changed; None from older releases.
    """

    before_sha: str = ""
    tag: bool = False
    yaml_errors: str | None = None
    user: User | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    committed_at: datetime | None = None
    duration: float | None = None
    queued_duration: float | None = None
    coverage: float | str | None = None
    detailed_status: DetailedStatus = NO_DETAILS
    archived: bool | None = None


@frozen(kw_only=True)
class PipelineOfCommit:
    """The part of a commit that names its newest pipeline: lib/api/entities/commit_detail.rb."""

    last_pipeline: PipelineBasic | None = None


NO_PIPELINE = PipelineBasic(id=0, status=UNKNOWN_STATUS)
"""The pipeline of a job that a server sent without one; GitLab always sends it."""


@frozen(kw_only=True, repr=False)
class JobBasic:
    """Fields of jobs and bridges: lib/api/entities/ci/job_basic.rb.

    Attributes:
        id: unique on the server; a retry has another one.
        status: see `JobStatus`.
        stage: name of the stage.
        name: as in the configuration, with the values of a matrix: "test: [3.12, linux]".
        ref: branch, tag or merge request ref.
        tag: whether *ref* is a tag.
        coverage: percent that the log reported, None without any.
        allow_failure: whether the pipeline passes even if the job fails.
        created_at: when it was created.
        started_at: when a runner took it; None until then.
        finished_at: when it ended; None until then.
        erased_at: when its log and artifacts were erased; None if they were not.
        duration: seconds from start to end, or until now while it runs; None before.
        queued_duration: seconds in which it waited for a runner; None if it never did.
        user: who started it; None for a deleted user.
        commit: None if the commit no longer exists.
        pipeline: its pipeline.
        failure_reason: see `FailureReason`; None unless *status* is failed.
        source: as of the pipeline; documented, but None from most servers.
        web_url: URL of its page.
        project: settings of its project; None from older releases.
    """

    id: int
    status: JobStatus
    stage: str
    name: str
    ref: str = ""
    tag: bool = False
    coverage: float | str | None = None
    allow_failure: bool = False
    created_at: datetime = UNKNOWN_TIME
    started_at: datetime | None = None
    finished_at: datetime | None = None
    erased_at: datetime | None = None
    duration: float | None = None
    queued_duration: float | None = None
    user: User | None = None
    commit: Commit | None = None
    pipeline: PipelineBasic = NO_PIPELINE
    failure_reason: FailureReason | None = None
    source: str | None = None
    web_url: str = ""
    project: JobProject | None = None

    @property
    def project_id(self) -> int:
        """The numeric id of the project; 0 if the server did not send it."""
        # GitLab sends it with the pipeline only.
        return self.pipeline.project_id

    @property
    def project_path(self) -> str | None:
        """The full path of the project, such as "group/app", from `web_url`; None without one.

        A moved project has its new path in answers after the move. On a server with a relative URL
        root, a job without `user` has the root before the path.
        """
        return project_path_of(self.web_url, self.user)

    def __repr__(self) -> str:
        return short_repr(
            self,
            id=self.id,
            name=self.name,
            status=str(self.status),
            ref=self.ref,
            pipeline=self.pipeline.id,
            project=self.project_path or self.project_id,
        )


def project_path_of(web_url: str, user: User | None) -> str | None:
    """Return the path of the project that a page belongs to; *user* shows where paths begin."""
    page, found, _ = web_url.partition("/-/")
    _, _, path = page.partition("://")
    _, _, path = path.partition("/")
    if user is not None and user.web_url.endswith(f"/{user.username}"):
        # GitLab may be served below a path, which only this URL tells from a group.
        root = user.web_url.removesuffix(user.username)
        path = page.removeprefix(root) if page.startswith(root) else path
    return path if found and path else None


@frozen(kw_only=True, repr=False)
class Job(JobBasic):
    """A job that a runner runs: lib/api/entities/ci/job.rb, https://docs.gitlab.com/api/jobs/.

    A monitor gets some jobs by GraphQL. Of these, *is_partial* is true, and they lack `coverage`,
    `duration`, `queued_duration`, `user`, `commit`, `failure_reason`, `project`, `pipeline.ref`,
    `pipeline.source`, and all fields of a `Job` but those of a `JobBasic`. `get_job` returns them.

    Attributes:
        artifacts_file: the archive of its artifacts; None without one, and once it has expired.
        artifacts: its stored files: archive, log and reports.
        runner: the runner that took it; None until then, and for a deleted one.
        runner_manager: the machine that ran it; None until then, and from older releases.
        artifacts_expire_at: when its artifacts are deleted; None if never.
        archived: whether it is too old to be retried; None from older releases.
        tag_list: the tags that a runner must have.
        download_url: None but in answers about artifacts.
        is_partial: whether it came by GraphQL.
    """

    artifacts_file: ArtifactsFile | None = None
    artifacts: tuple[Artifact, ...] = ()
    runner: Runner | None = None
    runner_manager: RunnerManager | None = None
    artifacts_expire_at: datetime | None = None
    archived: bool | None = None
    tag_list: tuple[str, ...] = ()
    download_url: str | None = None
    is_partial: bool = False


@frozen(kw_only=True, repr=False)
class Bridge(JobBasic):
    """A trigger job: https://docs.gitlab.com/api/jobs/#list-pipeline-trigger-jobs.

    Attributes:
        downstream_pipeline: the pipeline that it created; None until that exists, and if the token
            may not read it.
    """

    downstream_pipeline: PipelineBasic | None = None


@frozen
class TraceChunk:
    """Bytes of a trace; `offset` is the position of the first one, from the start of the trace."""

    offset: int
    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")

    @property
    def end(self) -> int:
        """The offset of the next byte, to resume from with `offset=`."""
        return self.offset + len(self.data)


@frozen
class Section:
    """A section of a log at its start (`ended_at` is None) or at its end.

    `path` is the names of the enclosing sections and its own. `options` are from its marker:
    https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections.
    """

    path: tuple[str, ...]
    started_at: datetime
    ended_at: datetime | None = None
    # A mapping has no hash, and a section must have one.
    options: Mapping[str, str] = field(factory=dict, hash=False)

    @property
    def name(self) -> str:
        """The name of the section."""
        return self.path[-1]

    @property
    def duration(self) -> float | None:
        """Whole seconds from start to end by the runner's clock."""
        if self.ended_at is None:
            return None
        # The runner's clock may be set back within a section.
        return max(0.0, (self.ended_at - self.started_at).total_seconds())


@frozen
class LogLine:
    """A line of a log: `text` is plain, `raw` has escape sequences such as colours.

    `number` counts from 1. `at` is the time of the line's start and `stream` is "stdout" or
    "stderr"; both are None if the runner does not send them. `section` is the path of open
    sections. `markers` are the sections that started or ended since the previous line. `end` is the
    byte offset to resume from.
    """

    number: int
    text: str
    raw: str
    at: datetime | None = None
    stream: str | None = None
    section: tuple[str, ...] = ()
    markers: tuple[Section, ...] = ()
    end: int = 0
