"""A query of a watch, put to the server as a poll in the background: its rows, or the error."""

from typing import Any, TypeVar

from attrs import frozen

from gitlab_jobs_async.api.capabilities import NextPageHeaders, ServerCapabilities
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode, decode_rows
from gitlab_jobs_async.api.links import next_page, with_params
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.errors import DecodeError, ServerError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.listing.cursors import CursorTemplate
from gitlab_jobs_async.listing.fetch import by_offset, read_all
from gitlab_jobs_async.listing.page_checks import cursor_of, is_unnamed, next_by_number
from gitlab_jobs_async.listing.synthetic_cursors import REFUSED
from gitlab_jobs_async.monitor.watch.queries import (
    Query,
    QueryResult,
    invalid_reason,
    with_page_size,
)
from gitlab_jobs_async.ratelimit.fair_queue import Priority

T = TypeVar("T")


async def answered(
    transport: Transport, capabilities: ServerCapabilities, query: Query
) -> QueryResult:
    """What the server says to *query*.

    Raises:
        GitLabError: it says that it will not, or nothing that can be read, or that can be so.
    """
    answer = await _answered(transport, capabilities, query)
    reason = invalid_reason(answer.rows)
    if reason is not None:
        server, wanted = transport.server, query.request
        raise DecodeError(f"{reason} @ $", wanted.method, server.shown(wanted))
    return answer


async def _answered(
    transport: Transport, capabilities: ServerCapabilities, query: Query
) -> QueryResult:
    kind, wanted = query.kind.row_type, query.request
    if query.all_pages:
        rows = await read_all(transport, by_offset(transport, wanted), kind, Priority.BACKGROUND)
        return QueryResult(rows)
    if query.kind.is_single:
        response = await transport.send(wanted, Priority.BACKGROUND)
        return QueryResult([decode(response, kind, log_ignored_value)])
    return await _page(transport, capabilities.next_page_headers, wanted, kind)


async def _page(
    transport: Transport, headers: NextPageHeaders, wanted: Request, kind: type[T]
) -> QueryResult:
    """One page of a listing, which is the last only if more says so than a header that is absent.

    Where all rows below a cursor have vanished, GitLab answers 500: the lowest id says whether so.
    """
    server, cursor = transport.server, cursor_of(wanted)
    try:
        final = () if cursor is None else REFUSED
        response = await transport.send(wanted, Priority.BACKGROUND, final=final)
    except ServerError as error:
        if cursor is None or error.status not in REFUSED:
            raise
        if not await _has_rows_below(transport, wanted, *cursor):
            return QueryResult([])
        response = await transport.send(wanted, Priority.BACKGROUND)
    rows: Any = decode_rows(response, kind, report=log_ignored_value)
    headers.learn(response)
    following = next_page(server, wanted, response)
    are_reliable = headers.are_reliable
    if following is None and is_unnamed(wanted, response, rows, are_reliable=are_reliable):
        following = await _unnamed(
            transport, headers, wanted, response, min(row.id for row in rows)
        )
    return QueryResult(rows, following)


async def _unnamed(
    transport: Transport,
    headers: NextPageHeaders,
    wanted: Request,
    response: Response,
    lowest: int,
) -> Request | None:
    """The page after a full one that names none; its rows go down to the id *lowest*."""
    if not dict(wanted.params).get("cursor"):
        return next_by_number(wanted)
    cursor = cursor_of(wanted)
    if cursor is not None:
        form, _ = cursor
        if not await _has_rows_below(transport, wanted, form, lowest):
            return None
        headers.learn_dropped()
        return with_params(wanted, cursor=form.cursor(lowest))
    if headers.are_reliable:
        return None
    reason = "a full page that does not say whether another follows @ $"
    raise DecodeError(reason, response.method, response.url)


async def _has_rows_below(
    transport: Transport, wanted: Request, form: CursorTemplate, below: int
) -> bool:
    """Whether any row of the listing has an id under *below*, by its oldest one."""
    oldest = with_page_size(with_params(wanted, cursor=form.last_page()), 1)
    response = await transport.send(oldest, Priority.BACKGROUND, final=REFUSED)
    ids = [row.id for row in decode_rows(response, RowId)]
    if next_page(transport.server, oldest, response) is not None:
        reason = "another page where the last one was asked for @ $"
        raise DecodeError(reason, response.method, response.url)
    return any(row_id < below for row_id in ids)


@frozen
class RowId:
    """A row of any listing, of which only the id is wanted."""

    id: int
