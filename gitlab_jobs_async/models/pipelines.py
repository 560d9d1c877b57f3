"""Pipelines, as frozen attrs classes; see `gitlab_jobs_async.models.jobs` for absent fields."""

from datetime import datetime

from attrs import frozen

from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.users import User
from gitlab_jobs_async.models.values import UNKNOWN_STATUS, UNKNOWN_TIME, short_repr


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
            self, id=self.id, status=self.status, ref=self.ref, sha=self.sha[:8], project=place
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
