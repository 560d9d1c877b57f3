"""A target is polled by its interval, sooner after a hint, later after an error."""

import math

import pytest

from gitlab_jobs_async import RateLimitedError, ServerError
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.schedule.timer import MIN_INTERVAL, PollTimer, poll_interval
from tests.support.sample_jobs import START

URL = "https://gitlab.example.com/api/v4/projects/7/jobs"


def test_interval_goes_by_ages_and_quiet():
    timer = PollTimer()
    timer.on_success(START, [10.0])
    assert (timer.active_at, timer.polled_at) == (START, START)
    assert timer.interval == pytest.approx(poll_interval([10.0], 0.0))
    timer.on_success(START + 600, [])
    assert timer.interval == pytest.approx(poll_interval([], 600.0))


def test_hint_keeps_the_minimum_interval():
    timer = PollTimer()
    timer.on_success(START, [])
    timer.poll_now(START + 1)
    assert timer.next_at == START + MIN_INTERVAL
    timer.poll_now(START + 2)
    assert timer.next_at == START + MIN_INTERVAL


def test_hint_never_delays_a_poll():
    timer = PollTimer(next_at=START + 1, polled_at=START - 100)
    timer.poll_now(START + 50)
    assert timer.next_at == START + 1


@pytest.mark.parametrize(
    ("asked", "wait"), [(None, 30), (0.0, 30), (100.0, 100), (3600.0, 3600), (10.0**9, 60)]
)
def test_error_waits_for_retry_after(asked, wait):
    timer, availability = PollTimer(), TargetAvailability(7, "7")
    events = timer.on_error(
        START, ServerError(503, "down", "GET", URL, retry_after=asked), availability
    )
    assert len(events) == 1
    assert (timer.polled_at, timer.next_at) == (START, START + wait)


def test_rate_limit_waits_without_an_event():
    timer, availability = PollTimer(), TargetAvailability(7, "7")
    assert (
        timer.on_error(START, RateLimitedError(429, "later", "GET", URL, 60.0), availability) == []
    )
    assert timer.interval == 60.0


def test_restored_timer_equals_the_old_one():
    timer = PollTimer()
    timer.on_success(START, [10.0])
    again = PollTimer.restored(timer.progress(0), START + 1)
    assert again == timer
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
def test_odd_progress_does_not_delay_a_poll(progress, next_at):
    assert PollTimer.restored(progress, START).next_at == next_at


@pytest.mark.parametrize(
    ("active_at", "restored"),
    [(None, None), (START - 5, START - 5), (START + 5, START), (math.inf, None), (math.nan, None)],
)
def test_odd_activity_is_dropped(active_at, restored):
    assert PollTimer.restored(Progress(START, 5.0, active_at), START).active_at == restored
