"""A scan reads page by page and misses no row, also where pages are counted by offset."""

import pytest
from attrs import evolve

from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.project_queries import ProjectQueries
from gitlab_jobs_async.monitor.watch.project_state import new_jobs
from gitlab_jobs_async.monitor.watch.queries import QueryResult
from gitlab_jobs_async.monitor.watch.rechecks import JobRechecks
from gitlab_jobs_async.monitor.watch.scans import NewestScan, OpenJobsScan
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
