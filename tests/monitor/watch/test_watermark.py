"""The watermark rises only to ids below which nothing can show up any more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.monitor.watch.watermark import ALLOWED_LATENESS, PAGE, Watermark


def test_first_scan_sets_the_watermark():
    watermark = Watermark()
    watermark.advance(0.0, 1.0, range(1, 51))
    assert watermark.low_watermark == 0, "all jobs were there"
    watermark = Watermark()
    watermark.advance(0.0, 1.0, range(301, 401))
    assert watermark.low_watermark == 301, "older ones were not asked for"


def test_watermark_rises_after_the_lateness():
    watermark = Watermark()
    watermark.advance(0.0, 0.0, [5])
    watermark.advance(ALLOWED_LATENESS - 0.1, ALLOWED_LATENESS - 0.1, [5, 9])
    assert watermark.low_watermark == 0
    watermark.advance(ALLOWED_LATENESS, ALLOWED_LATENESS, [5, 9])
    assert watermark.low_watermark == 5
    watermark.advance(2 * ALLOWED_LATENESS, 2 * ALLOWED_LATENESS, [5, 9])
    assert watermark.low_watermark == 9


def test_slow_scan_does_not_raise_it_early():
    """A job may get its id while the scan goes on, and show up after it."""
    watermark = Watermark()
    watermark.advance(0.0, 60.0, [10])
    watermark.advance(60.0 + ALLOWED_LATENESS - 1.0, 60.0 + ALLOWED_LATENESS + 30.0, [10, 11])
    assert watermark.low_watermark == 0
    watermark.advance(60.0 + ALLOWED_LATENESS, 60.0 + ALLOWED_LATENESS + 30.0, [10, 11])
    assert watermark.low_watermark == 10


def test_watermark_never_falls():
    watermark = Watermark(50)
    watermark.advance(0.0, 0.0, [])
    watermark.advance(2 * ALLOWED_LATENESS, 2 * ALLOWED_LATENESS, [7])
    assert watermark.low_watermark == 50


@given(st.lists(st.tuples(st.floats(0, 300), st.integers(0, 9), st.floats(0, 60)), max_size=20))
def test_ids_below_the_watermark_have_settled(polls):
    watermark, now, top, first_seen = Watermark(), 0.0, 0, {0: 0.0}
    for wait, new, took in polls:
        began = now + wait
        now = began + took
        top += new
        first_seen.setdefault(top, now)
        watermark.advance(began, now, range(1, top + 1))
        assert (
            watermark.low_watermark == 0
            or first_seen[watermark.low_watermark] <= began - ALLOWED_LATENESS
        )


@pytest.mark.parametrize(("ids", "goal", "rows"), [([], 5, 0), ([3, 9, 12], 9, 2), ([3], 9, 0)])
def test_rows_down_to_an_id(ids, goal, rows):
    watermark = Watermark(1, expected=77)
    assert watermark.rows_to(goal) == 77
    watermark.advance(0.0, 0.0, ids)
    assert watermark.rows_to(goal) == rows


def test_page_size_fits_the_expected_rows():
    watermark = Watermark()
    assert watermark.page_size(0) == PAGE
    watermark.advance(0.0, 0.0, range(1, 61))
    assert watermark.page_size(51) == 10 + 4
    watermark.adapt_headroom(30)
    assert watermark.page_size(51) == 10 + 30
    watermark.adapt_headroom(0)
    assert watermark.page_size(51) == 10 + 30, "a quiet scan takes no room away"
    watermark.adapt_headroom(500)
    assert watermark.page_size(51) == 10 + 40
    watermark.adapt_headroom(1)
    assert watermark.page_size(999) == 1 + 4
    assert watermark.page_size(1) == 60 + 4


def test_ids_and_pages_of_the_last_scan():
    watermark = Watermark()
    watermark.advance(0.0, 0.0, [*range(1000, 1250)])
    assert [watermark.is_in_scan(number) for number in (999, 1000, 1249, 1250)] == [
        False,
        True,
        True,
        False,
    ]
    assert [watermark.pages_to(number) for number in (1249, 1151, 1150, 1149, 1)] == [1, 1, 2, 2, 3]


def test_the_watermark_waits_for_slow_answers():
    """GitLab shows a job late: what counts is when a scan began, not when it was answered."""
    watermark = Watermark()
    watermark.advance(0.0, 0.0, [10])
    watermark.advance(ALLOWED_LATENESS - 1, ALLOWED_LATENESS + 10, [10])
    assert watermark.low_watermark == 0
    watermark.advance(ALLOWED_LATENESS, ALLOWED_LATENESS + 10, [10])
    assert watermark.low_watermark == 10


def test_a_resumed_page_is_as_large_as_it_was():
    watermark = Watermark(10, expected=30)
    assert watermark.page_size(10) == 34
    assert Watermark(10).page_size(10) == PAGE
    watermark.advance(0.0, 0.0, [10, 11])
    assert watermark.page_size(10) == 6
    assert watermark.rows_to(10) == 2
