"""Find the next page that a response names; an unreadable name is an error, not the end.

Follows https://docs.gitlab.com/api/rest/#pagination: `Link` with rel="next" for both kinds, else
`X-Next-Cursor` (keyset, newer servers) or `X-Next-Page` (offset). The last page of a keyset listing
has no `Link`. So a full page without the headers, which a gateway dropped, looks like the last one
(see `capabilities.NextPageHeaders`).
"""

import re
from collections.abc import Sequence

from attrs import evolve, frozen

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.errors import DecodeError

# Page sizes that a gateway may impose; 20 is GitLab's own default.
_CLAMPS = frozenset({20, 25, 30, 40, 50})

# Digits of the largest page or count that a header may give.
_LONGEST_NUMBER = 18

# Possessive throughout: a hostile header must not make the parser backtrack.
_VALUE = r"\"(?:[^\"\\]|\\.)*+\"|'[^']*+'|[^\s;,\"]*+"
_ATTRIBUTE = re.compile(rf"\s*+;\s*+(?:([\w*-]++)(?:\s*+=\s*+({_VALUE}))?+)?+", re.DOTALL)


@frozen(eq=False, repr=False)
class _Links:
    """A parsed `Link` header; `is_whole` is false if a part of it could not be read."""

    links: list[tuple[str, list[str]]]
    is_whole: bool

    def next(self) -> str | None:
        return next((url for url, rels in self.links if "next" in rels), None)


def _parsed(header: str) -> _Links:
    """Parse a `Link` header in time linear in its length."""
    # No regular expression over the whole header: it would take quadratic time.
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
            # One link may have several relations, as in rel="next last" (RFC 8288).
            if (found[1] or "").lower() == "rel":
                rels += (found[2] or "").strip("\"'").lower().split()
        links.append((header[start + 1 : end], rels))
    return _Links(links, is_whole and not header[position:].strip(" \t,"))


def next_page(server: ServerUrl, request: Request, response: Response) -> Request | None:
    """Return the request to *server* for the page after *response*, None if it names none.

    Raises:
        DecodeError: the response names an invalid next page.
    """
    header = response.headers.get("link", "")
    links = _parsed(header)
    following: Request | None
    # The host of a link is the one that GitLab is configured with, so it is not used.
    if (link := links.next()) is not None:
        following = server.request_at(link, request)
    elif cursor := response.headers.get("x-next-cursor", ""):
        following = with_params(request, cursor=cursor)
    # An unreadable header may hide a next page, so it must not look like the end.
    elif header.strip() and not (links.links and links.is_whole):
        raise DecodeError(
            "unreadable Link header: expected <url>; rel=name", request.method, response.url
        )
    elif response.headers.get("x-next-page", ""):
        number = number_in(response, "x-next-page")
        if number is None:
            raise DecodeError(
                "invalid X-Next-Page header: expected a page number", request.method, response.url
            )
        following = with_params(request, page=str(number))
    else:
        return None
    if following is None:
        raise DecodeError('rel="next" points outside this API', request.method, response.url)
    # Following it would never end.
    if following.params == request.params:
        raise DecodeError('rel="next" points to the same page', request.method, response.url)
    return following


def next_link(header: str) -> str | None:
    """Return the URL with rel="next" in a `Link` header, if there is one."""
    return _parsed(header).next()


def with_params(request: Request, **changed: str) -> Request:
    """Return *request* with these parameters replaced."""
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

    If the server *is_silent*, no header arrives: a full page is followed by another, maybe empty.
    The same holds for a page without headers whose size a gateway may have imposed.

    Raises:
        DecodeError: the response does not show it, so rows could be missed.
    """
    if next_page(server, request, response) is not None:
        return False
    headers = response.headers
    # GitLab sends X-Next-Page on every offset page, and leaves it empty on the last one.
    if "x-next-page" in headers or headers.get("link"):
        return True
    if len(rows) < size:
        return not may_be_clamped(len(rows))
    if is_silent:
        return False
    reason = "full page without pagination headers: expected the next page or the end"
    raise DecodeError(reason, response.method, response.url)


def may_be_clamped(rows: int) -> bool:
    """Return whether a gateway may have reduced a page to *rows* rows."""
    return rows in _CLAMPS


def has_cursor_headers(response: Response) -> bool:
    """Return whether a keyset response names the page before or after it by cursor."""
    # Newer servers send each of the two only if that page exists.
    return not response.headers.keys().isdisjoint({"x-next-cursor", "x-prev-cursor"})


def number_in(response: Response, header: str) -> int | None:
    """Return the number in a header such as `X-Total`, if it has one."""
    return integer(response.headers.get(header, ""))


def integer(text: str) -> int | None:
    """Return the number in *text* if it can be a page or a count."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_number else None
