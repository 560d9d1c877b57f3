"""Times and durations for people and for programs."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.cli.views.times import (
    age,
    ago,
    length,
    local_and_ago,
    local_time,
    utc_time,
)
from gitlab_jobs_async.models.values import UNKNOWN_TIME

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, ""), (0, "0s"), (0.4, "0s"), (59.4, "59s"), (59.6, "1m 00s"), (61, "1m 01s"),
     (3599.9, "1h 00m"), (7260, "2h 01m"), (360000, "100h 00m")],
)  # fmt: skip
def test_length(seconds, shown):
    assert length(seconds) == shown


@pytest.mark.parametrize(
    ("ago", "shown"),
    [({"seconds": 0}, "0s"), ({"seconds": 59}, "59s"), ({"seconds": 60}, "1m"),
     ({"hours": 23}, "23h"), ({"hours": 24}, "1d"), ({"days": 364}, "364d"),
     ({"days": 800}, "2y"), ({"seconds": -30}, "0s")],
)  # fmt: skip
def test_age(ago, shown):
    assert age(NOW - timedelta(**ago), NOW) == shown


def test_no_time_is_empty():
    for at in (None, UNKNOWN_TIME):
        shown = {age(at, NOW), ago(at, NOW), utc_time(at), local_time(at), local_and_ago(at, NOW)}
        assert shown == {""}


@pytest.mark.parametrize(
    ("since", "shown"),
    [({"seconds": 0}, "just now"), ({"seconds": 59}, "59 s ago"), ({"seconds": 60}, "1 min ago"),
     ({"hours": 23, "minutes": 59}, "23 h ago"), ({"hours": 24}, "1 d ago"),
     ({"days": 364}, "364 d ago"), ({"days": 800}, "2 y ago"), ({"seconds": -30}, "in 30 s"),
     ({"hours": -3}, "in 3 h")],
)  # fmt: skip
def test_ago(since, shown):
    assert ago(NOW - timedelta(**since), NOW) == shown
    assert local_and_ago(NOW - timedelta(**since), NOW).endswith(f" ({shown})")


@given(st.datetimes(timezones=st.timezones()), st.datetimes(timezones=st.just(UTC)))
def test_any_time_is_one_word_or_relative(at, now):
    assert "\n" not in ago(at, now) + age(at, now)
    # Not by ==, which is false between zones where a clock is set back.
    second = at.replace(microsecond=0).timestamp()
    assert datetime.fromisoformat(utc_time(at)).timestamp() == second
    assert datetime.fromisoformat(local_time(at)).timestamp() == second
