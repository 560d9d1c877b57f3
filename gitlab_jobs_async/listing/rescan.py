"""Reading a whole listing again and again until two looks are the same, for rows in any order.

One page is one snapshot. Several are told once they have been read twice and nothing had changed
from one look to the next: neither a row nor its place. What the same change undone and done again
between the same two pages may hide, no reading by offset can show.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Generic

from attrs import define, evolve, field

from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.links import is_last_page, number_in
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.errors import DecodeError, GitLabError, ListingChangedError
from gitlab_jobs_async.listing.strategy import PageRequest, PageStrategy, R

_MOST_LOOKS = 20
_MOST_REPEATED = 20
"""Pages in a row with nothing new; a server that sends more has lost its way."""


@define
class RescanStrategy(Generic[R]):
    """A listing by offset in the server's own order; rows of *told* ids are not told again."""

    server: ServerUrl
    first: Request
    told: set[int] = field(factory=set[int])
    _asked: set[int] = field(factory=set[int])
    _pages: dict[int, Sequence[R]] = field(factory=dict[int, Sequence[R]])
    _last: int = 1
    _before: list[int] | None = None
    _looks: int = 0
    _seen: set[int] = field(factory=set[int])
    _repeated: int = 0
    _is_done: bool = False

    @property
    def is_complete(self) -> bool:
        """See `PageStrategy.is_complete`."""
        return self._is_done

    def asks(self, free: int, _guesses: int, /) -> list[PageRequest]:
        """The pages of this look that are not asked for yet."""
        if self._is_done:
            return []
        # Lazily: how many pages there are is the server's word, and may be absurd.
        due = (n for n in range(1, self._last + 1) if n not in self._pages and n not in self._asked)
        pages = list(islice(due, max(0, free)))
        self._asked.update(pages)
        return [self._ask(page) for page in pages]

    def take(
        self, ask: PageRequest, response: Response, rows: Sequence[R]
    ) -> tuple[PageStrategy[R], Sequence[R]]:
        """See `PageStrategy.take`; rows are told all at once, when two looks were the same."""
        self._asked.remove(ask.place)
        self._pages[ask.place] = rows
        self._check_progress(response, rows)
        size = min(number_in(response, "x-per-page") or PER_PAGE, PER_PAGE)
        if is_last_page(self.server, ask.wanted, response, rows, size):
            self._last = ask.place
        else:
            counted = number_in(response, "x-total-pages") or 0
            self._last = max(self._last, counted, ask.place + 1)
        if self._asked or any(n not in self._pages for n in range(1, self._last + 1)):
            return self, ()
        return self, self._compared(response)

    def refused(self, ask: PageRequest, error: GitLabError) -> PageStrategy[R]:
        """See `PageStrategy.refused`: there is no way around."""
        self._asked.remove(ask.place)
        raise error

    def _check_progress(self, response: Response, rows: Sequence[R]) -> None:
        ids = {row.id for row in rows}
        self._repeated = 0 if ids - self._seen else self._repeated + 1
        self._seen |= ids
        if self._repeated > _MOST_REPEATED:
            raise DecodeError("pages that lead nowhere @ $", response.method, response.url)

    def _ask(self, page: int) -> PageRequest:
        params = [pair for pair in self.first.params if pair[0] != "page"]
        return PageRequest(evolve(self.first, params=[*params, ("page", str(page))]), page)

    def _compared(self, response: Response) -> Sequence[R]:
        """All rows, once each, if this look was like the one before; else nothing yet."""
        rows = [row for page in range(1, self._last + 1) for row in self._pages[page]]
        ids = [row.id for row in rows]
        if self._last == 1 or ids == self._before:
            self._is_done = True
            unique = {row.id: row for row in rows if row.id not in self.told}
            return list(unique.values())
        self._looks += 1
        if self._looks == _MOST_LOOKS:
            raise ListingChangedError(response.method, response.url)
        self._pages, self._before, self._last = {}, ids, 1
        self._seen = set()
        return ()
