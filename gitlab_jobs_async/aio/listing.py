"""All pages of a listing, one after another; ends only where the server says that none follows."""

from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

from gitlab_jobs_async.aio.transport import Transport
from gitlab_jobs_async.errors import MethodNotAllowedError
from gitlab_jobs_async.sansio.decoding import decode
from gitlab_jobs_async.sansio.paging import Row, by_offset, next_page, rows_below
from gitlab_jobs_async.sansio.requests import Request

R = TypeVar("R", bound=Row)
T = TypeVar("T")


async def iter_rows(transport: Transport, first: Request, kind: type[R]) -> AsyncIterator[R]:
    """The rows of a newest-first listing, each once, with one page in memory."""
    last_id: int | None = None
    async for page in _pages(transport, first, kind):
        for row in rows_below(page, last_id):
            last_id = row.id
            yield row


async def iter_any_order(transport: Transport, first: Request, kind: type[T]) -> AsyncIterator[T]:
    """The rows of a listing in an order of the caller's or of the server's own."""
    async for page in _pages(transport, first, kind):
        for row in page:
            yield row


async def _pages(transport: Transport, first: Request, kind: type[T]) -> AsyncIterator[Sequence[T]]:
    request: Request | None = first
    while request is not None:
        try:
            response = await transport.send(request)
        except MethodNotAllowedError:
            if request is not first or by_offset(first) == first:
                raise
            first = request = by_offset(first)
            continue
        yield decode(response, list[kind])  # type: ignore[valid-type]  # mypy takes no type held in a variable
        request = next_page(transport.settings.server, request, response)
