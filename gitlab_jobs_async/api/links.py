"""Which page a page says is the next; what cannot be read is never an end.

Follows https://docs.gitlab.com/api/rest/#pagination: `Link` with rel="next" for both kinds, else
`X-Next-Cursor` (keyset, newer servers) or `X-Next-Page` (offset). A keyset listing sends `Link`
with rel="next" alone, and none on its last page: so where no header comes through, a full page
looks like the last one (`capabilities.NextPageHeaders`).
"""

import re
from collections.abc import Sequence

from attrs import evolve, frozen

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.errors import DecodeError

_CLAMPS = frozenset({20, 25, 30, 40, 50})
"""Rows a page that a gateway may allow where more are asked for; 20 is GitLab's own default."""

_LONGEST_NUMBER = 18
"""Digits of the largest number that a header may give: a page, or a count of rows."""

# Possessive throughout: a hostile header must not make the parser go back over it.
_VALUE = r"\"(?:[^\"\\]|\\.)*+\"|'[^']*+'|[^\s;,\"]*+"
_ATTRIBUTE = re.compile(rf"\s*+;\s*+(?:([\w*-]++)(?:\s*+=\s*+({_VALUE}))?+)?+", re.DOTALL)


@frozen
class _Links:
    """A parsed `Link` header; `is_whole` is false where a part of it could not be read."""

    links: list[tuple[str, list[str]]]
    is_whole: bool

    def next(self) -> str | None:
        return next((url for url, rels in self.links if "next" in rels), None)


def _parsed(header: str) -> _Links:
    """Parse a `Link` header in time linear in its length."""
    links: list[tuple[str, list[str]]] = []
    is_whole, position = True, 0
    while (start := header.find("<", position)) >= 0:
        is_whole = is_whole and not header[position:start].strip(" \t,")
        end = header.find(">", start)
        if end < 0:
            return _Links(links, is_whole=False)
        position = end + 1
        rels: list[str] = []
        while found := _ATTRIBUTE.match(header, position):
            position = found.end()
            if (found[1] or "").lower() == "rel":
                rels += (found[2] or "").strip("\"'").lower().split()
        links.append((header[start + 1 : end], rels))
    return _Links(links, is_whole and not header[position:].strip(" \t,"))


def next_page(server: ServerUrl, request: Request, response: Response) -> Request | None:
    """Return the request for the page after *response*, sent to *server* whatever host is named.

    Raises:
        DecodeError: the answer names a next page that cannot be one.
    """
    header = response.headers.get("link", "")
    links = _parsed(header)
    following: Request | None
    if (link := links.next()) is not None:
        following = server.request_at(link, request)
    elif cursor := response.headers.get("x-next-cursor", ""):
        following = with_params(request, cursor=cursor)
    elif header.strip() and not (links.links and links.is_whole):
        raise DecodeError("the Link header cannot be read", request.method, response.url)
    elif response.headers.get("x-next-page", ""):
        number = number_in(response, "x-next-page")
        if number is None:
            raise DecodeError("the X-Next-Page header is no page", request.method, response.url)
        following = with_params(request, page=str(number))
    else:
        return None
    if following is None or following.params == request.params:
        named = "nothing of this API" if following is None else "the page it stands on"
        raise DecodeError(f"the Link to the next page names {named}", request.method, response.url)
    return following


def next_link(header: str) -> str | None:
    """Return the URL that a `Link` header calls next."""
    return _parsed(header).next()


def with_params(request: Request, **changed: str) -> Request:
    """Return *request* with these parameters in place of its own of those names."""
    kept = [pair for pair in request.params if pair[0] not in changed]
    return evolve(request, params=[*kept, *changed.items()])


def is_last_page(
    server: ServerUrl,
    request: Request,
    response: Response,
    rows: Sequence[object],
    size: int,
    *,
    is_silent: bool = False,
) -> bool:
    """Return whether an offset page of *rows*, at most *size*, names no next one.

    Of a server that *is_silent* no header comes through: a full page has a next one, if only an
    empty one. So has, without any header, a page of as many rows as a gateway may allow.

    Raises:
        DecodeError: it cannot be told, so that rows could be missed.
    """
    if next_page(server, request, response) is not None:
        return False
    headers = response.headers
    if "x-next-page" in headers or headers.get("link"):
        return True
    if len(rows) < size:
        return not may_be_clamped(len(rows))
    if is_silent:
        return False
    reason = "a full page that does not say whether another follows @ $"
    raise DecodeError(reason, response.method, response.url)


def may_be_clamped(rows: int) -> bool:
    """Return whether a gateway that allows fewer rows a page may have cut one to *rows*."""
    return rows in _CLAMPS


def has_cursor_headers(response: Response) -> bool:
    """Return whether a keyset answer names its neighbours by cursor: one it does not name is none.

    Newer servers send `X-Prev-Cursor` and `X-Next-Cursor`, each only where that page exists.
    """
    return not response.headers.keys().isdisjoint({"x-next-cursor", "x-prev-cursor"})


def number_in(response: Response, header: str) -> int | None:
    """Return the number that a header such as `X-Total` gives, if it does."""
    return whole_number(response.headers.get(header, ""))


def whole_number(text: str) -> int | None:
    """Return the number that *text* is, if it is one that can be a page or a count."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_number else None
