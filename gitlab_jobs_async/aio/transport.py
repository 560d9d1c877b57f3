"""Request -> Response: session, credentials, redirects and timeouts.

Credentials are put on each request, for the server's own origin only.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from attrs import define
from yarl import URL

from gitlab_jobs_async.aio.retrying import Sending, retried
from gitlab_jobs_async.errors import (
    ConnectionFailedError,
    GitLabError,
    ResponseError,
    TimedOutError,
)
from gitlab_jobs_async.sansio.credentials import redact
from gitlab_jobs_async.sansio.requests import Request
from gitlab_jobs_async.sansio.responses import Response, error_of
from gitlab_jobs_async.sansio.urls import RedirectRefusedError
from gitlab_jobs_async.version import __version__

_log = logging.getLogger("gitlab_jobs_async")

_USER_AGENT = f"gitlab_jobs_async/{__version__}"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_LONGEST_ERROR = 64 * 1024
"""Bytes of an error's body that are read: enough for its words."""


@define(eq=False)
class ChunkStream:
    """The body of an answer as it arrives; ends only when the body has come whole."""

    _body: aiohttp.StreamReader
    _request: Request
    _fail: Callable[[Request, Exception], GitLabError]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._body.readany()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            failure = self._fail(self._request, error)
        else:
            if chunk:
                return chunk
            raise StopAsyncIteration
        raise failure


