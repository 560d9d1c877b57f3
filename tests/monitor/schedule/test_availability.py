"""A target that cannot be polled is reported once, and once when it can again."""

import pytest

from gitlab_jobs_async import ConnectionFailedError, NotFoundError, RateLimitedError, ServerError
from gitlab_jobs_async.errors import AuthenticationError, GitLabError
from gitlab_jobs_async.events import ProjectRecovered, ProjectUnreachable
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability, is_gone

URL = "https://gitlab.example.com/api/v4/projects/7/jobs"


def server_error(status=502):
    return ServerError(status, "down", "GET", URL)


def test_an_outage_is_reported_once():
    reach = TargetAvailability("group/app", "group/app")
    (lost,) = reach.failed(server_error())
    assert (type(lost), lost.project, lost.status) == (ProjectUnreachable, "group/app", 502)
    assert "down" in lost.reason
    assert reach.failed(server_error()) == []
    (found,) = reach.succeeded()
    assert type(found) is ProjectRecovered
    assert reach.succeeded() == []


def test_each_outage_has_keys_of_its_own():
    reach, keys = TargetAvailability(7, "7"), []
    for _ in range(3):
        keys += [event.key for event in [*reach.failed(server_error()), *reach.succeeded()]]
    assert keys[0] == "target/7/0/unreachable"
    assert keys[1] == "target/7/1/recovered"
    assert len(set(keys)) == 6


def test_a_rate_limit_is_no_outage():
    reach = TargetAvailability(7, "7")
    assert reach.failed(RateLimitedError(429, "later", "GET", URL)) == []
    assert (reach.is_unreachable, reach.failures) == (False, 0)


def test_waits_double_and_begin_anew():
    reach, waits = TargetAvailability(7, "7"), []
    for _ in range(8):
        reach.failed(server_error())
        waits.append(reach.wait())
    assert waits == [30, 60, 120, 240, 480, 600, 600, 600]
    reach.succeeded()
    reach.failed(server_error())
    assert reach.wait() == 30


def test_endless_failures_wait_no_longer():
    assert TargetAvailability(7, "7", failures=10**9).wait() == 600


def test_a_lost_connection_has_no_status():
    (lost,) = TargetAvailability(7, "7").failed(ConnectionFailedError("lost", "GET", URL))
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
def test_what_is_gone_and_what_is_hidden(error, gone):
    """Whoever lost the right to see a project is told "404 Project Not Found"."""
    assert is_gone(error) is gone
