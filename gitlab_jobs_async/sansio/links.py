"""Which page a page says is the next; what cannot be read is never an end.

Follows https://docs.gitlab.com/api/rest/#pagination: `Link` with rel="next" for both kinds, else
`X-Next-Page`. A keyset listing sends `Link` alone, and none on its last page.
"""

import re
from collections.abc import Sequence

from attrs import evolve

from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.sansio.requests import Request
from gitlab_jobs_async.sansio.responses import Response
from gitlab_jobs_async.sansio.urls import ServerUrl

_VALUE = r"(?:\"(?:[^\"\\]|\\.)*\"|[^\s;,\"]*)"
_LINK = re.compile(rf"<([^>]*)>((?:\s*;\s*(?:[\w*-]+(?:\s*=\s*{_VALUE})?)?)*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s;,\"']+))", re.IGNORECASE)


def next_page(server: ServerUrl, request: Request, response: Response) -> Request | None:
    """The request for the page after *response*, sent to *server* whatever host `Link` names.

    Raises:
        DecodeError: the answer names a next page that cannot be one.
    """
    header = response.headers.get("link", "")
    link = next_link(header)
    following: Request | None
    if link is not None:
        following = server.request_at(link, request)
    elif header and not _LINK.search(header):
        raise DecodeError("the Link header cannot be read", request.method, response.url)
    elif number := response.headers.get("x-next-page", ""):
        params = [pair for pair in request.params if pair[0] != "page"]
        following = evolve(request, params=[*params, ("page", number)])
    else:
        return None
    if following is None or following.params == request.params:
        named = "nothing of this API" if following is None else "the page it stands on"
        raise DecodeError(f"the Link to the next page names {named}", request.method, response.url)
    return following


def next_link(header: str) -> str | None:
    """The URL that a `Link` header calls next."""
    for url, attributes in _LINK.findall(header):
        for rels in _REL.findall(attributes):
            if "next" in "".join(rels).lower().split():
                return str(url)
    return None


def is_last_page(
    server: ServerUrl, request: Request, response: Response, rows: Sequence[object], size: int
) -> bool:
    """Whether an offset page of *rows*, at most *size*, names no next one.

    Raises:
        DecodeError: it cannot be told, so that rows could be missed.
    """
    if next_page(server, request, response) is not None:
        return False
    if len(rows) >= size and not {"link", "x-next-page"} & response.headers.keys():
        reason = "a full page that does not say whether another follows @ $"
        raise DecodeError(reason, response.method, response.url)
    return True


def number_in(response: Response, header: str) -> int | None:
    """The number that a header such as `X-Total` gives, if it does."""
    value = response.headers.get(header, "")
    return int(value) if value.isascii() and value.isdigit() else None
