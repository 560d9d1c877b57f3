"""Capabilities of a server, learned from its responses."""

from enum import Enum
from math import inf

from attrs import define, field

from gitlab_jobs_async.api.responses import Response


class TraceSupport(Enum):
    """Ways in which a server serves a partly known trace."""

    # `byte_offset` and `byte_limit`, from GitLab 19 on.
    RANGE = "the requested range"
    CHANGED = "the whole trace if it has changed"
    WHOLE = "the whole trace each time"


@define(eq=False, repr=False)
class NextPageHeaders:
    """Record of whether a server's headers name the next page; one value for all listings."""

    # A gateway may drop all of these headers, or only some.
    is_seen: bool = False
    is_dropped: bool = False

    def learn(self, response: Response) -> None:
        """Record whether *response* has such a header."""
        if response.headers.get("link") or response.headers.get("x-next-cursor"):
            self.is_seen = True

    def learn_dropped(self) -> None:
        """Record that a page did not name its next one."""
        self.is_dropped = True

    @property
    def are_reliable(self) -> bool:
        """Whether a page without a next one is the last."""
        return self.is_seen and not self.is_dropped


@define(eq=False, repr=False)
class ServerCapabilities:
    """Capabilities of a client's server; shared by all its calls."""

    next_page_headers: NextPageHeaders = field(factory=NextPageHeaders)
    trace: TraceSupport | None = None
    graphql_refused_until: float = -inf
    """Unix time until which no question is asked by GraphQL."""
