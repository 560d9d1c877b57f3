"""Check whether a response is the requested page, and what it says about the next one."""

from collections.abc import Sequence

from gitlab_jobs_async.api.capabilities import NextPageHeaders
from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.links import (
    has_cursor_headers,
    integer,
    may_be_clamped,
    next_page,
    with_params,
)
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.listing.cursors import CursorTemplate, Direction, PendingRequest
from gitlab_jobs_async.listing.id_ranges import UnreadIds
from gitlab_jobs_async.listing.offset import is_by_offset, without_keyset
from gitlab_jobs_async.listing.strategy import Row, is_newest_first


def is_offset_page(server: ServerUrl, request: Request, response: Response) -> bool:
    """Return whether a server without keyset has answered the request for a first page.

    Raises:
        DecodeError: the response names an invalid next page.
    """
    if is_by_offset(response):
        return True
    # A gateway may pass only `Link`: then a next page without a cursor is by offset.
    following = next_page(server, request, response)
    return following is not None and not _has_cursor(following)


def next_by_keyset(
    server: ServerUrl, request: Request, response: Response, rows: Sequence[Row]
) -> Request | None:
    """Return the request for the page after *response*, if it names one.

    Raises:
        DecodeError: the response is not a keyset page, newest first.
    """
    if not is_newest_first(rows):
        reason = "rows are not newest first: expected descending ids"
        raise DecodeError(reason, response.method, response.url)
    following = next_page(server, request, response)
    if is_by_offset(response) or (following is not None and not _has_cursor(following)):
        reason = "server ignored the cursor and sent an offset page"
        raise DecodeError(reason, response.method, response.url)
    return following


def is_unnamed(
    request: Request, response: Response, rows: Sequence[object], *, are_reliable: bool = False
) -> bool:
    """Return whether a page without a next one may have lost the headers that would name it.

    A short page is the last one, unless a gateway may have reduced its size and the headers are not
    known to be reliable. A page with the headers of its kind is the last one, too.
    """
    size = integer(dict(request.params).get("per_page", "")) or PER_PAGE
    is_clamped = may_be_clamped(len(rows)) and not are_reliable
    if (len(rows) < min(size, PER_PAGE) and not is_clamped) or has_cursor_headers(response):
        return False
    is_offset = is_by_offset(response) or ("pagination", "keyset") not in request.params
    return not ("x-next-page" in response.headers or (is_offset and response.headers.get("link")))


def may_have_next(
    response: Response, rows: Sequence[object], size: int | None, headers: NextPageHeaders
) -> bool:
    """Return whether a keyset page without a next one is full, so that headers may be lost.

    *size* is the largest page so far, None for a first page.
    """
    if has_cursor_headers(response):
        return False
    if len(rows) >= PER_PAGE or not may_be_clamped(len(rows)):
        return len(rows) >= PER_PAGE
    # A gateway may have reduced the page size and dropped the headers.
    return not headers.are_reliable if size is None else len(rows) >= size


def next_by_number(request: Request) -> Request:
    """Return the request for the page after *request* by offset."""
    page = integer(dict(request.params).get("page", "1")) or 1
    return with_params(without_keyset(request), page=str(page + 1))


def cursor_of(request: Request) -> tuple[CursorTemplate, int] | None:
    """Return the template and the id of the cursor in *request*, if it has one."""
    cursor = dict(request.params).get("cursor", "")
    return CursorTemplate.read(cursor) if cursor else None


def _has_cursor(request: Request) -> bool:
    return any(name == "cursor" for name, _ in request.params)


def is_expected_page(
    pending: PendingRequest,
    following: Request | None,
    rows: Sequence[Row],
    unread: UnreadIds,
    *,
    is_accepted: bool,
) -> bool:
    """Return whether *rows* can be the page that a synthetic cursor should lead to.

    *is_accepted* is whether the server has accepted a cursor of this direction before.
    """
    match pending.direction:
        case Direction.LAST:
            return following is None
        case Direction.DOWN:
            return bool(rows) and rows[0].id < pending.start
        case _:
            if not rows or rows[-1].id <= pending.start:
                return False
            # A server that ignores the cursor sends its newest rows.
            return is_accepted or rows[-1].id <= unread.end_above(pending.start)
