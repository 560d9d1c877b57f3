"""When a target is polled again after a failure: soon enough, whatever the server asks for."""

import pytest

from gitlab_jobs_async import NotFoundError, PermissionDeniedError, RateLimitedError, ServerError
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.schedule.timer import PollTimer

WHERE = ("GET", "https://gitlab.example.com/api/v4/projects/1/jobs")
GONE = NotFoundError(404, "404 Project Not Found", *WHERE)


def fail(timing, reachability, error, now=0.0):
    timing.failed(now, error, reachability)
    return timing.next_at - now


@pytest.mark.parametrize(("asked", "wait"), [(None, 30), (0, 30), (100, 100), (3600, 3600)])
def test_retry_after_of_up_to_an_hour_is_obeyed(asked, wait):
    error = ServerError(503, "maintenance", *WHERE, asked)
    assert fail(PollTimer(), TargetAvailability(1, "1"), error) == wait


def test_absurd_wait_is_tested_ever_more_rarely():
    timing, reachability = PollTimer(), TargetAvailability(1, "1")
    error = ServerError(503, "maintenance", *WHERE, 31_536_000)
    waits = [fail(timing, reachability, error) for _ in range(9)]
    assert waits == sorted(waits)
    assert waits[0] == 60
    assert waits[-1] == 3600
    timing.looked(0.0, [])
    assert fail(timing, reachability, error) <= 600


def test_target_that_never_answered_is_refused_at_once():
    reachability = TargetAvailability(1, "1")
    reachability.failed(GONE)
    assert reachability.is_refused
    assert reachability.refusal is GONE


def test_second_refusal_of_a_target_counts():
    reachability = TargetAvailability(1, "1")
    reachability.succeeded()
    reachability.failed(GONE)
    assert not reachability.is_refused
    reachability.failed(PermissionDeniedError(403, "403 Forbidden", *WHERE))
    assert reachability.is_refused
    reachability.succeeded()
    assert not reachability.is_refused
    assert reachability.refusal is None


@pytest.mark.parametrize(
    "error", [ServerError(502, "x", *WHERE), RateLimitedError(429, "x", *WHERE)]
)
def test_outage_is_no_refusal(error):
    reachability = TargetAvailability(1, "1")
    reachability.failed(error)
    assert not reachability.is_refused


def test_rate_limit_takes_no_refusal_back():
    reachability = TargetAvailability(1, "1")
    reachability.failed(GONE)
    reachability.failed(RateLimitedError(429, "x", *WHERE))
    assert reachability.is_refused
