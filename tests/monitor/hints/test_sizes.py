"""The size of a question follows the time of the server alone."""

import pytest

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.errors import (
    ConnectionFailedError,
    GraphQLError,
    ResponseTooLargeError,
    TimedOutError,
)
from gitlab_jobs_async.monitor.hints.planner import QuestionPlanner
from gitlab_jobs_async.monitor.hints.question_size import QuestionSize


@pytest.mark.parametrize(
    ("seconds", "size"), [(0.5, 100), (1.9, 100), (3.0, 50), (5.0, 50), (5.1, 25)]
)
def test_size_follows_the_time_of_the_server(seconds, size):
    planner = QuestionPlanner(ServerCapabilities())
    planner.set_rate(200, requests=1.0, polls=1.0)
    for number in range(1, 201):
        planner.offer(f"p{number}", number, 0.0, 0.0, is_idle=True)
    batch = planner.take(60.0)
    assert len(batch.names) == 50
    # The answer arrives long after the question was chosen, as the request limit held it back.
    planner.on_answer(batch, {}, 120.0, seconds)
    assert planner.size == size


def sizes_after(size, error):
    """Return the sizes after a question about 100 projects failed, and after quick answers."""
    size.on_answer(50, 1.0, 0.0)
    size.on_error(100, error, 0.0)
    sizes = [size.projects]
    for now in (1.0, 3599.0, 3600.0, 3601.0):
        size.on_answer(size.projects, 1.0, now)
        sizes.append(size.projects)
    return sizes


WHERE = ("POST", "/api/graphql")


@pytest.mark.parametrize(
    "error",
    [
        GraphQLError(("too complex",), (None,), *WHERE),
        ResponseTooLargeError("page", 4, *WHERE),
        TimedOutError("no whole answer", *WHERE),
    ],
)
def test_too_large_size_is_avoided_for_an_hour(error):
    assert sizes_after(QuestionSize(), error) == [50, 50, 50, 100, 100]


def test_lost_connection_limits_no_size():
    """It may have any cause, and passes."""
    error = ConnectionFailedError("reset", *WHERE)
    assert sizes_after(QuestionSize(), error) == [50, 100, 100, 100, 100]


def test_slow_answer_limits_the_size():
    size = QuestionSize()
    size.on_answer(50, 6.0, 0.0)
    size.on_answer(25, 1.0, 1.0)
    assert size.projects == 25
    size.on_answer(25, 1.0, 3600.0)
    assert size.projects == 50


def test_smallest_size_is_one():
    size = QuestionSize()
    for _ in range(9):
        size.on_error(size.projects, ConnectionFailedError("reset", *WHERE), 0.0)
    assert size.projects == 1
