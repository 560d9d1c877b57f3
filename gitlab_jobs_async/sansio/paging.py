"""Which page to ask for next, and which of its rows are new; an unread page is never an end.

Follows https://docs.gitlab.com/api/rest/#pagination: `Link` with rel="next" for both kinds, else
`X-Next-Page`. A keyset listing sends `Link` alone, and none on its last page.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

from attrs import evolve

from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.sansio.requests import Request
from gitlab_jobs_async.sansio.responses import Response
from gitlab_jobs_async.sansio.urls import ServerUrl

_VALUE = r"(?:\"(?:[^\"\\]|\\.)*\"|[^\s;,\"]*)"
_LINK = re.compile(rf"<([^>]*)>((?:\s*;\s*(?:[\w*-]+(?:\s*=\s*{_VALUE})?)?)*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s;,\"']+))", re.IGNORECASE)
_KEYSET = frozenset({"pagination", "order_by", "sort"})


class Row(Protocol):
    """Anything with one of GitLab's ids."""

    @property
    def id(self) -> int:
        """Unique on the server."""


R = TypeVar("R", bound=Row)


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


def by_offset(request: Request) -> Request | None:
    """The same listing for a server that refuses keyset pagination; `None` if it was no such."""
    if ("pagination", "keyset") not in request.params:
        return None
    return evolve(request, params=[pair for pair in request.params if pair[0] not in _KEYSET])


def is_newest_first(rows: Sequence[Row]) -> bool:
    """Whether the ids of a page fall from row to row, as GitLab promises of jobs."""
    return all(before.id > after.id for before, after in pairwise(rows))


def rows_below(rows: Sequence[R], last_id: int | None) -> Sequence[R]:
    """The rows of a newest-first page that come after *last_id*.

    By offset, a row created meanwhile pushes rows of the page before onto this one.
    """
    return rows if last_id is None else [row for row in rows if row.id < last_id]
