"""Projects as a group lists them."""

from datetime import datetime

from attrs import frozen

from gitlab_jobs_async.models.values import UNKNOWN_TIME


@frozen(kw_only=True)
class ProjectInfo:
    """A project of a group: https://docs.gitlab.com/api/groups/#list-projects.

    Follows lib/api/entities/project.rb.

    Attributes:
        id: the number of the project, which a move does not change.
        path_with_namespace: the full path, such as "shop/web/cart".
        name: the displayed name.
        name_with_namespace: the displayed names of its groups and its own.
        path: the last part of the full path.
        description: None without one.
        default_branch: None while the repository is empty.
        web_url: URL of the project.
        created_at: when it was created.
        last_activity_at: the last push or other event; pipelines and jobs do not change it.
        archived: whether it is read-only.
        visibility: "private", "internal" or "public".
        jobs_enabled: whether CI/CD is on; None if the server did not say, as is *public_jobs*.
        public_jobs: whether everybody who sees the project sees its jobs.
    """

    id: int
    path_with_namespace: str
    name: str = ""
    name_with_namespace: str = ""
    path: str = ""
    description: str | None = None
    default_branch: str | None = None
    web_url: str = ""
    created_at: datetime = UNKNOWN_TIME
    last_activity_at: datetime = UNKNOWN_TIME
    archived: bool = False
    visibility: str = ""
    jobs_enabled: bool | None = None
    public_jobs: bool | None = None
