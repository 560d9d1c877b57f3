"""Pace of all polls of a client: the budget divided among logs, waits and monitors."""

from contextlib import ExitStack
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.polling.pace import PollPace
from gitlab_jobs_async.polling.policy import PollPolicy

POLICY = PollPolicy()


def pace_of(per_minute, monitors=0.0):
    return PollPace(lambda: per_minute / 60, lambda: monitors / 60)


def test_interval_is_wanted_one_with_room():
    with pace_of(12).join(POLICY) as share:
        assert share.interval == 5
        assert not share.is_stretched


def test_unlimited_budget_never_stretches():
    pace = pace_of(inf)
    with ExitStack() as members:
        shares = [members.enter_context(pace.join(POLICY)) for _ in range(1000)]
        assert {share.interval for share in shares} == {5.0}


def test_intervals_stretch_in_proportion():
    pace = pace_of(60)
    with ExitStack() as members:
        slow = members.enter_context(pace.join(PollPolicy(interval=10)))
        fast = [members.enter_context(pace.join(POLICY)) for _ in range(10)]
        # 126 requests a minute are wanted, and 60 allowed.
        assert slow.interval == pytest.approx(21)
        assert {round(share.interval, 9) for share in fast} == {10.5}
        assert pace.used == pytest.approx(1)
    with pace.join(POLICY) as share:
        assert share.interval == 5


def test_stretched_interval_has_a_maximum():
    pace = pace_of(1)
    with ExitStack() as members:
        shares = [members.enter_context(pace.join(POLICY)) for _ in range(100)]
        assert {share.interval for share in shares} == {60.0}


@pytest.mark.parametrize(
    ("monitors", "seconds"), [(0, 5), (30, 6), (1e9, 6), (25, 12 * 5 * 3 / 35)]
)
def test_monitors_leave_half_of_the_rate(monitors, seconds):
    pace = pace_of(60, monitors)
    with pace.join(POLICY, 3.0) as share:
        assert share.interval == pytest.approx(max(5, seconds))


def test_claim_replaces_the_one_before():
    pace = pace_of(60)
    with pace.join(POLICY, 10.0) as share:
        assert share.interval == pytest.approx(10)
        share.claim(0.5)
        assert share.interval == 5
        assert pace.demand == pytest.approx(0.1)


@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(0, 10)), max_size=20), st.floats(1, 1e4))
def test_members_share_at_most_the_rate(members, per_minute):
    pace = pace_of(per_minute)
    with ExitStack() as stack:
        for interval, requests in members:
            policy = PollPolicy(interval=interval, max_interval=1e9)
            stack.enter_context(pace.join(policy, requests))
        assert pace.used <= per_minute / 60 * (1 + 1e-9)
        assert pace.stretch >= 1
    assert pace.demand == 0


def test_members_leave_what_they_do_not_use():
    pace = pace_of(60)
    assert pace.left == 1
    with pace.join(POLICY, 2.0):
        assert pace.left == pytest.approx(1 - 0.4)
        with pace.join(POLICY, 5.0):
            assert pace.left == pytest.approx(0.5)
    assert pace_of(inf).left == inf


@given(
    st.floats(1, 10_000),
    st.floats(0, 10_000),
    st.lists(st.tuples(st.floats(1, 60), st.floats(0, 20)), max_size=20),
)
def test_monitors_keep_half_of_the_rate(per_minute, monitors, members):
    pace = pace_of(per_minute, monitors)
    with ExitStack() as stack:
        for interval, requests in members:
            policy = PollPolicy(interval=interval, max_interval=60)
            stack.enter_context(pace.join(policy, requests))
        rate = per_minute / 60
        assert rate / 2 * (1 - 1e-9) <= pace.left <= rate * (1 + 1e-9)
        # Monitors that ask for half or more leave room for all the rest.
        if monitors >= per_minute / 2:
            assert pace.used + pace.left <= rate * (1 + 1e-9)
