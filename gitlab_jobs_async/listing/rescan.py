"""Read a listing in any order: repeat the scan until two scans in a row are identical.

One page is one snapshot. Several pages are emitted after two scans with the same rows in the same
places. A change that is undone between the same two pages stays invisible to offset pagination.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Generic

from attrs import define, evolve, field

from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.links import is_last_page, number_in
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.errors import GitLabError, ListingChangedError
from gitlab_jobs_async.listing.strategy import PageRequest, ProgressGuard, R

# A busy project changes between any two scans, so there must be an end.
_MAX_SCANS = 20


@define(eq=False, repr=False)
class RescanStrategy(Generic[R]):
    """Offset pagination in the server's own order; rows with an *emitted* id are left out."""

    server: ServerUrl
    first: Request
    emitted: set[int] = field(factory=set[int])
    _pending: dict[PageRequest, int] = field(factory=dict[PageRequest, int])
    _pages: dict[int, Sequence[R]] = field(factory=dict[int, Sequence[R]])
    _last_page: int = 1
    _previous_ids: list[int] | None = None
    _scans: int = 0
    _seen: set[int] = field(factory=set[int])
    _guard: ProgressGuard = field(factory=ProgressGuard)
    _is_done: bool = False

    @property
    def is_complete(self) -> bool:
        """See `PageStrategy.is_complete`."""
        return self._is_done

    def next_requests(self, limit: int, _guesses: int, /) -> list[PageRequest]:
        """Return the pages of this scan that were not requested yet."""
        if self._is_done:
            return []
        # Lazily: the server says how many pages there are, and the number may be absurd.
        pending = set(self._pending.values())
        missing = (page for page in self._missing() if page not in pending)
        requests = {self._request(page): page for page in islice(missing, max(0, limit))}
        self._pending |= requests
        return list(requests)

    def on_page(self, request: PageRequest, response: Response, rows: Sequence[R]) -> Sequence[R]:
        """See `PageStrategy.on_page`; all rows are emitted at once, after the last scan."""
        page = self._pending.pop(request, None)
        if page is None:
            return ()
        self._pages[page] = rows
        self._check_progress(response, rows)
        size = min(number_in(response, "x-per-page") or PER_PAGE, PER_PAGE)
        if is_last_page(self.server, request.request, response, rows, size):
            self._last_page = page
        else:
            counted = number_in(response, "x-total-pages") or 0
            self._last_page = max(self._last_page, counted, page + 1)
        if self._pending or next(self._missing(), None) is not None:
            return ()
        return self._finish_scan(response)

    def on_error(self, request: PageRequest, error: GitLabError) -> None:
        """See `PageStrategy.on_error`, without a fallback."""
        if self._pending.pop(request, None) is not None:
            raise error

    def _missing(self) -> Iterator[int]:
        return (page for page in range(1, self._last_page + 1) if page not in self._pages)

    def _check_progress(self, response: Response, rows: Sequence[R]) -> None:
        ids = {row.id for row in rows}
        if ids - self._seen:
            self._guard.advance()
        else:
            self._guard.stall(response)
        self._seen |= ids

    def _request(self, page: int) -> PageRequest:
        params = [pair for pair in self.first.params if pair[0] != "page"]
        return PageRequest(evolve(self.first, params=[*params, ("page", str(page))]))

    def _finish_scan(self, response: Response) -> Sequence[R]:
        """Return all rows, once each, if this scan equals the previous one; else start another."""
        rows = [row for page in range(1, self._last_page + 1) for row in self._pages[page]]
        ids = [row.id for row in rows]
        if self._last_page == 1 or ids == self._previous_ids:
            self._is_done = True
            unique = {row.id: row for row in rows if row.id not in self.emitted}
            return list(unique.values())
        self._scans += 1
        if self._scans == _MAX_SCANS:
            raise ListingChangedError(response.method, response.url)
        # Rows may have been deleted, so the number of pages is learned again.
        self._pages, self._previous_ids, self._last_page = {}, ids, 1
        self._seen = set()
        return ()
