"""What one server has shown about itself: hints for later requests, learned from its responses."""

from enum import Enum

from attrs import define, field

from gitlab_jobs_async.api.responses import Response


class TraceSupport(Enum):
    """What a server sends of a trace that is known in part."""

    RANGE = "what was asked for"
    CHANGED = "all of it, if it has changed"
    WHOLE = "all of it each time"


@define
class NextPageHeaders:
    """What a server has shown of the headers that name a next page; one value for all listings.

    A gateway may let none of them through, or only some.
    """

    is_seen: bool = False
    is_dropped: bool = False

    def learn(self, response: Response) -> None:
        """Note that *response* came with such a header, if it did."""
        if response.headers.get("link") or response.headers.get("x-next-cursor"):
            self.is_seen = True

    def learn_dropped(self) -> None:
        """Note that a page had a next one and did not name it."""
        self.is_dropped = True

    @property
    def are_reliable(self) -> bool:
        """Whether a page that names no next one may be believed to be the last."""
        return self.is_seen and not self.is_dropped


@define(eq=False)
class ServerCapabilities:
    """What a `GitLab` has learned about its server; shared by all calls of that client."""

    next_page_headers: NextPageHeaders = field(factory=NextPageHeaders)
    trace: TraceSupport | None = None
