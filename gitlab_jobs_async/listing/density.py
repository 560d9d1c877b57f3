"""Estimate how densely rows fill the ids, to guess where another page starts.

A wrong guess costs a request, never a row.
"""

import math
from collections.abc import Collection, Sequence
from itertools import pairwise

from attrs import define, field

from gitlab_jobs_async.listing.id_ranges import ID_LIMIT, Gap
from gitlab_jobs_async.listing.strategy import Row

# A gap is split if it has at least this number of pages, by estimate.
_MIN_PAGES = 2.0

_FEW_PAGES = 5
_FEW_GUESSES = 4
_GUESSES_A_PAGE = 4
_UNEVEN_SHARE = 0.25
# Rows are unevenly spread if full pages differ in width (in ids) by more than this factor.
_UNEVEN = 4


@define(eq=False, repr=False)
class IdDensity:
    """The density of rows in the pages read so far."""

    page_size: int = 1
    _narrowest: int | None = None
    _widest: int = 0
    _spacing: dict[int, float] = field(factory=dict[int, float])

    @property
    def is_uneven(self) -> bool:
        """Whether guesses will often fail, as the density varies."""
        return self._narrowest is not None and self._widest > _UNEVEN * self._narrowest

    def allowance(self, pages: float, window: int) -> float:
        """Return how many guesses may have failed after *pages* were found.

        *window* is the number of concurrent requests.
        """
        if pages <= _FEW_PAGES:
            return _FEW_GUESSES
        most = 2 * window + 2
        if not self.is_uneven:
            return most
        opened = _FEW_GUESSES + _GUESSES_A_PAGE * (pages - _FEW_PAGES)
        return min(most, opened) + pages * _UNEVEN_SHARE

    def learn(self, newest: int, oldest: int, rows: Sequence[Row]) -> None:
        """Learn from a page whose *rows* are all between the ids *newest* and *oldest*."""
        if not rows:
            return
        self.page_size = max(self.page_size, len(rows))
        high, low = rows[0].id, rows[-1].id
        # Beyond the newest row and the oldest one, ids belong to no page.
        top = high if newest == ID_LIMIT - 1 else newest
        bottom = low if oldest == 1 else oldest
        # Only full pages: the last page of a range is narrow by chance.
        if len(rows) == self.page_size > 1:
            width = top - bottom + 1
            self._widest = max(self._widest, width)
            self._narrowest = width if self._narrowest is None else min(self._narrowest, width)
        # At an edge with a row, rows are as close as in the page. At an edge without one, the ids
        # up to the nearest row count as well.
        close = max(1.0, (high - low) / max(1, len(rows) - 1))
        self._spacing[newest] = max(close, (top - low + 1) / len(rows))
        self._spacing[oldest] = max(close, (high - bottom + 1) / len(rows))

    def is_sparser_above(self, gap: Gap) -> bool:
        """Return whether rows are much sparser at the top of *gap* than at its bottom."""
        return self._spacing.get(gap.above, 1.0) > _UNEVEN * self._spacing.get(gap.below, 1.0)

    def keep(self, gaps: Collection[Gap]) -> None:
        """Forget the density at the edges of all other gaps."""
        edges = {edge for gap in gaps for edge in (gap.above, gap.below)}
        self._spacing = {edge: self._spacing[edge] for edge in edges & self._spacing.keys()}

    def best_split(self, gaps: Collection[Gap], requested: Collection[int]) -> int | None:
        """Return the id above which one more page saves most, if any is worth a request.

        Pages at the ids *requested* are pending. No id below the lowest known one is guessed.
        """
        best, most = None, 0.0
        for gap in gaps:
            if not gap.below:
                continue
            marks = sorted((a for a in requested if gap.below < a < gap.above), reverse=True)
            spacing = self._spacing_in(gap)
            for above, below in pairwise([gap.above, *marks, gap.below]):
                page = spacing * self.page_size
                pages = (above - below) / page
                if pages < _MIN_PAGES or pages <= most:
                    continue
                # Whole pages, so that the last one read up to the split is a full one.
                rest = int(round(pages / 2) * page) if below in requested else 0
                best, most = below + rest, pages
        return best

    def _spacing_in(self, gap: Gap) -> float:
        known = [self._spacing[edge] for edge in (gap.above, gap.below) if edge in self._spacing]
        return math.prod(known) ** (1 / len(known)) if known else 1.0
