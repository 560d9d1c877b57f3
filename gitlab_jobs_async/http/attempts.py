"""One attempt at one request: how far it has come, and what aiohttp may do with it.

aiohttp's connector waits for a slot, connects and picks pooled connections by itself. Its public
hooks say too little about one request, so each request carries a middleware of its own.
"""

import asyncio
import logging
from types import SimpleNamespace

import aiohttp
from aiohttp.tracing import Trace

from gitlab_jobs_async.http.error_mapping import LostError

_log = logging.getLogger("gitlab_jobs_async")

_APART = {"Proxy-Connection": "keep-alive"}
"""Part of the key by which the connector pools connections; a proxy that sees it keeps none."""


class Deadline:
    """The time that an exchange may take; it stands still while no connection slot is free."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._is_over = False
        self.timeout = asyncio.timeout(seconds)
        """What the exchange is to be awaited in."""

    def pause(self) -> None:
        """Stop counting."""
        if not self._is_over and not self.timeout.expired():
            self.timeout.reschedule(None)

    def restart(self) -> None:
        """Count the whole time from now on."""
        if not self._is_over and not self.timeout.expired():
            self.timeout.reschedule(asyncio.get_running_loop().time() + self.seconds)

    def end(self) -> None:
        """Time out now."""
        if not self.timeout.expired():
            self._is_over = True
            self.timeout.reschedule(0.0)


class Attempt:
    """Watches one request on its way through aiohttp, as the innermost of its middlewares."""

    def __init__(self, deadline: Deadline, *, is_action: bool) -> None:
        self.deadline = deadline
        self._is_action = is_action
        self._has_begun = False
        self._has_left = False
        self._warning: asyncio.TimerHandle | None = None

    @property
    def is_unsent(self) -> bool:
        """Whether the request surely never left: no connection was ready for it."""
        return self._has_begun and not self._has_left

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send *request* once.

        aiohttp sends GET and DELETE a second time by itself when a pooled connection proves lost;
        retries are the policy's. See `ClientSession._request`.
        """
        self._has_begun = True
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
            # A connector that is closed cancels whoever waits for a slot, without a word.
            task = asyncio.current_task()
            if connector is None or not connector.closed or (task and task.cancelling()):
                raise
            lost = LostError(aiohttp.ClientConnectionError("the session was closed"))
        finally:
            # What would else be a cycle, and wait for the collector.
            request.__dict__.pop("send", None)
            self._stop_warning()
        raise lost

    def queued(self) -> None:
        """All connection slots of the session are taken: wait for one, however long that takes."""
        self.deadline.pause()
        # Who holds them all and asks for another one waits for himself.
        words = "a request has waited for a connection slot of the session for %g s"
        loop, seconds = asyncio.get_running_loop(), self.deadline.seconds
        self._warning = loop.call_later(seconds, _log.warning, words, seconds)

    def called(self) -> None:
        """There is a slot: from now on it is the server's time."""
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
            # A pooled connection may be closed by the server at any time, and then nobody knows
            # whether the action was carried out. One of its own is fresh, and used once.
            kept = dict(request.proxy_headers or {})
            request.proxy_headers = kept | _APART  # type: ignore[assignment]  # any mapping will do

        async def sent(conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
            self._has_left = True
            if self._is_action and conn.protocol is not None:
                conn.protocol.force_close()
            return await send(conn)

        request.send = sent  # type: ignore[method-assign]  # of this one request


async def _queued(_session: object, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.queued()


async def _called(_session: object, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.called()


_QUEUE = aiohttp.TraceConfig()
_QUEUE.on_connection_queued_start.append(_queued)
_QUEUE.on_connection_queued_end.append(_called)
_QUEUE.freeze()
