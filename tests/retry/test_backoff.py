"""Unit tests of exponential backoff."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.retry.backoff import Backoff


def test_delay_grows_by_factor_to_cap():
    backoff = Backoff(0.5, 2.0, 8.0)
    assert [backoff.delay(n) for n in range(6)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


def test_delay_grows_by_fraction():
    assert [Backoff(3.0, 1.5, 60.0).delay(n) for n in range(3)] == [3.0, 4.5, 6.75]


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 0.0), (0.5, 2.0), (1.0, 4.0)])
def test_delay_is_scaled_by_jitter(jitter, seconds):
    assert Backoff(1.0, 2.0, 30.0).delay(2, jitter) == seconds


@given(st.integers(0, 10**9), st.floats(0, 1e6), st.floats(0, 1))
def test_delay_stays_within_cap(n, base, jitter):
    assert 0 <= Backoff(base, 2.0, 30.0).delay(n, jitter) <= 30.0
