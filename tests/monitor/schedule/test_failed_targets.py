"""A failed target is polled again within an hour, whatever `Retry-After` says."""

import pytest

from gitlab_jobs_async import NotFoundError, PermissionDeniedError, RateLimitedError, ServerError
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.schedule.timer import PollTimer

WHERE = ("GET", "https://gitlab.example.com/api/v4/projects/1/jobs")
GONE = NotFoundError(404, "404 Project Not Found", *WHERE)


def fail(timer, availability, error, now=0.0):
    timer.on_error(now, error, availability)
    return timer.next_at - now


@pytest.mark.parametrize(("asked", "wait"), [(None, 30), (0, 30), (100, 100), (3600, 3600)])
def test_retry_after_within_an_hour_is_honoured(asked, wait):
    error = ServerError(503, "maintenance", *WHERE, asked)
    assert fail(PollTimer(), TargetAvailability(1, "1"), error) == wait


def test_excessive_retry_after_is_probed():
    timer, availability = PollTimer(), TargetAvailability(1, "1")
    error = ServerError(503, "maintenance", *WHERE, 31_536_000)
    waits = [fail(timer, availability, error) for _ in range(9)]
    assert waits == sorted(waits)
    assert waits[0] == 60
    assert waits[-1] == 3600
    timer.on_success(0.0, [])
    assert fail(timer, availability, error) <= 600


def test_first_refusal_counts_without_a_success():
    availability = TargetAvailability(1, "1")
    availability.on_error(GONE)
    assert availability.is_refused
    assert availability.refusal is GONE


def test_second_refusal_counts_after_a_success():
    availability = TargetAvailability(1, "1")
    availability.on_success()
    availability.on_error(GONE)
    assert not availability.is_refused
    availability.on_error(PermissionDeniedError(403, "403 Forbidden", *WHERE))
    assert availability.is_refused
    availability.on_success()
    assert not availability.is_refused
    assert availability.refusal is None


@pytest.mark.parametrize(
    "error", [ServerError(502, "x", *WHERE), RateLimitedError(429, "x", *WHERE)]
)
def test_outage_is_not_a_refusal(error):
    availability = TargetAvailability(1, "1")
    availability.on_error(error)
    assert not availability.is_refused


def test_rate_limit_keeps_a_refusal():
    availability = TargetAvailability(1, "1")
    availability.on_error(GONE)
    availability.on_error(RateLimitedError(429, "x", *WHERE))
    assert availability.is_refused
