"""Times of the polls of a wait: an answer each interval, and one just before the timeout."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.pipelines.poll_interval import answered_each, next_poll_at

times = st.floats(0, 1e6)


@pytest.mark.parametrize(
    ("took", "at"), [(0, 5.0), (0.5, 4.5), (1.25, 3.75), (2.0, 4.5), (5.0, 7.5), (60.0, 62.5)]
)
def test_answer_comes_each_interval(took, at):
    assert answered_each(5.0, 0.0, took) == at


@given(st.floats(0.1, 60), times, st.floats(0, 100))
def test_server_rests_half_an_interval(interval, began, took):
    at = answered_each(interval, began, began + took)
    assert at >= began + took + interval / 2 - 1e-6
    # Two polls of the same duration: the end is known an interval after the first answer at most.
    assert took > interval / 4 or at + took <= began + interval + 1e-6


@pytest.mark.parametrize(
    ("at", "now", "until", "expected"),
    [(5, 0, 100, 5), (99, 95, 100, 98), (105, 95, 100, 98), (105, 98, 100, 105), (5, 0, 1, 5)],
)
def test_last_poll_precedes_the_timeout(at, now, until, expected):
    assert next_poll_at(at, now, until) == expected
