"""One attempt to send a request: its progress and its deadline.

aiohttp's connector waits for a slot, connects and picks pooled connections by itself. Its public
hooks say too little about one request, so a middleware observes each request.
"""

import asyncio
import logging
from types import SimpleNamespace
from typing import Self

import aiohttp
from aiohttp.tracing import Trace

from gitlab_jobs_async.http.error_mapping import LostError
from gitlab_jobs_async.ratelimit.permits import Permit

_log = logging.getLogger("gitlab_jobs_async")

# Part of the key by which the connector pools connections; a proxy that sees it keeps none.
_UNPOOLED = {"Proxy-Connection": "keep-alive"}


class Deadline:
    """Time limit of an exchange, suspended while no connection slot is free."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._is_expired = False
        self.timeout = asyncio.timeout(seconds)
        """Context manager around the exchange."""

    def suspend(self) -> None:
        """Stop the clock."""
        if not self._is_expired and not self.timeout.expired():
            self.timeout.reschedule(None)

    def restart(self) -> None:
        """Grant the full time again."""
        if not self._is_expired and not self.timeout.expired():
            self.timeout.reschedule(asyncio.get_running_loop().time() + self.seconds)

    def expire(self) -> None:
        """Time out now."""
        if not self.timeout.expired():
            self._is_expired = True
            self.timeout.reschedule(0.0)


class Attempt:
    """Innermost middleware of one request; it observes waiting, connecting and sending."""

    def __init__(self, deadline: Deadline, permit: Permit, *, is_action: bool) -> None:
        self.deadline = deadline
        self._permit = permit
        self._is_action = is_action
        self._has_started = False
        self._was_sent = False
        self._warning: asyncio.TimerHandle | None = None

    @property
    def is_unsent(self) -> bool:
        """Whether the request was certainly never sent: no connection was ready for it."""
        return self._has_started and not self._was_sent

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send *request* once."""
        # aiohttp resends GET and DELETE itself if a pooled connection is lost, see
        # ClientSession._request. A LostError prevents that: the policy decides on retries.
        self._has_started = True
        connector = request.session.connector
        if connector is not None and (connector.limit or connector.limit_per_host):
            self._watch_queue(request)
        self._watch_sending(request)
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            lost = LostError(error)
        except asyncio.CancelledError:
            # A connector that is closed cancels the requests that wait for a slot.
            task = asyncio.current_task()
            if connector is None or not connector.closed or (task and task.cancelling()):
                raise
            lost = LostError(aiohttp.ClientConnectionError("the session was closed"))
        finally:
            # Otherwise a reference cycle, which would wait for the collector.
            request.__dict__.pop("send", None)
            self._stop_warning()
        raise lost

    def __deepcopy__(self, _memo: object) -> Self:
        """Return the attempt itself: mocks such as aioresponses copy the arguments of a request."""
        # A copy would have one of the running loop.
        return self

    def on_queued(self) -> None:
        """Suspend the deadline while all connection slots of the session are in use."""
        self.deadline.suspend()
        # A caller that holds all slots and requests another one waits for itself.
        message = "request has waited for a connection slot of the session for %g s"
        loop, seconds = asyncio.get_running_loop(), self.deadline.seconds
        self._warning = loop.call_later(seconds, _log.warning, message, seconds)

    def on_slot(self) -> None:
        """Restart the deadline: a slot is free, and the server's time begins."""
        self._stop_warning()
        self.deadline.restart()

    def _stop_warning(self) -> None:
        if self._warning is not None:
            self._warning.cancel()
            self._warning = None

    def _watch_queue(self, request: aiohttp.ClientRequest) -> None:
        # aiohttp takes trace configurations for whole sessions only, and this may be the caller's.
        traces = getattr(request, "_traces", None)
        if isinstance(traces, list):
            context = SimpleNamespace(trace_request_ctx=self)
            traces.append(Trace(request.session, _QUEUE, context))

    def _watch_sending(self, request: aiohttp.ClientRequest) -> None:
        send = request.send
        if self._is_action:
            # The server may close a pooled connection at any time, and then it is unknown whether
            # the action was carried out. So each action has a fresh connection.
            kept = dict(request.proxy_headers or {})
            request.proxy_headers = kept | _UNPOOLED  # type: ignore[assignment]  # any mapping will do

        async def sent(conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
            if self._permit.has_expired:
                await self._renewed(conn)
            self._was_sent = True
            if self._is_action and conn.protocol is not None:
                conn.protocol.force_close()
            return await send(conn)

        request.send = sent  # type: ignore[method-assign]  # of this one request

    async def _renewed(self, conn: aiohttp.connector.Connection) -> None:
        """Wait until the request may be sent, which is not the server's time."""
        self.deadline.suspend()
        await self._permit.renew()
        self.deadline.restart()
        if conn.closed:
            # The server has waited for the request for too long.
            raise aiohttp.ServerDisconnectedError


async def _on_queued(_session: object, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.on_queued()


async def _on_slot(_session: object, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.on_slot()


_QUEUE = aiohttp.TraceConfig()
_QUEUE.on_connection_queued_start.append(_on_queued)
_QUEUE.on_connection_queued_end.append(_on_slot)
_QUEUE.freeze()
