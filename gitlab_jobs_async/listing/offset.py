"""Read a listing by overlapping offset pages, exact although rows move between two requests.

Each page starts among the rows of the previous page, so that the ids of both are read without a gap
(see `id_ranges.py`). If rows have moved and leave a gap, that place is read again.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
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
)
from gitlab_jobs_async.listing.id_ranges import ID_LIMIT, Gap, UnreadIds
from gitlab_jobs_async.listing.rescan import RescanStrategy
from gitlab_jobs_async.listing.strategy import PageRequest, R, is_newest_first

_KEYSET = frozenset({"pagination", "order_by", "sort"})
_PAGE = frozenset({"page", "per_page"})
# Adjacent pages prove nothing: a row may move across their border between two reads.
_OVERLAP = 2
_MAX_OVERLAP = 64
# Rows a page; smaller pages cannot overlap everywhere.
_MIN_PAGE_SIZE = 20

# Pages in a row without a new row; then the rows move faster than they can be read.
_MAX_FRUITLESS = 30


def without_keyset(request: Request) -> Request:
    """Return the request for the same listing by offset."""
    return evolve(request, params=[pair for pair in request.params if pair[0] not in _KEYSET])


def is_by_offset(response: Response) -> bool:
    """Return whether a response is an offset page; a keyset page has none of these headers."""
    return "x-page" in response.headers or "x-next-page" in response.headers


@frozen
class PageWindow:
    """The rows from `start` to before `stop`, as page `number` of pages of that size."""

    number: int
    start: int
    stop: int


def window_at(index: int, overlap: int, largest: int) -> PageWindow:
    """Return the page with the row *index* and *overlap* rows before it that reaches furthest.

    If no page of at most *largest* rows has that overlap, return the page with the most.
    """
    windows = [
        PageWindow(first // size + 1, first // size * size, first // size * size + size)
        for first in range(max(0, index - overlap), index + 1)
        for size in range(largest, 0, -1)
    ]
    return max(windows, key=lambda w: (w.stop > index, min(index - w.start, overlap), w.stop))


@define(eq=False, repr=False)
class OffsetStrategy(Generic[R]):
    """Offset pagination of rows that come newest first; others are read by `RescanStrategy`.

    With *in_order*, a page below a gap is not emitted before the gap is read. If the server
    *is_silent*, as no header names the next page, each full page is followed by another. The
    *emitted* ids, rising, locate the row at which to continue.
    """

    server: ServerUrl
    first: Request
    in_order: bool = False
    unread: UnreadIds = field(factory=UnreadIds)
    headers: NextPageHeaders = field(factory=NextPageHeaders)
    is_silent: bool = False
    _emitted: "array[int]" = field(factory=lambda: array("q"))
    _pending: dict[PageRequest, PageWindow] = field(factory=dict[PageRequest, PageWindow])
    _first_request: PageRequest | None = None
    _rescan: RescanStrategy[R] | None = None
    _largest: int = PER_PAGE
    _total: int | None = None
    _planned: int = 0
    _drift: int = 0
    _fruitless: int = 0
    _is_size_ignored: bool = False

    @property
    def is_complete(self) -> bool:
        """See `PageStrategy.is_complete`."""
        return not self.unread.gaps if self._rescan is None else self._rescan.is_complete

    def next_requests(self, limit: int, guesses: int, /) -> list[PageRequest]:
        """Return the page at the first gap; if the server counts rows, the following ones too."""
        if self._rescan is not None:
            return self._rescan.next_requests(limit, guesses)
        requests: list[PageRequest] = []
        top = next(iter(self.unread.gaps), None)
        if top is None:
            return requests
        index = self._index_of(top)
        pending = self._pending.values()
        is_pending = any(w.start < max(index, 1) and index < w.stop for w in pending)
        if limit > 0 and not is_pending:
            requests.append(self._request(index, min(_OVERLAP << self._fruitless, _MAX_OVERLAP)))
        while len(requests) < limit and self._planned < (self._total or 0):
            requests.append(self._request(self._planned, _OVERLAP))
        return requests

    def on_page(self, request: PageRequest, response: Response, rows: Sequence[R]) -> Sequence[R]:
        """See `PageStrategy.on_page`; rows in another order start the rescan."""
        if self._rescan is not None:
            return self._rescan.on_page(request, response, rows)
        window = self._pending.pop(request, None)
        if window is None:
            return ()
        window = self._clamped(window, number_in(response, "x-per-page") or 0)
        if self.is_complete:
            return ()
        self.headers.learn(response)
        size = window.stop - window.start
        is_last = is_last_page(
            self.server, request.request, response, rows, size, is_silent=self.is_silent
        )
        if not is_last:
            window = self._clamped(window, len(rows))
        if self._largest < _MIN_PAGE_SIZE or not is_newest_first(rows):
            return self._start_rescan(window, response, rows)
        if rows and not -ID_LIMIT <= rows[-1].id <= rows[0].id < ID_LIMIT:
            raise DecodeError("id out of range: expected a bigint", response.method, response.url)
        # GitLab counts up to 10,000 rows, and never those of a project's jobs.
        self._total = window.start + len(rows) if is_last else number_in(response, "x-total")
        gaps = len(self.unread.gaps)
        new = self._read(window, rows, is_last=is_last)
        if self.is_silent and new and window.start:
            self.headers.learn_dropped()
        has_progress = bool(new) or len(self.unread.gaps) < gaps
        # A server that ignores per_page sends pages that cannot overlap.
        self._is_size_ignored = self._is_size_ignored or len(rows) > size
        self._check_progress(response, has_progress=has_progress)
        return new

    def on_error(self, request: PageRequest, error: GitLabError) -> None:
        """See `PageStrategy.on_error`, without a fallback."""
        if self._rescan is not None:
            self._rescan.on_error(request, error)
        elif self._pending.pop(request, None) is not None:
            raise error

    def is_later_page(self, request: PageRequest) -> bool:
        """Return whether *request* is pending here and was not the first of this strategy."""
        # A server that refuses the first page refuses the listing, not a large offset.
        return request in self._pending and request is not self._first_request

    def _request(self, index: int, overlap: int) -> PageRequest:
        window = window_at(index, overlap, self._largest)
        self._planned = max(self._planned, window.stop)
        params = [pair for pair in self.first.params if pair[0] not in _PAGE]
        size = str(window.stop - window.start)
        params += [("page", str(window.number)), ("per_page", size)]
        request = PageRequest(evolve(self.first, params=params))
        self._first_request = self._first_request or request
        self._pending[request] = window
        return request

    def _index_of(self, gap: Gap) -> int:
        """Return the row at which the first *gap* starts, as far as known."""
        return max(0, self._rank(gap.above) + self._drift)

    def _rank(self, last_id: int) -> int:
        """Return how many rows were emitted down to *last_id*."""
        return len(self._emitted) - bisect_left(self._emitted, min(last_id, ID_LIMIT - 1))

    def _clamped(self, window: PageWindow, size: int) -> PageWindow:
        """Return the rows of the page *window* on a server that allows *size* rows a page."""
        if not 0 < size < window.stop - window.start:
            return window
        self._largest = min(self._largest, size)
        start = (window.number - 1) * size
        self._planned = min(self._planned, start + size)
        return PageWindow(window.number, start, start + size)

    def _check_progress(self, response: Response, *, has_progress: bool) -> None:
        self._fruitless = 0 if has_progress else self._fruitless + 1
        if self._fruitless <= _MAX_FRUITLESS:
            return
        if self._is_size_ignored:
            reason = "pages do not overlap: expected the server to obey per_page"
            raise DecodeError(reason, response.method, response.url)
        raise ListingChangedError(response.method, response.url)

    def _start_rescan(
        self, window: PageWindow, response: Response, rows: Sequence[R]
    ) -> Sequence[R]:
        self._pending.clear()
        self._rescan = RescanStrategy[R](self.server, self.first, emitted=set(self._emitted))
        if window.start:
            return ()
        return self._rescan.on_page(self._rescan.next_requests(1, 0)[0], response, rows)

    def _read(self, window: PageWindow, rows: Sequence[R], *, is_last: bool) -> Sequence[R]:
        self._learn_drift(window, rows)
        top = self.unread.gaps[0]
        # In order, rows below a gap are read again once the gap is closed.
        if self.in_order and rows and window.start and rows[0].id < top.above - 1:
            return []
        new = self.unread.among(rows)
        self._remember(new)
        if rows or (is_last and not window.start):
            newest = rows[0].id if window.start else ID_LIMIT - 1
            self.unread.remove(newest, 1 if is_last else rows[-1].id)
        return new

    def _learn_drift(self, window: PageWindow, rows: Sequence[R]) -> None:
        """Estimate how far rows have moved, as others were created or deleted."""
        top = self.unread.gaps[0]
        if not rows:
            self._drift -= window.stop - window.start
        elif rows[0].id >= top.above:
            self._drift = window.start - self._rank(rows[0].id + 1)
        elif window.start < self._index_of(top):
            self._drift = window.start - self._rank(top.above)

    def _remember(self, rows: Sequence[R]) -> None:
        if rows:
            ids = array("q", [row.id for row in reversed(rows)])
            at = bisect_left(self._emitted, ids[0])
            if at != bisect_left(self._emitted, ids[-1]):
                ids = array("q", sorted([*self._emitted[at:], *ids]))
                del self._emitted[at:]
            self._emitted[at:at] = ids
