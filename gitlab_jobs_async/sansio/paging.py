"""Which id ranges of a keyset listing to ask for next, and when the listing is complete.

A page below the id c has every row from c down to its last one, or to the end where it names no
next: those ids are read (see coverage.py). Cursors made for other ids read further down at the
same time, and the listing is complete when the ranges have met: whatever matched during the whole
call is in one of them, and a row is told by the first page that reads its id.

Each unread range is walked from its top by the server's own link, which always brings rows or
closes it. So `requests + ranges open` grows with the pages found, and only a guess, a cursor made
up, adds one to it: guesses are paid from an allowance that opens as pages are found. At the end no
range is open, hence at most pages + 4 requests up to 5 pages, pages + 2 windows + 2 for an even
spread of ids, and a quarter of the pages more for an uneven one.
"""

from collections.abc import Sequence
from typing import Generic

from attrs import Factory, define, evolve, field

from gitlab_jobs_async.errors import (
    BadRequestError,
    DecodeError,
    GitLabError,
    MethodNotAllowedError,
    NotFoundError,
    ServerError,
)
from gitlab_jobs_async.sansio.coverage import TOP, Coverage, Gap
from gitlab_jobs_async.sansio.cursors import CursorForm
from gitlab_jobs_async.sansio.links import next_page
from gitlab_jobs_async.sansio.offsets import OffsetWalk, is_by_offset, without_keyset
from gitlab_jobs_async.sansio.requests import Request
from gitlab_jobs_async.sansio.responses import Response
from gitlab_jobs_async.sansio.spread import Spread
from gitlab_jobs_async.sansio.urls import ServerUrl
from gitlab_jobs_async.sansio.walks import Ask, R, Walk, is_newest_first

_FEW_PAGES = 5
_FEW_GUESSES = 4
_GUESSES_A_PAGE = 4
_UNEVEN_SHARE = 0.25
_MOST_EMPTY = 20
"""Empty pages in a row that may name a next one; a server that sends more has lost its way."""

_REFUSALS = (BadRequestError, MethodNotAllowedError, NotFoundError, ServerError)
"""How a server may answer a cursor that it did not make."""


