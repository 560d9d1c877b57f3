"""Scans: the parts of one poll of a project that read listings of jobs.

A scan issues one query at a time and hands every row to `ProjectJobs`. It lives for one poll.
"""

from collections.abc import Sequence
from typing import Protocol

from attrs import define, evolve, field

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.monitor.watch.dormant_jobs import DormantJobs
from gitlab_jobs_async.monitor.watch.project_jobs import ProjectJobs
from gitlab_jobs_async.monitor.watch.project_queries import ProjectQueries
from gitlab_jobs_async.monitor.watch.queries import Query, QueryKind, QueryResult, with_page_size
from gitlab_jobs_async.monitor.watch.rechecks import JobRechecks
from gitlab_jobs_async.monitor.watch.watermark import PAGE, Watermark

MAX_PAGES = 10
"""Page limit of a scan for open jobs alone; also the number of pages buffered."""

MAX_OPEN_PAGES = 5
_MAX_BASELINE_PAGES = 20
_MAX_NEW_PAGES = 50
"""Page limit of a baseline after a reset, while all jobs on a page are new."""


class Scan(Protocol):
    """One part of a poll."""

    def next_query(self) -> Query | None:
        """Return the query to send next, once, or `None`."""

    def on_result(self, now: float, query: Query, result: QueryResult, /) -> Sequence[AnyEvent]:
        """Return the events that follow from the result of *query*."""

    def on_error(
        self, now: float, query: Query, error: GitLabError, /
    ) -> Sequence[AnyEvent] | None:
        """Return the events that follow from the error, or `None` if the poll fails with it."""


@define
class _ListingScan:
    """A scan of a listing that a poll cannot do without."""

    _next: Query | None = field(default=None, init=False)

    def next_query(self) -> Query | None:
        """Return the query for the next page, once."""
        query, self._next = self._next, None
        return query

    def on_error(self, _now: float, _query: Query, _error: GitLabError) -> None:
        """Let the poll fail."""


@define
class BaselineScan(_ListingScan):
    """Read the newest page and the open jobs of a project that is not known yet."""

    _jobs: ProjectJobs
    _queries: ProjectQueries
    _began: float
    _answered: float = field(default=0.0, init=False)
    _newest: dict[int, Job | Bridge] = field(factory=dict[int, Job | Bridge], init=False)
    _open: dict[int, Job | Bridge] = field(factory=dict[int, Job | Bridge], init=False)
    _pages: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._next = self._queries.newest(PAGE)

    def on_result(self, now: float, query: Query, result: QueryResult) -> Sequence[AnyEvent]:
        """Take a page; emit the baseline after the last one."""
        self._pages += 1
        if query.kind is QueryKind.OPEN_JOBS:
            return self._on_open_jobs(now, result)
        self._queries.learn_numeric_id(result.jobs)
        self._answered = self._answered or now
        self._newest = {job.id: job for job in result.jobs} | self._newest
        if result.next_page is None:
            return self._finish(now)
        if self._pages < _MAX_NEW_PAGES and self._jobs.resets_may_continue(result.jobs):
            self._next = Query(QueryKind.NEWEST, result.next_page)
        else:
            # Older pages may hold open jobs, and this list has nothing else.
            self._next, self._pages = self._queries.open_jobs(), 0
        return []

    def _on_open_jobs(self, now: float, result: QueryResult) -> Sequence[AnyEvent]:
        self._open = {job.id: job for job in result.jobs} | self._open
        if result.next_page is None or self._pages >= _MAX_BASELINE_PAGES:
            return self._finish(now)
        self._next = Query(QueryKind.OPEN_JOBS, result.next_page)
        return []

    def _finish(self, now: float) -> Sequence[AnyEvent]:
        jobs = list((self._open | self._newest).values())
        return self._jobs.set_baseline(jobs, self._newest, self._began, self._answered, now)


@define
class OpenJobsScan(_ListingScan):
    """Read the open jobs down to the oldest of those sought, or as far as a few pages reach.

    *is_full* makes it part of a full scan, which reads to the page limit.
    """

    _jobs: ProjectJobs
    _queries: ProjectQueries
    _dormant: DormantJobs
    _late_rechecks: JobRechecks
    is_full: bool = False
    scanned_to: int = field(default=0, init=False)
    _sought: list[int] = field(factory=list[int], init=False)
    _ids: set[int] = field(factory=set[int], init=False)
    _pages: int = field(default=0, init=False)

    def seek(self, sought: list[int]) -> None:
        """Request jobs by id, in ascending order."""
        self._sought = sought
        # One job is a smaller response than a page of them.
        if len(sought) == 1 and not self.is_full:
            self._late_rechecks.add(sought)
        elif sought or self.is_full:
            self._next = self._queries.open_jobs()

    def on_result(self, now: float, _query: Query, result: QueryResult) -> Sequence[AnyEvent]:
        """Emit the events of a page; after the last one, request the jobs that are missing."""
        self._next = self._take(result)
        events = self._jobs.update(result.jobs, now)
        if self._next is None:
            self._late_rechecks.add(self._missing())
            # These are deeper than a scan reads; one of them per scan keeps the cost constant.
            if deeper := [i for i in self._sought if i < self.scanned_to]:
                self._late_rechecks.add([self._dormant.least_recently_polled(deeper, now)])
        return events

    def _take(self, result: QueryResult) -> Query | None:
        self._pages += 1
        self._ids |= {job.id for job in result.jobs}
        if result.next_page is None:
            self.scanned_to = 0
            return None
        self.scanned_to = min(self._ids, default=0)
        is_short = self.is_full or not self._sought or self.scanned_to > self._sought[0]
        if not is_short or self._pages >= MAX_OPEN_PAGES:
            return None
        return Query(QueryKind.OPEN_JOBS, result.next_page)

    def _missing(self) -> list[int]:
        return [i for i in self._sought if i >= self.scanned_to and i not in self._ids]


