"""The watermark rises only to ids below which nothing can show up any more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.monitor.watch.watermark import PAGE, SETTLING, Watermark


def test_the_first_scan_sets_the_floor():
    reach = Watermark()
    reach.looked(0.0, 1.0, range(1, 51))
    assert reach.floor == 0, "all jobs were there"
    reach = Watermark()
    reach.looked(0.0, 1.0, range(301, 401))
    assert reach.floor == 301, "older ones were not asked for"


def test_the_floor_rises_after_settling():
    reach = Watermark()
    reach.looked(0.0, 0.0, [5])
    reach.looked(SETTLING - 0.1, SETTLING - 0.1, [5, 9])
    assert reach.floor == 0
    reach.looked(SETTLING, SETTLING, [5, 9])
    assert reach.floor == 5
    reach.looked(2 * SETTLING, 2 * SETTLING, [5, 9])
    assert reach.floor == 9


def test_a_slow_scan_settles_nothing_early():
    """A job may get its id while the scan goes on, and show up after it."""
    reach = Watermark()
    reach.looked(0.0, 60.0, [10])
    reach.looked(60.0 + SETTLING - 1.0, 60.0 + SETTLING + 30.0, [10, 11])
    assert reach.floor == 0
    reach.looked(60.0 + SETTLING, 60.0 + SETTLING + 30.0, [10, 11])
    assert reach.floor == 10


def test_the_floor_never_falls():
    reach = Watermark(floor=50)
    reach.looked(0.0, 0.0, [])
    reach.looked(2 * SETTLING, 2 * SETTLING, [7])
    assert reach.floor == 50


@given(st.lists(st.tuples(st.floats(0, 300), st.integers(0, 9), st.floats(0, 60)), max_size=20))
def test_ids_below_the_floor_have_settled(polls):
    reach, now, top, first_seen = Watermark(), 0.0, 0, {0: 0.0}
    for wait, new, took in polls:
        began = now + wait
        now = began + took
        top += new
        first_seen.setdefault(top, now)
        reach.looked(began, now, range(1, top + 1))
        assert reach.floor == 0 or first_seen[reach.floor] <= began - SETTLING


@pytest.mark.parametrize(("ids", "goal", "rows"), [([], 5, 0), ([3, 9, 12], 9, 2), ([3], 9, 0)])
def test_rows_down_to_a_goal(ids, goal, rows):
    reach = Watermark(floor=1, expected=77)
    assert reach.rows_to(goal) == 77
    reach.looked(0.0, 0.0, ids)
    assert reach.rows_to(goal) == rows


def test_pages_are_as_large_as_needed():
    reach = Watermark()
    assert reach.page_size(0) == PAGE
    reach.looked(0.0, 0.0, range(1, 61))
    assert reach.page_size(51) == 10 + 4
    reach.arrived(30)
    assert reach.page_size(51) == 10 + 30
    reach.arrived(0)
    assert reach.page_size(51) == 10 + 30, "a quiet scan takes no room away"
    reach.arrived(500)
    assert reach.page_size(51) == 10 + 40
    reach.arrived(1)
    assert reach.page_size(999) == 1 + 4
    assert reach.page_size(1) == 60 + 4


def test_which_ids_a_scan_brought():
    reach = Watermark()
    reach.looked(0.0, 0.0, [*range(1000, 1250)])
    assert [reach.saw(number) for number in (999, 1000, 1249, 1250)] == [False, True, True, False]
    assert [reach.pages_to(number) for number in (1249, 1151, 1150, 1149, 1)] == [1, 1, 2, 2, 3]
