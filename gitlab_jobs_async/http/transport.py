"""Request -> Response: its turn, its tries, redirects, timeouts; failures as errors of ours."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Collection, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TypeVar

import aiohttp
from attrs import define, evolve, field, frozen

from gitlab_jobs_async.api.credentials import Credentials, redactor
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response, error_of, merge_headers, printable
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.errors import (
    ConnectionFailedError,
    GitLabError,
    ResponseError,
    ResponseTooLargeError,
)
from gitlab_jobs_async.http.attempts import Attempt, Deadline
from gitlab_jobs_async.http.body import Body, Chunks
from gitlab_jobs_async.http.body_limits import Bound, Gauge, Limits, Rate
from gitlab_jobs_async.http.connections import Connections
from gitlab_jobs_async.http.decompression import UnknownEncodingError
from gitlab_jobs_async.http.error_mapping import (
    FAILURES,
    clear_locals,
    failure_of,
    is_header_too_long,
    reason_of,
)
from gitlab_jobs_async.http.redirects import STATUSES, RedirectRefusedError, next_hop
from gitlab_jobs_async.http.response_body import beginning_of, body_of
from gitlab_jobs_async.http.retries import send_with_retries
from gitlab_jobs_async.http.tls_context import TLSContexts
from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.ratelimit.limiter import CLOSED, Permit, RequestLimiter
from gitlab_jobs_async.retry.policy import RetryPolicy

T = TypeVar("T")

_log = logging.getLogger("gitlab_jobs_async")

_MOST_REDIRECTS = 5


@define
class _RedirectState:
    """Where a request has been led so far: to itself, or to one at its project's new place."""

    request: Request
    own: Request
    redirects: int = 0
    attempt: Attempt = field(init=False)


@frozen
class _Opened:
    """An answer whose head has come, and the place that it holds."""

    place: Permit
    answer: aiohttp.ClientResponse = field(repr=False)
    head: Response
    body: Body = field(repr=False)

    def close(self) -> None:
        """Give back the connection and the place."""
        self.answer.close()
        self.place.leave()


