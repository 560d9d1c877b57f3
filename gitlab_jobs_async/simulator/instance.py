"""Users, projects, groups and runners of the simulated GitLab. No I/O."""

from collections.abc import Mapping, Sequence

from gitlab_jobs_async.simulator.records import (
    Agent,
    MergeRequest,
    Project,
    Runner,
    Token,
    User,
    level_of,
)
from gitlab_jobs_async.simulator.registry import Registry


class Instance:
    """The part of a `World` that does not run: users, projects, runners and agents.

    Starts with the administrator `root`, whose token is `token`, and one shared runner.
    """

    def __init__(self, now: float) -> None:
        self.registry = Registry(now)
        self.root = self.add_user("root", token="glpat-root", admin=True)  # noqa: S106 - everybody may know it
        self.add_runner("shared-1")

    @property
    def now(self) -> float:
        """The time up to which everything planned has happened."""
        return self.registry.now

    @property
    def token(self) -> str:
        """The administrator's private token."""
        return self.root.token

    @property
    def projects(self) -> list[Project]:
        """All projects by id."""
        return [project for _, project in sorted(self.registry.projects.items())]

    def project(self, path: str) -> Project:
        """Return the project at `path`; raise `KeyError` without one."""
        return self.registry.paths[path]

    def add_user(
        self,
        username: str,
        *,
        token: str | None = None,
        scopes: Sequence[str] = ("api",),
        admin: bool = False,
        state: str = "active",
    ) -> User:
        """Add a user with a token (default `glpat-<username>`)."""
        value = f"glpat-{username}" if token is None else token
        number = len(self.registry.users) + 1
        if any(user.username == username for user in self.registry.users.values()):
            raise ValueError(f"user {username!r} already exists")
        user = User(
            number, username, username.replace(".", " ").title(), value, state, admin, self.now
        )
        self.registry.users[number] = user
        self.add_token(user, value, scopes)
        return user

    def add_token(
        self,
        user: User,
        token: str,
        scopes: Sequence[str] = ("api",),
        *,
        expires_at: float | None = None,
        revoked: bool = False,
        kind: str = "personal",
    ) -> Token:
        """Add a token of a user; `kind` "oauth" is valid as a bearer token only."""
        return self.registry.add_token(Token(token, user, tuple(scopes), expires_at, revoked, kind))

    def add_project(
        self,
        path: str,
        *,
        project_id: int | None = None,
        visibility: str = "private",
        members: Mapping[User, str] | None = None,
        public_jobs: bool = True,
        protected_refs: Sequence[str] = (),
        variables_role: str = "developer",
    ) -> Project:
        """Add a project; `members` maps a user to "guest" ... "owner"."""
        number = project_id or max(self.registry.projects, default=0) + 1
        project = Project(
            number,
            path,
            visibility,
            {user.id: level_of(role) for user, role in (members or {}).items()},
            public_jobs=public_jobs,
            protected_refs=frozenset(protected_refs),
            variables_role=variables_role,
            created_at=self.now,
        )
        return self.registry.add_project(project)

    def move_project(self, project: Project, path: str) -> None:
        """Give a project a new path; the old one redirects."""
        self.registry.move_project(project, path)

    def delete_project(self, project: Project) -> None:
        """Delete a project with its pipelines and jobs."""
        self.registry.delete_project(project)

    def add_runner(
        self, description: str, *, tags: Sequence[str] = (), runner_type: str = "instance_type"
    ) -> Runner:
        """Add a runner for jobs whose tags it has all."""
        runner = Runner(
            len(self.registry.runners) + 1,
            description,
            tuple(tags),
            runner_type,
            created_at=self.now,
        )
        self.registry.runners.append(runner)
        return runner

    def add_agent(self, project: Project, *, config_project: Project | None = None) -> Agent:
        """Add an agent for Kubernetes that the project's jobs may use."""
        number = 1 + sum(len(other.agents) for other in self.registry.projects.values())
        agent = Agent(number, config_project or project)
        project.agents.append(agent)
        return agent

    def add_merge_request(self, project: Project, merge_request: MergeRequest) -> None:
        """Add a merge request, with its source branch."""
        project.merge_requests[merge_request.iid] = merge_request
        project.branches.add(merge_request.source_branch)
