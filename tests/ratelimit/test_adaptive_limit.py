"""Unit tests of the adaptive limit, state by state and transition by transition."""

import math

import pytest

from gitlab_jobs_async.ratelimit.adaptive_limit import AdaptiveLimit, Phase, Source, WindowHint

START = 1_750_000_000.0


def available(limit, at, in_flight=0, background=False):
    return limit.available(at, in_flight, background=background)


def send(limit, at, count):
    for _ in range(count):
        assert available(limit, at) >= 1
        limit.succeeded(at)


def refuse(limit, at, wait=60.0, stated=None, window_end=None):
    limit.refused(at, wait, stated, window_end=window_end)


def inferred(count=50, at=START):
    """A limit inferred from *count* requests, in its recovery a minute after *at*."""
    limit = AdaptiveLimit()
    send(limit, at, count)
    refuse(limit, at)
    assert available(limit, at + 60) == 1
    return limit


def probing(count=50):
    limit = inferred(count)
    at = limit.available_at(START + 60)
    send(limit, at, count)
    assert available(limit, at) >= 1
    assert limit.source is Source.PROBING
    return limit, at


# Phase


def test_open_allows_everything():
    limit = AdaptiveLimit()
    assert limit.phase is Phase.OPEN
    assert available(limit, START, in_flight=10_000) == math.inf
    assert limit.available_at(START) == math.inf
    send(limit, START, 1000)
    assert limit.phase is Phase.OPEN


@pytest.mark.parametrize("wait", [1.0, 60.0, 3600.0])
def test_refused_pauses_for_the_wait(wait):
    limit = AdaptiveLimit()
    refuse(limit, START, wait)
    assert limit.phase is Phase.PAUSED
    assert limit.available_at(START) == limit.blocked_until == START + wait
    assert available(limit, START + wait - 0.1) == 0


def test_paused_takes_the_longest_wait():
    limit = AdaptiveLimit()
    refuse(limit, START, 60.0)
    refuse(limit, START + 1, 5.0)
    assert limit.blocked_until == START + 60
    refuse(limit, START + 1, 100.0)
    assert limit.blocked_until == START + 101


def test_elapsed_pause_recovers_by_slow_start():
    limit = AdaptiveLimit()
    refuse(limit, START)
    assert [available(limit, START + 60, n) for n in (0, 1)] == [1, 0]
    assert limit.phase is Phase.RECOVERING
    limit.succeeded(START + 60)
    limit.succeeded(START + 60)
    assert available(limit, START + 60) == 3


def test_recovering_pauses_again():
    limit = inferred()
    refuse(limit, START + 61)
    assert limit.phase is Phase.PAUSED


def test_success_in_pause_does_not_speed_recovery():
    limit = AdaptiveLimit()
    refuse(limit, START)
    limit.succeeded(START + 1)
    assert available(limit, START + 60) == 1


def test_release_ends_the_pause():
    limit = AdaptiveLimit()
    refuse(limit, START, 3600.0)
    limit.release(START + 60)
    assert available(limit, START + 60) == 1
    limit.release(START + 90)
    assert limit.blocked_until == START + 60


@pytest.mark.parametrize(("wait", "until"), [(30.0, 90.0), (10_000.0, 3600.0), (None, 3600.0)])
def test_refused_probe_only_shortens_the_pause(wait, until):
    limit = AdaptiveLimit()
    refuse(limit, START, 3600.0)
    limit.probe_refused(START + 60, wait)
    assert limit.blocked_until == START + until


def test_short_waits_double_until_a_success():
    limit, at, waits = AdaptiveLimit(), START, []
    for _ in range(9):
        refuse(limit, at, 0.0)
        waits.append(limit.blocked_until - at)
        at = max(at, limit.blocked_until)
        assert available(limit, at) >= 1
    assert waits[0] <= 0
    assert waits[1:] == [1, 2, 4, 8, 16, 32, 60, 60]
    limit.succeeded(at)
    refuse(limit, at, 0.0)
    assert limit.blocked_until <= at


# Source


def test_few_requests_leave_the_limit_unknown():
    limit = AdaptiveLimit()
    send(limit, START, 9)
    refuse(limit, START)
    assert (limit.source, limit.limit) == (Source.UNKNOWN, None)


def test_refused_infers_limit_from_last_minute():
    limit = AdaptiveLimit()
    send(limit, START, 10)
    limit.lost(START)
    refuse(limit, START)
    assert (limit.source, limit.limit) == (Source.INFERRED, 11)


@pytest.mark.parametrize(
    ("count", "wait", "limit"),
    [(59, 1.0, None), (60, 1.0, 60), (59, 9.9, None), (59, 10.0, 59), (10, 60.0, 10)],
)
def test_short_wait_infers_no_small_limit(count, wait, limit):
    """A server that refuses now and then must not slow down the polls of a single log."""
    adaptive = AdaptiveLimit()
    send(adaptive, START, count)
    refuse(adaptive, START, wait)
    assert adaptive.limit == limit


def test_inferred_limit_reserves_a_tenth():
    limit = inferred(50)
    send(limit, START + 60, 40)
    assert available(limit, START + 60) == 10
    assert available(limit, START + 60, background=True) == 5


