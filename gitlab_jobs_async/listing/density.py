"""How rows are spread over the ids, and where in the unread ones another page may well begin.

Only ever a guess: a wrong one costs a request, never a row.
"""

import math
from collections.abc import Collection, Sequence
from itertools import pairwise

from attrs import define, field

from gitlab_jobs_async.listing.id_ranges import TOP, Gap
from gitlab_jobs_async.listing.strategy import Row

_WORTH = 2.0
"""Pages that a part must seem to hold beyond its first, to be worth a guess in its middle."""

_FEW_PAGES = 5
_FEW_GUESSES = 4
_GUESSES_A_PAGE = 4
_UNEVEN_SHARE = 0.25
_UNEVEN = 4
"""Full pages whose widths in ids differ by more than this factor are no even spread."""


@define
class IdDensity:
    """What the pages read so far tell of the others."""

    page_size: int = 1
    _narrowest: int | None = None
    _widest: int = 0
    _spacing: dict[int, float] = field(factory=dict[int, float])

    @property
    def is_uneven(self) -> bool:
        """Whether guesses will often fail, since rows stand close here and far apart there."""
        return self._narrowest is not None and self._widest > _UNEVEN * self._narrowest

    def allowance(self, pages: float, window: int) -> float:
        """Return how many guesses may have failed when so many pages have been found.

        *window* is how many pages are asked for at once.
        """
        if pages <= _FEW_PAGES:
            return _FEW_GUESSES
        most = 2 * window + 2
        if not self.is_uneven:
            return most
        opened = _FEW_GUESSES + _GUESSES_A_PAGE * (pages - _FEW_PAGES)
        return min(most, opened) + pages * _UNEVEN_SHARE

    def learn(self, newest: int, oldest: int, rows: Sequence[Row]) -> None:
        """Learn from a page whose *rows* are all that stand from the id *newest* to *oldest*."""
        if not rows:
            return
        self.page_size = max(self.page_size, len(rows))
        width = rows[0].id - rows[-1].id
        if len(rows) == self.page_size > 1:
            self._widest = max(self._widest, width)
            self._narrowest = width if self._narrowest is None else min(self._narrowest, width)
        # Beside a row of the page rows stand as close as in it; beside an end without a row, the
        # ids up to the first one count as well.
        close = max(1.0, width / max(1, len(rows) - 1))
        self._spacing[newest] = max(close, (newest - rows[-1].id + 1) / len(rows))
        self._spacing[oldest] = max(close, (rows[0].id - oldest + 1) / len(rows))
        if newest == TOP - 1:
            self._spacing[newest] = close
        if oldest == 1:
            self._spacing[oldest] = close

    def is_sparser_above(self, gap: Gap) -> bool:
        """Whether rows stand much further apart at the top of *gap* than at its bottom."""
        above, below = (self._spacing.get(edge, 1.0) for edge in (gap.above, gap.below))
        return above > _UNEVEN * below

    def forget(self, gaps: Collection[Gap]) -> None:
        """Keep what tells of these *gaps*, the only ones left."""
        edges = {edge for gap in gaps for edge in (gap.above, gap.below)}
        self._spacing = {edge: self._spacing[edge] for edge in edges & self._spacing.keys()}

    def best_guess(self, gaps: Collection[Gap], asked: Collection[int]) -> int | None:
        """Return the id at which a page would be worth most, if any is worth its request.

        *asked* are those at which one is asked for already. Below the lowest id that is known,
        nothing is guessed.
        """
        best, most = None, 0.0
        for gap in gaps:
            if not gap.below:
                continue
            marks = sorted((a for a in asked if gap.below < a < gap.above), reverse=True)
            spacing = self._spacing_in(gap)
            for above, below in pairwise([gap.above, *marks, gap.below]):
                pages = (above - below) / spacing / self.page_size - 1
                if pages >= _WORTH and pages > most:
                    best, most = (above + below) // 2, pages
        return best

    def _spacing_in(self, gap: Gap) -> float:
        known = [self._spacing[edge] for edge in (gap.above, gap.below) if edge in self._spacing]
        return math.prod(known) ** (1 / len(known)) if known else 1.0
