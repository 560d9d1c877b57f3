"""The runner of a job, and the machine that it used: https://docs.gitlab.com/api/runners/."""

from datetime import datetime

from attrs import frozen

from gitlab_jobs_async.models.users import User
from gitlab_jobs_async.models.values import UNKNOWN_TIME


@frozen(kw_only=True)
class Runner:
    """The runner of a job: lib/api/entities/ci/runner.rb.

    Attributes:
        id: the number of the runner.
        description: what its owner calls it; None without one.
        ip_address: None from newer releases.
        active: the opposite of *paused*, which replaced it.
        paused: whether it takes no new jobs.
        is_shared: whether it serves the whole instance.
        runner_type: "instance_type", "group_type" or "project_type".
        name: the name of its program; None from newer runners.
        online: whether it contacted GitLab in the last two hours; None if it never did.
        created_by: who created it; None from older releases, or if the token may not know.
        created_at: None from older releases.
        status: "online", "offline", "stale" or "never_contacted".
        job_execution_status: "active" while it runs jobs, else "idle"; None from older
            releases.
    """

    id: int
    description: str | None = None
    ip_address: str | None = None
    active: bool = False
    paused: bool = False
    is_shared: bool = False
    runner_type: str = ""
    name: str | None = None
    online: bool | None = None
    created_by: User | None = None
    created_at: datetime | None = None
    status: str = ""
    job_execution_status: str | None = None


@frozen(kw_only=True)
class RunnerManager:
    """The machine of the runner that ran a job: lib/api/entities/ci/runner_manager.rb.

    Attributes:
        id: the number of the manager.
        system_id: the name that the machine made for itself, such as "s_7f3a".
        version: version of GitLab Runner; None, as the next three, if it never contacted GitLab.
        revision: its commit.
        platform: operating system, such as "linux".
        architecture: processor, such as "amd64".
        created_at: when it first registered.
        contacted_at: its last contact; None if there was none.
        ip_address: its last address.
        status: "online", "offline", "stale" or "never_contacted".
        job_execution_status: "active" while it runs jobs, else "idle"; None from older
            releases.
    """

    id: int
    system_id: str = ""
    version: str | None = None
    revision: str | None = None
    platform: str | None = None
    architecture: str | None = None
    created_at: datetime = UNKNOWN_TIME
    contacted_at: datetime | None = None
    ip_address: str | None = None
    status: str = ""
    job_execution_status: str | None = None
