"""Transport to one server: its connections, request limiter and retries."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TypeVar

import aiohttp
from attrs import frozen

from gitlab_jobs_async import http
from gitlab_jobs_async.api.credentials import Credentials, CredentialsFunction
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.server_clock import ServerClock
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.clock import Clock, jitter
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.http.body import Chunks
from gitlab_jobs_async.http.body_limits import Bound, Limits, MinRate, SizeLimit
from gitlab_jobs_async.http.connections import Connections
from gitlab_jobs_async.http.credential_source import CredentialSource
from gitlab_jobs_async.http.error_mapping import clear_locals
from gitlab_jobs_async.http.exchange import CallState, Exchanges, OpenResponse
from gitlab_jobs_async.http.observer import UNOBSERVED, RequestObserver
from gitlab_jobs_async.http.retries import Call, send_with_retries
from gitlab_jobs_async.http.tls_context import TLSContexts
from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.ratelimit.limiter import RequestLimiter
from gitlab_jobs_async.retry.policy import RetryPolicy

T = TypeVar("T")


@frozen(eq=False, repr=False)
class _Open:
    """Parts that exist while the transport is open, and one attempt to send with them."""

    credentials: CredentialSource
    limiter: RequestLimiter
    exchanges: Exchanges

    async def whole(self, state: CallState, priority: Priority, bound: Bound) -> Response:
        """Send the request of *state* once, follow redirects, and return the whole response."""
        state.restart()
        await self.credentials.load()
        while True:
            # A redirect within the server is one more request for its rate limit.
            state.observer.queued()
            permit = await self.limiter.acquire(state.target, priority)
            try:
                response = await self.exchanges.read_whole(state, permit, bound)
            finally:
                permit.release()
            if response is not None:
                return response

    async def head(self, state: CallState, priority: Priority) -> OpenResponse:
        """Do the same, and return the open response."""
        state.restart()
        await self.credentials.load()
        while True:
            with ExitStack() as held:
                state.observer.queued()
                permit = await self.limiter.acquire(state.target, priority, stream=True)
                held.callback(permit.release)
                opened = await self.exchanges.open_stream(state, permit)
                if opened is not None:
                    # The stream holds its permit until it is closed.
                    held.pop_all()
                    return opened


class Transport:
    """Sends requests to one server; open it before use, in one loop."""

    def __init__(  # noqa: PLR0913 - the settings of a client
        self,
        server: ServerUrl,
        auth: Credentials | CredentialsFunction | None,
        *,
        user_agent: str,
        session: aiohttp.ClientSession | None,
        tls: TLSContexts,
        concurrency: int,
        timeout: float,
        retry: RetryPolicy,
        budget: RequestBudget,
        limits: Limits,
        clock: Clock,
        hooks: "http.RequestHooks | None" = None,
    ) -> None:
        self.server = server
        self.concurrency = concurrency
        self.timeout = timeout
        self.budget = budget
        self.limits = limits
        self.clock = clock
        self.server_clock = ServerClock()
        self.credentials = CredentialSource(auth, timeout)
        self._user_agent = user_agent
        self._session = session
        self._tls = tls
        self._retry = retry
        self._hooks = hooks
        self.call_hooks: http.CallHooks | None = None
        if hooks is not None and isinstance(hooks, http.CallHooks):
            self.call_hooks = hooks
        self._parts: _Open | None = None
        self._is_open = False

    async def open(self) -> None:
        """Open the connections, or use the caller's session.

        Raises:
            RuntimeError: the transport is open, or its budget is in use.
            StoreError: the store of a shared budget is unusable.
            ValueError: the proxy for the server cannot be used.
        """
        if self._is_open:
            raise RuntimeError("this GitLab is open already; make another one to open it twice")
        limiter = RequestLimiter(
            self.budget,
            self.clock,
            concurrency=self.concurrency,
            longest_retry_after=self._retry.longest_retry_after,
            shown=self.server.shown,
        )
        try:
            connections = Connections(
                self.server,
                self.credentials,
                user_agent=self._user_agent,
                session=self._session,
                tls=self._tls,
                connect_timeout=self.timeout / 2,
                longest_header=self.limits.header,
            )
        except BaseException as error:
            clear_locals(error)
            await limiter.close()
            raise
        exchanges = Exchanges(
            self.server,
            connections,
            credentials=self.credentials,
            limits=self.limits,
            timeout=self.timeout,
            clock=self.clock,
            server_clock=self.server_clock,
        )
        if self.budget.shared is not None:
            try:
                await self.budget.shared.open(f"{self.server.origin}{self.server.prefix}")
            except BaseException:
                await limiter.close()
                await exchanges.close()
                raise
        self.credentials.open()
        self._parts, self._is_open = _Open(self.credentials, limiter, exchanges), True

    async def close(self) -> None:
        """Close the connections; pending calls of other tasks fail at once."""
        if self._is_open and self._parts is not None:
            self._is_open = False
            # First, so that pending calls fail at once instead of at their timeout.
            self.credentials.close()
            self._parts.exchanges.expire()
            await self._parts.limiter.close()
            if self.budget.shared is not None:
                await self.budget.shared.close()
            await self._parts.exchanges.close()

    async def send(
        self,
        request: Request,
        priority: Priority = Priority.DIRECT,
        bound: Bound = "page",
        *,
        final: Collection[int] = (),
    ) -> Response:
        """Send *request*, with retries, and return the whole response.

        A status in *final* is raised without a retry.

        Raises:
            ResponseError: the response is an error.
            ConnectionFailedError: no whole response arrived.
            ResponseTooLargeError: the response exceeds the limit of *bound*.
        """
        state = CallState(request, self._observer(request, is_stream=False))
        return await self._call(
            state, priority, lambda: self._opened().whole(state, priority, bound), final
        )

    @asynccontextmanager
    async def stream(
        self, request: Request, priority: Priority = Priority.DIRECT, bound: Bound | None = None
    ) -> AsyncIterator[tuple[Response, Chunks]]:
        """Yield the head of the response (its body empty) and the body as it arrives.

        Retries end when the head has arrived. The block holds a connection; the timeout applies to
        each piece of the body. Raises as `send` does.
        """
        state = CallState(request, self._observer(request, is_stream=True))
        opened = await self._call(state, priority, lambda: self._opened().head(state, priority))
        # No retry from here on: it would repeat bytes that the caller has seen.
        limits, shown, exchanges = self.limits, self.server.shown(request), self._exchanges
        most = None if bound is None else getattr(limits, bound)
        try:
            yield (
                opened.head,
                Chunks(
                    lambda: exchanges.within_time(request, opened.body.read()),
                    SizeLimit(bound or "", most, request.method, shown),
                    MinRate(limits.min_rate, self.timeout),
                    state.observer,
                ),
            )
        finally:
            opened.close()

    def wait_before_retry(self, attempts: int, error: GitLabError) -> float | None:
        """Return the seconds to wait after failed *attempts* of a GET, `None` to give up."""
        return self._retry.wait_before_retry(attempts, error, is_safe=True, jitter=jitter())

    def idle_slots(self) -> int:
        """Return the free slots for whole responses, or 0 if a request waits for one."""
        return self._limiter.idle_slots()

    def is_paused(self, request: Request, priority: Priority) -> bool:
        """Return whether a pause of the server would delay *request* now."""
        return self._limiter.is_paused(request, priority)

    def available_at(self, priority: Priority) -> float:
        """Return when a long pause no longer refuses requests of *priority*, at least now.

        Infinity while a probe of the pause is in flight.
        """
        return self._limiter.available_at(priority)

    @contextmanager
    def watching_pauses(self, changed: asyncio.Event) -> Iterator[None]:
        """Set *changed* whenever a long pause of the server begins, is probed or ends."""
        watchers = self._limiter.pause_watchers
        watchers.add(changed)
        try:
            yield
        finally:
            watchers.discard(changed)

    @property
    def _limiter(self) -> RequestLimiter:
        return self._opened().limiter

    @property
    def _exchanges(self) -> Exchanges:
        return self._opened().exchanges

    def _opened(self) -> _Open:
        if self._parts is None:
            raise RuntimeError(
                "this GitLab is not open: use it inside 'async with GitLab(...) as gitlab:'"
            )
        return self._parts

    def _observer(self, request: Request, *, is_stream: bool) -> RequestObserver:
        if self._hooks is None:
            return UNOBSERVED
        return http.HookObserver(
            self._hooks, request.method, is_stream, self.server, self.credentials, self.clock
        )

    async def _call(
        self,
        state: CallState,
        priority: Priority,
        attempt: Callable[[], Awaitable[T]],
        final: Collection[int] = (),
    ) -> T:
        request = state.request
        call = Call(
            request,
            state.observer,
            attempt,
            lambda: self._limiter.is_paused(request, priority),
            lambda: self._limiter.is_refused_probe(request, priority),
            lambda: self.credentials.renew(state.issued),
            final,
        )
        return await send_with_retries(self._retry, self.clock, call)
