"""Resolve redirects safely; credentials go to one origin only."""

import re
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.urls import ServerUrl

STATUSES = frozenset({301, 302, 303, 307, 308})
_MOVED = frozenset({301, 307, 308})
# Parts of a URL that may hold a secret: a login, or the signature of a storage.
_SECRETS = re.compile(r"(?<=//)[^/?#]*@|[?#].*", re.DOTALL)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+", re.ASCII)
# Punctuation that is kept in path and query: it may be encoded, and signed, already.
_KEPT = "%!$&'()*+,-./:;=?@[]_|~"


class RedirectRefusedError(Exception):
    """A redirect that must not be followed."""


def next_hop(server: ServerUrl, hop: Request | str, status: int, location: str) -> Request | str:
    """Return the target of a redirect: a request to sign and send to *server*, or a URL.

    A URL is another host, such as an object storage, and gets no credential.

    Raises:
        RedirectRefusedError: following it would be unsafe or would not end.
    """
    here = hop if isinstance(hop, str) else server.url_for(hop)
    if _CONTROL.search(location):
        raise RedirectRefusedError(
            f"redirected to {_shown(location)!r}, which has control characters"
        )
    try:
        target = _encoded(urljoin(here, location))
        there = urlsplit(target)
        is_own = server.is_own(target)
    except ValueError:
        raise RedirectRefusedError(f"redirected to an invalid URL: {_shown(location)!r}") from None
    _check(urlsplit(here), there, target)
    if isinstance(hop, str):
        # The other host could choose the API request that gets the credential.
        if is_own:
            raise RedirectRefusedError(
                f"redirected back from {urlsplit(hop).netloc}, which is not followed"
            )
        return target
    # HTTP lets clients repeat a redirected POST as a GET: the action would be lost.
    if not hop.is_safe:
        raise RedirectRefusedError(f"redirected to {_shown(target)}; only a GET is redirected")
    # A moved project is requested at *server*, even if the response names another host.
    following = server.request_at(target, hop) if is_own or status in _MOVED else None
    if following is None:
        return target
    if following == hop:
        raise RedirectRefusedError(
            f"redirected to itself at {there.scheme}://{there.netloc}; "
            "use that as the url if it is the server's right address"
        )
    return following


def _check(here: SplitResult, there: SplitResult, target: str) -> None:
    if there.scheme not in {"http", "https"} or not there.hostname or "@" in there.netloc:
        raise RedirectRefusedError(
            f"redirected to {_shown(target)!r}: expected an http(s) URL without a login"
        )
    if there.hostname == here.hostname and there.scheme != here.scheme:
        raise RedirectRefusedError(
            f"redirected from {here.scheme} to {there.scheme} on the same host, which is not "
            f"followed; use {there.scheme}://{there.netloc} as the url"
        )
    if there.path.endswith("/users/sign_in"):
        raise RedirectRefusedError(
            "redirected to the sign-in page: the server does not accept these credentials"
        )


def _encoded(url: str) -> str:
    """Return *url* percent-encoded as browsers and curl send it, without its fragment.

    Raises:
        ValueError: the host is invalid.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode()
    if "@" in parts.netloc or not host:
        return url
    if not _HOST.fullmatch(host):
        raise ValueError("no host")
    shown = f"[{host}]" if ":" in host else host
    port = "" if parts.port is None else f":{parts.port}"
    # Bytes that are not UTF-8 arrive as surrogates, and are sent unchanged.
    path, query = (
        quote(part, safe=_KEPT, errors="surrogateescape") for part in (parts.path, parts.query)
    )
    return SplitResult(parts.scheme, shown + port, path, query, "").geturl()


def _shown(url: str) -> str:
    return _SECRETS.sub("", url)
