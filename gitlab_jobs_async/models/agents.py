"""The agents for Kubernetes of a job token's job.

See https://docs.gitlab.com/api/jobs/#get-gitlab-agent-by-ci_job_token.
"""

from datetime import datetime

from attrs import frozen

from gitlab_jobs_async.models.jobs import User


@frozen(kw_only=True)
class Reference:
    """An object of which GitLab sends only the id."""

    id: int


@frozen(kw_only=True)
class AgentConfigProject:
    """The project that configures an agent."""

    id: int
    description: str | None = None
    name: str | None = None
    name_with_namespace: str | None = None
    path: str | None = None
    path_with_namespace: str | None = None
    created_at: datetime | None = None


@frozen(kw_only=True)
class AllowedAgent:
    """An agent for Kubernetes that the job may use."""

    id: int
    config_project: AgentConfigProject


@frozen(kw_only=True)
class AgentProject:
    """The job's project and the groups above it."""

    id: int
    groups: tuple[Reference, ...] = ()


@frozen(kw_only=True)
class AgentEnvironment:
    """The environment of the job."""

    slug: str | None = None
    tier: str | None = None


@frozen(kw_only=True)
class AgentUser(User):
    """The user of the job, with all roles in `roles_in_project`, such as "guest" and "developer".

    Follows lib/api/ci/jobs.rb: the response has only `id`, `username` and the roles.
    """

    roles_in_project: tuple[str, ...] = ()


@frozen(kw_only=True)
class AllowedAgents:
    """The agents of a job token's job, and its pipeline, project, user and environment."""

    allowed_agents: tuple[AllowedAgent, ...]
    job: Reference
    pipeline: Reference
    project: AgentProject
    user: AgentUser
    environment: AgentEnvironment | None = None
