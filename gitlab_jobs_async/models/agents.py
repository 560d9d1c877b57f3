"""The agents for Kubernetes of a job token's job.

See https://docs.gitlab.com/api/jobs/#get-gitlab-agent-by-ci_job_token.
"""

from datetime import datetime

from attrs import frozen

from gitlab_jobs_async.models.values import UNKNOWN_TIME


@frozen(kw_only=True)
class Reference:
    """An object of which GitLab sends only the id."""

    id: int


@frozen(kw_only=True)
class AgentConfigProject:
    """The project that configures an agent: lib/api/entities/project_identity.rb.

    Attributes:
        id: the number of the project.
        description: None without one.
        name: the displayed name.
        name_with_namespace: the names of its groups and its own.
        path: the last part of its path.
        path_with_namespace: the full path, such as "group/agents".
        created_at: when it was created.
    """

    id: int
    description: str | None = None
    name: str = ""
    name_with_namespace: str = ""
    path: str = ""
    path_with_namespace: str = ""
    created_at: datetime = UNKNOWN_TIME


@frozen(kw_only=True)
class AllowedAgent:
    """An agent for Kubernetes that the job may use, and the project that configures it."""

    id: int
    config_project: AgentConfigProject


@frozen(kw_only=True)
class AgentProject:
    """The job's project and the groups above it."""

    id: int
    groups: tuple[Reference, ...] = ()


@frozen(kw_only=True)
class AgentEnvironment:
    """The environment of the job: its name in URLs, and its tier, such as "production"."""

    slug: str = ""
    tier: str = ""


@frozen(kw_only=True)
class AgentUser:
    """The user of the job, with all roles in `roles_in_project`, such as "guest" and "developer".

    Follows lib/api/ci/jobs.rb: the response has no other fields.
    """

    id: int
    username: str
    roles_in_project: tuple[str, ...] = ()


@frozen(kw_only=True)
class AllowedAgents:
    """The agents of a job token's job.

    Attributes:
        allowed_agents: the agents that the job may use.
        job: the job of the token.
        pipeline: its pipeline.
        project: its project, with the groups above.
        user: who started it.
        environment: None for a job without one.
    """

    allowed_agents: tuple[AllowedAgent, ...]
    job: Reference
    pipeline: Reference
    project: AgentProject
    user: AgentUser
    environment: AgentEnvironment | None = None
