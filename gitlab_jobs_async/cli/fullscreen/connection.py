"""Whether the server answers, and how much was read, by the ends of all requests."""

from typing import Final

from attrs import define, field

from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.http.hooks import RequestEnd, RequestHooks

_CANCELLED: Final = "CancelledError"
_PIPELINE_JOBS: Final = "/projects/:id/pipelines/:pipeline_id/jobs"


@define(eq=False, repr=False)
class ConnectionState:
    """Whether the server answers; *hooks* are those of the client, `pages` counts its answers."""

    clock: Clock
    hooks: RequestHooks = field(init=False)
    pages: int = 0
    _lists: dict[str, tuple[int, int | None]] = field(factory=dict)
    _began: float = field(init=False)
    _answered_at: float | None = None
    _has_failed: bool = False

    def __attrs_post_init__(self) -> None:
        self.hooks = RequestHooks(on_end=self.on_end)
        self._began = self.clock.now()

    def on_end(self, request: RequestEnd) -> None:
        """Note the end of a request."""
        if request.status is not None and request.status < 500:
            self._answered_at, self._has_failed = self.clock.now(), False
            self.pages += request.status < 300
            if request.start.route == _PIPELINE_JOBS:
                url = request.start.url
                read, total = self._lists.get(url, (0, None))
                self._lists[url] = read + 1, request.total_pages or total
        elif request.error != _CANCELLED:
            self._has_failed = True

    def words(self) -> str:
        """Return the state of an outage, or an empty string."""
        if not self._has_failed:
            return ""
        if self._answered_at is None:
            return f"connecting, no answer for {length(self.clock.now() - self._began)}"
        return f"reconnecting, last answer {length(self.clock.now() - self._answered_at)} ago"

    def read_of(self, pipeline_id: int) -> str:
        """Return how many pages of a pipeline's jobs were read: "3 of 100 pages"."""
        end = f"/pipelines/{pipeline_id}/jobs"
        read, total = next(
            (count for url, count in self._lists.items() if url.endswith(end)), (0, None)
        )
        return f"{read:,} of {total:,} pages" if total else f"{read:,} pages"
