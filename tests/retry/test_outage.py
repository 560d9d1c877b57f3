"""Trouble is waited through for as long as was allowed; a refusal not at all."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import (
    AuthenticationError,
    ConflictError,
    ConnectionFailedError,
    DecodeError,
    ListingChangedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ResponseError,
    ServerError,
    TimedOutError,
)
from gitlab_jobs_async.retry.outage import OutageTolerance, checked

WHERE = ("GET", "https://gitlab.example.com/api/v4/trace")
LOST = ConnectionFailedError("reset", *WHERE)
PASSING = [
    LOST,
    TimedOutError("slow", *WHERE),
    ServerError(502, "bad gateway", *WHERE),
    RateLimitedError(429, "later", *WHERE),
    DecodeError("an HTML page", *WHERE),
    ListingChangedError(*WHERE),
    ConflictError(409, "409 Conflict: Resource lock", *WHERE),
    *(ResponseError(status, "not now", *WHERE) for status in (408, 425)),
    *(ServerError(status, "not now", *WHERE) for status in (500, 507, 520, 527, 529, 530)),
]
REFUSALS = [
    AuthenticationError(401, "no", *WHERE),
    PermissionDeniedError(403, "no", *WHERE),
    NotFoundError(404, "no", *WHERE),
    ConflictError(409, "409 Conflict", *WHERE),
    *(ServerError(status, "never", *WHERE) for status in (501, 505, 508)),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_may_pass_is_waited_for(error):
    tolerance = OutageTolerance(60.0)
    assert tolerance.is_for(error)
    assert tolerance.wait_after(error, 100.0, jitter=0.5) > 0
    assert not tolerance.is_fresh
    tolerance.succeeded()
    assert tolerance.is_fresh


@pytest.mark.parametrize("error", REFUSALS, ids=repr)
def test_a_refusal_is_not_waited_for(error):
    assert OutageTolerance(math.inf).wait_after(error, 0.0, jitter=0.0) is None


@given(st.floats(0.1, 1e5), st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_the_last_try_comes_when_all_patience_is_spent(seconds, chances):
    tolerance, now = OutageTolerance(seconds), 1000.0
    for jitter in chances:
        wait = tolerance.wait_after(LOST, now, jitter=jitter)
        if wait is None:
            assert now >= 1000.0 + seconds - 0.001
            break
        assert 0 < wait <= 30.0
        now += wait
    assert now <= 1000.0 + seconds + 0.001


def test_success_gives_all_patience_back():
    tolerance = OutageTolerance(10.0)
    assert tolerance.wait_after(LOST, 0.0, jitter=1.0)
    assert tolerance.wait_after(LOST, 10.0, jitter=1.0) is None
    tolerance.succeeded()
    assert tolerance.wait_after(LOST, 20.0, jitter=1.0) == 2.0


def test_the_server_says_how_long_to_wait_as_long_as_it_is_allowed():
    tolerance = OutageTolerance(100.0)
    assert tolerance.wait_after(RateLimitedError(429, "", *WHERE, 40.0), 0.0, jitter=0.0) == 40.0
    assert tolerance.wait_after(RateLimitedError(429, "", *WHERE, 61.0), 40.0, jitter=0.0) is None


@pytest.mark.parametrize("status", [408, 425, 503])
def test_outage_honours_retry_after_of_any_status(status):
    asked = ResponseError(status, "", *WHERE, 40.0)
    assert OutageTolerance(100.0).wait_after(asked, 0.0, jitter=0.0) == 40.0


def test_no_patience_is_none():
    assert OutageTolerance(checked(0)).wait_after(LOST, 0.0, jitter=0.0) is None
    assert checked(math.inf) == math.inf


@pytest.mark.parametrize("wrong", [-1, math.nan, True, "5", None])
def test_what_is_no_time_is_refused(wrong):
    with pytest.raises((TypeError, ValueError), match="outage_timeout must be a number of seconds"):
        checked(wrong)


@pytest.mark.parametrize("asked", [0.0, 0.1])
def test_retry_after_of_zero_is_no_tight_loop(asked):
    tolerance = OutageTolerance(60.0)
    for least in (1.0, 2.0, 4.0):
        error = RateLimitedError(429, "later", *WHERE, asked)
        assert tolerance.wait_after(error, 0.0, jitter=0.0) >= least


def test_wait_of_a_year_is_asked_again_after_an_hour():
    error = ServerError(503, "later", *WHERE, 1e9)
    assert OutageTolerance(math.inf).wait_after(error, 0.0, jitter=0.0) == 3600
    assert OutageTolerance(300.0).wait_after(error, 0.0, jitter=0.0) is None


def test_denial_is_retried_if_allowed():
    denied = AuthenticationError(401, "no", *WHERE)
    tolerance = OutageTolerance(300.0, most_denials=3)
    assert tolerance.wait_after(denied, 0.0, jitter=1.0) is None
    for _ in range(2):
        tolerance.succeeded()
        waits = [tolerance.wait_after(denied, 0.0, jitter=1.0) for _ in range(4)]
        assert waits == [1.0, 2.0, 4.0, None]
    assert OutageTolerance(0.0, most_denials=3).wait_after(denied, 0.0, jitter=1.0) is None


def test_rate_limit_is_outlasted_if_allowed():
    """Else one absurd answer would end every log of a monitor."""
    limited, down = (kind(*WHERE) for kind in (limit_of_a_year, outage_of_a_year))
    tolerance = OutageTolerance(300.0, outlasts_limits=True)
    for now in (0.0, 1e6, 1e9):
        assert tolerance.wait_after(limited, now, jitter=0.0) == 60
        assert not tolerance.is_fresh
    assert tolerance.wait_after(down, 0.0, jitter=0.0) == 60
    assert tolerance.wait_after(down, 301.0, jitter=0.0) is None
    assert OutageTolerance(300.0).wait_after(limited, 0.0, jitter=0.0) is None


def limit_of_a_year(*where):
    return RateLimitedError(429, "later", *where, 31_536_000)


def outage_of_a_year(*where):
    return ServerError(503, "later", *where, 31_536_000)
