"""Unit tests of outage tolerance: transient errors are retried, client errors raised."""

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
from gitlab_jobs_async.retry.outage import OutageTolerance, outage_seconds

WHERE = ("GET", "https://gitlab.example.com/api/v4/trace")
LOST = ConnectionFailedError("reset", *WHERE)
TRANSIENT = [
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
PERMANENT = [
    AuthenticationError(401, "no", *WHERE),
    PermissionDeniedError(403, "no", *WHERE),
    NotFoundError(404, "no", *WHERE),
    ConflictError(409, "409 Conflict", *WHERE),
    *(ServerError(status, "never", *WHERE) for status in (501, 505, 508)),
]


@pytest.mark.parametrize("error", TRANSIENT, ids=repr)
def test_transient_error_is_tolerated(error):
    tolerance = OutageTolerance(60.0)
    assert tolerance.tolerates(error)
    assert tolerance.next_delay(error, 100.0, jitter=0.5) > 0
    assert not tolerance.is_healthy
    tolerance.succeeded()
    assert tolerance.is_healthy


@pytest.mark.parametrize("error", PERMANENT, ids=repr)
def test_client_error_ends_at_once(error):
    assert OutageTolerance(math.inf).next_delay(error, 0.0, jitter=0.0) is None


@given(st.floats(0.1, 1e5), st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_last_attempt_is_at_outage_timeout(seconds, chances):
    tolerance, now = OutageTolerance(seconds), 1000.0
    for jitter in chances:
        wait = tolerance.next_delay(LOST, now, jitter=jitter)
        if wait is None:
            assert now >= 1000.0 + seconds - 0.001
            break
        assert 0 < wait <= 30.0
        now += wait
    assert now <= 1000.0 + seconds + 0.001


def test_success_restarts_outage_timeout():
    tolerance = OutageTolerance(10.0)
    assert tolerance.next_delay(LOST, 0.0, jitter=1.0)
    assert tolerance.next_delay(LOST, 10.0, jitter=1.0) is None
    tolerance.succeeded()
    assert tolerance.next_delay(LOST, 20.0, jitter=1.0) == 2.0


def test_retry_after_is_obeyed_within_timeout():
    tolerance = OutageTolerance(100.0)
    assert tolerance.next_delay(RateLimitedError(429, "", *WHERE, 40.0), 0.0, jitter=0.0) == 40.0
    assert tolerance.next_delay(RateLimitedError(429, "", *WHERE, 61.0), 40.0, jitter=0.0) is None


@pytest.mark.parametrize("status", [408, 425, 503])
def test_outage_honours_retry_after_of_any_status(status):
    asked = ResponseError(status, "", *WHERE, 40.0)
    assert OutageTolerance(100.0).next_delay(asked, 0.0, jitter=0.0) == 40.0


def test_outage_timeout_of_zero_never_retries():
    assert OutageTolerance(outage_seconds(0)).next_delay(LOST, 0.0, jitter=0.0) is None
    assert outage_seconds(math.inf) == math.inf


@pytest.mark.parametrize("wrong", [-1, math.nan, True, "5", None])
def test_outage_seconds_rejects_other_values(wrong):
    with pytest.raises((TypeError, ValueError), match="outage_timeout must be a number of seconds"):
        outage_seconds(wrong)


@pytest.mark.parametrize("asked", [0.0, 0.1])
def test_retry_after_of_zero_is_no_tight_loop(asked):
    tolerance = OutageTolerance(60.0)
    for least in (1.0, 2.0, 4.0):
        error = RateLimitedError(429, "later", *WHERE, asked)
        assert tolerance.next_delay(error, 0.0, jitter=0.0) >= least


def test_retry_after_of_a_year_waits_an_hour():
    error = ServerError(503, "later", *WHERE, 1e9)
    assert OutageTolerance(math.inf).next_delay(error, 0.0, jitter=0.0) == 3600
    assert OutageTolerance(300.0).next_delay(error, 0.0, jitter=0.0) is None


def test_denial_is_retried_if_allowed():
    denied = AuthenticationError(401, "no", *WHERE)
    tolerance = OutageTolerance(300.0, max_denials=3)
    assert tolerance.next_delay(denied, 0.0, jitter=1.0) is None
    for _ in range(2):
        tolerance.succeeded()
        waits = [tolerance.next_delay(denied, 0.0, jitter=1.0) for _ in range(4)]
        assert waits == [1.0, 2.0, 4.0, None]
    assert OutageTolerance(0.0, max_denials=3).next_delay(denied, 0.0, jitter=1.0) is None


def test_rate_limit_is_outlasted_if_allowed():
    """One absurd `Retry-After` must not end every log of a monitor."""
    limited, down = (kind(*WHERE) for kind in (year_limit, year_outage))
    tolerance = OutageTolerance(300.0, outlasts_rate_limits=True)
    for now in (0.0, 1e6, 1e9):
        assert tolerance.next_delay(limited, now, jitter=0.0) == 60
        assert not tolerance.is_healthy
    assert tolerance.next_delay(down, 0.0, jitter=0.0) == 60
    assert tolerance.next_delay(down, 301.0, jitter=0.0) is None
    assert OutageTolerance(300.0).next_delay(limited, 0.0, jitter=0.0) is None


def year_limit(*where):
    return RateLimitedError(429, "later", *where, 31_536_000)


def year_outage(*where):
    return ServerError(503, "later", *where, 31_536_000)
