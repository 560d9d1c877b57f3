"""When a target is polled next: by its pace, sooner when hinted, later after a failure."""

import math

import pytest

from gitlab_jobs_async import RateLimitedError, ServerError
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.schedule.interval import SHORTEST, poll_interval
from gitlab_jobs_async.monitor.schedule.timer import PollTimer
from tests.support.sample_jobs import START

URL = "https://gitlab.example.com/api/v4/projects/7/jobs"


def test_the_pace_goes_by_open_jobs_and_quiet():
    timing = PollTimer()
    timing.looked(START, [10.0])
    assert (timing.active_at, timing.looked_at) == (START, START)
    assert timing.interval == pytest.approx(poll_interval([10.0], 0.0))
    timing.looked(START + 600, [])
    assert timing.interval == pytest.approx(poll_interval([], 600.0))


def test_hint_keeps_the_shortest_interval():
    timing = PollTimer()
    timing.looked(START, [])
    timing.hasten(START + 1)
    assert timing.next_at == START + SHORTEST
    timing.hasten(START + 2)
    assert timing.next_at == START + SHORTEST


def test_a_hint_never_delays_a_poll():
    timing = PollTimer(next_at=START + 1, looked_at=START - 100)
    timing.hasten(START + 50)
    assert timing.next_at == START + 1


@pytest.mark.parametrize(
    ("asked", "wait"), [(None, 30), (0.0, 30), (100.0, 100), (3600.0, 3600), (10.0**9, 60)]
)
def test_a_failure_waits_as_the_server_asks(asked, wait):
    timing, reach = PollTimer(), TargetAvailability(7, "7")
    events = timing.failed(START, ServerError(503, "down", "GET", URL, retry_after=asked), reach)
    assert len(events) == 1
    assert (timing.looked_at, timing.next_at) == (START, START + wait)


def test_a_rate_limit_is_waited_for_without_an_event():
    timing, reach = PollTimer(), TargetAvailability(7, "7")
    assert timing.failed(START, RateLimitedError(429, "later", "GET", URL, 60.0), reach) == []
    assert timing.interval == 60.0


def test_a_restart_goes_on_with_the_schedule():
    timing = PollTimer()
    timing.looked(START, [10.0])
    again = PollTimer.restored(timing.progress(0), START + 1)
    assert again == timing
    assert PollTimer.restored(None, START) == PollTimer()


@pytest.mark.parametrize(
    ("progress", "next_at"),
    [
        (Progress(START + 900, 5.0), START + 5.0),  # the clock was set back
        (Progress(math.inf, 5.0), 5.0),
        (Progress(math.nan, 5.0), 5.0),
        (Progress(START, 10.0**9), START),
        (Progress(START, -5.0), START),
        (Progress(START, math.nan), START),
    ],
)
def test_odd_progress_makes_no_long_wait(progress, next_at):
    assert PollTimer.restored(progress, START).next_at == next_at


@pytest.mark.parametrize(
    ("active_at", "restored"),
    [(None, None), (START - 5, START - 5), (START + 5, START), (math.inf, None), (math.nan, None)],
)
def test_odd_activity_is_none(active_at, restored):
    assert PollTimer.restored(Progress(START, 5.0, active_at), START).active_at == restored
