"""The connections to one server, and to where it redirects; one call sends one request.

Credentials are put on each request, for the server's own origin only.
"""

import aiohttp
from yarl import URL

from gitlab_jobs_async.aio.attempts import Attempt
from gitlab_jobs_async.aio.failures import MOST_HEADERS
from gitlab_jobs_async.aio.proxies import Proxies
from gitlab_jobs_async.aio.settings import TransportSettings
from gitlab_jobs_async.sansio.compression import ACCEPTED
from gitlab_jobs_async.sansio.requests import Request
from gitlab_jobs_async.version import __version__

_USER_AGENT = f"gitlab_jobs_async/{__version__}"


class Connections:
    """The caller's session, or one of our own, for as long as it is open."""

    def __init__(self, settings: TransportSettings, given: aiohttp.ClientSession | None) -> None:
        self._settings = settings
        self._given = given
        self.session = given or aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        # The same connections, but none of the headers, cookies and logins of the session.
        self._elsewhere = aiohttp.ClientSession(
            connector=self.session.connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=self.session.trust_env,
        )
        # A session of the caller's knows its own proxies.
        self._proxies = Proxies() if given else Proxies.of_environment()

    async def close(self) -> None:
        """Close what was made here, and only that."""
        await self._elsewhere.close()
        if self.session is not self._given:
            await self.session.close()

    async def ask(
        self, method: str, hop: Request | str, attempt: Attempt
    ) -> aiohttp.ClientResponse:
        """The head of the answer to a request of the server's own, or at a URL elsewhere."""
        headers = {"User-Agent": _USER_AGENT, "Accept": "*/*", "Accept-Encoding": ACCEPTED}
        session, url, body = self._elsewhere, hop, None
        if not isinstance(hop, str):
            credentials = self._settings.credentials
            signed = hop if credentials is None else credentials.sign(hop)
            session, url, body = self.session, self._settings.server.url_for(signed), hop.body
            headers |= dict(signed.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        # A session has no public way to add a middleware to its own for one request.
        middlewares = getattr(session, "_middlewares", None)
        return await session.request(
            method,
            URL(str(url), encoded=True),
            data=body,
            headers=headers,
            allow_redirects=False,
            auto_decompress=False,
            raise_for_status=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._settings.timeout / 2),
            proxy=self._proxies.to(str(url)),
            max_line_size=self._settings.limits.header,
            max_field_size=self._settings.limits.header,
            max_headers=MOST_HEADERS,
            middlewares=None if middlewares is None else (*middlewares, attempt),
        )
