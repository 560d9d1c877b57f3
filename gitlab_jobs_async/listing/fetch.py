"""Fetch the pages of listings, concurrently or one after another.

A page that cannot be read is an error, never the end of a listing. The pure strategies of this
folder choose the requests.
"""

from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from operator import attrgetter
from typing import Any, Generic, TypeVar

from attrs import define, field

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode_rows
from gitlab_jobs_async.api.links import next_page
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.rows import UndecodedRow
from gitlab_jobs_async.concurrency import TaskPool, task_pool
from gitlab_jobs_async.errors import DecodeError, GitLabError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.listing.keyset import KeysetStrategy
from gitlab_jobs_async.listing.offset import OffsetStrategy
from gitlab_jobs_async.listing.page_checks import is_unnamed, next_by_number
from gitlab_jobs_async.listing.rescan import RescanStrategy
from gitlab_jobs_async.listing.strategy import (
    PageRequest,
    PageStrategy,
    ProgressGuard,
    R,
    not_advancing,
)
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.ratelimit.fair_queue import Priority

K = TypeVar("K")
T = TypeVar("T")


def by_keyset(
    transport: Transport,
    capabilities: ServerCapabilities,
    request: Request,
    *,
    in_order: bool = False,
) -> KeysetStrategy[UndecodedRow]:
    """Return the strategy for a project's jobs; *in_order* for `iter_rows`."""
    # Pages of concurrent requests arrive out of order.
    window = 1 if in_order else transport.concurrency
    headers = capabilities.next_page_headers
    return KeysetStrategy(transport.server, request, window, headers=headers)


def by_offset(
    transport: Transport, request: Request, *, in_order: bool = False
) -> OffsetStrategy[UndecodedRow]:
    """Return the strategy for a listing without keyset, newest first."""
    return OffsetStrategy(transport.server, request, in_order=in_order)


def by_rescan(transport: Transport, request: Request) -> RescanStrategy[UndecodedRow]:
    """Return the strategy for a listing in an order that the caller has chosen."""
    return RescanStrategy(transport.server, request)


async def read_all(
    transport: Transport,
    strategy: PageStrategy[UndecodedRow],
    kind: type[T],
    priority: Priority = Priority.LISTING,
) -> list[T]:
    """Return the rows of a listing in the order of their arrival; fetch pages concurrently."""
    async with task_pool() as tasks:
        pages = iter_pages(tasks, transport, [(None, strategy)], kind, priority)
        return [row async for _, page in pages for row in page]


async def iter_rows(
    transport: Transport,
    strategy: PageStrategy[UndecodedRow],
    kind: type[T],
    priority: Priority = Priority.LISTING,
) -> AsyncGenerator[T, None]:
    """Yield the rows of a listing in its own order, with one page in memory."""
    while requests := strategy.next_requests(1, 0):
        page = requests[0]
        try:
            response = await transport.send(page.request, priority, final=page.final)
        except GitLabError as error:
            strategy.on_error(page, error)
            continue
        for row in _decode_new(strategy, page, response, kind):
            yield row


async def iter_pages(
    tasks: TaskPool[Any, Any],
    transport: Transport,
    strategies: Iterable[tuple[K, PageStrategy[UndecodedRow]]],
    kind: type[T],
    priority: Priority = Priority.LISTING,
) -> AsyncGenerator[tuple[K, list[T]], None]:
    """Yield the new rows of each page of several listings on arrival, each with its listing's key.

    At most `concurrency` pages are pending, of at most as many listings. More are requested only
    when the consumer continues. The caller closes *tasks*.
    """
    listings = deque(_Listing(key, strategy) for key, strategy in strategies)
    fetch = _ConcurrentFetch(tasks, transport, priority, listings)
    while fetch.start_requests():
        (listing, page), task = await tasks.next_done()
        listing.pending -= 1
        try:
            response = task.result()
        except GitLabError as error:
            listing.strategy.on_error(page, error)
            continue
        rows = _decode_new(listing.strategy, page, response, kind)
        if listing.strategy.is_complete:
            # Their responses could only delay the end of the call.
            fetch.drop_pending(listing)
        fetch.start_requests()
        # Let requests leave between pages that arrived together, not after the last of them.
        await transport.clock.sleep(0)
        if rows:
            yield listing.key, rows