class Transport:
    """One server's connections. Whole answers and open streams each have places of their own.

    So a request made while streams are open waits for none of them.
    """

    def __init__(self, settings: Sending, session: aiohttp.ClientSession | None) -> None:
        self.settings = settings
        self._given = session
        self._session: aiohttp.ClientSession | None = None
        self._elsewhere: aiohttp.ClientSession | None = None
        self._proxies: Mapping[str, str] = {}
        self._places = asyncio.Semaphore(settings.concurrency)
        self._stream_places = asyncio.Semaphore(settings.concurrency)

    async def open(self) -> None:
        """Take the session given, or make one."""
        if self._session is not None:
            raise RuntimeError("this GitLab is open already; make another one to open it twice")
        self._session = self._given or aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )
        self._proxies = {} if self._given else getproxies()
        # The same connections, but none of the headers, cookies and logins of the session.
        self._elsewhere = aiohttp.ClientSession(
            connector=self._session.connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=self._session.trust_env,
        )

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
        answer = await retried(self.settings, request, lambda: self._head(request))
        try:
            head = _response(answer, b"", request.method, self.settings.server.shown(request))
            yield head, ChunkStream(answer.content, request, self._failure)
        finally:
            answer.close()
            self._stream_places.release()

    async def _whole(self, request: Request) -> Response:
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout)
        async with self._places:
            try:
                answer = await self._follow(request, timeout)
                async with answer:
                    shown = self.settings.server.shown(request)
                    return _response(answer, await answer.read(), request.method, shown)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                failure = self._failure(request, error)
        raise failure

    async def _head(self, request: Request) -> aiohttp.ClientResponse:
        seconds = self.settings.timeout
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
        await self._stream_places.acquire()
        try:
            return await self._follow(request, timeout)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            failure: GitLabError = self._failure(request, error)
        except GitLabError as error:
            failure = error
        except BaseException:
            self._stream_places.release()
            raise
        self._stream_places.release()
        raise failure

    async def _follow(
        self, request: Request, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """The answer that is no redirect, still open; an error's body is read and raised."""
        hop: Request | str = request
        for _ in range(_MOST_REDIRECTS + 1):
            answer = await self._ask(hop, timeout)
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or location is None:
                return await self._checked(request, answer)
            answer.close()
            hop = self._next_hop(request, hop, answer.status, location)
        raise self._refusal(request, answer.status, f"redirected more than {_MOST_REDIRECTS} times")

    async def _ask(
        self, hop: Request | str, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        if self._session is None or self._elsewhere is None:
            raise RuntimeError(
                "this GitLab is not open: use it inside 'async with GitLab(...) as gitlab:'"
            )
        if isinstance(hop, str):
            session, method, url, body, headers = self._elsewhere, "GET", hop, None, {}
        else:
            credentials = self.settings.credentials
            signed = hop if credentials is None else credentials.sign(hop)
            session, method, body = self._session, hop.method, hop.body
            url, headers = self.settings.server.url_for(signed), dict(signed.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await session.request(
            method,
            URL(url, encoded=True),
            data=body,
            headers={"User-Agent": _USER_AGENT, "Accept": "*/*", **headers},
            allow_redirects=False,
            raise_for_status=False,
            timeout=timeout,
            proxy=self._proxy_for(url),
        )

    def _proxy_for(self, url: str) -> str | None:
        """The proxy of the environment, unless the session is the caller's: then it is his choice.

        The session is not told to trust the environment, since it would read netrc, too.
        """
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme)
        return None if proxy is None or proxy_bypass(parts.netloc) else proxy

    async def _checked(
        self, request: Request, answer: aiohttp.ClientResponse
    ) -> aiohttp.ClientResponse:
        shown = self.settings.server.shown(request)
        if answer.status < 300 or answer.status == 304:
            _log.debug("%s %s: %d", request.method, shown, answer.status)
            return answer
        async with answer:
            body = await _beginning(answer.content)
        said = redact(body, self.settings.credentials)
        raise error_of(_response(answer, said, request.method, shown), self.settings.clock.now())

    def _next_hop(
        self, request: Request, hop: Request | str, status: int, location: str
    ) -> Request | str:
        if not request.is_safe:
            refusal = f"redirected to {location}; only a GET is redirected"
            raise self._refusal(request, status, refusal)
        server = self.settings.server
        try:
            here = hop if isinstance(hop, str) else server.url_for(hop)
            following = server.follow(here, status, location)
        except RedirectRefusedError as error:
            reason = str(error)
        else:
            if isinstance(following, str):
                return following
            if isinstance(hop, str):
                refusal = f"redirected back from {urlsplit(hop).netloc}, which is not followed"
                raise self._refusal(request, status, refusal)
            if status == 301:
                _log.info("%s has moved to %s", server.shown(hop), server.shown(following))
            return following
        raise self._refusal(request, status, reason)

    def _refusal(self, request: Request, status: int, reason: str) -> ResponseError:
        shown = self.settings.server.shown(request)
        return ResponseError(status, self._redacted(reason), request.method, shown)

    def _redacted(self, text: str) -> str:
        return redact(text.encode(), self.settings.credentials).decode()

    def _failure(self, request: Request, error: Exception) -> ConnectionFailedError:
        """Our error for one of aiohttp's; chained only where that holds no request with a token."""
        shown = self.settings.server.shown(request)
        was_sent = not isinstance(
            error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
        )
        failure: ConnectionFailedError
        if isinstance(error, TimeoutError):
            reason = f"no whole answer within {self.settings.timeout:g} s"
            failure = TimedOutError(reason, request.method, shown, was_sent)
        elif isinstance(error, aiohttp.ClientResponseError):
            reason = f"the answer is no HTTP: {self._redacted(error.message)}"
            return ConnectionFailedError(reason, request.method, shown, was_sent)
        else:
            reason = self._redacted(str(error) or type(error).__name__)
            failure = ConnectionFailedError(reason, request.method, shown, was_sent)
        failure.__cause__ = error
        return failure


def _response(answer: aiohttp.ClientResponse, body: bytes, method: str, shown: str) -> Response:
    headers: dict[str, str] = {}
    for name, value in answer.headers.items():
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known}, {value}"
    return Response(answer.status, headers, body, method, shown)


async def _beginning(body: aiohttp.StreamReader) -> bytes:
    """What an error says; if the rest is lost, the status still counts."""
    read = b""
    try:
        while len(read) < _LONGEST_ERROR and (chunk := await body.readany()):
            read += chunk
    except (aiohttp.ClientError, OSError):
        _log.debug("the body of an error was cut short")
    return read
