"""Read GitLab's keyset cursors, make others like them, and track whether the server accepts them.

Follows lib/gitlab/pagination/keyset/paginator.rb and cursor_based_keyset.rb: URL-safe base64 of
JSON such as `{"id":"123","_kd":"n"}` for the rows below that id, with "p" for the rows above it.
The docs call cursors opaque, so the form is learned from each response and never assumed.
"""

import base64
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import Enum
from typing import Self

import orjson
from attrs import define, evolve, field, frozen

from gitlab_jobs_async.api.links import with_params
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.listing.id_ranges import ID_LIMIT, Gap

# Pending synthetic cursors before the server has accepted any.
_MAX_TRIALS = 2

# Since mid-2025 GitLab answers 500 if no row is left in the direction of a cursor. "Up" from below
# the newest row fails only if all newer rows are deleted. "Down" fails if all older rows are,
# which happens when old pipelines are deleted.
REFUSED = frozenset({500})
"""Statuses of a cursor without rows beyond it; a retry gives the same."""

# Statuses after which a cursor that is not needed is not tried again.
_GIVE_UP = REFUSED | {502, 503, 504}

_FORWARD, _BACKWARD = '"n"', '"p"'


@frozen
class CursorTemplate:
    """The text of a server's cursors around the id."""

    _before: str
    _after: str
    # One cursor in three needs no base64 padding, so it does not show whether padding is kept.
    is_padded: bool = field(eq=False)

    @classmethod
    def learned(cls, cursor: str, last_id: int) -> Self | None:
        """Return the template of *cursor*, for the rows below *last_id*; None if unknown."""
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
            value = orjson.loads(text)
        except ValueError:
            return None
        digits = str(last_id)
        if (
            not isinstance(value, dict)
            or not {"id"} <= value.keys() <= {"id", "_kd"}
            or value["id"] not in (digits, last_id)
            # "n" leads to older rows, as a link to the next page must.
            or value.get("_kd", "n") != "n"
            or text.count(digits) != 1
        ):
            return None
        before, after = text.split(digits)
        template = cls(before, after, cursor.endswith("=") or padded == cursor)
        return template if template.cursor(last_id) == cursor else None

    @classmethod
    def read(cls, cursor: str) -> tuple[Self, int] | None:
        """Return the template of *cursor* and its id; None if the form is unknown."""
        try:
            value = orjson.loads(
                base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_")
            )
            last_id = int(value["id"])
        except (ValueError, KeyError, TypeError):
            return None
        template = cls.learned(cursor, last_id)
        return None if template is None else (template, last_id)

    def padded_as(self, other: Self | None) -> Self:
        """Return this template, without padding if *other*, of the same server, has none."""
        is_padded = self.is_padded and (other is None or other.is_padded)
        return evolve(self, is_padded=is_padded)

    def cursor(self, below: int) -> str:
        """Return the cursor for the rows below the id *below*."""
        return self._encoded(f"{self._before}{below}{self._after}")

    @property
    def has_directions(self) -> bool:
        """Whether these cursors name their direction, so that others can be made."""
        return f"{self._before}{self._after}".count(_FORWARD) == 1

    def backward(self, above: int) -> str:
        """Return the cursor for the rows next above the id *above*."""
        before, after = (part.replace(_FORWARD, _BACKWARD) for part in (self._before, self._after))
        return self._encoded(f"{before}{above}{after}")

    def last_page(self) -> str:
        """Return the cursor for the oldest rows of the whole listing."""
        # Every version answers this cursor with the oldest rows, even without an id.
        return self._encoded('{"_kd":"p"}')

    def _encoded(self, text: str) -> str:
        encoded = base64.urlsafe_b64encode(text.encode()).decode()
        return encoded if self.is_padded else encoded.rstrip("=")


class Direction(Enum):
    """How a page is reached: by the server's own link, or by a synthetic cursor."""

    LINK = "link"
    LAST = "last page"
    UP = "up"
    DOWN = "down"


@frozen
class PendingRequest:
    """One requested page: the id where it starts, and the edge of the ids read before it."""

    direction: Direction
    start: int
    edge: int


def idle_gaps(gaps: Sequence[Gap], pending: Collection[PendingRequest]) -> Iterator[Gap]:
    """Yield each of *gaps* (all unread ranges) that no *pending* request reads from an end.

    A request that starts inside a gap splits it and leaves the rest unread.
    """
    up = sorted([one.start for one in pending if one.direction is Direction.UP])
    down = sorted([one.start for one in pending if one.direction is not Direction.UP])
    ceiling = ID_LIMIT
    for gap, bottom in zip(gaps, [*(gap.above for gap in gaps[1:]), 1], strict=False):
        is_read_up = _has_between(up, bottom - 1, gap.below)
        if not is_read_up and not _has_between(down, gap.above, ceiling):
            yield gap
        ceiling = gap.below


def _has_between(ascending: Sequence[int], lowest: int, highest: int) -> bool:
    place = bisect_left(ascending, lowest)
    return place < len(ascending) and ascending[place] <= highest


@define(eq=False, repr=False)
class SyntheticCursors:
    """The cursors that may be made for one listing, after the template of the server's own.

    A refusal ends them for the listing. An unexpected page ends them for its direction.
    """

    direction: Direction | None = Direction.UP
    is_last_known: bool = False
    _is_accepted: bool = False
    _template: CursorTemplate | None = None
    _linked: Request | None = None
    _is_readable: bool = True
    _is_last_allowed: bool = True
    _unexpected: int = 0

    def learn(self, following: Request, last_id: int) -> None:
        """Learn the template from the server's request for the rows below *last_id*."""
        cursor = dict(following.params).get("cursor", "")
        if self._template is not None and self._template.cursor(last_id) == cursor:
            return
        template = CursorTemplate.learned(cursor, last_id)
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
        """Return the direction in which one more cursor may be made while *pending* ones run."""
        if self._template is None or self._is_accepted:
            return self.direction if self._template is not None else None
        trials = sum(1 for one in pending if self.is_trial(one))
        return self.direction if trials < _MAX_TRIALS else None

    def is_trial(self, one: PendingRequest) -> bool:
        """Return whether *one* is made by a cursor of a kind that was not accepted yet."""
        is_own = one.direction is Direction.LINK or one.direction is Direction.LAST
        return not is_own and not self.is_accepted(one.direction)

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
                # A page that is too new may also mean that the old rows were deleted.
                self.is_last_known = False
        elif direction is self.direction or direction is Direction.LAST:
            self.on_refused(direction)
