"""Cursors made by the client, and the evidence that the server reads them as expected.

Follows lib/gitlab/pagination/keyset/paginator.rb and cursor_based_keyset.rb. There are three kinds:
"last page" finds the lowest id, "up" leads to the next rows above an id, "down" to the rows below.

Since mid-2025 GitLab answers 500 if no row is left in the direction of a cursor. "Up" from below
the newest row fails only if all newer rows vanish meanwhile. "Down" fails if all older rows do,
which happens when old pipelines are deleted.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import Enum

from attrs import define, frozen

from gitlab_jobs_async.api.links import with_params
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.listing.cursors import CursorTemplate
from gitlab_jobs_async.listing.id_ranges import ID_LIMIT, Gap

_MAX_TRIALS = 2
"""Pending synthetic cursors before the server has accepted one."""

REFUSED = frozenset({500})
"""Statuses of a cursor without rows beyond it; a retry gives the same."""

_GIVE_UP = REFUSED | {502, 503, 504}
"""Statuses that end the trial of a cursor that the listing can do without."""


class Direction(Enum):
    """How a page is reached: by the server's own link, or by a synthetic cursor."""

    LINK = "link"
    LAST = "last page"
    UP = "up"
    DOWN = "down"


@frozen
class PendingRequest:
    """One requested page: the id that it starts from, and the edge of the ids read before it."""

    direction: Direction
    start: int
    edge: int


def idle_gaps(gaps: Sequence[Gap], pending: Collection[PendingRequest]) -> Iterator[Gap]:
    """Yield each of the *gaps*, all that are unread, that no *pending* request reads from an end.

    A request that starts inside a gap splits it and leaves the rest unread.
    """
    ceiling = ID_LIMIT
    for gap, bottom in zip(gaps, [*(gap.above for gap in gaps[1:]), 1], strict=False):
        is_pending = any(
            bottom - 1 <= one.start <= gap.below
            if one.direction is Direction.UP
            else one.direction is not Direction.LAST and gap.above <= one.start <= ceiling
            for one in pending
        )
        if not is_pending:
            yield gap
        ceiling = gap.below


@define
class SyntheticCursors:
    """The cursors that may be made for one listing, after the template of the server's own.

    A refusal ends them for the listing. An unexpected page ends them for its direction.
    """

    direction: Direction | None = Direction.UP
    is_last_requested: bool = False
    is_last_known: bool = False
    _is_accepted: bool = False
    _template: CursorTemplate | None = None
    _linked: Request | None = None
    _is_readable: bool = True
    _is_last_allowed: bool = True
    _unexpected: int = 0

    def learn(self, following: Request, last_id: int) -> None:
        """Learn the template from the server's request for the rows below *last_id*."""
        template = CursorTemplate.learned(dict(following.params).get("cursor", ""), last_id)
        is_usable = (
            template is not None and template.has_directions and self._template in {None, template}
        )
        if template is not None and is_usable and self._is_readable:
            self._template, self._linked = template.padded_as(self._template), following
        else:
            self._template, self._is_readable, self.direction = None, False, None

    @property
    def can_request_last(self) -> bool:
        """Whether the last page may be requested."""
        return self._template is not None and self._is_last_allowed

    def is_accepted(self, direction: Direction) -> bool:
        """Return whether the server has accepted a cursor in that *direction*."""
        return self._is_accepted and direction is self.direction

    def next_direction(self, pending: Iterable[PendingRequest]) -> Direction | None:
        """Return the direction in which one more cursor may be made beside *pending*."""
        if self._template is None or self._is_accepted:
            return self.direction if self._template is not None else None
        trials = sum(1 for one in pending if one.direction in {Direction.UP, Direction.DOWN})
        return self.direction if trials < _MAX_TRIALS else None

    def request(self, direction: Direction, start: int) -> Request:
        """Return the request for the page in that *direction* from the id *start*.

        Raises:
            RuntimeError: the server has not sent a cursor yet.
        """
        if self._template is None or self._linked is None:
            raise RuntimeError("no synthetic cursor: expected one of the server's own first")
        match direction:
            case Direction.UP:
                cursor = self._template.backward(start)
            case Direction.DOWN:
                cursor = self._template.cursor(start)
            case _:
                cursor = self._template.last_page()
                self.is_last_requested = True
        return with_params(self._linked, cursor=cursor)

    def final(self, direction: Direction) -> frozenset[int]:
        """Return the statuses that are not retried for a cursor in that *direction*."""
        return REFUSED if self.is_accepted(direction) else _GIVE_UP

    def on_accepted(self, direction: Direction) -> None:
        """Record that a synthetic cursor returned the expected page."""
        if direction is Direction.LAST:
            self.is_last_known = True
        elif direction is self.direction:
            self._is_accepted = True

    def on_refused(self, direction: Direction) -> None:
        """Record that a synthetic cursor was refused: make no more of them."""
        self.direction = None
        if direction is Direction.LAST:
            self._is_last_allowed = False

    def on_unexpected(self, direction: Direction) -> None:
        """Record that a synthetic cursor returned another page: try the other direction."""
        if direction is Direction.UP and self.direction is Direction.UP and not self._is_accepted:
            self._unexpected += 1
            if self._unexpected == _MAX_TRIALS:
                self.direction = Direction.DOWN
        elif direction is self.direction or direction is Direction.LAST:
            self.on_refused(direction)
