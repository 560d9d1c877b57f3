"""How rows are spread over the ids, and where in the unread ones another page may well begin.

Only ever a guess: a wrong one costs a request, never a row.
"""

import math
from collections.abc import Collection, Sequence

from attrs import define, field

from gitlab_jobs_async.sansio.coverage import TOP, Gap
from gitlab_jobs_async.sansio.walks import Row

_DEEPER = 1.5
"""An unknown end is looked for this many times as far down again as rows are known to reach."""

_DEEPEST = 3
"""Guesses at once about where the listing ends."""

_WORTH = 2.0
"""Pages that a part must seem to hold beyond its first, to be worth a guess in its middle."""

_UNEVEN = 4
"""Full pages whose widths in ids differ by more than this factor are no even spread."""


@define
class Spread:
    """What the pages read so far tell of the others."""

    page_size: int = 1
    _newest: int = 0
    _narrowest: int | None = None
    _widest: int = 0
    _spacing: dict[int, float] = field(factory=dict[int, float])

    @property
    def is_uneven(self) -> bool:
        """Whether guesses will often fail, since rows stand close here and far apart there."""
        return self._narrowest is not None and self._widest > _UNEVEN * self._narrowest

    def learn(self, below: int, oldest: int, rows: Sequence[Row]) -> None:
        """*rows* are all that stand below the id *below* down to *oldest*."""
        if not rows:
            return
        if below == TOP:
            self._newest, below = rows[0].id, rows[0].id + 1
        self.page_size = max(self.page_size, len(rows))
        width = rows[0].id - rows[-1].id
        if len(rows) == self.page_size > 1:
            self._widest = max(self._widest, width)
            self._narrowest = width if self._narrowest is None else min(self._narrowest, width)
        spacing = max(1.0, (below - max(oldest, 1)) / len(rows))
        self._spacing[oldest] = self._spacing[below - 1] = spacing

    def forget(self, gaps: Collection[Gap]) -> None:
        """Keep what tells of these *gaps*, the only ones left."""
        edges = {edge for gap in gaps for edge in (gap.above, gap.below)}
        self._spacing = {edge: self._spacing[edge] for edge in edges & self._spacing.keys()}

    def best_guess(self, gaps: Collection[Gap], asked: Collection[int]) -> int | None:
        """The id below which a page would be worth most; *asked* are those asked for already."""
        best, most = None, 0.0
        for gap in gaps:
            marks = sorted((a for a in asked if gap.below < a < gap.above), reverse=True)
            for below, pages in self._guesses(gap, [gap.above, *marks]):
                if pages > most and below not in asked:
                    best, most = below, pages
        return best

    def _guesses(self, gap: Gap, marks: list[int]) -> list[tuple[int, float]]:
        """Where each part of *gap* between *marks* may be split, and how many pages it may hold."""
        guesses = []
        parts = list(zip(marks, [*marks[1:], gap.below], strict=True))
        if not gap.below:
            parts.pop()
            if len(marks) <= _DEEPEST:
                guesses.append(self._deeper(gap, marks[-1]))
        spacing = self._spacing_in(gap)
        for above, below in parts:
            pages = (above - below) / spacing / self.page_size - 1
            if pages >= _WORTH:
                guesses.append(((above + below) // 2, pages))
        return guesses

    def _deeper(self, gap: Gap, from_: int) -> tuple[int, float]:
        depth = max(1, self._newest - from_)
        below = from_ - int(depth * _DEEPER)
        pages = depth * _DEEPER / self._spacing.get(gap.above, 1.0) / self.page_size
        # Finding the end opens more of the listing than splitting a part of it.
        return (below if below > 1 else max(1, gap.above // 2)), pages * _DEEPEST

    def _spacing_in(self, gap: Gap) -> float:
        known = [self._spacing[edge] for edge in (gap.above, gap.below) if edge in self._spacing]
        return math.prod(known) ** (1 / len(known)) if known else 1.0
