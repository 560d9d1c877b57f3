"""All pages of a listing, one after another; ends only where the server says that none follows."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

from gitlab_jobs_async.aio.transport import Transport
from gitlab_jobs_async.errors import DecodeError, MethodNotAllowedError
from gitlab_jobs_async.models import Job
from gitlab_jobs_async.sansio.decoding import decode
from gitlab_jobs_async.sansio.paging import Row, by_offset, is_newest_first, next_page, rows_below
from gitlab_jobs_async.sansio.requests import Request
from gitlab_jobs_async.sansio.responses import Response
from gitlab_jobs_async.sansio.turns import Lane

R = TypeVar("R", bound=Row)
T = TypeVar("T")

_MOST_EMPTY = 20
"""Empty pages in a row that may name a next one; a server that sends more has lost its way."""


async def iter_newest_first(
    transport: Transport, first: Request, kind: type[R]
) -> AsyncGenerator[R, None]:
    """The rows of a listing whose ids fall, each once, with one page in memory."""
    last_id: int | None = None
    async for page, response in _pages(transport, first, kind):
        if not is_newest_first(page):
            raise DecodeError("rows that are not newest first @ $", first.method, response.url)
        for row in rows_below(page, last_id):
            last_id = row.id
            yield row


async def iter_each_once(
    transport: Transport, first: Request, kind: type[R]
) -> AsyncGenerator[R, None]:
    """The rows of a listing in whatever order, each once; remembers the ids alone."""
    told: set[int] = set()
    async for row in iter_any_order(transport, first, kind):
        if row.id not in told:
            told.add(row.id)
            yield row


async def iter_any_order(
    transport: Transport, first: Request, kind: type[T]
) -> AsyncGenerator[T, None]:
    """The rows of a listing in an order of the caller's or of the server's own."""
    async for page, _ in _pages(transport, first, kind):
        for row in page:
            yield row


async def only_ref(jobs: AsyncGenerator[Job, None], ref: str) -> AsyncGenerator[Job, None]:
    """The jobs of *ref*: a server before 19 knows no such filter and sends those of all refs."""
    async with aclosing(jobs):
        async for job in jobs:
            if job.ref == ref:
                yield job


async def _pages(
    transport: Transport, first: Request, kind: type[T]
) -> AsyncGenerator[tuple[Sequence[T], Response], None]:
    request: Request | None = first
    asked: set[int] = set()
    empty = 0
    while request is not None:
        try:
            response = await transport.send(request, Lane.LISTING)
        except MethodNotAllowedError:
            request = by_offset(first) if request is first else None
            if request is None:
                raise
            continue
        page = decode(response, list[kind])  # type: ignore[valid-type]  # mypy takes no type held in a variable
        yield page, response
        asked.add(hash((request.path, request.params)))
        empty = 0 if page else empty + 1
        request = next_page(transport.settings.server, request, response)
        if request is None:
            return
        if empty > _MOST_EMPTY or hash((request.path, request.params)) in asked:
            raise DecodeError("pages that lead nowhere @ $", first.method, response.url)
