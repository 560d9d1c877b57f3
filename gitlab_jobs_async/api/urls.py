"""The server's address: the target of requests, and the only origin that receives a credential."""

import re
from typing import Self
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from attrs import evolve, frozen

from gitlab_jobs_async.api.requests import REST, TOKEN_PARAMS, Request

_PORTS = {"http": 80, "https": 443}
# A host name or address, after IDNA.
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    # An origin without a port equals the one with the default port.
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


@frozen
class ServerUrl:
    """The address of a GitLab: its origin, and its relative URL path, which is mostly empty."""

    origin: str
    prefix: str = ""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the server for a URL such as `https://gitlab.example.com/gitlab/api/v4/`.

        Raises:
            ValueError: *url* is not an http(s) URL, or has credentials, a query or a fragment.
        """
        expected = "expected a URL such as 'https://gitlab.example.com'"
        if not isinstance(url, str):
            raise TypeError(f"url is a {type(url).__name__}: {expected}")
        # Not shown, as it may hold a password or a token.
        if "@" in url or "?" in url or "#" in url:
            raise ValueError(f"url (not shown) has a login, a query or a fragment: {expected}")
        try:
            parts = urlsplit(url)
            port = parts.port
            host = (parts.hostname or "").encode("idna").decode()
        except ValueError:
            raise ValueError(f"invalid url {url!r}: {expected}") from None
        if host and _HOST.fullmatch(host) is None:
            raise ValueError(f"url {url!r} has an invalid host: {expected}")
        if parts.scheme not in _PORTS or not host:
            raise ValueError(f"url {url!r} has no http:// or https:// and host: {expected}")
        if url.count("://") > 1:
            raise ValueError(f"url {url!r} has two schemes: {expected}")
        if not url.isprintable() or " " in url:
            raise ValueError(f"url {url!r} has a space or control character: {expected}")
        shown_host = f"[{host}]" if ":" in host else host
        shown_port = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
        prefix = parts.path.rstrip("/").removesuffix(REST).rstrip("/")
        return cls(f"{parts.scheme}://{shown_host}{shown_port}", prefix)

    def url_for(self, request: Request) -> str:
        """Return the absolute URL of *request*, as it is sent."""
        return f"{self.origin}{self.prefix}{request.base}{request.target}"

    def shown(self, request: Request) -> str:
        """Return the URL of *request* without parameters that can hold a credential."""
        if any(name in TOKEN_PARAMS for name, _ in request.params):
            kept = [pair for pair in request.params if pair[0] not in TOKEN_PARAMS]
            request = evolve(request, params=kept)
        return self.url_for(request)

    def request_at(self, url: str, like: Request) -> Request | None:
        """Return *like* with the path and query of an API URL of any host, None for other URLs."""
        # `Link` and moved-project URLs may name the host that GitLab is configured with. Only path
        # and query are used, so that no response can redirect a credential.
        try:
            parts = urlsplit(url)
            _, found, path = parts.path.partition(REST + "/")
            # GitLab's links repeat all parameters, a token included.
            query = parse_qsl(parts.query, keep_blank_values=True)
            params = [(name, value) for name, value in query if name not in TOKEN_PARAMS]
            quoted = quote(path, safe="/%:@!$&'()*+,;=~")
            request = evolve(like, base=REST, path=f"/{quoted}", params=params)
            # Bytes that are not text could not be sent in a query. In a path, `quote` raises.
            parts.query.encode()
        except ValueError:
            return None
        return request if found else None

    def is_own(self, url: str) -> bool:
        """Return whether *url* has the origin of this server."""
        return _origin(urlsplit(url)) == _origin(urlsplit(self.origin))
