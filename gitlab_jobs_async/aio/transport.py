"""Request -> Response: sessions, credentials, redirects, timeouts, and aiohttp's errors as ours.

Credentials are put on each request, for the server's own origin only.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp
from yarl import URL

from gitlab_jobs_async.aio.bodies import Body
from gitlab_jobs_async.aio.proxies import Proxies
from gitlab_jobs_async.aio.retrying import retried
from gitlab_jobs_async.aio.settings import TransportSettings
from gitlab_jobs_async.errors import (
    ConnectionFailedError,
    DecodeError,
    GitLabError,
    ResponseError,
    TimedOutError,
)
from gitlab_jobs_async.sansio.compression import (
    ACCEPTED,
    CutShortError,
    UnknownEncodingError,
)
from gitlab_jobs_async.sansio.credentials import hiding
from gitlab_jobs_async.sansio.redirects import STATUSES, RedirectRefusedError, next_hop
from gitlab_jobs_async.sansio.requests import Request
from gitlab_jobs_async.sansio.responses import Response, error_of, folded, printable
from gitlab_jobs_async.sansio.trace import TraceKind
from gitlab_jobs_async.version import __version__

T = TypeVar("T")

_log = logging.getLogger("gitlab_jobs_async")

_FAILURES = (aiohttp.ClientError, OSError, ValueError, CutShortError, UnknownEncodingError)
"""What an exchange may raise besides our own errors; a TimeoutError is an OSError."""

_USER_AGENT = f"gitlab_jobs_async/{__version__}"
_MOST_REDIRECTS = 5
_LONGEST_ERROR = 64 * 1024
"""Bytes of an error's body that are read: enough for its words."""


class ChunkStream:
    """The pieces of a body, each failure on the way as an error of ours."""

    def __init__(self, transport: "Transport", request: Request, body: Body) -> None:
        self._transport = transport
        self._request = request
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._body.read()
        except _FAILURES as error:
            failure = self._transport.failure(self._request, error)
        else:
            if piece:
                return piece
            raise StopAsyncIteration
        raise failure


