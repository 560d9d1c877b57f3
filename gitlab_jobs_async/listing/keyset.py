"""Which id ranges of a keyset listing to ask for next, and when the listing is complete.

A page has every row from the id at its cursor to its last one: those ids are read (coverage.py).
Beside the chain of the server's own links, pages are read from ids further down by cursors made for
them, and the listing is complete when the ranges have met: whatever matched during the whole call
is in one of them, and a row is told by the first page that reads its id.

The lowest id is asked of the server beside the second page, and no cursor is made at or below it:
GitLab answers 500 where no row is left. Cursors open up as answers prove them (made_cursors.py). A
server's own link, too, leads to a 500 where all rows below have vanished meanwhile, so the lowest
id is asked for again before that is believed to be a failure.

Each unread range is walked from one of its ends, which always brings rows or closes it. So
`requests + ranges open` grows with the pages found, and only a guess, a cursor made within a range,
adds one to it: guesses are paid from an allowance. At the end no range is open, hence at most
pages + 4 requests up to 5 pages, pages + 2 windows + 2 for an even spread of ids, and a quarter of
the pages more for an uneven one.
"""

from array import array
from collections.abc import Sequence
from typing import Generic

from attrs import define, field

from gitlab_jobs_async.api.capabilities import NextPageHeaders
from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.links import has_cursor_headers, may_be_clamped
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.errors import (
    DecodeError,
    GitLabError,
    MethodNotAllowedError,
    ServerError,
)
from gitlab_jobs_async.listing.density import IdDensity
from gitlab_jobs_async.listing.id_ranges import TOP, Gap, IdRangeSet
from gitlab_jobs_async.listing.offset import OffsetStrategy, without_keyset
from gitlab_jobs_async.listing.page_checks import is_made_page, is_offset_page, next_by_keyset
from gitlab_jobs_async.listing.strategy import PageRequest, PageStrategy, R
from gitlab_jobs_async.listing.synthetic_cursors import (
    REFUSED,
    Direction,
    PendingRequest,
    SyntheticCursors,
    unwalked,
)

_MOST_EMPTY = 20
"""Empty pages in a row that may name a next one; a server that sends more has lost its way."""

_MOST_LINKS = 2
_MOST_DOUBTS = 2
"""Times that a link answered with 500 is held against the lowest id, before it is a failure."""


