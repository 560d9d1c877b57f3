"""Cursors that a client makes up, and how far the answers so far prove that the server takes them.

Follows lib/gitlab/pagination/keyset/paginator.rb and cursor_based_keyset.rb. There are three. "Last
page" names the lowest id. "Up" leads to the next rows above an id, "down" to those below it. Since
mid-2025 GitLab answers 500 for good where no row is left that way: nothing stands above the newest
row or below the oldest, so "up" from below the newest is refused only if all newer rows vanish
meanwhile, while "down" is refused if all older ones do, as they do where old pipelines are deleted.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import Enum

from attrs import define, frozen

from gitlab_jobs_async.api.links import with_params
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.listing.cursors import CursorTemplate
from gitlab_jobs_async.listing.id_ranges import TOP, Gap

_MOST_TRIALS = 2
"""Made cursors under way at once before the server has taken one: at most so many are refused."""

REFUSED = frozenset({500})
"""What a cursor with no row beyond it is answered with; asking again gives it again."""

_NOT_WORTH_IT = REFUSED | {502, 503, 504}
"""What ends a try of a cursor that the listing can do without."""


class Direction(Enum):
    """How a page is reached: by a link of the server's own, or by a cursor made up."""

    LINK = "link"
    LAST = "last page"
    UP = "up"
    DOWN = "down"


@frozen
class PendingRequest:
    """One page under way: the id that it starts from, and the edge of the ids read before it."""

    way: Direction
    start: int
    edge: int


def unwalked(gaps: Sequence[Gap], asked: Collection[PendingRequest]) -> Iterator[Gap]:
    """Yield each of the *gaps*, all that are unread, that no request in *asked* will go on in.

    One that starts among the ids read beside a gap does so; one that starts inside it leaves the
    rest of it unread.
    """
    ceiling = TOP
    for gap, bottom in zip(gaps, [*(gap.above for gap in gaps[1:]), 1], strict=False):
        is_walked = any(
            bottom - 1 <= one.start <= gap.below
            if one.way is Direction.UP
            else one.way is not Direction.LAST and gap.above <= one.start <= ceiling
            for one in asked
        )
        if not is_walked:
            yield gap
        ceiling = gap.below


@define
class SyntheticCursors:
    """Which cursors may be made for one listing; the form is read off the server's own.

    A refusal ends this for the listing; an answer that is no page of it does so for that direction.
    """

    direction: Direction | None = Direction.UP
    is_last_asked: bool = False
    is_last_known: bool = False
    _is_proven: bool = False
    _form: CursorTemplate | None = None
    _like: Request | None = None
    _is_readable: bool = True
    _is_last_taken: bool = True
    _misread: int = 0

    def learn(self, following: Request, last_id: int) -> None:
        """Learn the form from the server's request for the rows below *last_id*."""
        form = CursorTemplate.learned(dict(following.params).get("cursor", ""), last_id)
        is_usable = form is not None and form.has_directions and self._form in {None, form}
        if form is not None and is_usable and self._is_readable:
            self._form, self._like = form.padded_as(self._form), following
        else:
            self._form, self._is_readable, self.direction = None, False, None

    @property
    def can_ask_last(self) -> bool:
        """Whether the last page may be asked for."""
        return self._form is not None and self._is_last_taken

    def is_taking(self, way: Direction) -> bool:
        """Whether the server has shown that it takes cursors that lead that *way*."""
        return self._is_proven and way is self.direction

    def way(self, asked: Iterable[PendingRequest]) -> Direction | None:
        """Return the direction in which one more cursor may be made beside those *asked*."""
        if self._form is None or self._is_proven:
            return self.direction if self._form is not None else None
        trials = sum(1 for one in asked if one.way in {Direction.UP, Direction.DOWN})
        return self.direction if trials < _MOST_TRIALS else None

    def page(self, way: Direction, start: int) -> Request:
        """Return the request for the page that lies that *way* from the id *start*.

        Raises:
            RuntimeError: no cursor of the server's own has been seen yet.
        """
        if self._form is None or self._like is None:
            raise RuntimeError("no cursor can be made before the server has sent one")
        match way:
            case Direction.UP:
                cursor = self._form.backward(start)
            case Direction.DOWN:
                cursor = self._form.cursor(start)
            case _:
                cursor = self._form.last_page()
                self.is_last_asked = True
        return with_params(self._like, cursor=cursor)

    def final(self, way: Direction) -> frozenset[int]:
        """Return the statuses that are not asked again where a cursor leads that *way*."""
        return REFUSED if self.is_taking(way) else _NOT_WORTH_IT

    def taken(self, way: Direction) -> None:
        """The answer to a made cursor was the page it should be."""
        if way is Direction.LAST:
            self.is_last_known = True
        elif way is self.direction:
            self._is_proven = True

    def refused(self, way: Direction) -> None:
        """A made cursor was refused: no more are made."""
        self.direction = None
        if way is Direction.LAST:
            self._is_last_taken = False

    def misread(self, way: Direction) -> None:
        """The answer to a made cursor was another page: the server reads it in another way."""
        if way is Direction.UP and self.direction is Direction.UP and not self._is_proven:
            self._misread += 1
            if self._misread == _MOST_TRIALS:
                self.direction = Direction.DOWN
        elif way is self.direction or way is Direction.LAST:
            self.refused(way)
