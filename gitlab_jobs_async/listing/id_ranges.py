"""Which ids of a listing have been read; an id in no stretch has not, whatever else is known.

A page is one snapshot of rows in the order of their ids, so it has every row that then stood
between its first and its last. Hence whatever matched all the time has been told, once no id is
left unread: at whatever times and in whatever order the pages were read, and whatever was created,
deleted or changed meanwhile.
"""

from collections.abc import Iterator, Sequence

from attrs import define, field, frozen

from gitlab_jobs_async.listing.strategy import R

TOP = 2**63
"""Above every id: GitLab's are PostgreSQL's bigint."""


@frozen
class IdRange:
    """The ids from `newest` down to `oldest`, all read."""

    newest: int
    oldest: int


@frozen
class Gap:
    """Unread ids: those below `above` and above `below`, which is 0 where nothing older is read."""

    above: int
    below: int


@define
class IdRangeSet:
    """The ids that have been read, as stretches that neither meet nor overlap, newest first."""

    _stretches: list[IdRange] = field(factory=list[IdRange])

    def add(self, newest: int, oldest: int) -> None:
        """The ids from *newest* down to *oldest* have been read."""
        apart_above = [s for s in self._stretches if s.oldest > newest + 1]
        apart_below = [s for s in self._stretches if s.newest < oldest - 1]
        met = self._stretches[len(apart_above) : len(self._stretches) - len(apart_below)]
        merged = IdRange(
            max([newest, *(s.newest for s in met)]), min([oldest, *(s.oldest for s in met)])
        )
        self._stretches = [*apart_above, merged, *apart_below]

    def gaps(self) -> Iterator[Gap]:
        """What is unread, newest first; none, and the listing is complete."""
        edge = TOP
        for stretch in self._stretches:
            if stretch.newest < edge - 1:
                yield Gap(edge, stretch.newest)
            edge = stretch.oldest
        if edge > 1:
            yield Gap(edge, 0)

    def unread_above(self, start: int) -> int:
        """Return the lowest id that is read above *start* where that is unread, else `TOP`."""
        gaps = (gap.above for gap in self.gaps() if gap.below <= start < gap.above)
        return next(gaps, TOP)

    def unread(self, rows: Sequence[R]) -> list[R]:
        """Those of *rows*, which are newest first, that have not been read."""
        if not rows:
            return []
        newest, oldest = rows[0].id, rows[-1].id
        near = [s for s in self._stretches if s.oldest <= newest and s.newest >= oldest]
        return [row for row in rows if not any(s.oldest <= row.id <= s.newest for s in near)]
