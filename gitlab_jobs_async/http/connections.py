"""Connections to one server and to hosts that it redirects to.

Credentials are put on each request, for the server's own origin only.
"""

import copy
import os
from ssl import SSLContext

import aiohttp
from yarl import URL

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.http.attempts import Attempt
from gitlab_jobs_async.http.credential_source import CredentialSource
from gitlab_jobs_async.http.decompression import ACCEPTED
from gitlab_jobs_async.http.error_mapping import MOST_HEADERS
from gitlab_jobs_async.http.proxies import Proxies, Proxy
from gitlab_jobs_async.http.tls_context import TLSContexts, without_client_certificate
from gitlab_jobs_async.version import __version__

_USER_AGENT = f"gitlab_jobs_async/{__version__}"
# Headers that a request keeps on another host: they say which bytes, and nothing of the caller.
_FORWARDED = frozenset({"Accept-Encoding", "If-Range", "Range"})


class Connections:
    """Connections of the caller's session, or of a new one.

    Raises:
        ValueError: the proxy for the server cannot be used.
    """

    def __init__(
        self,
        server: ServerUrl,
        credentials: CredentialSource,
        *,
        user_agent: str,
        session: aiohttp.ClientSession | None,
        tls: TLSContexts,
        connect_timeout: float,
        longest_header: int,
    ) -> None:
        self._server = server
        self._credentials = credentials
        # RFC 9110, 10.1.5: the most significant product first.
        self._user_agent = " ".join(filter(None, [user_agent, _USER_AGENT]))
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._longest_header = longest_header
        self._given = session
        # A session of the caller's without trust_env has its own proxy, or none.
        reads_proxies = session is None or (session.trust_env and _proxy_of(session) is None)
        self._proxies = Proxies.of_environment(os.environ) if reads_proxies else Proxies()
        self._check_proxy(self._proxies.proxy_for(server.origin))
        # No limit: the transport counts requests itself, and queues them by priority. No cookies:
        # one of a web session would authenticate together with the token.
        self.session = session or aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        # The same connections without headers, cookies and logins of the session.
        self._elsewhere = aiohttp.ClientSession(
            connector=self.session.connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._bare: SSLContext | bool | None = None
        self._views: list[aiohttp.ClientSession] = []
        # With trust_env aiohttp would take logins from netrc.
        self._own = self._view(self.session, "_trust_env", without=False)
        # aiohttp refuses a login of the session together with an Authorization header of ours.
        self._own_authorized = self._view(self._own, "_default_auth", without=None)

    def _view(
        self, session: aiohttp.ClientSession, name: str, *, without: object
    ) -> aiohttp.ClientSession:
        """Return a copy of *session* with one setting replaced, if it is set."""
        if not getattr(session, name, None):
            return session
        view = copy.copy(session)
        object.__setattr__(view, name, without)
        self._views.append(view)
        return view

    async def close(self) -> None:
        """Close everything but the caller's session."""
        await self._elsewhere.close()
        for view in self._views:
            view.detach()
        if self.session is not self._given:
            await self.session.close()

    def _check_proxy(self, proxy: Proxy | None) -> None:
        """Reject an https:// proxy with a client certificate.

        Raises:
            ValueError: aiohttp would show the certificate to both.
        """
        is_secured = proxy is not None and proxy.url.startswith("https:")
        tls, origin = self._tls, self._server.origin
        if is_secured and origin.startswith("https:") and tls.own is not tls.elsewhere:
            raise ValueError(
                "a client certificate and an https:// proxy: expected an http:// proxy, or the "
                "server's host in no_proxy"
            )

    async def send_once(
        self, request: Request, hop: Request | str, attempt: Attempt
    ) -> aiohttp.ClientResponse:
        """Send a request to the server, or a GET of a URL elsewhere; return the open response."""
        headers = {"User-Agent": self._user_agent, "Accept": "*/*", "Accept-Encoding": ACCEPTED}
        headers |= {name: value for name, value in request.headers if name in _FORWARDED}
        session, url, body = self._elsewhere, str(hop), None
        if not isinstance(hop, str):
            credentials = self._credentials.current.credentials
            signed = hop if credentials is None else credentials.sign(hop)
            # Most credentials are headers: then the target, written once, is that of the log.
            url = self._server.url_for(hop if signed.params == hop.params else signed)
            body = hop.body
            headers |= dict(signed.headers)
            session = self._own_authorized if "Authorization" in headers else self._own
        if body is not None:
            headers["Content-Type"] = "application/json"
        proxy, proxy_headers = self._proxy_for(url, headers, is_own=not isinstance(hop, str))
        # aiohttp has no public way to add a middleware to the session's own.
        middlewares = getattr(session, "_middlewares", None)
        return await session.request(
            request.method,
            # A signed URL must not be encoded again.
            URL(url, encoded=True),
            data=body,
            headers=headers,
            # aiohttp would send PRIVATE-TOKEN on to other hosts.
            allow_redirects=False,
            auto_decompress=False,
            raise_for_status=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout),
            proxy=proxy,
            proxy_headers=proxy_headers,
            ssl=self._secured(url, proxy),
            max_line_size=self._longest_header,
            max_field_size=self._longest_header,
            max_headers=MOST_HEADERS,
            middlewares=None if middlewares is None else (*middlewares, attempt),
        )

    def _proxy_for(
        self, url: str, headers: dict[str, str], *, is_own: bool
    ) -> tuple[str | URL | None, dict[str, str] | None]:
        """Return the proxy for *url* and its headers; for http its login goes into *headers*."""
        found = self._proxies.proxy_for(url)
        if found is None:
            # The session adds its own proxy to requests that it sends itself.
            return (None if is_own or self._given is None else _proxy_of(self._given)), None
        if found.authorization is None:
            return found.url, None
        # With http the proxy reads the request itself; with https only the CONNECT before it.
        login = {"Proxy-Authorization": found.authorization}
        if url.startswith("https:"):
            return found.url, login
        headers |= login
        return found.url, None

    def _secured(self, url: str, proxy: str | URL | None) -> SSLContext | bool:
        tls = self._tls
        if self._given is not None and tls.is_left_to_session:
            return self._secured_by_session(url)
        if not url.startswith("https:") and str(proxy).startswith("https:"):
            return tls.elsewhere
        return tls.of(url)

    def _secured_by_session(self, url: str) -> SSLContext | bool:
        """Use the connector's context, without its client certificate for other hosts."""
        if not url.startswith("https:") or self._server.is_own(url):
            return True
        if self._bare is None:
            context = getattr(self.session.connector, "_ssl", True)
            self._bare = (
                without_client_certificate(context) if isinstance(context, SSLContext) else True
            )
        return self._bare


def _proxy_of(session: aiohttp.ClientSession) -> str | URL | None:
    """Return the proxy of a session, with its login."""
    proxy = getattr(session, "_default_proxy", None)
    login = getattr(session, "_default_proxy_auth", None)
    if proxy is None or login is None:
        return proxy
    return URL(proxy).with_user(login.login).with_password(login.password)
