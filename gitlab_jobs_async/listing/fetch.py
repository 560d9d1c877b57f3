"""All pages of listings, side by side or one after another; a page that cannot be read is an error.

What to ask is decided by the walks of `listing`; here it is asked.
"""

from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from operator import attrgetter
from typing import Any, Generic, TypeVar

from attrs import define, field

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import UndecodedRow, decode_rows
from gitlab_jobs_async.api.links import next_page
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.concurrency import TaskPool, task_pool
from gitlab_jobs_async.errors import DecodeError, GitLabError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.listing.keyset import KeysetStrategy
from gitlab_jobs_async.listing.offset import OffsetStrategy
from gitlab_jobs_async.listing.page_checks import is_unnamed, next_by_number
from gitlab_jobs_async.listing.rescan import RescanStrategy
from gitlab_jobs_async.listing.strategy import PageRequest, PageStrategy, R
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.ratelimit.fair_queue import Priority

K = TypeVar("K")
T = TypeVar("T")

_MOST_EMPTY = 20
"""Empty pages in a row that may name a next one; a server that sends more has lost its way."""


def by_keyset(
    transport: Transport,
    capabilities: ServerCapabilities,
    request: Request,
    *,
    in_order: bool = False,
) -> KeysetStrategy[UndecodedRow]:
    """The walk through a project's jobs; *in_order* for `iter_rows`."""
    window = 1 if in_order else transport.concurrency
    headers = capabilities.next_page_headers
    return KeysetStrategy(transport.server, request, window, headers=headers)


def by_offset(
    transport: Transport, request: Request, *, in_order: bool = False
) -> OffsetStrategy[UndecodedRow]:
    """The walk through a listing that has no keyset and comes newest first."""
    return OffsetStrategy(transport.server, request, in_order=in_order)


def by_rescan(transport: Transport, request: Request) -> RescanStrategy[UndecodedRow]:
    """The walk through a listing in an order of the caller's."""
    return RescanStrategy(transport.server, request)


async def read_all(
    transport: Transport,
    walk: PageStrategy[UndecodedRow],
    kind: type[T],
    lane: Priority = Priority.LISTING,
) -> list[T]:
    """The rows of a listing in the order of their arrival, pages fetched side by side."""
    async with task_pool() as flight:
        pages = pages_of(flight, transport, [(None, walk)], kind, lane)
        return [row async for _, page in pages for row in page]


async def iter_rows(
    transport: Transport, walk: PageStrategy[UndecodedRow], kind: type[T]
) -> AsyncGenerator[T, None]:
    """The rows of a listing in its own order, with one page in memory."""
    reading = _Listing(None, walk)
    while asks := reading.walk.asks(1, 0):
        ask = asks[0]
        try:
            response = await transport.send(ask.wanted, Priority.LISTING, final=ask.final)
        except GitLabError as error:
            reading.walk = reading.walk.refused(ask, error)
            continue
        for row in reading.take(ask, response, kind):
            yield row


async def pages_of(
    flight: TaskPool[Any, Any],
    transport: Transport,
    walks: Iterable[tuple[K, PageStrategy[UndecodedRow]]],
    kind: type[T],
    lane: Priority = Priority.LISTING,
) -> AsyncGenerator[tuple[K, list[T]], None]:
    """The new rows of each page of several listings as they come, each with its listing's key.

    At most `concurrency` pages are asked for at once, and so many listings read; the next are asked
    for only when the consumer comes back. *flight* belongs to the block around.
    """
    side_by_side = _ConcurrentFetch(
        flight, transport, lane, deque(_Listing(*walk) for walk in walks)
    )
    while side_by_side.ask():
        (reading, walk, ask), task = await flight.first()
        reading.asked -= 1
        if walk is not reading.walk:
            # It has handed the listing over, and the other one reads this page again.
            task.exception()
            continue
        try:
            response = task.result()
        except GitLabError as error:
            reading.walk = walk.refused(ask, error)
            continue
        told = reading.take(ask, response, kind)
        if reading.walk.is_complete:
            side_by_side.leave(reading)
        side_by_side.ask()
        # So that requests leave between pages that have come at once, not after the last of them.
        await transport.clock.sleep(0)
        if told:
            yield reading.key, told


