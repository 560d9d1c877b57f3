"""A look goes page by page, and leaves no row out, also where pages are counted by offset."""

import pytest
from attrs import evolve

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.watch.queries import QueryResult, with_page_size
from gitlab_jobs_async.monitor.watch.scans import NewestScan

FLOOR = 10


def row(number):
    return Job(id=number, status=JobStatus.RUNNING, stage="a", name="b")


def offset_page(wanted, ids):
    """What a server without keyset answers."""
    params = dict(wanted.params)
    size, page = int(params["per_page"]), int(params.get("page", "1"))
    following = None
    if page * size < len(ids):
        kept = [pair for pair in wanted.params if pair[0] != "page"]
        following = evolve(wanted, params=[*kept, ("page", str(page + 1))])
    return QueryResult([row(i) for i in ids[(page - 1) * size : page * size]], following)


@pytest.mark.parametrize("count", [3, 5, 6, 99, 100, 101, 450])
def test_offset_pages_of_two_sizes_leave_no_row_out(count):
    ids = list(range(FLOOR + count, 0, -1))
    look, wanted, pages = NewestScan(0.0, FLOOR), with_page_size(endpoints.list_jobs(7), 5), 0
    while wanted is not None:
        query = look.take(0.0, offset_page(wanted, ids), FLOOR)
        wanted = None if query is None else query.request
        pages += 1
    assert look.ids >= set(range(FLOOR, FLOOR + count + 1))
    assert pages <= 2 + count // 100 + 1


def test_pages_that_do_not_go_deeper_are_not_followed():
    look, following = NewestScan(0.0, FLOOR), with_page_size(endpoints.list_jobs(7), 100)
    assert look.take(0.0, QueryResult([row(50)], following), FLOOR)
    assert look.take(0.0, QueryResult([row(60)], following), FLOOR) is None
    assert look.lowest > FLOOR


@pytest.mark.parametrize(("lowest", "goes_on"), [(FLOOR + 1, True), (FLOOR, False), (1, False)])
def test_a_scan_ends_where_its_goal_is_reached(lowest, goes_on):
    look, following = NewestScan(0.0, FLOOR), with_page_size(endpoints.list_jobs(7), 100)
    query = look.take(0.0, QueryResult([row(50), row(lowest)], following), FLOOR)
    assert (query is not None) is goes_on
    assert look.lowest == lowest
