"""Exchanges with the server: one request, its redirects, its deadline and its errors."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
from attrs import define, evolve, field, frozen

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response, error_of, merge_headers
from gitlab_jobs_async.api.server_clock import ServerClock
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.errors import (
    ConnectionFailedError,
    GitLabError,
    ResponseError,
    ResponseTooLargeError,
)
from gitlab_jobs_async.http.attempts import Attempt, Deadline
from gitlab_jobs_async.http.body import Body, body_of, read_error_body
from gitlab_jobs_async.http.body_limits import Bound, Limits, SizeLimit
from gitlab_jobs_async.http.connections import Connections
from gitlab_jobs_async.http.credential_source import CredentialSource, Issued
from gitlab_jobs_async.http.decompression import UnknownEncodingError
from gitlab_jobs_async.http.error_mapping import (
    EXCHANGE_ERRORS,
    clear_locals,
    describe_error,
    is_header_too_long,
    map_error,
)
from gitlab_jobs_async.http.observer import RequestObserver
from gitlab_jobs_async.http.redirects import STATUSES, RedirectRefusedError, next_hop
from gitlab_jobs_async.models.values import printable
from gitlab_jobs_async.ratelimit.limiter import CLOSED
from gitlab_jobs_async.ratelimit.permits import PausedError, Permit

T = TypeVar("T")

_log = logging.getLogger("gitlab_jobs_async")

_MOST_REDIRECTS = 5


@define(eq=False, repr=False)
class CallState:
    """The request of a call, its current target on the same server, and how it was signed."""

    request: Request
    observer: RequestObserver
    target: Request = field(init=False)
    redirects: int = field(init=False)
    attempt: Attempt = field(init=False)
    issued: Issued | None = field(init=False, default=None)

    def restart(self) -> None:
        """Begin an attempt: with the request itself, and no redirect."""
        self.target, self.redirects, self.issued = self.request, 0, None


@frozen(eq=False, repr=False)
class OpenResponse:
    """A response with its head, its unread body and the permit that it holds."""

    permit: Permit
    raw: aiohttp.ClientResponse = field(repr=False)
    head: Response
    body: Body = field(repr=False)
    observer: RequestObserver = field(repr=False)

    def close(self) -> None:
        """Release the connection and the permit."""
        self.observer.finished()
        self.raw.close()
        self.permit.release()


class Exchanges:
    """Sends requests over *connections*; its errors never show a credential."""

    def __init__(
        self,
        server: ServerUrl,
        connections: Connections,
        *,
        credentials: CredentialSource,
        limits: Limits,
        timeout: float,
        clock: Clock,
        server_clock: ServerClock,
    ) -> None:
        self._server = server
        self._connections = connections
        self._credentials = credentials
        self._limits = limits
        self._timeout = timeout
        self._clock = clock
        self._server_clock = server_clock
        self._is_closed = False
        self._deadlines: set[Deadline] = set()

    def _redact(self, text: str) -> str:
        # Not kept: there is another function for other credentials.
        return self._credentials.redact(text)

    def expire(self) -> None:
        """End all pending exchanges with a `RuntimeError`."""
        self._is_closed = True
        # aiohttp does not wake the readers of a body when its connector is closed.
        for deadline in list(self._deadlines):
            deadline.expire()

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    async def within_time(
        self, request: Request, exchange: Awaitable[T], attempt: Attempt | None = None
    ) -> T:
        """Await *exchange* and map its errors.

        Raises:
            GitLabError: it failed, or did not end within the timeout.
            RuntimeError: the client was closed.
        """
        deadline = Deadline(self._timeout) if attempt is None else attempt.deadline
        self._deadlines.add(deadline)
        try:
            async with deadline.timeout:
                return await exchange
        # aiohttp raises the last two if its connector is closed during a request.
        except (*EXCHANGE_ERRORS, RuntimeError, AssertionError) as error:
            if not self._is_closed and not isinstance(error, EXCHANGE_ERRORS):
                clear_locals(error)
                raise
            is_closed = self._is_closed
            failure = RuntimeError(CLOSED) if is_closed else self._failure(request, error, attempt)
        except BaseException as error:
            clear_locals(error)
            raise
        finally:
            self._deadlines.discard(deadline)
        # Outside of the handler, where the foreign error would become the context of ours.
        raise failure

    async def read_whole(self, state: CallState, permit: Permit, bound: Bound) -> Response | None:
        """Send the current target and return the whole response.

        `None` if another permit is needed: after a redirect, or in a pause of the server.
        """

        async def exchange() -> Response | None:
            began = self._clock.now()
            followed = await self._follow(state, permit)
            if followed is None:
                return None
            raw, head = followed
            async with raw:
                size = SizeLimit(*self._limits.whole(bound), head.method, head.url)
                body = await body_of(raw).read_all(size)
                state.observer.finished()
                return evolve(head, body=body, seconds=self._clock.now() - began)

        return await self._attempt(state, permit, exchange)

    async def open_stream(self, state: CallState, permit: Permit) -> OpenResponse | None:
        """Send the current target and return the open response, `None` as `read_whole` does."""

        async def exchange() -> OpenResponse | None:
            followed = await self._follow(state, permit)
            if followed is None:
                return None
            raw, head = followed
            try:
                return OpenResponse(permit, raw, head, body_of(raw), state.observer)
            except UnknownEncodingError:
                raw.close()
                raise

        return await self._attempt(state, permit, exchange)

    async def _attempt(
        self, state: CallState, permit: Permit, exchange: Callable[[], Awaitable[T]]
    ) -> T | None:
        is_action = not state.request.is_repeatable
        state.attempt = Attempt(Deadline(self._timeout), permit, is_action=is_action)
        try:
            return await self.within_time(state.request, exchange(), state.attempt)
        except PausedError as paused:
            state.observer.failed(paused)
            state.observer.decided(0.0)
            permit.cancelled()
            return None
        except BaseException as failure:
            state.observer.failed(failure)
            # The server's rate limit does not count a request that it never received.
            if isinstance(failure, ConnectionFailedError) and not failure.was_sent:
                permit.cancelled()
            raise

    async def _follow(
        self, state: CallState, permit: Permit
    ) -> tuple[aiohttp.ClientResponse, Response] | None:
        """Send the current target; return the open response and its head.

        Redirects to other hosts are followed here. `None` if the server redirects to itself: the
        next request needs another permit.

        Raises:
            ResponseError: the response is an error; its body was read.
        """
        if self._is_closed:
            raise RuntimeError(CLOSED)
        hop: Request | str = state.target
        while True:
            # Another host's 401 says nothing about the credentials, which it did not get.
            state.issued = None if isinstance(hop, str) else self._credentials.current
            state.observer.started(hop)
            raw = await self._connections.send_once(state.request, hop, state.attempt)
            state.observer.answered(raw)
            try:
                head = self._head(state.request, raw)
                permit.answered(head)
                if not isinstance(hop, str):
                    self._server_clock.answered(head.headers, self._clock.now())
                location = raw.headers.get("Location")
                if raw.status not in STATUSES or location is None:
                    return await self._checked(state.request, raw, head)
                hop = self._next_hop(state, hop, raw.status, location)
            except BaseException:
                raw.close()
                raise
            state.observer.finished()
            raw.close()
            if not isinstance(hop, str):
                state.target = hop
                return None

    async def _checked(
        self, request: Request, raw: aiohttp.ClientResponse, head: Response
    ) -> tuple[aiohttp.ClientResponse, Response]:
        # Only a conditional request has an earlier response that a 304 can confirm.
        is_conditional = any(name == "If-None-Match" for name, _ in request.headers)
        if 200 <= raw.status < 300 or (raw.status == 304 and is_conditional):
            _log.debug("%s %s: %d", request.method, head.url, raw.status)
            return raw, head
        async with raw:
            response = evolve(head, body=await read_error_body(raw, self._timeout / 4))
        raise error_of(response, self._clock.now(), self._redact)

    def _next_hop(
        self, state: CallState, hop: Request | str, status: int, location: str
    ) -> Request | str:
        server, request = self._server, state.request
        if state.redirects == _MOST_REDIRECTS:
            raise self._refusal(request, status, f"redirected more than {_MOST_REDIRECTS} times")
        state.redirects += 1
        try:
            following = next_hop(server, hop, status, location)
        except RedirectRefusedError as error:
            reason = str(error)
        else:
            if not isinstance(following, str):
                moved = self._redact(server.shown(following))
                _log.info("%s has moved to %s", server.shown(request), moved)
                return following
            if self._redact(following) == following:
                return following
            reason = "redirected to another host with the token in its URL"
        raise self._refusal(request, status, reason)

    def _refusal(self, request: Request, status: int, reason: str) -> ResponseError:
        shown = self._server.shown(request)
        return ResponseError(status, printable(self._redact(reason)), request.method, shown)

    def _head(self, request: Request, raw: aiohttp.ClientResponse) -> Response:
        shown = self._server.shown(request)
        # aiohttp limits the length of each header line and their number, not the total.
        size = SizeLimit("header", self._limits.all_headers, request.method, shown)
        size.add(sum(len(name) + len(value) for name, value in raw.raw_headers))
        headers = merge_headers((name, self._redact(value)) for name, value in raw.headers.items())
        return Response(raw.status, headers, b"", request.method, shown)

    def _failure(self, request: Request, error: Exception, attempt: Attempt | None) -> GitLabError:
        reason = printable(self._redact(describe_error(error)))
        shown = self._server.shown(request)
        if is_header_too_long(error):
            return ResponseTooLargeError("header", self._limits.header, request.method, shown)
        is_unsent = attempt is not None and attempt.is_unsent
        return map_error(error, reason, request.method, shown, self._timeout, is_unsent=is_unsent)
