"""The server's address: where requests go, and the only origin that ever sees a credential.

`Link` and moved-project URLs may name another host (the one GitLab is configured with); only
their path and query are taken, so no answer can lead a credential astray.
"""

import re
from typing import Self
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from attrs import evolve, frozen

from gitlab_jobs_async.api.requests import TOKEN_PARAMS, Request

API = "/api/v4"
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")
"""A name or an address, after IDNA."""


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
        if "@" in url or "?" in url or "#" in url:
            raise ValueError(f"url (not shown) holds a login, a query or a fragment; {allowed}")
        try:
            parts = urlsplit(url)
            port = parts.port
            host = (parts.hostname or "").encode("idna").decode()
        except ValueError:
            raise ValueError(f"url {url!r} cannot be read; {allowed}") from None
        if host and _HOST.fullmatch(host) is None:
            raise ValueError(f"url {url!r} has a host that cannot be one; {allowed}")
        if parts.scheme not in _PORTS or not host:
            raise ValueError(f"url {url!r} has no http:// or https:// and host; {allowed}")
        if url.count("://") > 1:
            raise ValueError(f"url {url!r} has two schemes; {allowed}")
        if not url.isprintable() or " " in url:
            raise ValueError(f"url {url!r} has a space or control character; {allowed}")
        shown_host = f"[{host}]" if ":" in host else host
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

    def request_at(self, url: str, like: Request) -> Request | None:
        """*like* at the path and query of an API URL of whatever host; `None` if it is none."""
        try:
            parts = urlsplit(url)
            _, found, path = parts.path.partition(API + "/")
            query = parse_qsl(parts.query, keep_blank_values=True)
            params = [(name, value) for name, value in query if name not in TOKEN_PARAMS]
            quoted = quote(path, safe="/%:@!$&'()*+,;=~")
            request = evolve(like, path=f"/{quoted}", params=params)
            # Bytes that are no text show up when the target is written, so write it once here.
            is_writable = bool(request.target)
        except ValueError:
            return None
        return request if found and is_writable else None

    def is_own(self, url: str) -> bool:
        """Whether *url* stands on this server's origin."""
        return _origin(urlsplit(url)) == _origin(urlsplit(self.origin))
