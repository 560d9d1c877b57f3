"""A scan reads page by page and misses no row, also where pages are counted by offset."""

import pytest
from attrs import evolve

from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.project_queries import ProjectQueries
from gitlab_jobs_async.monitor.watch.project_state import new_jobs
from gitlab_jobs_async.monitor.watch.queries import QueryKind, QueryResult
from gitlab_jobs_async.monitor.watch.rechecks import JobRechecks
from gitlab_jobs_async.monitor.watch.scans import (
    MAX_OPEN_PAGES,
    BaselineScan,
    NewestScan,
    OpenJobsScan,
)
from gitlab_jobs_async.monitor.watch.watermark import Watermark

FLOOR = 10


def row(number):
    return Job(id=number, status=JobStatus.RUNNING, stage="a", name="b")


def offset_page(wanted, ids):
    """Return the response of a server without keyset pagination."""
    params = dict(wanted.params)
    size, page = int(params["per_page"]), int(params.get("page", "1"))
    following = None
    if page * size < len(ids):
        kept = [pair for pair in wanted.params if pair[0] != "page"]
        following = evolve(wanted, params=[*kept, ("page", str(page + 1))])
    return QueryResult([row(i) for i in ids[(page - 1) * size : page * size]], following)


def scan_from(page_size):
    """Return a scan down to `FLOOR` whose first page has *page_size* rows."""
    jobs, queries = new_jobs(7, IdHistory(), downstream=False), ProjectQueries(7)
    jobs.watermark = Watermark(FLOOR, page_size - 4)
    jobs.newest_id = 500
    rechecks = JobRechecks(jobs, jobs.tracker, jobs.reopened, queries)
    open_scan = OpenJobsScan(jobs, queries, jobs.dormant, rechecks)
    watermark, dormant = jobs.watermark, jobs.dormant
    return NewestScan(jobs, queries, watermark, dormant, rechecks, open_scan, rechecks, 0.0)


@pytest.mark.parametrize("count", [3, 5, 6, 99, 100, 101, 450])
def test_offset_pages_of_two_sizes_miss_no_row(count):
    ids = list(range(FLOOR + count, 0, -1))
    scan, pages, seen = scan_from(5), 0, set()
    while (query := scan.next_query()) is not None:
        events = scan.on_result(0.0, query, offset_page(query.request, ids))
        seen |= {event.job.id for event in events}
        pages += 1
    assert seen >= set(range(FLOOR + 1, FLOOR + count + 1))
    assert pages <= 2 + count // 100 + 1


def test_pages_that_do_not_go_deeper_are_ignored():
    scan = scan_from(100)
    query = scan.next_query()
    assert scan.on_result(0.0, query, QueryResult([row(50)], query.request)) == []
    assert scan.next_query() is not None
    assert len(scan.on_result(0.0, query, QueryResult([row(60)], query.request))) == 2
    assert scan.next_query() is None
    assert scan.scanned_to > FLOOR


@pytest.mark.parametrize(("lowest", "continues"), [(FLOOR + 1, True), (FLOOR, False), (1, False)])
def test_scan_ends_at_its_lower_bound(lowest, continues):
    scan = scan_from(100)
    query = scan.next_query()
    scan.on_result(0.0, query, QueryResult([row(50), row(lowest)], query.request))
    assert (scan.next_query() is not None) is continues
    assert scan.scanned_to == lowest


def scans_of(*rows):
    """Return a scan of open jobs, its rechecks, and the jobs *rows* below the last scan."""
    jobs, queries = new_jobs(7, IdHistory(), downstream=False), ProjectQueries(7)
    jobs.watermark = Watermark(0)
    jobs.update(rows, 0.0)
    rechecks = JobRechecks(jobs, jobs.tracker, jobs.reopened, queries)
    return OpenJobsScan(jobs, queries, jobs.dormant, rechecks), rechecks


def requested(rechecks):
    return [query.subject_id for query in iter(rechecks.next_query, None)]


def test_a_single_dormant_job_needs_no_listing():
    scan, rechecks = scans_of(row(5))
    scan.seek([5])
    assert scan.next_query() is None
    assert requested(rechecks) == [5]


def test_missing_open_jobs_are_requested():
    scan, rechecks = scans_of(row(5), row(6), row(7))
    scan.seek([5, 6, 7])
    query = scan.next_query()
    scan.on_result(0.0, query, QueryResult([row(6)]))
    assert scan.next_query() is None
    assert requested(rechecks) == [5, 7]


def test_open_scan_ends_at_the_deepest_job_sought():
    scan, rechecks = scans_of(row(5), row(8))
    scan.seek([5, 8])
    query = scan.next_query()
    scan.on_result(0.0, query, QueryResult([row(9), row(8)], query.request))
    assert scan.next_query() is not None
    scan.on_result(0.0, query, QueryResult([row(7), row(5)], query.request))
    assert scan.next_query() is None
    assert requested(rechecks) == []


def test_jobs_below_the_last_page_polled_singly():
    scan, rechecks = scans_of(row(1), row(2), row(90))
    scan.seek([1, 2, 90])
    query = scan.next_query()
    for number in range(90, 90 - MAX_OPEN_PAGES, -1):
        scan.on_result(0.0, query, QueryResult([row(number)], query.request))
    assert requested(rechecks) == [1], "one of those below, the least recently polled"


def test_baseline_reads_the_newest_and_open_jobs():
    jobs = new_jobs(7, IdHistory(), downstream=False)
    scan = BaselineScan(jobs, ProjectQueries(7), 0.0)
    query = scan.next_query()
    assert scan.on_result(0.0, query, QueryResult([row(50), row(49)], query.request)) == []
    query = scan.next_query()
    assert query.kind is QueryKind.OPEN_JOBS
    events = scan.on_result(0.0, query, QueryResult([row(49), row(3)]))
    assert [event.job.id for event in events] == [3, 49, 50]
    assert (jobs.tracker.baseline_id, jobs.newest_id, jobs.has_baseline) == (50, 50, True)
    assert list(jobs.dormant.ids) == [3]
    assert scan.next_query() is None


def test_baseline_of_one_page_needs_one_request():
    jobs = new_jobs(7, IdHistory(), downstream=False)
    scan = BaselineScan(jobs, ProjectQueries(7), 0.0)
    scan.on_result(0.0, scan.next_query(), QueryResult([]))
    assert scan.next_query() is None
    assert jobs.has_baseline
