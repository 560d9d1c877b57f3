"""A forecast checks its numbers, and its parts fit together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.monitor.forecast import forecast
from gitlab_jobs_async.monitor.hints.question_rate import JOBS_PER_REQUEST, SHARES

counts = st.integers(1, 20_000)
CROWDED = int(JOBS_PER_REQUEST)
limits = st.none() | st.integers(1, 5000)


@st.composite
def plans(draw):
    projects = draw(counts)
    return projects, draw(st.integers(0, projects)), draw(limits), draw(limits)


def planned(plan):
    projects, busy, per_minute, listings = plan
    return forecast(projects, busy=busy, per_minute=per_minute, jobs_index_per_minute=listings)


def ways(expected):
    return [way for way in (expected.rest, expected.graphql) if way is not None]


@given(plans())
def test_requests_fit_the_limits(plan):
    expected = planned(plan)
    most = expected.limits
    assert 0 < most.listings <= most.all <= most.most == (plan[2] or 600)
    assert most.listings <= (plan[3] or most.most)
    for way in ways(expected):
        listings = way.requests_per_minute - way.questions_per_minute
        assert 0 <= way.questions_per_minute <= way.requests_per_minute <= most.all * (1 + 1e-9)
        assert listings <= most.listings * (1 + 1e-9)
        assert (way.busy.projects, way.idle.projects) == (plan[1], plan[0] - plan[1])
    parts = expected.rest.busy.requests_per_minute + expected.rest.idle.requests_per_minute
    assert expected.rest.requests_per_minute == pytest.approx(parts)


@given(plans())
def test_busy_projects_are_detected_sooner(plan):
    expected = planned(plan)
    for way in ways(expected):
        assert way.stretch >= 1
        assert way.name == "hints" or way.busy.interval < way.idle.interval
        for kind in (way.busy, way.idle):
            assert 0 < kind.median < kind.most
    rest = expected.rest
    assert rest.busy.median < rest.idle.median


@given(plans())
def test_graphql_helps_idle_projects(plan):
    expected = planned(plan)
    if expected.graphql is not None:
        assert expected.graphql.idle.most <= expected.rest.idle.most * (1 + 1e-9)


@given(plans(), st.integers(1, 5000))
def test_larger_limit_or_fewer_projects_help(plan, more):
    projects, busy, per_minute, listings = plan
    expected = planned(plan)
    larger = planned((projects, busy, per_minute and per_minute + more, listings))
    assert larger.rest.stretch <= expected.rest.stretch
    crowded = planned((projects + more, busy, per_minute, listings))
    assert crowded.rest.stretch >= expected.rest.stretch
    assert crowded.rest.first_round > expected.rest.first_round


@pytest.mark.parametrize(
    ("projects", "busy", "per_minute", "name"),
    [
        (10, 1, 100, None),
        (11, 1, 100, "hints"),
        (11, 2, 100, None),
        (90 * CROWDED, 20, 100, "hints"),
        (90 * CROWDED + 1, 20, 100, "scan"),
        (540 * CROWDED, 20, None, "hints"),
        (540 * CROWDED + 1, 20, None, "scan"),
    ],
)
def test_way_by_graphql_depends_on_crowding(projects, busy, per_minute, name):
    way = forecast(projects, busy=busy, per_minute=per_minute).graphql
    assert (way and way.name) == name


def test_limit_of_listings_binds_rest_alone():
    usual = forecast(3000, busy=60, per_minute=600)
    larger = forecast(3000, busy=60, per_minute=2000)
    raised = forecast(3000, busy=60, per_minute=2000, jobs_index_per_minute=1000)
    assert (larger.limits.all, larger.limits.listings) == (1800, 540)
    assert larger.rest == usual.rest
    assert raised.rest.stretch < larger.rest.stretch
    assert larger.graphql.stretch <= usual.graphql.stretch


def test_first_round_shares_the_limit():
    expected = forecast(10_000, busy=200, per_minute=100)
    alone, shared = expected.rest.first_round, expected.graphql.first_round
    assert alone == pytest.approx(60 * 10_000 / 90)
    assert alone < shared < alone / (1 - SHARES["jobs"])


def test_unknown_limits_are_those_of_gitlab():
    assert forecast(1000, busy=20) == forecast(1000, busy=20, per_minute=600)
    assert forecast(1000, busy=20, jobs_index_per_minute=None) == forecast(1000, busy=20)


@pytest.mark.parametrize(
    ("projects", "busy", "per_minute", "low", "high"),
    [
        (1000, 20, 100, 22, 30),
        (1000, 1, 100, 10, 13),
        (1000, 0, 100, 9, 11),
        (10_000, 200, 100, 67, 68),
    ],
)
def test_busy_projects_cause_small_questions(projects, busy, per_minute, low, high):
    # The simulated day sends 26 a minute about 1,000 projects, 54 in each, 20 of them busy.
    way = forecast(projects, busy=busy, per_minute=per_minute).graphql
    assert low < way.questions_per_minute < high
    parts = way.busy.requests_per_minute + way.idle.requests_per_minute
    assert way.questions_per_minute == pytest.approx(parts)


def test_complete_events_cost_only_in_a_scan():
    assert forecast(500, busy=20, per_minute=100).complete == 0
    scan = forecast(10_000, busy=200, per_minute=100)
    assert 0 < scan.complete < 60 * 200 / scan.graphql.busy.interval
    assert forecast(10_000, busy=20, per_minute=100).complete < scan.complete


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"projects": 0, "busy": 0}, ValueError, "projects must be a whole number above 0, not 0"),
        ({"projects": 5, "busy": -1}, ValueError, "busy must be a whole number from 0, not -1"),
        ({"projects": 5, "busy": 6}, ValueError, "busy must be at most the 5 of projects, not 6"),
        ({"projects": 5, "busy": 1, "per_minute": 0}, ValueError, "per_minute must be .* not 0"),
        ({"projects": 5, "busy": 1, "jobs_index_per_minute": 0}, ValueError,
         "jobs_index_per_minute must be .* not 0"),
        ({"projects": "5", "busy": 1}, TypeError, "projects must be .* not '5'"),
        ({"projects": 5, "busy": True}, TypeError, "busy must be .* not True"),
        ({"projects": 5, "busy": 1, "per_minute": 1.5}, TypeError, "per_minute must .* not 1.5"),
    ],
)  # fmt: skip
def test_invalid_numbers_are_refused_by_name(given, error, said):
    projects = given.pop("projects")
    with pytest.raises(error, match=said):
        forecast(projects, **given)
