"""How far back a look at the newest jobs must go, so that no id is missed that shows up late.

GitLab gives a job its id before the job can be seen, so that ids appear out of order, below ones
that are seen already. None takes longer than `SETTLING`: what was below the newest id that long
before a look began is settled with it, and the next look need not go there again.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable

from attrs import define, field

PAGE = 100
SETTLING = 120.0
"""Seconds; GitLab ends a request after 60, and with it the transaction that made a job."""

_LEAST_SPARE = 4
_MOST_SPARE = 40


@define
class Watermark:
    """Everything up to the id *floor* is settled: a look reaches down to it.

    *expected* is how many rows that took when an earlier monitor looked last, if it has said so.
    """

    floor: int | None = None
    expected: int | None = None
    _heights: deque[tuple[float, int]] = field(factory=deque, init=False)
    _rising: list[int] = field(factory=list, init=False)
    _spare: int = field(default=_LEAST_SPARE, init=False)
    _has_looked: bool = field(default=False, init=False)

    def page_size(self, goal: int) -> int:
        """Rows that the first page needs to reach *goal*, with room for what has come since."""
        rows = self.rows_to(goal)
        return PAGE if self.floor is None or rows is None else min(PAGE, max(1, rows) + self._spare)

    def rows_to(self, goal: int) -> int | None:
        """Rows from the top down to *goal*, as of the last look; before the first, *expected*."""
        if not self._has_looked:
            return self.expected
        return len(self._rising) - bisect_left(self._rising, goal)

    def pages_to(self, job_id: int) -> int:
        """Pages from the top down to *job_id*, as of the last look."""
        return (len(self._rising) - bisect_left(self._rising, job_id)) // PAGE + 1

    def saw(self, job_id: int) -> bool:
        """Whether the last look brought *job_id*."""
        place = bisect_left(self._rising, job_id)
        return place < len(self._rising) and self._rising[place] == job_id

    def looked(self, began: float, answered: float, ids: Iterable[int]) -> None:
        """A look was complete, with these *ids*.

        It *began* with the request for its first page, which was *answered* at the other time.
        """
        self._has_looked = True
        self._rising = sorted(ids)
        top = self._rising[-1] if self._rising else 0
        if self.floor is None:
            self.floor = self._rising[0] if len(self._rising) >= PAGE else 0
        if not self._heights or self._heights[-1][1] < top:
            self._heights.append((answered, top))
        while self._heights and self._heights[0][0] <= began - SETTLING:
            self.floor = max(self.floor, self._heights.popleft()[1])

    def arrived(self, count: int) -> None:
        """So many new jobs came in one look: the next page has room for as many."""
        if count:
            self._spare = min(_MOST_SPARE, max(_LEAST_SPARE, count))
