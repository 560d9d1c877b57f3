"""The server's address: where requests go, and the only origin that ever sees a credential.

`Link` and moved-project URLs may name another host (the one GitLab is configured with); only
their path and query are taken, so no answer can lead a credential astray.
"""

from typing import Self
from urllib.parse import SplitResult, parse_qsl, urljoin, urlsplit

from attrs import evolve, frozen

from gitlab_jobs_async.sansio.requests import TOKEN_PARAMS, Request

API = "/api/v4"
_PORTS = {"http": 80, "https": 443}
_MOVED = frozenset({301, 307, 308})


class RedirectRefusedError(Exception):
    """A redirect that must not be followed; the message says why and what to do."""


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


@frozen
class ServerUrl:
    """Where a GitLab is: an origin, and the path it is installed under (mostly none)."""

    origin: str
    prefix: str = ""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read what a person gives, such as `https://gitlab.example.com/gitlab/api/v4/`.

        Raises:
            ValueError: it is no http(s) URL, or holds credentials, a query or a fragment.
        """
        allowed = "allowed is a URL such as 'https://gitlab.example.com'"
        if not isinstance(url, str):
            raise TypeError(f"url must be a string, not {type(url).__name__}; {allowed}")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError(f"url {url!r} cannot be read ({error}); {allowed}") from None
        if parts.username is not None or parts.password is not None:
            raise ValueError(f"url holds a user name or password (not shown here); {allowed}")
        if parts.scheme not in _PORTS or not host:
            raise ValueError(f"url {url!r} has no http:// or https:// and host; {allowed}")
        if parts.query or parts.fragment or not url.isprintable() or " " in url:
            raise ValueError(f"url {url!r} has a query, fragment or space; {allowed}")
        shown_host = f"[{host}]" if ":" in host else host.encode("idna").decode()
        shown_port = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
        prefix = parts.path.rstrip("/").removesuffix(API).rstrip("/")
        return cls(f"{parts.scheme}://{shown_host}{shown_port}", prefix)

    def url_for(self, request: Request) -> str:
        """The absolute URL of *request*, as it goes on the wire."""
        return f"{self.origin}{self.prefix}{API}{request.target}"

    def shown(self, request: Request) -> str:
        """The same for people: without the query parameters that can hold a credential."""
        kept = tuple(pair for pair in request.params if pair[0] not in TOKEN_PARAMS)
        return self.url_for(evolve(request, params=kept))

    def request_at(self, url: str) -> Request | None:
        """The GET for an API URL of whatever host, to be sent here; `None` if it is none."""
        parts = urlsplit(url)
        _, found, path = parts.path.partition(API + "/")
        if not found:
            return None
        query = parse_qsl(parts.query, keep_blank_values=True)
        params = [(name, value) for name, value in query if name not in TOKEN_PARAMS]
        return Request("GET", f"/{path}", params)

    def follow(self, url: str, status: int, location: str) -> Request | str:
        """Where the redirect at *url* leads: a request to sign and send here, or a bare URL.

        A bare URL is another place, such as an object storage: it gets no credential.

        Raises:
            RedirectRefusedError: following it would be unsafe or would not end.
        """
        try:
            target = urljoin(url, location)
            here, there = urlsplit(url), urlsplit(target)
            leaves_origin = _origin(there) != _origin(urlsplit(self.origin))
        except ValueError:
            raise RedirectRefusedError(f"redirected to {location!r}, which is no URL") from None
        if there.scheme not in _PORTS or not there.hostname:
            raise RedirectRefusedError(f"redirected to {target!r}, which is not http(s)")
        if there.hostname == here.hostname and there.scheme != here.scheme:
            raise RedirectRefusedError(
                f"redirected from {here.scheme} to {there.scheme} on the same host, which is not "
                f"followed; use {there.scheme}://{there.netloc} as the url"
            )
        request = self.request_at(target) if status in _MOVED or not leaves_origin else None
        if request is None:
            return target
        if self.url_for(request) == url:
            raise RedirectRefusedError(
                f"redirected to itself at {there.scheme}://{there.netloc}; "
                "use that as the url if it is the server's right address"
            )
        return request
