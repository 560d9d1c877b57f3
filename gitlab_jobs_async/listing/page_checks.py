"""Whether an answer is the page that was asked for, and what it says of the next one."""

from collections.abc import Sequence

from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.links import (
    has_cursor_headers,
    may_be_clamped,
    next_page,
    whole_number,
    with_params,
)
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.listing.cursors import CursorTemplate
from gitlab_jobs_async.listing.id_ranges import IdRangeSet
from gitlab_jobs_async.listing.offset import is_by_offset, without_keyset
from gitlab_jobs_async.listing.strategy import Row, is_newest_first
from gitlab_jobs_async.listing.synthetic_cursors import Direction, PendingRequest


def is_offset_page(server: ServerUrl, wanted: Request, response: Response) -> bool:
    """Return whether a server without keyset has answered the request for a first page.

    Where a gateway lets only `Link` through, that shows by a next page without a cursor.

    Raises:
        DecodeError: the next page that it names cannot be one.
    """
    if is_by_offset(response):
        return True
    following = next_page(server, wanted, response)
    return following is not None and not _has_cursor(following)


def next_by_keyset(
    server: ServerUrl, wanted: Request, response: Response, rows: Sequence[Row]
) -> Request | None:
    """Return the request for the page after *response*, if it names one.

    Raises:
        DecodeError: it is no page by keyset, newest first.
    """
    if not is_newest_first(rows):
        raise DecodeError("rows that are not newest first @ $", response.method, response.url)
    following = next_page(server, wanted, response)
    if is_by_offset(response) or (following is not None and not _has_cursor(following)):
        reason = "a page by offset where one below a cursor was asked for @ $"
        raise DecodeError(reason, response.method, response.url)
    return following


def is_unnamed(
    wanted: Request, response: Response, rows: Sequence[object], *, are_reliable: bool = False
) -> bool:
    """Return whether a page without a next one may have lost the headers that would name it.

    A short page is the last, unless its size may be a gateway's and the server's headers are not
    known to be reliable; so is one that came with the headers of its kind.
    """
    size = whole_number(dict(wanted.params).get("per_page", "")) or PER_PAGE
    is_clamped = may_be_clamped(len(rows)) and not are_reliable
    if (len(rows) < min(size, PER_PAGE) and not is_clamped) or has_cursor_headers(response):
        return False
    is_offset = is_by_offset(response) or ("pagination", "keyset") not in wanted.params
    return not ("x-next-page" in response.headers or (is_offset and response.headers.get("link")))


def next_by_number(wanted: Request) -> Request:
    """Return the request for the page after *wanted* by offset."""
    page = whole_number(dict(wanted.params).get("page", "1")) or 1
    return with_params(without_keyset(wanted), page=str(page + 1))


def cursor_of(wanted: Request) -> tuple[CursorTemplate, int] | None:
    """Return the form of the cursor that *wanted* goes on from, and its id, if it has one."""
    cursor = dict(wanted.params).get("cursor", "")
    return CursorTemplate.read(cursor) if cursor else None


def _has_cursor(request: Request) -> bool:
    return any(name == "cursor" for name, _ in request.params)


def is_made_page(
    asked: PendingRequest,
    following: Request | None,
    rows: Sequence[Row],
    coverage: IdRangeSet,
    *,
    is_proven: bool,
) -> bool:
    """Return whether *rows* can be the page that a cursor made up should lead to.

    *is_proven* says that the server has shown to read such cursors so.
    """
    match asked.way:
        case Direction.LAST:
            return following is None
        case Direction.DOWN:
            return bool(rows) and rows[0].id < asked.start
        case _:
            if not rows or rows[-1].id <= asked.start:
                return False
            # A server that takes no notice of the cursor sends its newest rows.
            return is_proven or rows[-1].id <= coverage.unread_above(asked.start)
