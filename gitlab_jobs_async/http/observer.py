"""Observer of the requests of one call; this one does nothing, that of hooks is loaded late."""

import aiohttp

from gitlab_jobs_async.api.requests import Request


class RequestObserver:
    """Receives the steps of one call.

    `attempted`, then for each request `queued` (not for another host), `started`, `answered` and
    `finished` or `failed`; after each attempt `decided`. The body of a stream ends after that, and
    its failure is followed by another `decided`.
    """

    __slots__ = ()

    def attempted(self, number: int) -> None:
        """Begin attempt *number*, counted from 1."""

    def queued(self) -> None:
        """Begin the wait for a slot and the rate limit."""

    def started(self, hop: Request | str) -> None:
        """Begin to send a request to the server, or a GET of a URL elsewhere."""

    def answered(self, raw: aiohttp.ClientResponse) -> None:
        """Receive the head of the response."""

    def finished(self) -> None:
        """Receive the last byte."""

    def failed(self, error: BaseException) -> None:
        """End the request with *error*, if one is in flight."""

    def decided(self, retry_in: float | None) -> None:
        """Report the request that failed, if any; it is sent again in *retry_in* seconds."""


UNOBSERVED = RequestObserver()
"""The observer of all calls without hooks."""
