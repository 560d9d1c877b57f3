"""Each small machine of the limits alone: what counts, for how long, and how it comes back."""

import pytest

from gitlab_jobs_async.ratelimit.limits import AdaptiveLimit, FixedWindow, SlidingWindow

START = 1_750_000_000.0


def test_bucket_expires_with_its_last_request():
    minute = SlidingWindow()
    minute.add(START)
    minute.add(START + 0.24)
    assert minute.count(START + 60.0) == 2
    assert minute.next_expiry() == START + 60.24
    assert minute.count(START + 60.24) == 0


def test_request_counts_for_a_whole_minute():
    minute = SlidingWindow()
    minute.add(START)
    minute.add(START + 1)
    assert minute.count(START + 59.99) == 2
    assert minute.count(START + 60) == 1


def sends(throttle, at, count):
    for _ in range(count):
        assert throttle.room(at, 0, spare=False) >= 1
        throttle.succeeded(at)


def refused(throttle, at):
    """When it tries for more than its limit, having been refused and let in again."""
    throttle.refused(at, 60.0, None)
    assert throttle.room(at + 60, 0, spare=False) >= 1
    return throttle.opens(at + 60)


def test_probe_backoff_is_reset_by_success():
    """Each try in vain doubles the wait; one that finds more begins anew."""
    throttle = AdaptiveLimit()
    sends(throttle, START, 50)
    at = refused(throttle, START)
    assert at == START + 60 + 60
    for tried, following in ((50, 120), (50, 240), (51, 60)):
        sends(throttle, at, tried)
        assert throttle.room(at, 0, spare=False) >= 1
        before, at = at, refused(throttle, at)
        assert at == before + 60 + following


def test_lost_request_counts_in_the_next_window_too():
    window = FixedWindow(100, START + 20, 10)
    window.lost()
    assert window.remaining == 9
    window.told(160, START + 80, 10)
    assert window.remaining == 9
    window.told(220, START + 140, 10)
    assert window.remaining == 10


def test_lost_request_counts_after_a_gap():
    window = FixedWindow(100, START + 20, 10)
    window.lost()
    assert not window.is_over(START + 20)
    assert window.remaining == 11 - 1


@pytest.mark.parametrize("sooner", [5.0, 60.0])
def test_throttle_opens_sooner_once(sooner):
    throttle = AdaptiveLimit()
    throttle.refused(START, 60.0, None, sooner=sooner)
    assert throttle.until == START + sooner
    assert throttle.room(START + sooner, 0, spare=False) >= 1
    throttle.refused(START + sooner, 60.0, None, sooner=sooner)
    assert throttle.until == START + sooner + 60
