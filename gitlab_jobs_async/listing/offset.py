"""Which offset pages to ask for next, so that the listing is exact although rows change places.

Pages that only meet prove nothing: a row may slip through between two reads. So each page begins
among the rows of the one before it. Where it does, the ids of both are read without a break (see
coverage.py); where rows have moved meanwhile and it does not, that place is read again.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Generic

from attrs import define, evolve, field, frozen

from gitlab_jobs_async.api.capabilities import NextPageHeaders
from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.links import is_last_page, number_in
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.errors import (
    DecodeError,
    GitLabError,
    ListingChangedError,
    MethodNotAllowedError,
)
from gitlab_jobs_async.listing.id_ranges import TOP, Gap, IdRangeSet
from gitlab_jobs_async.listing.rescan import RescanStrategy
from gitlab_jobs_async.listing.strategy import PageRequest, PageStrategy, R, is_newest_first

_KEYSET = frozenset({"pagination", "order_by", "sort"})
_PLACE = frozenset({"page", "per_page"})
_OVERLAP = 2
_MOST_OVERLAP = 64
_SMALLEST_PAGE = 20
"""Pages of fewer rows may not overlap everywhere: a row may begin a page of every smaller size."""

_MOST_FRUITLESS = 30
"""Pages in a row that told nothing new; then the rows move faster than they can be read."""


def without_keyset(request: Request) -> Request:
    """The same listing by offset."""
    return evolve(request, params=[pair for pair in request.params if pair[0] not in _KEYSET])


def is_by_offset(response: Response) -> bool:
    """Whether an answer is an offset page: a keyset one has none of these headers."""
    return "x-page" in response.headers or "x-next-page" in response.headers


@frozen
class PageWindow:
    """The rows from `start` to before `stop`, as page `number` of pages of that size."""

    number: int
    start: int
    stop: int


def window_at(index: int, overlap: int, largest: int) -> PageWindow:
    """The page that reaches furthest of those with the row *index* and, before it, *overlap* rows.

    Where no page of at most *largest* rows has so many, fewer.
    """
    windows = [
        PageWindow(first // size + 1, first // size * size, first // size * size + size)
        for first in range(max(0, index - overlap), index + 1)
        for size in range(largest, 0, -1)
    ]
    return max(windows, key=lambda w: (w.stop > index, min(index - w.start, overlap), w.stop))


@define
class OffsetStrategy(Generic[R]):
    """A listing whose rows come newest first, read by overlapping offset pages.

    With *in_order*, a page below a break is not told before the break is read. Where an offset is
    past the server's limit, *beyond_limit* makes the walk to go on with. Rows in another order are
    read by `RescanStrategy`. Where the server *is_silent*, as no header names the next page, one is
    asked for after each full page; the ids *told* before, rising, say at which row to go on.
    """

    server: ServerUrl
    first: Request
    in_order: bool = False
    coverage: IdRangeSet = field(factory=IdRangeSet)
    beyond_limit: Callable[[MethodNotAllowedError], PageStrategy[R]] | None = None
    headers: NextPageHeaders = field(factory=NextPageHeaders)
    is_silent: bool = False
    _asked: dict[int, PageWindow] = field(factory=dict[int, PageWindow])
    _told: "array[int]" = field(factory=lambda: array("q"))
    _sent: int = 0
    _largest: int = PER_PAGE
    _total: int | None = None
    _planned: int = 0
    _drift: int = 0
    _fruitless: int = 0
    _is_size_ignored: bool = False

    @property
    def is_complete(self) -> bool:
        """See `PageStrategy.is_complete`."""
        return next(self.coverage.gaps(), None) is None

    def asks(self, free: int, _guesses: int, /) -> list[PageRequest]:
        """The page at the first break; and where the server counts, those that are to follow."""
        asks: list[PageRequest] = []
        top = next(self.coverage.gaps(), None)
        if top is None:
            return asks
        index = self._index_of(top)
        is_walked = any(w.start < max(index, 1) and index < w.stop for w in self._asked.values())
        if free > 0 and not is_walked:
            asks.append(self._ask(index, min(_OVERLAP << self._fruitless, _MOST_OVERLAP)))
        while len(asks) < free and self._planned < (self._total or 0):
            asks.append(self._ask(self._planned, _OVERLAP))
        return asks

    def take(
        self, ask: PageRequest, response: Response, rows: Sequence[R]
    ) -> tuple[PageStrategy[R], Sequence[R]]:
        """See `PageStrategy.take`; rows in another order hand over to `RescanStrategy`."""
        window = self._asked.pop(ask.place)
        window = self._clamped(window, number_in(response, "x-per-page") or 0)
        if self.is_complete:
            return self, ()
        self.headers.learn(response)
        size = window.stop - window.start
        is_last = is_last_page(
            self.server, ask.wanted, response, rows, size, is_silent=self.is_silent
        )
        if not is_last:
            window = self._clamped(window, len(rows))
        if self._largest < _SMALLEST_PAGE or not is_newest_first(rows):
            return self._by_looks(window, response, rows)
        if rows and not -TOP <= rows[-1].id <= rows[0].id < TOP:
            raise DecodeError("an id that cannot be one @ $", response.method, response.url)
        self._total = window.start + len(rows) if is_last else number_in(response, "x-total")
        breaks = sum(1 for _ in self.coverage.gaps())
        told = self._read(window, rows, is_last=is_last)
        if self.is_silent and told and window.start:
            self.headers.learn_dropped()
        if told or sum(1 for _ in self.coverage.gaps()) < breaks:
            self._fruitless = 0
        else:
            self._fruitless += 1
        if len(rows) > size:
            self._is_size_ignored = True
        if self._fruitless > _MOST_FRUITLESS and self._is_size_ignored:
            reason = "pages that do not overlap, as per_page is ignored @ $"
            raise DecodeError(reason, response.method, response.url)
        if self._fruitless > _MOST_FRUITLESS:
            raise ListingChangedError(response.method, response.url)
        return self, told

    def refused(self, ask: PageRequest, error: GitLabError) -> PageStrategy[R]:
        """See `PageStrategy.refused`; past the server's offset limit, keyset may go on."""
        del self._asked[ask.place]
        if isinstance(error, MethodNotAllowedError) and ask.place and self.beyond_limit is not None:
            return self.beyond_limit(error)
        raise error

    def _ask(self, index: int, overlap: int) -> PageRequest:
        window = window_at(index, overlap, self._largest)
        self._planned = max(self._planned, window.stop)
        place, self._sent = self._sent, self._sent + 1
        self._asked[place] = window
        params = [pair for pair in self.first.params if pair[0] not in _PLACE]
        size = str(window.stop - window.start)
        params += [("page", str(window.number)), ("per_page", size)]
        return PageRequest(evolve(self.first, params=params), place)

    def _index_of(self, gap: Gap) -> int:
        """Where the rows of the first *gap* begin, as far as known."""
        return max(0, self._rank(gap.above) + self._drift)

    def _rank(self, last_id: int) -> int:
        """How many rows have been told down to *last_id*."""
        return len(self._told) - bisect_left(self._told, min(last_id, TOP - 1))

    def _clamped(self, window: PageWindow, size: int) -> PageWindow:
        """What *window* was for a server that allows at most *size* rows a page."""
        if not 0 < size < window.stop - window.start:
            return window
        self._largest = min(self._largest, size)
        start = (window.number - 1) * size
        self._planned = min(self._planned, start + size)
        return PageWindow(window.number, start, start + size)

    def _by_looks(
        self, window: PageWindow, response: Response, rows: Sequence[R]
    ) -> tuple[PageStrategy[R], Sequence[R]]:
        look = RescanStrategy[R](self.server, self.first, told=set(self._told))
        return look.take(look.asks(1, 0)[0], response, rows) if not window.start else (look, ())

    def _read(self, window: PageWindow, rows: Sequence[R], *, is_last: bool) -> Sequence[R]:
        self._learn_drift(window, rows)
        top = next(self.coverage.gaps())
        if self.in_order and rows and window.start and rows[0].id < top.above - 1:
            return []
        told = self.coverage.unread(rows)
        self._remember(told)
        if rows or (is_last and not window.start):
            newest = rows[0].id if window.start else TOP - 1
            self.coverage.add(newest, 1 if is_last else rows[-1].id)
        return told

    def _learn_drift(self, window: PageWindow, rows: Sequence[R]) -> None:
        """How far the rows stand from where they were told to be, as others came and went."""
        top = next(self.coverage.gaps())
        if not rows:
            self._drift -= window.stop - window.start
        elif rows[0].id >= top.above:
            self._drift = window.start - self._rank(rows[0].id + 1)
        elif window.start < self._index_of(top):
            self._drift = window.start - self._rank(top.above)

    def _remember(self, told: Sequence[R]) -> None:
        if told:
            ids = array("q", [row.id for row in reversed(told)])
            at = bisect_left(self._told, ids[0])
            if at != bisect_left(self._told, ids[-1]):
                ids = array("q", sorted([*self._told[at:], *ids]))
                del self._told[at:]
            self._told[at:at] = ids
