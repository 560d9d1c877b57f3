"""Jobs, pipelines and logs, as frozen attrs classes.

A missing value or null is None. Unknown fields are dropped, unknown statuses are kept. Times are
aware `datetime`s, durations are seconds. Names are GitLab's: https://docs.gitlab.com/api/jobs/
"""

from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen

from gitlab_jobs_async.models.statuses import FailureReason, JobStatus


@frozen(kw_only=True)
class User:
    """The person or bot of a job or pipeline; see https://docs.gitlab.com/api/users/."""

    id: int
    username: str
    name: str | None = None
    state: str | None = None
    locked: bool | None = None
    avatar_url: str | None = None
    web_url: str | None = None
    created_at: datetime | None = None
    bio: str | None = None
    location: str | None = None
    public_email: str | None = None
    skype: str | None = None
    linkedin: str | None = None
    twitter: str | None = None
    discord: str | None = None
    github: str | None = None
    website_url: str | None = None
    organization: str | None = None
    job_title: str | None = None
    pronouns: str | None = None
    bot: bool | None = None
    work_information: str | None = None
    followers: int | None = None
    following: int | None = None
    local_time: str | None = None


@frozen(kw_only=True)
class Commit:
    """The commit of a job; see https://docs.gitlab.com/api/commits/."""

    id: str
    short_id: str | None = None
    title: str | None = None
    message: str | None = None
    author_name: str | None = None
    author_email: str | None = None
    authored_date: datetime | None = None
    committer_name: str | None = None
    committer_email: str | None = None
    committed_date: datetime | None = None
    created_at: datetime | None = None
    parent_ids: tuple[str, ...] = ()
    web_url: str | None = None


@frozen(kw_only=True)
class Runner:
    """The runner of a job: lib/api/entities/ci/runner.rb."""

    id: int
    description: str | None = None
    ip_address: str | None = None  # null on servers of 2026
    active: bool | None = None  # deprecated by GitLab, which replaced it by `paused`
    paused: bool | None = None
    is_shared: bool | None = None
    runner_type: str | None = None
    name: str | None = None
    online: bool | None = None
    created_by: User | None = None
    created_at: datetime | None = None
    status: str | None = None
    job_execution_status: str | None = None


@frozen(kw_only=True)
class RunnerManager:
    """The machine of the runner that ran a job."""

    id: int
    system_id: str | None = None
    version: str | None = None
    revision: str | None = None
    platform: str | None = None
    architecture: str | None = None
    created_at: datetime | None = None
    contacted_at: datetime | None = None
    ip_address: str | None = None
    status: str | None = None
    job_execution_status: str | None = None


@frozen(kw_only=True)
class ArtifactsFile:
    """The artifacts archive of a job; `size` in bytes."""

    filename: str
    size: int | None = None


@frozen(kw_only=True)
class Artifact:
    """A stored file of a job, including the archived trace and reports; `size` in bytes."""

    file_type: str
    size: int | None = None
    filename: str | None = None
    file_format: str | None = None


@frozen(kw_only=True)
class ArtifactEntry:
    """A file or directory in an archive: lib/api/entities/ci/job_artifact_entry.rb.

    `type` is "file" or "directory"; a directory has no `size` (bytes).
    """

    name: str
    path: str
    type: str
    size: int | None = None
    mode: str | None = None


@frozen(kw_only=True)
class JobProject:
    """A job's fields of its project; the id is `job.project_id`."""

    ci_job_token_scope_enabled: bool | None = None


@frozen(kw_only=True)
class DetailedStatus:
    """A pipeline's status as GitLab's web pages show it."""

    icon: str | None = None
    text: str | None = None
    label: str | None = None
    group: str | None = None
    tooltip: str | None = None
    has_details: bool | None = None
    details_path: str | None = None
    favicon: str | None = None


@frozen(kw_only=True)
class Pipeline:
    """A pipeline; see https://docs.gitlab.com/api/pipelines/.

    In a listing, and as a job's `pipeline`, only the first ten fields have values.
    """

    id: int
    status: JobStatus
    iid: int | None = None
    project_id: int | None = None
    ref: str | None = None
    sha: str | None = None
    source: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    web_url: str | None = None
    name: str | None = None
    before_sha: str | None = None
    tag: bool | None = None
    yaml_errors: str | None = None
    user: User | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    committed_at: datetime | None = None
    duration: float | None = None
    queued_duration: float | None = None
    coverage: float | str | None = None  # GitLab sends a string here, and a number in jobs
    detailed_status: DetailedStatus | None = None
    archived: bool | None = None


@frozen(kw_only=True)
class PipelineOfCommit:
    """The part of a commit that names its newest pipeline: lib/api/entities/commit_detail.rb."""

    last_pipeline: Pipeline | None = None


@frozen(kw_only=True)
class JobBasic:
    """Fields of jobs and bridges: lib/api/entities/ci/job_basic.rb.

    `duration` grows while the job runs. `failure_reason` is None unless `status` is failed.
    """

    id: int
    status: JobStatus
    stage: str
    name: str
    ref: str | None = None
    tag: bool | None = None
    coverage: float | str | None = None
    allow_failure: bool | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    erased_at: datetime | None = None
    duration: float | None = None
    queued_duration: float | None = None
    user: User | None = None
    commit: Commit | None = None
    pipeline: Pipeline | None = None
    failure_reason: FailureReason | None = None
    source: str | None = None  # documented, but not sent by every server
    web_url: str | None = None
    project: JobProject | None = None

    @property
    def project_id(self) -> int | None:
        """The numeric id of the project."""
        # GitLab sends it with the pipeline only.
        return None if self.pipeline is None else self.pipeline.project_id


@frozen(kw_only=True)
class Job(JobBasic):
    """A job that a runner runs: lib/api/entities/ci/job.rb, https://docs.gitlab.com/api/jobs/.

    `is_partial` is True for a job that a monitor got by GraphQL. It has `id`, `status`, `stage`,
    `name`, the four times and `pipeline` (`id`, `status`, `project_id`, `updated_at`). All other
    fields are None or empty, `failure_reason` and `web_url` among them: `get_job` returns them.
    """

    artifacts_file: ArtifactsFile | None = None  # missing once the archive has expired
    artifacts: tuple[Artifact, ...] = ()
    runner: Runner | None = None
    runner_manager: RunnerManager | None = None
    artifacts_expire_at: datetime | None = None
    archived: bool | None = None
    tag_list: tuple[str, ...] = ()
    download_url: str | None = None
    is_partial: bool = False


@frozen(kw_only=True)
class Bridge(JobBasic):
    """A trigger job: https://docs.gitlab.com/api/jobs/#list-pipeline-trigger-jobs."""

    downstream_pipeline: Pipeline | None = None
    """None until the pipeline exists."""


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
