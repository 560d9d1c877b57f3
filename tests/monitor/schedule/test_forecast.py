"""A forecast checks its numbers, and its parts fit together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.monitor.schedule.forecast import forecast

counts = st.integers(1, 20_000)
budgets = st.none() | st.integers(1, 5000)


@st.composite
def plans(draw):
    projects = draw(counts)
    return projects, draw(st.integers(0, projects)), draw(budgets)


@given(plans())
def test_requests_add_up_and_fit_the_budget(plan):
    projects, busy, per_minute = plan
    expected = forecast(projects, busy=busy, per_minute=per_minute)
    parts = expected.busy.requests_per_minute + expected.idle.requests_per_minute
    assert expected.requests_per_minute == pytest.approx(parts)
    assert expected.requests_per_minute <= min(per_minute or 600, 600) * (1 + 1e-9)
    assert (expected.busy.projects, expected.idle.projects) == (busy, projects - busy)


@given(plans())
def test_busy_projects_are_detected_sooner(plan):
    projects, busy, per_minute = plan
    expected = forecast(projects, busy=busy, per_minute=per_minute)
    assert expected.stretch >= 1
    assert expected.busy.interval < expected.idle.interval
    assert expected.busy.median < expected.idle.median
    for kind in (expected.busy, expected.idle):
        assert 0 < kind.median < kind.most


@given(plans(), st.integers(1, 5000))
def test_larger_budget_or_fewer_projects_help(plan, more):
    projects, busy, per_minute = plan
    expected = forecast(projects, busy=busy, per_minute=per_minute)
    larger = None if per_minute is None else per_minute + more
    assert forecast(projects, busy=busy, per_minute=larger).stretch <= expected.stretch
    crowded = forecast(projects + more, busy=busy, per_minute=per_minute)
    assert crowded.stretch >= expected.stretch
    assert crowded.first_round > expected.first_round


def test_default_budget_is_the_limit_of_gitlab():
    assert forecast(1000, busy=20) == forecast(1000, busy=20, per_minute=600)
    assert forecast(1000, busy=20, per_minute=5000) == forecast(1000, busy=20, per_minute=600)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"projects": 0, "busy": 0}, ValueError, "projects must be a whole number above 0, not 0"),
        ({"projects": 5, "busy": -1}, ValueError, "busy must be a whole number from 0, not -1"),
        ({"projects": 5, "busy": 6}, ValueError, "busy must be at most the 5 of projects, not 6"),
        ({"projects": 5, "busy": 1, "per_minute": 0}, ValueError, "per_minute must be .* not 0"),
        ({"projects": "5", "busy": 1}, TypeError, "projects must be .* not '5'"),
        ({"projects": 5, "busy": True}, TypeError, "busy must be .* not True"),
        ({"projects": 5, "busy": 1, "per_minute": 1.5}, TypeError, "per_minute must .* not 1.5"),
    ],
)
def test_invalid_numbers_are_refused_by_name(given, error, said):
    projects = given.pop("projects")
    with pytest.raises(error, match=said):
        forecast(projects, **given)