@define
class KeysetStrategy(Generic[R]):
    """A listing of project jobs, read by keyset in ranges; *first* asks for its newest page.

    With a *window* of 1 rows come newest first. Without keyset (before 15.9), or where no header
    names the next page, it goes on by offset, and from an offset past the server's limit (the
    *refusal*) again by keyset.
    """

    server: ServerUrl
    first: Request
    window: int
    coverage: IdRangeSet = field(factory=IdRangeSet)
    refusal: MethodNotAllowedError | None = None
    headers: NextPageHeaders = field(factory=NextPageHeaders)
    _asked: dict[int, PendingRequest] = field(factory=dict[int, PendingRequest])
    _links: dict[int, tuple[Request, int]] = field(factory=dict[int, tuple[Request, int]])
    _made: SyntheticCursors = field(factory=SyntheticCursors)
    _spread: IdDensity = field(factory=IdDensity)
    _told: "array[int]" = field(factory=lambda: array("q"))
    _doubts: dict[int, int] = field(factory=dict[int, int])
    _is_doubted: bool = False
    _second_is_read: bool = False
    _lowest: int = 0
    _sent: int = 0
    _empty: int = 0

    def __attrs_post_init__(self) -> None:
        if self.window == 1:
            self._made.direction = Direction.DOWN

    @property
    def is_complete(self) -> bool:
        """See `PageStrategy.is_complete`."""
        return next(self.coverage.gaps(), None) is None

    def asks(self, free: int, guesses: int, /) -> list[PageRequest]:
        """Go on in each range that nothing walks yet; then guess, as far as it is paid."""
        asks: list[PageRequest] = []
        for gap in unwalked(list(self.coverage.gaps()), list(self._asked.values())):
            if len(asks) < free and (ask := self._go_on(gap)):
                asks.append(ask)
        most = min(free, len(asks) + guesses)
        while len(asks) < most and self._is_paid() and (ask := self._guess()):
            asks.append(ask)
        return asks

    def take(
        self, ask: PageRequest, response: Response, rows: Sequence[R]
    ) -> tuple[PageStrategy[R], Sequence[R]]:
        """See `PageStrategy.take`; an answer without keyset hands over to `OffsetStrategy`."""
        asked = self._asked.pop(ask.place)
        self.headers.learn(response)
        if self.is_complete:
            return self, ()
        if asked.way is Direction.LINK:
            return self._take_link(ask, asked, response, rows)
        is_proven = self._made.is_taking(asked.way)
        try:
            following = next_by_keyset(self.server, ask.wanted, response, rows)
        except DecodeError:
            is_page = False
        else:
            is_page = is_made_page(asked, following, rows, self.coverage, is_proven=is_proven)
        if not is_page:
            self._made.misread(asked.way)
            return self, ()
        if (
            asked.way is Direction.UP
            and not is_proven
            and self.coverage.unread_above(asked.start) == TOP
        ):
            # Read meanwhile by the server's links: it proves nothing.
            return self, ()
        self._made.taken(asked.way)
        if asked.way is Direction.LAST:
            return self, self._take_last(rows)
        newest = asked.start - 1 if asked.way is Direction.DOWN else rows[0].id
        oldest = rows[-1].id if asked.way is Direction.DOWN else asked.start + 1
        return self, self._read(newest, oldest, following, rows)

    def refused(self, ask: PageRequest, error: GitLabError) -> PageStrategy[R]:
        """See `PageStrategy.refused`; where a made cursor is, there are no more of them."""
        asked = self._asked.pop(ask.place)
        if self.is_complete:
            return self
        if asked.way is not Direction.LINK:
            self._made.refused(asked.way)
            self._is_doubted = asked.way is not Direction.LAST
            return self
        if isinstance(error, ServerError) and error.status in ask.final:
            return self._doubt(asked)
        is_first = asked.start == TOP
        if is_first and isinstance(error, MethodNotAllowedError) and self.refusal is None:
            return self._offset_walk()
        raise self.refusal or error

    def _go_on(self, gap: Gap) -> PageRequest | None:
        """Walk *gap* on from an end; `None` if an answer under way says how."""
        made = self._made
        if gap.below and made.is_taking(Direction.UP) and not self._is_better_walked_down(gap):
            return self._ask_made(Direction.UP, gap.below, gap.below)
        has_link = gap.above == TOP or gap.above in self._links
        if has_link and not self._is_doubted:
            return self._ask_link(gap.above)
        is_known_below = self._is_known_below(gap)
        if made.can_ask_last and (self._is_doubted or not is_known_below):
            is_asked = any(one.way is Direction.LAST for one in self._asked.values())
            return None if is_asked else self._ask_made(Direction.LAST, 0, gap.above)
        if not has_link and is_known_below and made.way(()) is not None:
            way = made.way(self._asked.values())
            start = gap.above if way is Direction.DOWN else gap.below
            return None if way is None else self._ask_made(way, start, gap.above)
        # The server's own links are all there is, and one of them may lead to several ranges.
        place = min((place for place in self._links if place >= gap.above), default=TOP)
        start = self._links[place][1] if place in self._links else TOP
        return None if self._is_under_way(start) else self._ask_link(place)

    def _is_better_walked_down(self, gap: Gap) -> bool:
        """Whether the link at the top of *gap* leads across a part with few rows or none.

        A few links at a time: where old rows vanish, each one under way is answered with 500.
        """
        is_linked = gap.above in self._links and not self._is_doubted
        under_way = sum(1 for one in self._asked.values() if one.way is Direction.LINK)
        return is_linked and under_way < _MOST_LINKS and self._spread.is_sparser_above(gap)

    def _is_known_below(self, gap: Gap) -> bool:
        return gap.below > 0 or 0 < self._lowest < gap.above

    def _is_under_way(self, start: int) -> bool:
        return any(one.way is Direction.LINK and one.start == start for one in self._asked.values())

    def _guess(self) -> PageRequest | None:
        """Ask for the lowest id; once it is known, for a page within a range."""
        made = self._made
        if not made.is_last_asked:
            may_ask = made.can_ask_last and made.direction is not None
            return self._ask_made(Direction.LAST, 0, TOP) if may_ask else None
        way = made.way(self._asked.values())
        if way is None or not made.is_last_known or not self._second_is_read:
            return None
        starts = {one.start for one in self._asked.values()}
        start = self._spread.best_guess(list(self.coverage.gaps()), starts)
        return None if start is None else self._ask_made(way, start, start)

    def _ask_link(self, place: int) -> PageRequest:
        request, start = self._links.get(place, (self.first, TOP))
        is_doubtful = start != TOP and self._doubts.get(place, 0) < _MOST_DOUBTS
        final = REFUSED if is_doubtful and self._made.can_ask_last else frozenset[int]()
        return self._ask(request, PendingRequest(Direction.LINK, start, place), final)

    def _ask_made(self, way: Direction, start: int, edge: int) -> PageRequest:
        request, final = self._made.page(way, start), self._made.final(way)
        return self._ask(request, PendingRequest(way, start, edge), final)

    def _ask(self, request: Request, asked: PendingRequest, final: frozenset[int]) -> PageRequest:
        self._asked[self._sent] = asked
        self._sent += 1
        return PageRequest(request, self._sent - 1, final)

    def _is_paid(self) -> bool:
        """Whether one more guess may fail."""
        pages = len(self._told) / self._spread.page_size
        open_ranges = sum(1 for _ in self.coverage.gaps())
        allowance = self._spread.allowance(pages, self.window)
        return self._sent + open_ranges + 1 <= pages + allowance

    def _take_link(
        self, ask: PageRequest, asked: PendingRequest, response: Response, rows: Sequence[R]
    ) -> tuple[PageStrategy[R], Sequence[R]]:
        if asked.start == TOP and is_offset_page(self.server, ask.wanted, response):
            return self._by_offset(response, rows)
        following = next_by_keyset(self.server, ask.wanted, response, rows)
        if rows and rows[0].id >= asked.start:
            raise DecodeError(
                "pages that lead nowhere: rows that are not below their cursor @ $",
                response.method,
                response.url,
            )
        if following is not None and not rows:
            return self._go_on_below(ask, asked, following, response)
        if following is None and self._is_full(asked, rows) and not has_cursor_headers(response):
            return self._take_silent(asked, response, rows)
        self._second_is_read = self._second_is_read or asked.start != TOP
        oldest = 1 if following is None else rows[-1].id
        return self, self._read(asked.start - 1, oldest, following, rows)

    def _is_full(self, asked: PendingRequest, rows: Sequence[R]) -> bool:
        """Whether a page without a next one has as many rows as a page of this server may have."""
        if len(rows) >= PER_PAGE or not may_be_clamped(len(rows)):
            return len(rows) >= PER_PAGE
        if asked.start == TOP:
            return not self.headers.are_reliable
        return len(rows) >= self._spread.page_size

    def _take_silent(
        self, asked: PendingRequest, response: Response, rows: Sequence[R]
    ) -> tuple[PageStrategy[R], Sequence[R]]:
        """Go on from a full page that names no next one: the last, or its headers were lost."""
        if asked.start == TOP:
            if not self.headers.are_reliable:
                return self._by_offset(response, rows, is_silent=True)
            return self, self._read(TOP - 1, 1, None, rows)
        told = self._read(asked.start - 1, rows[-1].id, None, rows)
        gap = next((gap for gap in self.coverage.gaps() if gap.above == rows[-1].id), None)
        if gap is None:
            return self, told
        if self._is_known_below(gap):
            self.headers.learn_dropped()
            can_go_on = self._made.direction is not None
        else:
            can_go_on = self._made.can_ask_last
        return (self if can_go_on else self._offset_walk(is_silent=True)), told

    def _go_on_below(
        self, ask: PageRequest, asked: PendingRequest, following: Request, response: Response
    ) -> tuple[PageStrategy[R], Sequence[R]]:
        """Follow an empty page that names a next one: it says nothing of any id."""
        self._empty += 1
        if self._empty > _MOST_EMPTY or following.params == ask.wanted.params:
            raise DecodeError("pages that lead nowhere @ $", response.method, response.url)
        self._links[asked.edge] = following, asked.start
        return self, ()

    def _take_last(self, rows: Sequence[R]) -> Sequence[R]:
        """Close the end of the listing by its last page; *rows* may be none."""
        is_doubted, self._is_doubted = self._is_doubted, False
        gap = next(self.coverage.gaps())
        is_silent = gap.above != TOP and gap.above not in self._links
        if not rows:
            if is_doubted or is_silent:
                # Nothing matches any more, so nothing that did all the time is unread.
                self.coverage.add(TOP - 1, 1)
            return ()
        self._lowest = rows[-1].id
        if is_silent and self._lowest < gap.above:
            self.headers.learn_dropped()
        if self.window == 1 and (gap.below or rows[0].id < gap.above - 1):
            # In order, rows further down come later.
            return ()
        return self._read(rows[0].id, 1, None, rows)

    def _doubt(self, asked: PendingRequest) -> PageStrategy[R]:
        """Ask for the lowest id before a link answered with 500 is believed to be a failure."""
        self._doubts[asked.edge] = self._doubts.get(asked.edge, 0) + 1
        self._is_doubted = True
        return self

    def _read(
        self, newest: int, oldest: int, following: Request | None, rows: Sequence[R]
    ) -> Sequence[R]:
        if following is not None:
            self._links[oldest] = following, rows[-1].id
            self._made.learn(following, rows[-1].id)
        self._empty = 0
        told = self.coverage.unread(rows)
        self._told.extend(row.id for row in told)
        self._spread.learn(newest, oldest, rows)
        self.coverage.add(newest, oldest)
        gaps = list(self.coverage.gaps())
        self._spread.forget(gaps)
        self._forget_links(gaps)
        return told

    def _forget_links(self, gaps: Sequence[Gap]) -> None:
        """Keep the nearest link at or above each range, by which it can be walked."""
        kept = {min((p for p in self._links if p >= gap.above), default=TOP) for gap in gaps}
        self._links = {place: self._links[place] for place in kept & self._links.keys()}

    def _by_offset(
        self, response: Response, rows: Sequence[R], *, is_silent: bool = False
    ) -> tuple[PageStrategy[R], Sequence[R]]:
        if self.refusal is not None:
            raise self.refusal
        walk = self._offset_walk(is_silent=is_silent)
        return walk.take(walk.asks(1, 0)[0], response, rows)

    def _offset_walk(self, *, is_silent: bool = False) -> OffsetStrategy[R]:
        return OffsetStrategy(
            self.server,
            without_keyset(self.first),
            in_order=self.window == 1,
            coverage=self.coverage,
            beyond_limit=self._beyond_limit,
            headers=self.headers,
            is_silent=is_silent,
            told=array("q", sorted(self._told)),
        )

    def _beyond_limit(self, refusal: MethodNotAllowedError) -> PageStrategy[R]:
        return KeysetStrategy(
            self.server,
            self.first,
            self.window,
            coverage=self.coverage,
            refusal=refusal,
            headers=self.headers,
        )