@define
class KeysetWalk(Generic[R]):
    """A listing of project jobs, read by keyset in ranges; *first* asks for its newest page.

    Without keyset (before 15.9) it goes on by offset, and from an offset past the server's limit
    (the *refusal*) again by keyset.
    """

    server: ServerUrl
    first: Request
    window: int
    coverage: Coverage = field(factory=Coverage)
    refusal: MethodNotAllowedError | None = None
    _asked: dict[int, bool] = field(factory=dict[int, bool])
    _links: dict[int, Request] = field(factory=dict[int, Request])
    _form: CursorForm | None = None
    _is_trusted: bool = True
    _like: Request = field(default=Factory(lambda self: self.first, takes_self=True))
    _spread: Spread = field(factory=Spread)
    _sent: int = 0
    _told: int = 0
    _empty: int = 0

    def asks(self, free: int, guesses: int, /) -> list[Ask]:
        """The top of each range that nothing walks yet; then guesses, as far as they are paid."""
        asks: list[Ask] = []
        for gap in self._unwalked():
            # Where the server's own links are all there is, one of them may lead to several ranges.
            if len(asks) < free and (place := self._start_of(gap)) not in self._asked:
                asks.append(self._at(place))
        most = min(free, len(asks) + guesses)
        while len(asks) < most and self._form is not None and self._is_paid():
            below = self._spread.best_guess(list(self.coverage.gaps()), self._asked.keys())
            if below is None:
                break
            asks.append(self._made(self._form, below))
        return asks

    def take(self, ask: Ask, response: Response, rows: Sequence[R]) -> tuple[Walk[R], Sequence[R]]:
        """See `Walk.take`; an answer without keyset hands the listing over to `OffsetWalk`."""
        is_made = self._asked.pop(ask.place)
        if ask.place == TOP and is_by_offset(response):
            return self._by_offset(response, rows)
        if not is_newest_first(rows):
            raise DecodeError("rows that are not newest first @ $", response.method, response.url)
        try:
            following = self._following(ask, response, rows)
        except DecodeError:
            if not is_made:
                raise
            self._distrust()
            return self, ()
        if following is not None and not rows:
            return self._go_on_below(ask, following, response)
        return self, self._read(ask.place, following, rows)

    def refused(self, ask: Ask, error: GitLabError) -> Walk[R]:
        """See `Walk.refused`; where a made cursor is, there are no more of them."""
        is_made = self._asked.pop(ask.place)
        if is_made and isinstance(error, _REFUSALS):
            self._distrust()
            return self
        if ask.place == TOP and isinstance(error, MethodNotAllowedError) and self.refusal is None:
            return self._offset_walk()
        raise self.refusal or error

    def _unwalked(self) -> list[Gap]:
        """The ranges that no request will go on with: none is asked for from the stretch above."""
        unwalked, ceiling = [], TOP
        for gap in self.coverage.gaps():
            if not any(gap.above <= below <= ceiling for below in self._asked):
                unwalked.append(gap)
            ceiling = gap.below
        return unwalked

    def _start_of(self, gap: Gap) -> int:
        """The nearest place from which *gap* can be walked."""
        if self._form is not None:
            return gap.above
        return min((place for place in self._links if place >= gap.above), default=TOP)

    def _at(self, place: int) -> Ask:
        if place not in self._links and self._form is not None:
            return self._made(self._form, place)
        return self._ask(self._links.get(place, self.first), place, is_made=False)

    def _made(self, form: CursorForm, below: int) -> Ask:
        cursor = ("cursor", form.cursor(below))
        params = [cursor if pair[0] == "cursor" else pair for pair in self._like.params]
        return self._ask(evolve(self._like, params=params), below, is_made=True)

    def _ask(self, request: Request, place: int, *, is_made: bool) -> Ask:
        self._asked[place] = is_made
        self._sent += 1
        return Ask(request, place)

    def _is_paid(self) -> bool:
        """Whether one more guess may fail."""
        pages = self._told / self._spread.page_size
        open_ranges = sum(1 for _ in self.coverage.gaps())
        return self._sent + open_ranges + 1 <= pages + self._allowance(pages)

    def _allowance(self, pages: float) -> float:
        """Guesses that may have failed when so many pages have been found."""
        if pages <= _FEW_PAGES:
            return _FEW_GUESSES
        opened = _FEW_GUESSES + _GUESSES_A_PAGE * (pages - _FEW_PAGES)
        uneven = pages * _UNEVEN_SHARE if self._spread.is_uneven else 0
        return min(opened, 2 * self.window + 2) + uneven

    def _following(self, ask: Ask, response: Response, rows: Sequence[R]) -> Request | None:
        if is_by_offset(response):
            reason = "a page by offset where one below a cursor was asked for @ $"
            raise DecodeError(reason, response.method, response.url)
        if rows and rows[0].id >= ask.place:
            raise DecodeError(
                "pages that lead nowhere: rows that are not below their cursor @ $",
                response.method,
                response.url,
            )
        return next_page(self.server, ask.wanted, response)

    def _go_on_below(
        self, ask: Ask, following: Request, response: Response
    ) -> tuple[Walk[R], Sequence[R]]:
        """An empty page that names a next one says nothing of any id."""
        self._empty += 1
        if self._empty > _MOST_EMPTY or following.params == ask.wanted.params:
            raise DecodeError("pages that lead nowhere @ $", response.method, response.url)
        self._links[ask.place] = following
        return self, ()

    def _read(self, below: int, following: Request | None, rows: Sequence[R]) -> Sequence[R]:
        oldest = 1
        if following is not None:
            oldest = rows[-1].id
            self._links[oldest] = following
            self._learn_form(following, oldest)
        self._empty = 0
        told = self.coverage.unread(rows)
        self._told += len(told)
        self._spread.learn(below, oldest, rows)
        self.coverage.add(below - 1, oldest)
        gaps = list(self.coverage.gaps())
        self._spread.forget(gaps)
        self._forget_links(gaps)
        return told

    def _learn_form(self, following: Request, last_id: int) -> None:
        form = CursorForm.learned(dict(following.params).get("cursor", ""), last_id)
        if form is None or not self._is_trusted or self._form not in {None, form}:
            self._distrust()
        else:
            self._form, self._like = form, following

    def _distrust(self) -> None:
        """No cursor is made any more; what is left is walked by the server's own links."""
        self._is_trusted, self._form = False, None

    def _forget_links(self, gaps: Sequence[Gap]) -> None:
        """Keep the nearest link at or above each range, by which it can be walked."""
        kept = {min((p for p in self._links if p >= gap.above), default=TOP) for gap in gaps}
        self._links = {place: self._links[place] for place in kept & self._links.keys()}

    def _by_offset(self, response: Response, rows: Sequence[R]) -> tuple[Walk[R], Sequence[R]]:
        if self.refusal is not None:
            raise self.refusal
        walk = self._offset_walk()
        return walk.take(walk.asks(1, 0)[0], response, rows)

    def _offset_walk(self) -> OffsetWalk[R]:
        return OffsetWalk(
            self.server,
            without_keyset(self.first),
            in_order=self.window == 1,
            coverage=self.coverage,
            beyond_limit=self._beyond_limit,
        )

    def _beyond_limit(self, refusal: MethodNotAllowedError) -> Walk[R]:
        return KeysetWalk(
            self.server, self.first, self.window, coverage=self.coverage, refusal=refusal
        )