class Transport:
    """One server: its connections, and the door to them."""

    def __init__(
        self,
        server: ServerUrl,
        credentials: Credentials | None,
        *,
        session: aiohttp.ClientSession | None,
        tls: TLSContexts,
        concurrency: int,
        timeout: float,
        retry: RetryPolicy,
        budget: RequestBudget,
        limits: Limits,
        clock: Clock,
    ) -> None:
        self.server = server
        self.concurrency = concurrency
        self.timeout = timeout
        self.budget = budget
        self.limits = limits
        self.clock = clock
        self._credentials = credentials
        self._given = session
        self._tls = tls
        self._retry = retry
        self._connections: Connections | None = None
        self._admission: RequestLimiter | None = None
        self._hide = redactor(credentials)
        self._deadlines: set[Deadline] = set()

    async def open(self) -> None:
        """Take the session given, or make one."""
        if self._connections is not None:
            raise RuntimeError("this GitLab is open already; make another one to open it twice")
        self._admission = RequestLimiter(
            self.budget,
            self.clock,
            concurrency=self.concurrency,
            longest_retry_after=self._retry.longest_retry_after,
            shown=self.server.shown,
        )
        try:
            self._connections = Connections(
                self.server,
                self._credentials,
                given=self._given,
                tls=self._tls,
                connect_timeout=self.timeout / 2,
                longest_header=self.limits.header,
            )
        except BaseException as error:
            clear_locals(error)
            await self._admission.close()
            raise

    async def close(self) -> None:
        """Close what `open` made, and only that; what other tasks still wait for fails at once."""
        connections, self._connections = self._connections, None
        # aiohttp wakes nobody who reads a body when its connector is closed.
        for deadline in list(self._deadlines):
            deadline.end()
        if connections is not None:
            await self._door().close()
            await connections.close()

    async def send(
        self,
        request: Request,
        lane: Priority = Priority.DIRECT,
        bound: Bound = "page",
        *,
        final: Collection[int] = (),
    ) -> Response:
        """The whole answer to *request*, if need be after several tries.

        A status in *final* is an answer like another: it is raised without another try.

        Raises:
            ResponseError: the answer is an error.
            ConnectionFailedError: no whole answer came.
            ResponseTooLargeError: it is beyond the limit of *bound*.
        """
        return await send_with_retries(
            self._retry,
            self.clock,
            request,
            lambda: self._whole(request, lane, bound),
            lambda: self._door().is_paused(request, lane),
            lambda: self._door().is_refused_probe(request, lane),
            final,
        )

    @asynccontextmanager
    async def stream(
        self, request: Request, lane: Priority = Priority.DIRECT, bound: Bound | None = None
    ) -> AsyncIterator[tuple[Response, Chunks]]:
        """The head of the answer (its body empty) and the body as it arrives, within *bound*.

        It is tried again only until the head has come. While the block lasts it holds a connection;
        the timeout counts from one piece of the body to the next.
        """
        opened = await send_with_retries(
            self._retry,
            self.clock,
            request,
            lambda: self._head(request, lane),
            lambda: self._door().is_paused(request, lane),
            lambda: self._door().is_refused_probe(request, lane),
        )
        limits, shown = self.limits, self.server.shown(request)
        most = None if bound is None else getattr(limits, bound)
        try:
            yield (
                opened.head,
                Chunks(
                    lambda: self.within_time(request, opened.body.read()),
                    Gauge(bound or "", most, request.method, shown),
                    Rate(limits.min_rate, self.timeout),
                ),
            )
        finally:
            opened.close()

    def idle_places(self) -> int:
        """Places for whole answers that are free while nobody waits for one."""
        return self._door().idle_places()

    def is_held_back(self, request: Request, lane: Priority) -> bool:
        """Whether *request* would be held back now, as the server has asked."""
        return self._door().is_paused(request, lane)

    def lets_through_at(self, lane: Priority) -> float:
        """When requests of *lane* are no longer refused for a long pause; now if they are not.

        Infinity while one is out that tests the pause.
        """
        return self._door().lets_through_at(lane)

    @contextmanager
    def watching_pauses(self, changed: asyncio.Event) -> Iterator[None]:
        """Set *changed* whenever a long pause of the server's begins, is probed or ends."""
        watchers = self._door().pause_watchers
        watchers.add(changed)
        try:
            yield
        finally:
            watchers.discard(changed)

    def _door(self) -> RequestLimiter:
        if self._admission is None:
            raise RuntimeError(
                "this GitLab is not open: use it inside 'async with GitLab(...) as gitlab:'"
            )
        return self._admission

    async def _whole(self, request: Request, lane: Priority, bound: Bound) -> Response:
        way, door = _RedirectState(request, request), self._door()
        while True:
            place = await door.enter(way.own, lane, door.answers)
            try:
                answer = await self._sent_within_time(way, place, self._exchange(way, place, bound))
            finally:
                place.leave()
            if answer is not None:
                return answer

    async def _head(self, request: Request, lane: Priority) -> _Opened:
        way, door = _RedirectState(request, request), self._door()
        while True:
            with ExitStack() as held:
                place = await door.enter(way.own, lane, door.streams)
                held.callback(place.leave)
                opened = await self._sent_within_time(way, place, self._opened(way, place))
                if opened is not None:
                    held.pop_all()
                    return opened

    async def _exchange(self, way: _RedirectState, place: Permit, bound: Bound) -> Response | None:
        followed = await self._follow(way, place)
        if followed is None:
            return None
        answer, head = followed
        async with answer:
            gauge = Gauge(*self.limits.whole(bound), head.method, head.url)
            return evolve(head, body=await body_of(answer).read_all(gauge))

    async def _opened(self, way: _RedirectState, place: Permit) -> _Opened | None:
        followed = await self._follow(way, place)
        if followed is None:
            return None
        answer, head = followed
        try:
            return _Opened(place, answer, head, body_of(answer))
        except UnknownEncodingError:
            answer.close()
            raise

    async def within_time(
        self, request: Request, exchange: Awaitable[T], attempt: Attempt | None = None
    ) -> T:
        """What *exchange* comes to, each failure of it as an error of ours.

        Raises:
            GitLabError: it failed, or did not end within the timeout.
            RuntimeError: the client was closed meanwhile.
        """
        deadline = Deadline(self.timeout) if attempt is None else attempt.deadline
        self._deadlines.add(deadline)
        try:
            async with deadline.timeout:
                return await exchange
        except (*FAILURES, RuntimeError, AssertionError) as error:
            is_closed = self._connections is None
            if not is_closed and not isinstance(error, FAILURES):
                clear_locals(error)
                raise
            failure = RuntimeError(CLOSED) if is_closed else self.failure(request, error, attempt)
        except BaseException as error:
            clear_locals(error)
            raise
        finally:
            self._deadlines.discard(deadline)
        raise failure

    async def _sent_within_time(
        self, way: _RedirectState, place: Permit, exchange: Awaitable[T]
    ) -> T:
        way.attempt = Attempt(Deadline(self.timeout), is_action=not way.request.is_safe)
        try:
            return await self.within_time(way.request, exchange, way.attempt)
        except ConnectionFailedError as failure:
            if not failure.was_sent:
                place.withdrawn()
            raise

    async def _follow(
        self, way: _RedirectState, place: Permit
    ) -> tuple[aiohttp.ClientResponse, Response] | None:
        """The answer, still open, and its head; `None` if the server wants another request.

        That one needs a turn of its own. An error's body is read and raised.
        """
        if self._connections is None:
            raise RuntimeError(CLOSED)
        hop: Request | str = way.own
        while True:
            answer = await self._connections.ask(way.request.method, hop, way.attempt)
            try:
                head = self._response(way.request, answer)
                place.answered(head)
                location = answer.headers.get("Location")
                if answer.status not in STATUSES or location is None:
                    return await self._checked(way.request, answer, head)
                hop = self._next_hop(way, hop, answer.status, location)
            except BaseException:
                answer.close()
                raise
            answer.close()
            if not isinstance(hop, str):
                way.own = hop
                return None

    async def _checked(
        self, request: Request, answer: aiohttp.ClientResponse, head: Response
    ) -> tuple[aiohttp.ClientResponse, Response]:
        is_conditional = any(name == "If-None-Match" for name, _ in request.headers)
        if 200 <= answer.status < 300 or (answer.status == 304 and is_conditional):
            _log.debug("%s %s: %d", request.method, head.url, answer.status)
            return answer, head
        async with answer:
            said = evolve(head, body=await beginning_of(answer, self.timeout / 4))
        raise error_of(said, self.clock.now(), self._hide)

    def _next_hop(
        self, way: _RedirectState, hop: Request | str, status: int, location: str
    ) -> Request | str:
        server, request = self.server, way.request
        if way.redirects == _MOST_REDIRECTS:
            raise self._refused(request, status, f"redirected more than {_MOST_REDIRECTS} times")
        way.redirects += 1
        try:
            following = next_hop(server, hop, status, location)
        except RedirectRefusedError as error:
            reason = str(error)
        else:
            if not isinstance(following, str):
                moved = self._hide(server.shown(following))
                _log.info("%s has moved to %s", server.shown(request), moved)
                return following
            if self._hide(following) == following:
                return following
            reason = "redirected to another place with the token in its URL"
        raise self._refused(request, status, reason)

    def _refused(self, request: Request, status: int, reason: str) -> ResponseError:
        shown = self.server.shown(request)
        return ResponseError(status, printable(self._hide(reason)), request.method, shown)

    def _response(self, request: Request, answer: aiohttp.ClientResponse) -> Response:
        shown = self.server.shown(request)
        gauge = Gauge("header", self.limits.all_headers, request.method, shown)
        gauge.add(sum(len(name) + len(value) for name, value in answer.raw_headers))
        headers = merge_headers((name, self._hide(value)) for name, value in answer.headers.items())
        return Response(answer.status, headers, b"", request.method, shown)

    def failure(
        self, request: Request, error: Exception, attempt: Attempt | None = None
    ) -> GitLabError:
        """Our error for what failed on the way of *request*."""
        reason = printable(self._hide(reason_of(error)))
        shown = self.server.shown(request)
        if is_header_too_long(error):
            most = self.limits.header
            return ResponseTooLargeError("header", most, request.method, shown)
        is_unsent = attempt is not None and attempt.is_unsent
        timeout = self.timeout
        return failure_of(error, reason, request.method, shown, timeout, is_unsent=is_unsent)
