"""When a failed request is sent again, and how long that waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import (
    ConflictError,
    ConnectionFailedError,
    DecodeError,
    RateLimitedError,
    ResponseError,
    RetryPolicy,
    TimedOutError,
)

POLICY = RetryPolicy()


def wait(error, *, tried=1, is_safe=True, jitter=1.0, policy=POLICY):
    return policy.wait_before_retry(tried, error, is_safe=is_safe, jitter=jitter)


def response(status, message="m", retry_after=None, kind=ResponseError):
    return kind(status, message, "GET", "u", retry_after)


LOST = ConnectionFailedError("lost", "GET", "u")
UNMADE = ConnectionFailedError("refused", "POST", "u", False)
LIMITED = response(429, kind=RateLimitedError)
LOCKED = response(409, "409 Conflict: Resource lock", kind=ConflictError)


@pytest.mark.parametrize(
    ("error", "get", "post"),
    [
        (LOST, True, False),
        (UNMADE, True, True),
        (TimedOutError("slow", "GET", "u"), True, False),
        (LIMITED, True, True),
        (LOCKED, True, True),
        (response(409, "409 Conflict", kind=ConflictError), False, False),
        (DecodeError("html", "GET", "u"), False, False),
        *((response(status), True, False) for status in (500, 502, 503, 504, 520, 524, 530)),
        *((response(status), False, False) for status in (400, 401, 403, 404, 405, 422, 501)),
    ],
)
def test_a_get_is_sent_again_freely_a_post_only_if_it_did_nothing(error, get, post):
    assert (wait(error) is not None) == get
    assert (wait(error, is_safe=False) is not None) == post


@given(
    st.integers(1, 10_000), st.floats(0, 1), st.sampled_from([LOST, LIMITED, response(503)]),
    st.booleans(),
)  # fmt: skip
def test_a_wait_is_never_negative_nor_above_the_cap_and_tries_end(tried, jitter, error, is_safe):
    policy = RetryPolicy(attempts=5000, base=0.5, cap=8)
    seconds = wait(error, tried=tried, jitter=jitter, is_safe=is_safe, policy=policy)
    assert seconds is None or 0 <= seconds <= 8
    assert tried < 5000 or seconds is None


def test_waits_grow_twofold_up_to_the_cap():
    assert [wait(LOST, tried=n) for n in range(1, 6)] == [1, 2, 4, 8, None]
    assert wait(LOST, tried=9, policy=RetryPolicy(attempts=10, cap=20)) == 20
    assert wait(LOST, jitter=0) == 0


@pytest.mark.parametrize(
    ("asked", "seconds"), [(0, 0.5), (60, 60.5), (120, 120.5), (121, None), (3600, None)]
)
def test_the_server_says_how_long_unless_that_is_the_callers_decision(asked, seconds):
    assert wait(response(429, retry_after=asked, kind=RateLimitedError)) == seconds


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"base": -1}, {"cap": 0}])
def test_a_policy_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RetryPolicy(**wrong)
