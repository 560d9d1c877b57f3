"""Track which ids of a listing have been read.

A page is one snapshot of rows in the order of their ids: it has every row between its first and its
last. So a row that matched during the whole call has been emitted once no id is unread. Neither the
order of the pages nor changes of other rows matter.
"""

from collections.abc import Iterator, Sequence

from attrs import define, field, frozen

from gitlab_jobs_async.listing.strategy import R

ID_LIMIT = 2**63
"""Above every id: GitLab's are PostgreSQL's bigint."""


@frozen
class IdRange:
    """The ids from `newest` down to `oldest`, all read."""

    newest: int
    oldest: int


@frozen
class Gap:
    """The unread ids below `above` and above `below`; `below` is 0 if no older id was read."""

    above: int
    below: int


@define(eq=False, repr=False)
class IdRangeSet:
    """The ids that were read, as disjoint ranges, newest first."""

    _ranges: list[IdRange] = field(factory=list[IdRange])

    @property
    def is_complete(self) -> bool:
        """Whether every id was read."""
        return next(self.gaps(), None) is None

    def add(self, newest: int, oldest: int) -> None:
        """Mark the ids from *newest* down to *oldest* as read."""
        above = [s for s in self._ranges if s.oldest > newest + 1]
        below = [s for s in self._ranges if s.newest < oldest - 1]
        # Adjacent ranges are merged, too, so that a long listing needs only a short list.
        met = self._ranges[len(above) : len(self._ranges) - len(below)]
        merged = IdRange(
            max([newest, *(s.newest for s in met)]), min([oldest, *(s.oldest for s in met)])
        )
        self._ranges = [*above, merged, *below]

    def gaps(self) -> Iterator[Gap]:
        """Yield the unread ranges, newest first."""
        edge = ID_LIMIT
        for read in self._ranges:
            if read.newest < edge - 1:
                yield Gap(edge, read.newest)
            edge = read.oldest
        if edge > 1:
            yield Gap(edge, 0)

    def unread_above(self, start: int) -> int:
        """Return the lowest read id above *start* if the id above *start* is unread.

        Else return `ID_LIMIT`.
        """
        gaps = (gap.above for gap in self.gaps() if gap.below <= start < gap.above)
        return next(gaps, ID_LIMIT)

    def unread(self, rows: Sequence[R]) -> list[R]:
        """Return the *rows* (newest first) whose ids are unread."""
        if not rows:
            return []
        newest, oldest = rows[0].id, rows[-1].id
        # Few ranges overlap a page, so that each row is compared with these alone.
        near = [s for s in self._ranges if s.oldest <= newest and s.newest >= oldest]
        if not near:
            return list(rows)
        return [row for row in rows if not any(s.oldest <= row.id <= s.newest for s in near)]