class Transport:
    """One server's connections. Whole answers and open streams each have places of their own.

    So a request made while streams are open waits for none of them.
    """

    def __init__(self, settings: TransportSettings, session: aiohttp.ClientSession | None) -> None:
        self.settings = settings
        self._given = session
        self._session: aiohttp.ClientSession | None = None
        self._elsewhere: aiohttp.ClientSession | None = None
        self._was_open = False
        self._proxies = Proxies()
        self._places = asyncio.Semaphore(settings.concurrency)
        self._stream_places = asyncio.Semaphore(settings.concurrency)
        self._hide = hiding(settings.credentials)
        self.trace_kind: TraceKind | None = None
        """What the server last showed to send of a trace: a hint for the next one."""

    async def open(self) -> None:
        """Take the session given, or make one."""
        if self._session is not None:
            raise RuntimeError("this GitLab is open already; make another one to open it twice")
        self._session = self._given or aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )
        # The same connections, but none of the headers, cookies and logins of the session.
        self._elsewhere = aiohttp.ClientSession(
            connector=self._session.connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=self._session.trust_env,
        )
        self._was_open = True
        # A session of the caller's knows its own proxies.
        self._proxies = Proxies() if self._given else Proxies.of_environment()
        # A semaphore stays with the loop that it first waited on.
        self._places = asyncio.Semaphore(self.settings.concurrency)
        self._stream_places = asyncio.Semaphore(self.settings.concurrency)

    async def close(self) -> None:
        """Close what `open` made, and only that."""
        session, elsewhere = self._session, self._elsewhere
        self._session = self._elsewhere = None
        if elsewhere is not None:
            await elsewhere.close()
        if session is not None and session is not self._given:
            await session.close()

    async def send(self, request: Request) -> Response:
        """The whole answer to *request*, if need be after several tries.

        Raises:
            ResponseError: the answer is an error.
            ConnectionFailedError: no whole answer came.
        """
        return await retried(self.settings, request, lambda: self._whole(request))

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[tuple[Response, ChunkStream]]:
        """The head of the answer (its body empty) and the body as it arrives.

        It is tried again only until the head has come. While the block lasts it holds a connection;
        the timeout counts from one piece of the body to the next.
        """
        answer, body = await retried(self.settings, request, lambda: self._head(request))
        try:
            yield self._response(request, answer, b""), ChunkStream(self, request, body)
        finally:
            answer.close()
            self._stream_places.release()

    async def _whole(self, request: Request) -> Response:
        async with self._places:
            return await self._within_time(request, self._exchange(request))

    async def _exchange(self, request: Request) -> Response:
        async with await self._follow(request, sock_read=None) as answer:
            return self._response(request, answer, await _body(answer).read_all())

    async def _head(self, request: Request) -> tuple[aiohttp.ClientResponse, Body]:
        await self._stream_places.acquire()
        try:
            return await self._within_time(request, self._opened(request))
        except BaseException:
            self._stream_places.release()
            raise

    async def _opened(self, request: Request) -> tuple[aiohttp.ClientResponse, Body]:
        answer = await self._follow(request, sock_read=self.settings.timeout)
        try:
            return answer, _body(answer)
        except UnknownEncodingError:
            answer.close()
            raise

    async def _within_time(self, request: Request, exchange: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self.settings.timeout):
                return await exchange
        except _FAILURES as error:
            failure = self.failure(request, error)
        raise failure

    async def _follow(self, request: Request, sock_read: float | None) -> aiohttp.ClientResponse:
        """The answer that is no redirect, still open; an error's body is read and raised."""
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self.settings.timeout / 2, sock_read=sock_read
        )
        hop: Request | str = request
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await self._ask(request, hop, timeout)
            location = answer.headers.get("Location")
            if answer.status not in STATUSES or location is None:
                return await self._checked(request, answer)
            answer.close()
            hop = self._next_hop(request, hop, answer.status, location)
        refusal = f"redirected more than {_MOST_REDIRECTS} times"
        raise self._refused(request, answer.status, refusal)

    async def _ask(
        self, request: Request, hop: Request | str, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        if self._session is None or self._elsewhere is None:
            was_closed = "was closed meanwhile" if self._was_open else "is not open"
            raise RuntimeError(
                f"this GitLab {was_closed}: use it inside 'async with GitLab(...) as gitlab:'"
            )
        headers = {"User-Agent": _USER_AGENT, "Accept": "*/*", "Accept-Encoding": ACCEPTED}
        session, url, body = self._elsewhere, hop, None
        if not isinstance(hop, str):
            credentials = self.settings.credentials
            signed = hop if credentials is None else credentials.sign(hop)
            session, url, body = self._session, self.settings.server.url_for(signed), hop.body
            headers |= dict(signed.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await session.request(
            request.method,
            URL(str(url), encoded=True),
            data=body,
            headers=headers,
            allow_redirects=False,
            auto_decompress=False,
            raise_for_status=False,
            timeout=timeout,
            proxy=self._proxies.to(str(url)),
        )

    async def _checked(
        self, request: Request, answer: aiohttp.ClientResponse
    ) -> aiohttp.ClientResponse:
        is_conditional = any(name == "If-None-Match" for name, _ in request.headers)
        if 200 <= answer.status < 300 or (answer.status == 304 and is_conditional):
            shown = self.settings.server.shown(request)
            _log.debug("%s %s: %d", request.method, shown, answer.status)
            return answer
        async with answer:
            body = await _beginning(answer)
        said = self._response(request, answer, body)
        raise error_of(said, self.settings.clock.now(), self._hide)

    def _next_hop(
        self, request: Request, hop: Request | str, status: int, location: str
    ) -> Request | str:
        server = self.settings.server
        try:
            following = next_hop(server, hop, status, location)
        except RedirectRefusedError as error:
            reason = str(error)
        else:
            if not isinstance(following, str):
                _log.info("%s has moved to %s", server.shown(request), server.shown(following))
                return following
            if self._hide(following) == following:
                return following
            reason = "redirected to another place with the token in its URL"
        raise self._refused(request, status, reason)

    def _refused(self, request: Request, status: int, reason: str) -> ResponseError:
        shown = self.settings.server.shown(request)
        return ResponseError(status, printable(self._hide(reason)), request.method, shown)

    def _response(self, request: Request, answer: aiohttp.ClientResponse, body: bytes) -> Response:
        headers = folded((name, self._hide(value)) for name, value in answer.headers.items())
        shown = self.settings.server.shown(request)
        return Response(answer.status, headers, body, request.method, shown)

    def failure(self, request: Request, error: Exception) -> GitLabError:
        """Our error for one of aiohttp's; of those only what the system said is chained.

        aiohttp's own errors may hold the request, with its credential, or a proxy's password.
        """
        method, shown = request.method, self.settings.server.shown(request)
        reason = printable(self._hide(_reason(error)))
        if isinstance(error, UnknownEncodingError):
            return DecodeError(reason, method, shown)
        was_sent = not isinstance(
            error,
            aiohttp.ClientConnectorError
            | aiohttp.ConnectionTimeoutError
            | aiohttp.ClientHttpProxyError,
        )
        failure: ConnectionFailedError
        if isinstance(error, TimeoutError):
            reason = f"no whole answer within {self.settings.timeout:g} s"
            failure = TimedOutError(reason, method, shown, was_sent)
        else:
            failure = ConnectionFailedError(reason, method, shown, was_sent)
        if isinstance(error, aiohttp.ClientConnectorError):
            failure.__cause__ = getattr(error, "os_error", None)
        elif not isinstance(error, aiohttp.ClientError) and isinstance(error, OSError):
            failure.__cause__ = error
        return failure


def _body(answer: aiohttp.ClientResponse) -> Body:
    return Body(answer.content.readany, answer.headers.get("Content-Encoding", ""))


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """What an error says; if the rest is lost, the status still counts."""
    read = b""
    try:
        body = _body(answer)
        while len(read) < _LONGEST_ERROR and (piece := await body.read()):
            read += piece
    except (aiohttp.ClientError, CutShortError, UnknownEncodingError):
        _log.debug("the body of an error cannot be read whole")
    return read


def _reason(error: Exception) -> str:
    """What went wrong in words that name no request."""
    match error:
        case aiohttp.ClientConnectorError():
            return f"no connection to {error.host}:{error.port}: {error.strerror or error.os_error}"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection before it had answered"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy refused: HTTP {error.status}"
        case aiohttp.ClientResponseError():
            return f"the answer is no HTTP: {error.message}"
        case aiohttp.InvalidURL():
            return "an address that cannot be used"
        case _:
            return str(error) or type(error).__name__
