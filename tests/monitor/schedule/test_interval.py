"""How soon to look again: never sooner for what has stood longer, never later for what is more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.monitor.schedule.interval import LONGEST, SHORTEST, poll_interval

DAY = 86_400.0
seconds = st.floats(-10.0, 100 * DAY)
stood = st.lists(seconds, max_size=20)


@given(stood, seconds)
def test_an_interval_stays_within_its_bounds(stood, quiet):
    assert SHORTEST <= poll_interval(stood, quiet) <= LONGEST


@given(st.lists(st.tuples(seconds, seconds), max_size=20), seconds, seconds)
def test_what_has_stood_longer_is_not_looked_at_sooner(pairs, quiet, more_quiet):
    less, more = [min(pair) for pair in pairs], [max(pair) for pair in pairs]
    sooner = poll_interval(less, min(quiet, more_quiet))
    assert sooner <= poll_interval(more, max(quiet, more_quiet)) * (1 + 1e-9)


@given(stood, stood, seconds)
def test_more_open_jobs_are_not_looked_at_later(some, others, quiet):
    assert poll_interval([*some, *others], quiet) <= poll_interval(some, quiet) * (1 + 1e-9)


@given(stood, seconds)
def test_the_order_of_the_jobs_does_not_matter(stood, quiet):
    assert poll_interval(stood, quiet) == pytest.approx(poll_interval(reversed(stood), quiet))