@define
class NewestScan(_ListingScan):
    """Read the newest jobs down to an id, and request open jobs that are missing there.

    *is_full* makes it part of a full scan.
    """

    _jobs: ProjectJobs
    _queries: ProjectQueries
    _watermark: Watermark
    _dormant: DormantJobs
    _rechecks: JobRechecks
    _open_scan: OpenJobsScan
    _late_rechecks: JobRechecks
    _began: float
    is_full: bool = False
    down_to: int = field(init=False)
    scanned_to: int = field(default=0, init=False)
    _answered: float | None = field(default=None, init=False)
    _rows: list[Job | Bridge] = field(factory=list[Job | Bridge], init=False)
    _ids: set[int] = field(factory=set[int], init=False)
    _arrived: int = field(default=0, init=False)
    _pages: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.down_to = self._jobs.full_down_to() if self.is_full else self._jobs.down_to()
        rows = PAGE if self.is_full else self._watermark.page_size(self.down_to)
        self._next = self._queries.newest(rows)

    def on_result(self, now: float, _query: Query, result: QueryResult) -> Sequence[AnyEvent]:
        """Take a page; emit its events once the scan is complete or the buffer is full."""
        self._queries.learn_numeric_id(result.jobs)
        self._answered = self._answered or now
        self._next = self._take(result)
        if self._next is None:
            return self._finish(now)
        is_full = len(self._rows) >= MAX_PAGES * PAGE
        return self._flush(now) if is_full else []

    def _take(self, result: QueryResult) -> Query | None:
        # Jobs created during the scan shift rows, so that pages overlap.
        fresh = [job for job in result.jobs if job.id not in self._ids]
        self._rows += fresh
        self._ids |= {job.id for job in fresh}
        self._pages += 1
        # Open jobs below this limit are left to the other scan.
        if self._pages >= MAX_PAGES:
            self.down_to = self._watermark.low_watermark or 0
        if result.next_page is None:
            self.scanned_to = 0
            return None
        higher, self.scanned_to = self.scanned_to, min(self._ids, default=0)
        # A server that repeats a page would keep the scan going forever.
        is_deeper = self._pages == 1 or self.scanned_to < higher
        if self.scanned_to <= self.down_to or not is_deeper:
            return None
        return Query(QueryKind.NEWEST, _in_whole_pages(result.next_page))

    def _flush(self, now: float) -> list[AnyEvent]:
        rows, self._rows = self._rows, []
        self._arrived += self._jobs.count_new(rows)
        return (self._jobs.update_all if self.is_full else self._jobs.update)(rows, now)

    def _finish(self, now: float) -> list[AnyEvent]:
        """Find out what else this poll has to request."""
        events = self._flush(now)
        # Only a scan without a gap proves that no job was missed.
        if self.scanned_to <= (self._watermark.low_watermark or 0):
            self._watermark.advance(self._began, self._answered or now, self._ids)
            self._watermark.adapt_headroom(self._arrived)
        self._jobs.end_scan(self._ids)
        open_jobs = self._jobs.open_jobs()
        missing = []
        for job in open_jobs:
            if job.id < self.scanned_to:
                self._dormant.add(job.id)
            elif job.id not in self._ids:
                missing.append(job.id)
        self._rechecks.add(missing)
        self._dormant.select(open_jobs, self._watermark, now)
        self._open_scan.seek(self._dormant.due(open_jobs, self._watermark, now))
        self._late_rechecks.add_reopened()
        return events


def _in_whole_pages(request: Request) -> Request:
    """Return *request* with full pages, of an offset listing the first one."""
    names = {name for name, _ in request.params}
    if "cursor" not in names and ("per_page", str(PAGE)) not in request.params:
        # Page 2 of large pages would skip rows after page 1 of small ones.
        others = [pair for pair in request.params if pair[0] != "page"]
        request = evolve(request, params=[*others, ("page", "1")])
    return with_page_size(request, PAGE)