def test_stated_limit_replaces_the_inferred():
    limit = inferred(50)
    refuse(limit, START + 61, stated=100)
    assert (limit.source, limit.limit) == (Source.STATED, 100)


def test_stated_limit_is_never_raised():
    limit = AdaptiveLimit()
    refuse(limit, START, stated=10)
    send(limit, START + 60, 10)
    assert available(limit, START + 119) == 0
    assert limit.available_at(START + 119) == START + 120
    assert limit.limit == 10
    limit.succeeded(START + 61)
    assert limit.limit == 10


def test_success_above_inferred_limit_lifts_it():
    limit = inferred(50)
    for _ in range(60):
        limit.succeeded(START + 60)
    assert limit.limit == 60


def test_success_in_pause_lifts_the_limit():
    limit = AdaptiveLimit()
    send(limit, START, 50)
    refuse(limit, START)
    limit.succeeded(START + 1)
    assert limit.limit == 51


def test_used_up_limit_is_raised_after_a_minute():
    limit = inferred(50)
    send(limit, START + 60, 50)
    assert available(limit, START + 60) == 0
    assert limit.available_at(START + 60) == START + 120
    send(limit, START + 120, 50)
    assert available(limit, START + 120) == 5
    assert (limit.source, limit.limit) == (Source.PROBING, 55)


def test_unused_limit_is_not_raised():
    limit = inferred(50)
    assert available(limit, START + 600) == 1
    assert (limit.source, limit.limit) == (Source.INFERRED, 50)


def test_confirmed_raise_is_inferred():
    limit, at = probing(50)
    limit.succeeded(at)
    assert (limit.source, limit.limit) == (Source.INFERRED, 55)


def test_unconfirmed_raise_is_raised_again():
    limit, at = probing(50)
    for _ in range(55):
        limit.lost(at + 30)
    assert available(limit, at + 60) == 5
    assert (limit.source, limit.limit) == (Source.PROBING, 60)


def test_probe_backoff_doubles_until_confirmed():
    limit = inferred(50)
    at = limit.available_at(START + 60)
    for count, following in ((50, 120), (50, 240), (51, 60)):
        send(limit, at, count)
        assert available(limit, at) >= 1
        refuse(limit, at)
        assert available(limit, at + 60) == 1
        before, at = at, limit.available_at(at + 60)
        assert at == before + 60 + following


def test_probe_backoff_is_capped():
    limit = inferred(50)
    at, waits = limit.available_at(START + 60), []
    for _ in range(9):
        send(limit, at, 50)
        assert available(limit, at) >= 1
        refuse(limit, at)
        assert available(limit, at + 60) == 1
        before, at = at, limit.available_at(at + 60)
        waits.append((at - before) / 60 - 1)
    assert waits == [2, 4, 8, 16, 32, 64, 64, 64, 64]


def test_forgotten_limit_is_unknown():
    limit = inferred(50)
    limit.forget_limit()
    assert (limit.source, limit.limit) == (Source.UNKNOWN, None)
    assert limit.available_at(START + 60) == math.inf
    for _ in range(100):
        limit.succeeded(START + 60)
    assert limit.limit is None


def test_limit_forgotten_while_probing_backs_off():
    limit, at = probing(50)
    limit.forget_limit()
    refuse(limit, at)
    assert available(limit, at + 60) == 1
    assert limit.available_at(at + 60) == at + 60 + 120


# Hint


@pytest.mark.parametrize(("window_end", "until"), [(5.0, 5.0), (90.0, 60.0), (None, 60.0)])
def test_window_end_only_shortens_the_wait(window_end, until):
    limit = AdaptiveLimit()
    refuse(limit, START, window_end=window_end)
    assert limit.blocked_until == START + until
    assert limit.hint is (WindowHint.TRUSTED if window_end is None else WindowHint.IN_USE)


@pytest.mark.parametrize("window_end", [5.0, 60.0])
def test_wrong_window_end_is_refuted(window_end):
    limit = AdaptiveLimit()
    refuse(limit, START, window_end=window_end)
    at = START + window_end
    assert available(limit, at) >= 1
    refuse(limit, at, window_end=window_end)
    assert limit.hint is WindowHint.REFUTED
    assert limit.blocked_until == at + 60
    assert available(limit, at + 60) >= 1
    limit.succeeded(at + 60)
    refuse(limit, at + 60, window_end=window_end)
    assert limit.blocked_until == at + 120


def test_window_end_is_trusted_after_success():
    limit = AdaptiveLimit()
    for at in (START, START + 60, START + 120):
        refuse(limit, at, window_end=5.0)
        assert limit.blocked_until == at + 5
        assert available(limit, at + 5) >= 1
        limit.succeeded(at + 5)
        assert limit.hint is WindowHint.TRUSTED


def test_second_refusal_in_pause_refutes_nothing():
    limit = AdaptiveLimit()
    refuse(limit, START, window_end=5.0)
    refuse(limit, START + 1, window_end=5.0)
    assert limit.hint is WindowHint.IN_USE
    refuse(limit, START + 1)
    assert limit.hint is WindowHint.TRUSTED
