"""Bounds of a poll interval: never exceeded, in proportion to the age between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.intervals import PollIntervals


@pytest.mark.parametrize(("interval", "expected"), [(0, 3), (3, 3), (7, 7), (60, 60), (1e9, 60)])
def test_interval_is_clamped(interval, expected):
    assert PollIntervals(3.0, 60.0).clamp(interval) == expected


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0.01, 1))
def test_interval_grows_with_age(age, more, share):
    bounds = PollIntervals(3.0, 60.0)
    sooner, later = bounds.for_age(age, share), bounds.for_age(age + more, share)
    assert 3.0 <= sooner <= later <= 60.0
    assert sooner in {3.0, 60.0} or sooner == pytest.approx(age * share)
