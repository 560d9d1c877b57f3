"""Whether the server answers, by the ends of all requests."""

from typing import Final

from attrs import define, field

from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.http.hooks import RequestEnd, RequestHooks

_CANCELLED: Final = "CancelledError"


@define(eq=False, repr=False)
class ConnectionState:
    """Whether the server answers; *hooks* are those of the client."""

    clock: Clock
    hooks: RequestHooks = field(init=False)
    _answered_at: float | None = None
    _has_failed: bool = False

    def __attrs_post_init__(self) -> None:
        self.hooks = RequestHooks(on_end=self.on_end)

    def on_end(self, request: RequestEnd) -> None:
        """Note the end of a request."""
        if request.status is not None and request.status < 500:
            self._answered_at, self._has_failed = self.clock.now(), False
        elif request.error != _CANCELLED:
            self._has_failed = True

    def words(self) -> str:
        """Return the state of an outage, or an empty string."""
        if not self._has_failed:
            return ""
        if self._answered_at is None:
            return "connecting, no answer yet"
        return f"reconnecting, last answer {length(self.clock.now() - self._answered_at)} ago"
