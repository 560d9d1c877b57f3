"""Unit tests of the retry policy: which requests are retried, after how many seconds."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import (
    ConflictError,
    ConnectionFailedError,
    DecodeError,
    RateLimitedError,
    Request,
    Response,
    ResponseError,
    RetryPolicy,
    TimedOutError,
)
from gitlab_jobs_async.api.responses import error_of

POLICY = RetryPolicy()


def wait(error, *, attempts=1, is_safe=True, jitter=1.0, policy=POLICY):
    return policy.wait_before_retry(attempts, error, is_safe=is_safe, jitter=jitter)


def response(status, message="m", retry_after=None, kind=ResponseError):
    return kind(status, message, "GET", "u", retry_after)


LOST = ConnectionFailedError("lost", "GET", "u")
UNMADE = ConnectionFailedError("refused", "POST", "u", False)
SLOW = TimedOutError("response incomplete after 30 s", "GET", "u")
LIMITED = response(429, kind=RateLimitedError)
LOCKED = response(409, "409 Conflict: Resource lock", kind=ConflictError)

FAILURES = {
    "connection lost or body truncated": (LOST, True, False),
    "timeout": (SLOW, True, False),
    "connection refused": (UNMADE, True, True),
    "connection timed out": (TimedOutError("slow", "GET", "u", False), True, True),
    "429": (LIMITED, True, True),
    "409, locked": (LOCKED, True, True),
    "409, locked, other case": (
        response(409, "resource LOCK", kind=ConflictError),
        True,
        True,
    ),
    "409, other": (response(409, "409 Conflict", kind=ConflictError), False, False),
    "a web page": (DecodeError("html", "GET", "u"), False, False),
    **{
        str(status): (response(status), True, False)
        for status in (408, 425, 500, 502, 503, 504, 507, 509, *range(520, 532), 598, 599)
    },
    **{
        str(status): (response(status), False, False)
        for status in (301, 400, 401, 403, 404, 405, 412, 422, 501, 505, 506, 508, 510, 511, 999)
    },
}


@pytest.mark.parametrize(("error", "safe", "unsafe"), FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("verb", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_actions_are_retried_only_if_unprocessed(verb, error, safe, unsafe):
    is_safe = Request(verb, "/projects/1/jobs").is_safe
    assert is_safe == (verb in {"GET", "HEAD"})
    assert (wait(error, is_safe=is_safe) is not None) == (safe if is_safe else unsafe)


NOW = 1_750_000_000.0


@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        ("7.5", 7.5),
        (" 60 ", 60),
        ("120", 120),
        ("5, 9", 9),
        ("121", None),
        ("3600", None),
        ("9" * 400, None),
        (formatdate(NOW + 30, usegmt=True), 30),
        (formatdate(NOW, usegmt=True), 0),
        (formatdate(NOW - 30, usegmt=True), 0),
        (formatdate(NOW + 3600, usegmt=True), None),
        ("Wed, 21 Oct 2015 07:28:00", 0),
        ("-5", "backoff"),
        ("soon", "backoff"),
        ("", "backoff"),
        ("1e3", "backoff"),
        ("٣", "backoff"),
        ("Wed, 99 Oct 2015", "backoff"),
    ],
)
def test_valid_retry_after_sets_the_wait(verb, said, seconds):
    headers = {"retry-after": said, "date": formatdate(NOW, usegmt=True)}
    error = error_of(Response(429, headers, b"Retry later", verb, "u"), NOW + 1e6)
    expected = {None: None, "backoff": 1.0}
    if seconds not in expected:
        expected[seconds] = seconds + 0.5
    assert wait(error, is_safe=verb == "GET") == expected[seconds]


@given(
    st.integers(1, 10_000), st.floats(0, 1), st.sampled_from([LOST, LIMITED, response(503)]),
    st.booleans(),
)  # fmt: skip
def test_wait_is_within_cap_and_retries_end(attempts, jitter, error, is_safe):
    policy = RetryPolicy(attempts=5000, base=0.5, cap=8)
    seconds = wait(error, attempts=attempts, jitter=jitter, is_safe=is_safe, policy=policy)
    assert seconds is None or 0 <= seconds <= 8
    assert attempts < 5000 or seconds is None


def test_waits_double_up_to_the_cap():
    assert [wait(LOST, attempts=n) for n in range(1, 6)] == [1, 2, 4, 8, None]
    assert wait(LOST, attempts=9, policy=RetryPolicy(attempts=10, cap=20)) == 20
    assert wait(LOST, jitter=0) == 0


@pytest.mark.parametrize(
    ("asked", "seconds"), [(0, 0.5), (60, 60.5), (120, 120.5), (121, None), (3600, None)]
)
def test_retry_after_above_the_limit_is_raised(asked, seconds):
    assert wait(response(429, retry_after=asked, kind=RateLimitedError)) == seconds


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"attempts": 1.5},
        {"attempts": True},
        {"base": -1},
        {"base": float("nan")},
        {"base": float("inf")},
        {"base": "1"},
        {"cap": 0},
        {"cap": None},
        {"cap": float("inf")},
        {"longest_retry_after": -1},
        {"longest_retry_after": True},
    ],
)
def test_policy_rejects_invalid_values(wrong):
    with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
        RetryPolicy(**wrong)
