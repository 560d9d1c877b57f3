"""One look at a project on its way: the newest jobs page by page, or those that are open."""

from attrs import define, evolve, field

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.monitor.watch.queries import Query, QueryKind, QueryResult, with_page_size
from gitlab_jobs_async.monitor.watch.watermark import PAGE

MOST_PAGES = 10
"""Pages that a look takes for open jobs alone, and so many pages' rows it holds at once."""

MOST_SWEPT = 5
_MOST_AT_FIRST = 20


@define
class NewestScan:
    """The newest jobs down to *goal*: the *rows* not told yet, and the *ids* of all.

    It *began* with the request for the first page, which was *answered* at the other time.
    """

    began: float
    goal: int
    answered: float | None = None
    rows: dict[int, Job | Bridge] = field(factory=dict[int, Job | Bridge])
    ids: set[int] = field(factory=set[int])
    arrived: int = 0
    lowest: int = 0
    compares: bool = False
    pages: int = 0

    def take(self, now: float, answer: QueryResult, floor: int | None) -> Query | None:
        """What to ask next: nothing when the goal is reached, or with 10 pages at least *floor*.

        `lowest` is then the id down to which all is there.
        """
        if self.answered is None:
            self.answered = now
        fresh = {job.id: job for job in answer.jobs if job.id not in self.ids}
        self.rows |= fresh
        self.ids |= fresh.keys()
        self.pages += 1
        if self.pages >= MOST_PAGES and floor is not None:
            self.goal = floor
        if answer.next_page is None:
            self.lowest = 0
            return None
        higher, self.lowest = self.lowest, min(self.ids, default=0)
        is_deeper = self.pages == 1 or self.lowest < higher
        if self.lowest <= self.goal or not is_deeper:
            return None
        return Query(QueryKind.NEWEST, _onward(answer.next_page))

    def take_rows(self) -> list[Job | Bridge]:
        """The rows that have come, oldest first; they are told by that."""
        rows = [job for _, job in sorted(self.rows.items())]
        self.rows.clear()
        return rows

    @property
    def is_full(self) -> bool:
        """Whether so much has come that some of it is to be told before the rest comes."""
        return len(self.rows) >= MOST_PAGES * PAGE


def _onward(following: Request) -> Request:
    """The rest in whole pages; by offset from the first row on, for pages are counted by size."""
    names = {name for name, _ in following.params}
    if "cursor" not in names and ("per_page", str(PAGE)) not in following.params:
        counted = [pair for pair in following.params if pair[0] != "page"]
        following = evolve(following, params=[*counted, ("page", "1")])
    return with_page_size(following, PAGE)


@define
class OpenJobsScan:
    """The open jobs down to the oldest of those *sought*, or as far as a few pages go.

    The first one seeks none, and goes further: so many pages at *most*.
    """

    sought: list[int] = field(factory=list[int])
    most: int = _MOST_AT_FIRST
    is_whole: bool = False
    ids: set[int] = field(factory=set[int])
    lowest: int = 0
    _pages: int = 0

    def take(self, answer: QueryResult) -> Query | None:
        """What to ask next; `lowest` is at the end the id down to which all is there."""
        self._pages += 1
        self.ids |= {job.id for job in answer.jobs}
        if answer.next_page is None:
            self.lowest = 0
            return None
        self.lowest = min(self.ids, default=0)
        is_deep = self.is_whole or not self.sought or self.lowest > self.sought[0]
        if not is_deep or self._pages >= self.most:
            return None
        return Query(QueryKind.OPEN_JOBS, answer.next_page)

    def missing(self) -> list[int]:
        """Those sought that should have come and have not: they are open no more."""
        return [i for i in self.sought if i >= self.lowest and i not in self.ids]

    def deeper(self) -> list[int]:
        """Those sought that lie deeper than this has gone."""
        return [i for i in self.sought if i < self.lowest]
