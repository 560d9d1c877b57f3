"""Older states are polled no sooner, more open jobs no later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.monitor.schedule.timer import MAX_INTERVAL, MIN_INTERVAL, poll_interval

DAY = 86_400.0
seconds = st.floats(-10.0, 100 * DAY)
ages = st.lists(seconds, max_size=20)


@given(ages, seconds)
def test_interval_is_bounded(ages, quiet):
    assert MIN_INTERVAL <= poll_interval(ages, quiet) <= MAX_INTERVAL


@given(st.lists(st.tuples(seconds, seconds), max_size=20), seconds, seconds)
def test_older_states_are_not_polled_sooner(pairs, quiet, more_quiet):
    less, more = [min(pair) for pair in pairs], [max(pair) for pair in pairs]
    sooner = poll_interval(less, min(quiet, more_quiet))
    assert sooner <= poll_interval(more, max(quiet, more_quiet)) * (1 + 1e-9)


@given(ages, ages, seconds)
def test_more_open_jobs_are_not_polled_later(some, others, quiet):
    assert poll_interval([*some, *others], quiet) <= poll_interval(some, quiet) * (1 + 1e-9)


@given(ages, seconds)
def test_order_of_jobs_does_not_matter(ages, quiet):
    assert poll_interval(ages, quiet) == pytest.approx(poll_interval(reversed(ages), quiet))
