"""The low watermark of a project's job ids: scans of the newest jobs stop there.

GitLab assigns a job's id before the job becomes visible, so that ids appear out of order. None is
delayed for longer than `ALLOWED_LATENESS`. An id that was the newest that long before a scan began
is therefore a low watermark: no job at or below it can still appear.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable

from attrs import define, field

PAGE = 100
ALLOWED_LATENESS = 120.0
"""Seconds; GitLab aborts a request after 60, and with it the transaction that creates a job."""

# Without headroom, each new job would cost a second request.
_MIN_HEADROOM = 4
_MAX_HEADROOM = 40


@define
class Watermark:
    """The id *low_watermark* down to which a scan reads, `None` before the baseline.

    *expected* is the number of rows above it in an earlier monitor's last scan, if known.
    """

    low_watermark: int | None = None
    expected: int | None = None
    # A tuple and an array, because a monitor may have ten thousand of these.
    _tops: tuple[tuple[float, int], ...] = field(default=(), init=False)
    _ids: "array[int]" = field(factory=lambda: array("q"), init=False)
    _page_headroom: int = field(default=_MIN_HEADROOM, init=False)
    _has_scanned: bool = field(default=False, init=False)

    def page_size(self, down_to: int) -> int:
        """Return the size of a first page that reaches *down_to*, with headroom for new jobs."""
        rows = self.rows_to(down_to)
        if self.low_watermark is None or rows is None:
            return PAGE
        return min(PAGE, max(1, rows) + self._page_headroom)

    def rows_to(self, down_to: int) -> int | None:
        """Return the number of rows down to an id in the last scan, or *expected* before one."""
        if not self._has_scanned:
            return self.expected
        return len(self._ids) - bisect_left(self._ids, down_to)

    def pages_to(self, job_id: int) -> int:
        """Return the number of pages down to *job_id* in the last scan."""
        return (len(self._ids) - bisect_left(self._ids, job_id)) // PAGE + 1

    def is_in_scan(self, job_id: int) -> bool:
        """Return whether the last scan returned *job_id*."""
        place = bisect_left(self._ids, job_id)
        return place < len(self._ids) and self._ids[place] == job_id

    def advance(self, began: float, answered: float, ids: Iterable[int]) -> None:
        """Raise the watermark after a complete scan of *ids*.

        The scan *began* with the request for its first page, whose response was received at
        *answered*.
        """
        self._has_scanned = True
        self._ids = array("q", sorted(ids))
        top = self._ids[-1] if self._ids else 0
        if self.low_watermark is None:
            # The baseline reads one page; a shorter page is the whole project.
            self.low_watermark = self._ids[0] if len(self._ids) >= PAGE else 0
        if top > max((self.low_watermark, *(known for _, known in self._tops[-1:]))):
            # Dated by the response, the later time, so that the watermark never rises early.
            self._tops = *self._tops, (answered, top)
        while self._tops and self._tops[0][0] <= began - ALLOWED_LATENESS:
            self.low_watermark = max(self.low_watermark, self._tops[0][1])
            self._tops = self._tops[1:]

    def adapt_headroom(self, arrived: int) -> None:
        """Leave room on the next first page for as many new jobs as *arrived* in this scan."""
        # A quiet scan does not reset it: jobs arrive a pipeline at a time.
        if arrived:
            self._page_headroom = min(_MAX_HEADROOM, max(_MIN_HEADROOM, arrived))
