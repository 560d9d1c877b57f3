"""Plan the requests of a keyset listing: which unread range is read next, and from which end.

    2^63                             ids                                1
     [##page 1##]---------[##page##]-----------------[##page##][##last##]
               ^           ^      ^          ^        ^
               A           B      A          C        B

    [##]  read; `---` is a `Gap` of `id_ranges.UnreadIds`
    A     `gap.above`: the server's link to the next page leads down from here
    B     `gap.below`: a synthetic cursor leads up from here
    C     a guess: a synthetic cursor at an id inside a gap

One request at a time reads each gap, from A or from B: its page shortens the gap or closes it. A
guess reads it from the other end as well, or splits it, so that two requests can read its parts.
The listing is complete without gaps. A row is emitted by the first page that reads its id.

A listing of up to 5 pages costs at most pages + 4 requests. A longer one costs pages + 2 windows
+ 2 if its ids are evenly spread, and else a quarter of the pages more.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence

from attrs import define, field

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.listing.cursors import (
    REFUSED,
    Direction,
    PendingRequest,
    SyntheticCursors,
    idle_gaps,
)
from gitlab_jobs_async.listing.density import IdDensity
from gitlab_jobs_async.listing.id_ranges import ID_LIMIT, Gap, UnreadIds
from gitlab_jobs_async.listing.strategy import PageRequest, R

_MAX_LINKS = 2
# Failures of a link that are checked against the lowest id, before one ends the listing.
_MAX_DOUBTS = 2


@define(eq=False, repr=False)
class RangePlan:
    """The pending requests of a keyset listing, and the facts learned from its pages.

    *window* is how many requests are made concurrently; *first* requests the newest page.
    """

    first: Request
    window: int
    unread: UnreadIds
    cursors: SyntheticCursors
    emitted: "array[int]" = field(factory=lambda: array("q"))
    lowest_id: int = 0
    is_link_doubted: bool = False
    is_second_page_read: bool = False
    _pending: dict[PageRequest, PendingRequest] = field(factory=dict[PageRequest, PendingRequest])
    _links: dict[int, tuple[Request, int]] = field(factory=dict[int, tuple[Request, int]])
    _density: IdDensity = field(factory=IdDensity)
    _doubts: dict[int, int] = field(factory=dict[int, int])
    _sent: int = 0

    @property
    def page_size(self) -> int:
        """Rows of the largest page so far."""
        return self._density.page_size

    def next_requests(self, limit: int, guesses: int) -> list[PageRequest]:
        """Return a request for each idle gap; then guesses, within their allowance."""
        requests: list[PageRequest] = []
        # Trials are in doubt, and must not delay what the server's own links read for certain.
        pending = [one for one in self._pending.values() if not self.cursors.is_trial(one)]
        for gap in idle_gaps(self.unread.gaps, pending):
            if len(requests) < limit and (request := self._at_an_end(gap)):
                requests.append(request)
        most = min(limit, len(requests) + guesses)
        while len(requests) < most and self._can_afford_guess() and (request := self._guess()):
            requests.append(request)
        return requests

    def pop(self, request: PageRequest) -> PendingRequest | None:
        """Remove *request* and return its pending state; None if another plan made it."""
        return self._pending.pop(request, None)

    def has_link(self, edge: int) -> bool:
        """Return whether the server's link leads down from the id *edge*."""
        return edge == ID_LIMIT or edge in self._links

    def add_link(self, edge: int, following: Request, start: int) -> None:
        """Store the server's link down from *edge*; its page starts below the id *start*."""
        self._links[edge] = following, start

    def doubt_link(self, edge: int) -> None:
        """Check the lowest id before the failed link at *edge* is followed again."""
        # GitLab answers 500 to a link if all older rows were deleted: that is the end, no failure.
        self._doubts[edge] = self._doubts.get(edge, 0) + 1
        self.is_link_doubted = True

    def is_known_below(self, gap: Gap) -> bool:
        """Return whether an id below *gap* was seen, so that the listing does not end in it."""
        return gap.below > 0 or 0 < self.lowest_id < gap.above

    def record(
        self, newest: int, oldest: int, following: Request | None, rows: Sequence[R]
    ) -> Sequence[R]:
        """Mark the ids from *newest* to *oldest* as read; return the new ones of *rows*."""
        if following is not None:
            self.add_link(oldest, following, rows[-1].id)
            self.cursors.learn(following, rows[-1].id)
        new = self.unread.among(rows)
        self.emitted.extend([row.id for row in new])
        self._density.learn(newest, oldest, rows)
        self.unread.remove(newest, oldest)
        gaps = self.unread.gaps
        self._density.keep(gaps)
        # Each gap can be read by the nearest link at or above it.
        edges = sorted(self._links)
        places = {bisect_left(edges, gap.above) for gap in gaps} - {len(edges)}
        self._links = {edges[place]: self._links[edges[place]] for place in places}
        return new

    def _at_an_end(self, gap: Gap) -> PageRequest | None:
        """Request the page at an end of *gap*; None if a pending response decides which."""
        cursors = self.cursors
        if gap.below and cursors.is_accepted(Direction.UP) and not self._is_better_from_above(gap):
            return self._by_cursor(Direction.UP, gap.below, gap.below)
        has_link = self.has_link(gap.above)
        if has_link and not self.is_link_doubted:
            return self._by_link(gap.above)
        is_known_below = self.is_known_below(gap)
        if cursors.can_request_last and (self.is_link_doubted or not is_known_below):
            return self._last_page(gap.above)
        if not has_link and is_known_below and cursors.next_direction(()) is not None:
            direction = cursors.next_direction(self._pending.values())
            start = gap.above if direction is Direction.DOWN else gap.below
            if direction is None or self._is_pending(direction, start):
                return None
            return self._by_cursor(direction, start, gap.above)
        # Only the server's own links are left, and several gaps may need the same one.
        edge = min((edge for edge in self._links if edge >= gap.above), default=ID_LIMIT)
        start = self._links[edge][1] if edge in self._links else ID_LIMIT
        return None if self._is_pending(Direction.LINK, start) else self._by_link(edge)

    def _is_better_from_above(self, gap: Gap) -> bool:
        """Return whether the link at the top of *gap* leads across a part with few rows."""
        # If old rows vanish, each pending link fails with 500: a few, and none after that.
        is_linked = gap.above in self._links and not self._doubts
        if not is_linked or not self._density.is_sparser_above(gap):
            return False
        links = [one.start for one in self._pending.values() if one.direction is Direction.LINK]
        return self._links[gap.above][1] not in links and len(links) < _MAX_LINKS

    def _is_pending(self, direction: Direction, start: int) -> bool:
        pending = self._pending.values()
        return any(one.direction is direction and one.start == start for one in pending)

    def _guess(self) -> PageRequest | None:
        """Request the lowest id; once it is known, a page inside a gap or at its other end."""
        # No cursor is made at or below the lowest id: GitLab answers 500 if no row is left.
        cursors = self.cursors
        direction = cursors.next_direction(self._pending.values())
        if direction is None:
            return None
        if not cursors.is_last_known:
            return self._last_page(ID_LIMIT) if cursors.can_request_last else None
        if not self.is_second_page_read:
            return None
        gaps = self.unread.gaps
        if (gap := next(filter(self._is_better_from_above, gaps), None)) is not None:
            return self._by_link(gap.above)
        starts = {one.start for one in self._pending.values()}
        start = self._density.best_split(gaps, starts)
        return None if start is None else self._by_cursor(direction, start, start)

    def _can_afford_guess(self) -> bool:
        # A request at an end of a gap finds rows or closes the gap, so requests + gaps grows with
        # the pages found. Only a guess adds one to it.
        pages = len(self.emitted) / self.page_size
        gaps = len(self.unread.gaps)
        return self._sent + gaps + 1 <= pages + self._density.allowance(pages, self.window)

    def _by_link(self, edge: int) -> PageRequest:
        request, start = self._links.get(edge, (self.first, ID_LIMIT))
        is_doubtful = start != ID_LIMIT and self._doubts.get(edge, 0) < _MAX_DOUBTS
        final = REFUSED if is_doubtful and self.cursors.can_request_last else frozenset[int]()
        return self._add(request, PendingRequest(Direction.LINK, start, edge), final)

    def _last_page(self, edge: int) -> PageRequest | None:
        is_pending = self._is_pending(Direction.LAST, 0)
        return None if is_pending else self._by_cursor(Direction.LAST, 0, edge)

    def _by_cursor(self, direction: Direction, start: int, edge: int) -> PageRequest:
        request, final = self.cursors.request(direction, start), self.cursors.final(direction)
        return self._add(request, PendingRequest(direction, start, edge), final)

    def _add(self, request: Request, pending: PendingRequest, final: frozenset[int]) -> PageRequest:
        added = PageRequest(request, final)
        self._pending[added] = pending
        self._sent += 1
        return added