def _decode_new(
    strategy: PageStrategy[UndecodedRow], page: PageRequest, response: Response, kind: type[T]
) -> list[T]:
    """Decode the rows that *response* adds to the listing."""
    is_page = False

    def select(rows: Sequence[UndecodedRow]) -> Sequence[UndecodedRow]:
        nonlocal is_page
        is_page = True
        return strategy.on_page(page, response, rows)

    try:
        return decode_rows(response, kind, select, log_ignored_value)
    except DecodeError as error:
        if is_page:
            raise
        # Not a page at all: if a synthetic cursor caused it, the strategy continues without it.
        strategy.on_error(page, error)
        return []


@define(eq=False, repr=False)
class _Listing(Generic[K]):
    """One listing, and how many of its pages are pending."""

    key: K
    strategy: PageStrategy[UndecodedRow]
    pending: int = 0


@define(eq=False, repr=False)
class _ConcurrentFetch(Generic[K]):
    """Listings that share a window of concurrent requests, round-robin."""

    tasks: TaskPool[Any, Any]
    transport: Transport
    priority: Priority
    waiting: deque[_Listing[K]]
    active: deque[_Listing[K]] = field(factory=deque)

    def start_requests(self) -> bool:
        """Start as many requests as the window allows; return whether any is pending.

        Pages that are needed for certain come first, then further listings, then guesses.
        """
        for listing in list(self.active):
            if not self._start(listing, 0) and not listing.pending:
                self.active.remove(listing)
        while self._free() and self.waiting and len(self.active) < self.transport.concurrency:
            listing = self.waiting.popleft()
            self.active.append(listing)
            self._start(listing, 0)
        # A guess may be a wasted request, so it gets only what is left of the window.
        for listing in self.active if self._free() else ():
            self._start(listing, self._free())
        self.active.rotate(-1)
        return len(self.tasks) > 0

    def drop_pending(self, listing: _Listing[K]) -> None:
        """Cancel the pending requests of a complete listing."""
        self.tasks.drop(lambda key: key[0] is listing)
        listing.pending = 0

    def _free(self) -> int:
        return max(0, self.transport.concurrency - len(self.tasks))

    def _start(self, listing: _Listing[K], guesses: int) -> bool:
        """Start requests of *listing*; return False if it wants none although there is room."""
        free = self._free()
        pages = listing.strategy.next_requests(free, guesses) if free else []
        for page in pages:
            listing.pending += 1
            sent = self.transport.send(page.request, self.priority, final=page.final)
            self.tasks.start((listing, page), sent)
        return bool(pages) or not free


async def iter_distinct(
    transport: Transport, first: Request, kind: type[R]
) -> AsyncGenerator[R, None]:
    """Yield the rows of a listing in any order, each id once.

    Rows that move while the listing is read may be missed.
    """
    # By offset, a row created at the top moves another one onto the next page, too.
    emitted: set[int] = set()
    async with aclosing(iter_unordered(transport, first, kind)) as rows:
        async for row in rows:
            if row.id not in emitted:
                emitted.add(row.id)
                yield row


async def iter_unordered(
    transport: Transport, first: Request, kind: type[T]
) -> AsyncGenerator[T, None]:
    """Yield the rows of a listing that does not grow, such as the entries of an archive."""
    request: Request | None = first
    # A gateway's links may lead in a circle.
    requested: set[int] = set()
    guard = ProgressGuard()
    while request is not None:
        response = await transport.send(request, Priority.LISTING)
        page = decode_rows(response, kind, report=log_ignored_value)
        for row in page:
            yield row
        requested.add(hash((request.path, request.params)))
        following = next_page(transport.server, request, response)
        if following is None and is_unnamed(request, response, page):
            following = next_by_number(request)
        request = following
        if request is None:
            return
        if hash((request.path, request.params)) in requested:
            raise not_advancing(response)
        if page:
            guard.advance()
        else:
            guard.stall(response)


def newest_first(rows: Iterable[R]) -> list[R]:
    """Return *rows* by descending id."""
    return sorted(rows, key=attrgetter("id"), reverse=True)


def filter_ref(jobs: Iterable[Job], ref: str | None) -> list[Job]:
    """Return the jobs of *ref*, or all jobs if it is None."""
    # A server before GitLab 19 ignores the filter.
    return [job for job in jobs if ref is None or job.ref == ref]


async def filter_ref_async(jobs: AsyncGenerator[Job, None], ref: str) -> AsyncGenerator[Job, None]:
    """Yield the jobs of *ref*, as `filter_ref`."""
    async with aclosing(jobs):
        async for job in jobs:
            if job.ref == ref:
                yield job
