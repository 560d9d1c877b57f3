"""Rows of the last listing of one project, and what they show of the jobs that are polled."""

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from attrs import define, field

from gitlab_jobs_async.models.statuses import JobStatus


class Subject(Protocol):
    """A job or a pipeline."""

    @property
    def id(self) -> int:
        """Its id."""

    @property
    def status(self) -> JobStatus:
        """Its status."""

    @property
    def project_id(self) -> int:
        """Numeric id of its project, if the server names it."""


T = TypeVar("T", bound=Subject)

_MISSING_AGE = 60.0
"""Seconds for which an id that a listing did not show is polled by itself."""

_IDS_PER_PAGE = 10
"""Polled ids for each further page of a listing: it must cost less than their own requests."""
_MAX_PAGES = 10


@define(eq=False, repr=False)
class ListedRows(Generic[T]):
    """The polled ids of one project, and the rows of its last listing.

    *ids* counts the polls of each id. Several ids are polled by one listing, which shows them all;
    it was sent at *sent_at*, `None` before the first.
    """

    ids: dict[int, int] = field(factory=dict[int, int])
    sent_at: float | None = field(default=None, init=False)
    _rows: dict[int, T] = field(factory=dict, init=False)
    _missing: dict[int, float] = field(factory=dict[int, float], init=False)

    @property
    def is_shared(self) -> bool:
        """Whether one listing costs less than a request for each id."""
        return len(self.ids) > 1

    @property
    def lowest(self) -> int:
        """The id down to which a listing must be read."""
        return min(self.ids, default=0)

    @property
    def max_pages(self) -> int:
        """How many pages a listing may have."""
        return min(_MAX_PAGES, 1 + len(self.ids) // _IDS_PER_PAGE)

    def add(self, subject_id: int) -> None:
        """Poll *subject_id*, once more if it is polled already."""
        self.ids[subject_id] = self.ids.get(subject_id, 0) + 1

    def remove(self, subject_id: int) -> None:
        """End one poll of *subject_id*."""
        self.ids[subject_id] -= 1
        if not self.ids[subject_id]:
            del self.ids[subject_id]
            self._missing.pop(subject_id, None)

    def update(self, rows: Iterable[T], sent_at: float) -> None:
        """Replace the rows by those of a listing that was sent at *sent_at*."""
        self.sent_at = sent_at
        self._rows = {row.id: row for row in rows}
        self._missing = {one: sent_at for one in self.ids if one not in self._rows}

    def is_fresh(self, now: float, interval: float) -> bool:
        """Return whether the last listing was sent less than *interval* seconds ago."""
        return self.sent_at is not None and self.sent_at <= now < self.sent_at + interval

    def is_missing(self, subject_id: int, now: float) -> bool:
        """Return whether the last listing did not show a polled id, and the next may not either.

        It has ended, or too many others are newer.
        """
        missed_at = self._missing.get(subject_id)
        return missed_at is not None and now < missed_at + _MISSING_AGE

    def shown(self, subject_id: int) -> T | None:
        """Return the row of *subject_id*; `None` proves nothing: only a request for it does."""
        return self._rows.get(subject_id)
