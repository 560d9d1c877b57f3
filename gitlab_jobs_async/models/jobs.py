"""Jobs and bridges, as frozen attrs classes.

Names are GitLab's: https://docs.gitlab.com/api/jobs/. Unknown fields are dropped, unknown statuses
are kept. Times are aware `datetime`s, durations are seconds. A field that GitLab always sends is
never None. From a server that leaves it out it is empty: "", 0, False, or 1970 for a time. Other
fields are None where GitLab sends null, or for releases without them.
"""

from datetime import datetime

from attrs import frozen

from gitlab_jobs_async.models.artifacts import Artifact, ArtifactsFile
from gitlab_jobs_async.models.pipelines import NO_PIPELINE, PipelineBasic, project_path_of
from gitlab_jobs_async.models.runners import Runner, RunnerManager
from gitlab_jobs_async.models.statuses import FailureReason, JobStatus
from gitlab_jobs_async.models.users import Commit, User
from gitlab_jobs_async.models.values import UNKNOWN_TIME, short_repr


@frozen(kw_only=True)
class JobProject:
    """A job's fields of its project; the id is `job.project_id`.

    Attributes:
        ci_job_token_scope_enabled: whether the project limits what its job tokens may access.
    """

    ci_job_token_scope_enabled: bool = False


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
            status=self.status,
            ref=self.ref,
            pipeline=self.pipeline.id,
            project=self.project_path or self.project_id,
        )


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
