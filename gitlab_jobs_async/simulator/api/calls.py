"""A call of the API: request, caller and route."""

from collections.abc import Callable

from attrs import define, field, frozen

from gitlab_jobs_async.simulator.api.answers import Answer
from gitlab_jobs_async.simulator.api.limits import Limits
from gitlab_jobs_async.simulator.api.parameters import Parameters
from gitlab_jobs_async.simulator.records import Job, Token, User
from gitlab_jobs_async.simulator.settings import SimulatorSettings
from gitlab_jobs_async.simulator.world import World


@frozen
class Request:
    """A request: `path` raw and without its query, header names in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = field(factory=dict[str, str], repr=False)
    body: bytes = field(default=b"", repr=False)


@frozen
class Identity:
    """The caller: a user, by a personal token or by the token of a running job."""

    user: User
    token: Token | None = None
    job: Job | None = None


@define
class Call:
    """A request in the API, at `now` on the server `origin`."""

    request: Request
    world: World
    settings: SimulatorSettings
    now: float
    origin: str
    storage: str
    route: "Route"
    params: Parameters
    limits: Limits
    identity: Identity | None = None

    def check_jobs_index(self) -> None:
        """Count this request against the limit of job listings; raise 429 past it."""
        self.limits.jobs_index(self.settings, self.user.id if self.user else None, self.now)

    @property
    def user(self) -> User | None:
        """The calling user, or None."""
        return self.identity.user if self.identity else None


@frozen
class Route:
    """A method and a path pattern (`:name` is one segment, `*name` any number) with its handler.

    `permission`: the permission that a job token needs; None refuses job tokens.
    `anonymous`: may be called without a token. `scopes`: those of a token that suffice besides
    `api` and `read_api`; "*" is any.
    """

    method: str
    pattern: str
    handler: Callable[[Call], Answer]
    permission: str | None = None
    anonymous: bool = False
    scopes: tuple[str, ...] = ()
