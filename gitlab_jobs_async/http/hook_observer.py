"""Call the hooks of the caller."""

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
from attrs import define, evolve, field

from gitlab_jobs_async.api.links import integer
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.http.credential_source import CredentialSource
from gitlab_jobs_async.http.hooks import RequestEnd, RequestHooks, RequestStart
from gitlab_jobs_async.http.observer import RequestObserver
from gitlab_jobs_async.models.values import printable
from gitlab_jobs_async.ratelimit.fair_queue import Priority, RequestClass

T = TypeVar("T")
R = TypeVar("R")

_log = logging.getLogger("gitlab_jobs_async")


@define(eq=False, repr=False)
class HookObserver(RequestObserver):
    """Calls *hooks* with what it observes of one call."""

    _hooks: RequestHooks
    _method: str
    _is_stream: bool
    _server: ServerUrl
    _credentials: CredentialSource
    _clock: Clock
    _attempt: int = field(init=False, default=0)
    _redirects: int = field(init=False, default=0)
    _queued_at: float | None = field(init=False, default=None)
    _start: RequestStart | None = field(init=False, default=None)
    _started_at: float = field(init=False, default=0.0)
    _head_seconds: float | None = field(init=False, default=None)
    _raw: aiohttp.ClientResponse | None = field(init=False, default=None)
    _failure: RequestEnd | None = field(init=False, default=None)

    def attempted(self, number: int) -> None:
        """Begin attempt *number*, counted from 1."""
        self._attempt, self._redirects = number, 0

    def queued(self) -> None:
        """Begin the wait for a slot and the rate limit."""
        self._queued_at = self._clock.now()

    def started(self, hop: Request | str) -> None:
        """Begin to send a request to the server, or a GET of a URL elsewhere."""
        now = self._clock.now()
        waited = 0.0 if self._queued_at is None else now - self._queued_at
        url, route = self._shown(hop)
        self._start = RequestStart(
            self._method, url, route, self._attempt, self._redirects, waited, self._is_stream
        )
        self._queued_at, self._started_at, self._head_seconds = None, now, None
        self._redirects += 1
        call_hook(self._hooks.on_start, self._start)

    def answered(self, raw: aiohttp.ClientResponse) -> None:
        """Receive the head of the response."""
        self._raw, self._head_seconds = raw, self._clock.now() - self._started_at

    def finished(self) -> None:
        """Receive the last byte."""
        if (end := self._end(None)) is not None:
            call_hook(self._hooks.on_end, end)

    def failed(self, error: BaseException) -> None:
        """End the request with *error*, if one is in flight."""
        self._failure = self._end(type(error).__name__) or self._failure

    def decided(self, retry_in: float | None) -> None:
        """Report the request that failed, if any; it is sent again in *retry_in* seconds."""
        failure, self._failure = self._failure, None
        if failure is not None:
            call_hook(self._hooks.on_end, evolve(failure, retry_in=retry_in))

    def _shown(self, hop: Request | str) -> tuple[str, str]:
        """Return URL and route, without query and without a token in the path."""
        if isinstance(hop, str):
            # A path elsewhere may be a capability of its own.
            parts = urlsplit(hop)
            return f"{parts.scheme}://{parts.netloc}", ""
        url = self._credentials.redact(self._server.url_for(evolve(hop, params=())))
        return url, RequestClass.of(hop, Priority.DIRECT).route

    def _end(self, error: str | None) -> RequestEnd | None:
        """Return the end of the request in flight, None without one."""
        start, raw = self._start, self._raw
        self._start = self._raw = None
        if start is None:
            return None
        request_id = None if raw is None else raw.headers.get("X-Request-Id")
        return RequestEnd(
            start,
            None if raw is None else raw.status,
            self._clock.now() - self._started_at,
            self._head_seconds,
            0 if raw is None else raw.content.total_bytes,
            error,
            None if request_id is None else printable(self._credentials.redact(request_id)),
            retry_in=None,
            total_pages=None if raw is None else integer(raw.headers.get("X-Total-Pages", "")),
        )


def call_hook(hook: Callable[[T], R] | None, value: T) -> R | None:
    """Return the result of *hook*, None without one or if it fails, which is logged."""
    if hook is None:
        return None
    try:
        return hook(value)
    # A plain function has nothing to await, so it is not the caller that is cancelled.
    except (Exception, asyncio.CancelledError):  # noqa: BLE001 - a bug of the caller
        # Its repr may hold a secret, as that of a partial does.
        _log.exception("hook %s failed", getattr(hook, "__qualname__", type(hook).__name__))
        return None