@define(eq=False)
class _Listing(Generic[K]):
    """One listing on its way: how many of its pages are asked for and not taken yet."""

    key: K
    walk: PageStrategy[UndecodedRow]
    asked: int = 0

    def take(self, ask: PageRequest, response: Response, kind: type[T]) -> list[T]:
        """What the answer adds to the listing."""
        is_taken = False

        def wanted(rows: Sequence[UndecodedRow]) -> Sequence[UndecodedRow]:
            nonlocal is_taken
            is_taken = True
            self.walk, told = self.walk.take(ask, response, rows)
            return told

        try:
            return decode_rows(response, kind, wanted, log_ignored_value)
        except DecodeError as error:
            if is_taken:
                raise
            # No page at all: where a cursor made up is answered so, the walk goes on without.
            self.walk = self.walk.refused(ask, error)
            return []


@define
class _ConcurrentFetch(Generic[K]):
    """Listings that share one window of requests, in turns."""

    flight: TaskPool[Any, Any]
    transport: Transport
    lane: Priority
    waiting: deque[_Listing[K]]
    active: deque[_Listing[K]] = field(factory=deque)

    def ask(self) -> bool:
        """Ask as much as may be asked at once; false when all has been read.

        First what is needed for certain, then the next listings, and only then what is a guess.
        """
        for reading in list(self.active):
            if not self._ask_for(reading, 0) and not reading.asked:
                self.active.remove(reading)
        while self._free() and self.waiting and len(self.active) < self._window:
            reading = self.waiting.popleft()
            self.active.append(reading)
            self._ask_for(reading, 0)
        for reading in self.active if self._free() else ():
            self._ask_for(reading, self._free())
        self.active.rotate(-1)
        return len(self.flight) > 0

    def leave(self, reading: _Listing[K]) -> None:
        """Leave the answers that a complete listing still waits for: they can only come late."""
        self.flight.drop(lambda key: key[0] is reading)
        reading.asked = 0

    @property
    def _window(self) -> int:
        return self.transport.concurrency

    def _free(self) -> int:
        return max(0, self._window - len(self.flight))

    def _ask_for(self, reading: _Listing[K], guesses: int) -> bool:
        """Whether *reading* may want anything yet."""
        free = self._free()
        asks = reading.walk.asks(free, guesses) if free else []
        for ask in asks:
            reading.asked += 1
            key = (reading, reading.walk, ask)
            sent = self.transport.send(ask.wanted, self.lane, final=ask.final)
            self.flight.start(key, sent)
        return bool(asks) or not free


async def iter_each_once(
    transport: Transport, first: Request, kind: type[R]
) -> AsyncGenerator[R, None]:
    """The rows of a listing in an order of the caller's, each once; remembers the ids alone.

    Rows that change places while it goes on may be missed.
    """
    told: set[int] = set()
    async with aclosing(iter_any_order(transport, first, kind)) as rows:
        async for row in rows:
            if row.id not in told:
                told.add(row.id)
                yield row


async def iter_any_order(
    transport: Transport, first: Request, kind: type[T]
) -> AsyncGenerator[T, None]:
    """The rows of a listing that nothing is created in, such as an archive's."""
    request: Request | None = first
    asked: set[int] = set()
    empty = 0
    while request is not None:
        response = await transport.send(request, Priority.LISTING)
        page = decode_rows(response, kind, report=log_ignored_value)
        for row in page:
            yield row
        asked.add(hash((request.path, request.params)))
        empty = 0 if page else empty + 1
        following = next_page(transport.server, request, response)
        if following is None and is_unnamed(request, response, page):
            following = next_by_number(request)
        request = following
        if request is None:
            return
        if empty > _MOST_EMPTY or hash((request.path, request.params)) in asked:
            raise DecodeError("pages that lead nowhere @ $", first.method, response.url)


def newest_first(rows: Iterable[R]) -> list[R]:
    """*rows* in the order of their ids, the newest first."""
    return sorted(rows, key=attrgetter("id"), reverse=True)


def of_ref(jobs: Iterable[Job], ref: str | None) -> list[Job]:
    """The jobs of *ref*: a server before 19 knows no such filter and sends those of all refs."""
    return [job for job in jobs if ref is None or job.ref == ref]


async def only_ref(jobs: AsyncGenerator[Job, None], ref: str) -> AsyncGenerator[Job, None]:
    """The same for jobs that come one after another."""
    async with aclosing(jobs):
        async for job in jobs:
            if job.ref == ref:
                yield job
