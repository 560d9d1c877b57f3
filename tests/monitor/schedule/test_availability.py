"""An outage of a target is reported once, and so is its end."""

import pytest

from gitlab_jobs_async import ConnectionFailedError, NotFoundError, RateLimitedError, ServerError
from gitlab_jobs_async.errors import AuthenticationError, GitLabError
from gitlab_jobs_async.events import ProjectRecovered, ProjectUnreachable
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability, is_gone

URL = "https://gitlab.example.com/api/v4/projects/7/jobs"


def server_error(status=502):
    return ServerError(status, "down", "GET", URL)


def test_outage_is_reported_once():
    availability = TargetAvailability("group/app", "group/app")
    (lost,) = availability.on_error(server_error())
    assert (type(lost), lost.project, lost.status) == (ProjectUnreachable, "group/app", 502)
    assert "down" in lost.reason
    assert availability.on_error(server_error()) == []
    (found,) = availability.on_success()
    assert type(found) is ProjectRecovered
    assert availability.on_success() == []


def test_each_outage_has_its_own_keys():
    availability, keys = TargetAvailability(7, "7"), []
    for _ in range(3):
        keys += [
            event.key
            for event in [*availability.on_error(server_error()), *availability.on_success()]
        ]
    assert keys[0] == "target/7/0/unreachable"
    assert keys[1] == "target/7/1/recovered"
    assert len(set(keys)) == 6


def test_rate_limit_is_not_an_outage():
    availability = TargetAvailability(7, "7")
    assert availability.on_error(RateLimitedError(429, "later", "GET", URL)) == []
    assert (availability.is_unreachable, availability.failures) == (False, 0)


def test_retry_delays_double_until_success():
    availability, waits = TargetAvailability(7, "7"), []
    for _ in range(8):
        availability.on_error(server_error())
        waits.append(availability.retry_delay())
    assert waits == [30, 60, 120, 240, 480, 600, 600, 600]
    availability.on_success()
    availability.on_error(server_error())
    assert availability.retry_delay() == 30


def test_retry_delay_is_bounded():
    assert TargetAvailability(7, "7", failures=10**9).retry_delay() == 600


def test_lost_connection_has_no_status():
    (lost,) = TargetAvailability(7, "7").on_error(ConnectionFailedError("lost", "GET", URL))
    assert lost.status is None


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (NotFoundError(404, "404 Not found", "GET", URL), True),
        (NotFoundError(404, "404 Not Found", "GET", URL), True),
        (NotFoundError(404, "404 Project Not Found", "GET", URL), False),
        (NotFoundError(404, "no such page", "GET", URL), False),
        (AuthenticationError(401, "404", "GET", URL), False),
        (server_error(500), False),
        (GitLabError("404 Not found"), False),
    ],
)
def test_missing_object_is_gone_but_not_a_project(error, gone):
    """GitLab hides a private project, and its jobs, behind "404 Project Not Found"."""
    assert is_gone(error) is gone
