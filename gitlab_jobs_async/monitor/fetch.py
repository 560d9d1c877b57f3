"""Send the queries of watches in the background, and give each watch its result or error."""

from typing import Any, TypeVar

from attrs import define, frozen

from gitlab_jobs_async.api.capabilities import NextPageHeaders, ServerCapabilities
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode, decode_rows
from gitlab_jobs_async.api.links import next_page, with_params
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.errors import (
    AuthenticationError,
    DecodeError,
    GitLabError,
    RateLimitedError,
    ServerError,
)
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.listing.cursors import REFUSED, CursorTemplate
from gitlab_jobs_async.listing.fetch import by_offset, read_all
from gitlab_jobs_async.listing.page_checks import cursor_of, is_unnamed, next_by_number
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.monitor.announcer import Announcer
from gitlab_jobs_async.monitor.token_check import TokenCheck
from gitlab_jobs_async.monitor.watch.base import Watch
from gitlab_jobs_async.monitor.watch.queries import (
    Query,
    QueryResult,
    invalid_reason,
    with_page_size,
)
from gitlab_jobs_async.polling.statuses import SharedStatuses
from gitlab_jobs_async.ratelimit.fair_queue import Priority, RequestClass

T = TypeVar("T")

_MAX_RETRY_AFTER = 60.0
"""Seconds until a rate-limited target queries again; the rate limiter itself waits longer."""


@define(eq=False, repr=False)
class QueryRunner:
    """Send queries, decide what a 401 means, and report rate-limited requests to *announcer*."""

    _transport: Transport
    _capabilities: ServerCapabilities
    _clock: Clock
    _token: TokenCheck
    _announcer: Announcer
    _statuses: SharedStatuses[Job]

    async def run(self, watch: Watch, query: Query) -> list[AnyEvent]:
        """Send *query*, pass the result or the error to *watch*, and return its events.

        Raises:
            AuthenticationError: the token was refused for other requests, too.
        """
        try:
            return await self._query(watch, query)
        except AuthenticationError as error:
            return await self._retry_denied(watch, query, error)
        except GitLabError as error:
            return self._failed(watch, error)

    async def _query(self, watch: Watch, query: Query) -> list[AnyEvent]:
        sent_at = self._now()
        try:
            result = await fetch(self._transport, self._capabilities, query)
        except RateLimitedError as error:
            kind = RequestClass.of(query.request, Priority.BACKGROUND).kind
            self._announcer.concern(kind)
            if self._transport.is_paused(query.request, Priority.BACKGROUND):
                raise _retried_soon(error) from error
            raise
        # The response proves the token, for a later 401 of another request.
        self._token.worked(query.request)
        # A followed log needs no poll of a status that was just seen.
        self._statuses.learn((row for row in result.rows if isinstance(row, Job)), sent_at)
        return [*watch.on_result(self._now(), result)]

    async def _retry_denied(
        self, watch: Watch, query: Query, error: AuthenticationError
    ) -> list[AnyEvent]:
        """Retry after a 401, and raise it only if the token itself is refused."""
        # The refusal is known, and other requests work: a retry would show nothing new.
        is_refused_before = watch.availability.refusal is not None
        if not (is_refused_before and self._token.is_proven()):
            await self._token.pause()
            try:
                return await self._query(watch, query)
            except AuthenticationError as again:
                error = again
            except GitLabError as other:
                return self._failed(watch, other)
            if await self._token.is_refused(query.request):
                raise error
        return self._failed(watch, error)

    def _failed(self, watch: Watch, error: GitLabError) -> list[AnyEvent]:
        return [*watch.on_error(self._now(), error)]

    def _now(self) -> float:
        return self._clock.now()


def _retried_soon(error: RateLimitedError) -> RateLimitedError:
    """Return *error* with a wait of at most a minute."""
    # One response must not silence a target: the limiter knows how long the pause really is.
    wait = None if error.retry_after is None else min(error.retry_after, _MAX_RETRY_AFTER)
    return RateLimitedError(
        error.status, error.message, error.method, error.url, wait, error.request_id
    )


async def fetch(
    transport: Transport, capabilities: ServerCapabilities, query: Query
) -> QueryResult:
    """Return the rows that answer *query*.

    Raises:
        GitLabError: the server refuses, or its response is invalid.
    """
    result = await _fetch(transport, capabilities, query)
    reason = invalid_reason(result.rows)
    if reason is not None:
        server, request = transport.server, query.request
        raise DecodeError(f"{reason} @ $", request.method, server.shown(request))
    return result


async def _fetch(
    transport: Transport, capabilities: ServerCapabilities, query: Query
) -> QueryResult:
    kind, request = query.kind.row_type, query.request
    if query.all_pages:
        rows = await read_all(transport, by_offset(transport, request), kind, Priority.BACKGROUND)
        return QueryResult(rows)
    if query.kind.is_single:
        response = await transport.send(request, Priority.BACKGROUND)
        return QueryResult([decode(response, kind, log_ignored_value)])
    return await _fetch_page(transport, capabilities.next_page_headers, request, kind)


async def _fetch_page(
    transport: Transport, headers: NextPageHeaders, request: Request, kind: type[T]
) -> QueryResult:
    """Return one page and the request for the next one.

    The absence of a header alone never ends a listing.
    """
    server, cursor = transport.server, cursor_of(request)
    try:
        final = () if cursor is None else REFUSED
        response = await transport.send(request, Priority.BACKGROUND, final=final)
    except ServerError as error:
        # GitLab answers 500 if all rows below a cursor have vanished; the lowest id shows whether.
        if cursor is None or error.status not in REFUSED:
            raise
        if not await _has_rows_below(transport, request, *cursor):
            return QueryResult([])
        response = await transport.send(request, Priority.BACKGROUND)
    rows: Any = decode_rows(response, kind, report=log_ignored_value)
    headers.learn(response)
    following = next_page(server, request, response)
    are_reliable = headers.are_reliable
    if following is None and is_unnamed(request, response, rows, are_reliable=are_reliable):
        lowest = min(row.id for row in rows)
        following = await _guess_next(transport, headers, request, response, lowest)
    return QueryResult(rows, following)


async def _guess_next(
    transport: Transport,
    headers: NextPageHeaders,
    request: Request,
    response: Response,
    lowest: int,
) -> Request | None:
    """Return the request for the rows below *lowest*, after a full page without a next link."""
    if not dict(request.params).get("cursor"):
        return next_by_number(request)
    cursor = cursor_of(request)
    if cursor is not None:
        template, _ = cursor
        if not await _has_rows_below(transport, request, template, lowest):
            return None
        headers.learn_dropped()
        return with_params(request, cursor=template.cursor(lowest))
    if headers.are_reliable:
        return None
    reason = "full page without a link to the next one @ $"
    raise DecodeError(reason, response.method, response.url)


async def _has_rows_below(
    transport: Transport, request: Request, template: CursorTemplate, below: int
) -> bool:
    """Return whether the oldest row of the listing has an id under *below*."""
    oldest = with_page_size(with_params(request, cursor=template.last_page()), 1)
    response = await transport.send(oldest, Priority.BACKGROUND, final=REFUSED)
    ids = [row.id for row in decode_rows(response, RowId)]
    if next_page(transport.server, oldest, response) is not None:
        reason = "last page links to another one @ $"
        raise DecodeError(reason, response.method, response.url)
    return any(row_id < below for row_id in ids)


@frozen
class RowId:
    """The id of a row, without the rest of it."""

    id: int
