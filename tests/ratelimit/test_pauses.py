"""Long pauses and their probes: at growing intervals, at least once an hour."""

import math
from email.utils import formatdate
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import RequestBudget
from gitlab_jobs_async.ratelimit.budget import not_sent_reason
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.ratelimit.headers import utc
from gitlab_jobs_async.ratelimit.limits import JOBS_INDEX
from tests.ratelimit.test_budget import JOB, START, answer, asked, is_open, limits, room

YEAR = 31_536_000
HOUR = 3600
ABSURD = [
    {"retry_after": YEAR},
    {"retry_after": "9" * 30},
    {"retry_after": "9" * 5000},
    {"retry_after": f"{YEAR}.5"},
    {"retry_after": f"0, {YEAR}"},
    {"retry_after": "Sun, 01 Jan 2090 00:00:00 GMT"},
    {"retry_after": formatdate(START + YEAR, usegmt=True), "date": START - YEAR},
]


def probes(budget, said, *, hours, kind=JOB, priority=Priority.BACKGROUND, start=START):
    """Return the times of requests that all get the same response, from *start* on."""
    asked(budget, said, at=start, kind=kind)
    at, times = start, []
    while at < start + hours * HOUR:
        own = budget.available_at(priority, at, kind) if budget.bucket_of(kind) else at
        opens = max(budget.available_at(priority, at), own)
        if opens > at:
            at = opens
            continue
        times.append(at)
        is_probe = any(pause.next_probe for pause in budget.pauses(at))
        sent = budget.sent(kind, priority)
        assert is_probe == (budget.is_probing() or budget.is_probing(kind))
        assert not is_open(budget, at, priority, kind)
        budget.answered(sent, said, at)
    return times


@pytest.mark.parametrize("json", [True, False])
@pytest.mark.parametrize("said", ABSURD)
def test_absurd_wait_is_probed_ever_more_rarely(said, json):
    budget = RequestBudget()
    refusal = answer(429, json=json, **said)
    times = probes(budget, refusal, hours=48)
    gaps = [b - a for a, b in pairwise([START, *times])]
    assert gaps[0] == 60
    assert gaps == sorted(gaps)
    assert max(gaps) == HOUR
    assert len(times) <= 48 + 6


@pytest.mark.parametrize("said", [{"retry_after": "1e30"}, {"retry_after": "inf"}, {}])
def test_invalid_retry_after_waits_a_minute(said):
    budget = RequestBudget()
    asked(budget, answer(429, **said))
    assert budget.blocked_for(Priority.DIRECT, START) == 60
    assert budget.pauses(START) == []


@given(st.text(max_size=60) | st.floats().map(str) | st.integers().map(str), st.booleans())
def test_any_header_allows_a_request_in_an_hour(text, json):
    budget = RequestBudget()
    said = dict.fromkeys(("retry_after", "ratelimit_remaining", "ratelimit_reset"), text)
    asked(budget, answer(429, json=json, **said))
    own = budget.available_at(Priority.BACKGROUND, START, JOB) if budget.bucket_of(JOB) else START
    assert max(budget.available_at(Priority.BACKGROUND, START), own) <= START + HOUR


@pytest.mark.parametrize("json", [True, False])
def test_probe_that_gets_through_ends_the_pause(json):
    budget = RequestBudget()
    asked(budget, answer(429, json=json, retry_after=YEAR))
    assert not is_open(budget, START + 59)
    asked(budget, None, at=START)  # a request sent before the pause does not end it
    assert not is_open(budget, START + 59)
    at = START + 60
    assert is_open(budget, at)
    probe = budget.sent(JOB)
    assert room(budget, at) == 0
    budget.answered(probe, answer(), at)
    assert room(budget, at) >= 1
    assert budget.pauses(at) == []
    assert not budget.is_paused("")


def test_server_error_ends_a_probed_pause():
    budget = RequestBudget()
    asked(budget, answer(429, retry_after=YEAR))
    assert is_open(budget, START + 60)
    asked(budget, answer(502), at=START + 60)
    assert is_open(budget, START + 60)


def test_lost_probe_is_sent_again_after_as_long():
    budget = RequestBudget()
    asked(budget, answer(429, retry_after=YEAR))
    assert is_open(budget, START + 60)
    asked(budget, None, at=START + 60)
    assert budget.available_at(Priority.DIRECT, START + 60) == START + 120


def test_withdrawn_probe_may_be_sent_at_once():
    budget = RequestBudget()
    asked(budget, answer(429, retry_after=YEAR))
    assert is_open(budget, START + 60)
    budget.cancelled(budget.sent(JOB))
    assert is_open(budget, START + 60)


def test_probe_in_flight_at_close_is_forgotten():
    budget = RequestBudget()
    asked(budget, answer(429, retry_after=YEAR))
    assert is_open(budget, START + 60)
    budget.sent(JOB)
    budget.detach(START + 60)
    assert is_open(budget, START + 120)


def test_probe_is_of_all_lanes_together():
    budget = RequestBudget()
    asked(budget, answer(429, retry_after=YEAR))
    at = START + 60
    assert all(is_open(budget, at, priority) for priority in Priority)
    budget.sent(JOB, Priority.LISTING)
    assert not any(is_open(budget, at, priority) for priority in Priority)


def test_probe_respects_the_callers_own_limit():
    budget = RequestBudget(per_minute=1)
    asked(budget, answer(429, retry_after=YEAR), at=START)
    asked(budget, answer(), at=START + 30)  # sent before the pause
    assert budget.available_at(Priority.DIRECT, START + 60) == START + 90


def test_json_pause_leaves_other_kinds_alone():
    budget = RequestBudget()
    asked(budget, answer(429, json=True, retry_after=YEAR), kind=JOBS_INDEX)
    assert room(budget, kind=JOB) == 1000
    assert [pause.kind for pause in budget.pauses(START)] == [JOBS_INDEX]
    assert budget.snapshot().paused_until == START + YEAR


def test_probe_passes_one_of_two_limits():
    budget = RequestBudget()
    asked(budget, answer(429, json=True, retry_after=YEAR), kind=JOBS_INDEX)
    asked(budget, answer(429, retry_after=YEAR), kind=JOBS_INDEX)
    at = START + 60
    assert is_open(budget, at, kind=JOBS_INDEX)
    asked(budget, answer(429, json=True, retry_after=YEAR), at=at, kind=JOBS_INDEX)
    assert is_open(budget, at, kind=JOB)
    assert [pause.kind for pause in budget.pauses(at)] == [JOBS_INDEX]


def test_refused_probe_never_prolongs_the_pause():
    budget = RequestBudget()
    asked(budget, answer(429, retry_after=2 * HOUR))
    assert is_open(budget, START + 60)
    asked(budget, answer(429, retry_after=YEAR), at=START + 60)
    assert budget.blocked_for(Priority.DIRECT, START + 60) == 2 * HOUR - 60
    assert is_open(budget, START + 180)
    asked(budget, answer(429, retry_after=30), at=START + 180)
    assert budget.blocked_for(Priority.DIRECT, START + 180) == 30


def test_renewed_pause_continues_its_probes():
    budget = RequestBudget()
    times = probes(budget, answer(429, retry_after=2 * HOUR), hours=12)
    gaps = [b - a for a, b in pairwise(times)]
    assert len(times) <= 12 + 6 + 6  # and one at each end that the server has stated
    assert min(gaps[6:]) > 0
    assert max(gaps) == HOUR


def test_two_hours_with_no_probe_would_be_silence():
    budget = RequestBudget()
    asked(budget, answer(429, retry_after=HOUR))
    assert budget.available_at(Priority.DIRECT, START) == START + HOUR
    assert budget.pauses(START)[0].next_probe is None


# An exhausted window of many hours


def exhausted(reset, **others):
    return answer(**limits(0, START + reset), **others)


@pytest.mark.parametrize("priority", Priority)
def test_remaining_of_zero_for_hours_is_probed(priority):
    budget = RequestBudget()
    asked(budget, exhausted(23 * HOUR))
    assert not is_open(budget, START + 59, priority)
    assert budget.snapshot(START).paused_until == START + 23 * HOUR
    assert is_open(budget, START + 60, priority)
    asked(budget, exhausted(23 * HOUR), at=START + 60)
    # It succeeded although nothing was left: the same statement is not trusted again.
    assert is_open(budget, START + 60, priority)
    asked(budget, exhausted(23 * HOUR), at=START + 61)
    assert is_open(budget, START + 61, priority)


def test_doubted_window_that_counts_is_believed():
    budget = RequestBudget()
    asked(budget, exhausted(23 * HOUR))
    assert is_open(budget, START + 60)
    asked(budget, exhausted(23 * HOUR), at=START + 60)
    asked(budget, answer(date=START + 70, **limits(2, START + 100)), at=START + 70)
    assert room(budget, START + 70) == 2
    asked(budget, answer(date=START + 71, **limits(0, START + 100)), at=START + 71)
    assert not is_open(budget, START + 71)


def test_probe_corrects_a_far_reset():
    budget = RequestBudget()
    asked(budget, answer(**limits(1900)))
    asked(budget, exhausted(23 * HOUR))
    at = START + 60
    assert is_open(budget, at, Priority.BACKGROUND)
    asked(budget, answer(date=at, **limits(1800, START + 100)), at=at)
    assert room(budget, at, Priority.BACKGROUND) > 1000 - 1


def test_window_refused_again_keeps_its_pause():
    budget = RequestBudget()
    asked(budget, exhausted(23 * HOUR))
    assert is_open(budget, START + 60)
    asked(budget, answer(429, **limits(0, START + 23 * HOUR)), at=START + 60)
    assert not is_open(budget, START + 60)
    assert budget.available_at(Priority.DIRECT, START + 60) == START + 180


# Reports


def test_snapshot_shows_pause_and_next_probe():
    budget = RequestBudget()
    asked(budget, answer(429, retry_after=YEAR))
    seen = budget.snapshot(START)
    assert (seen.paused_until, seen.next_probe) == (START + YEAR, START + 60)
    assert seen.pause_reason.startswith("HTTP 429: no requests allowed until 2026-06-15")
    later = budget.snapshot(START + YEAR)
    assert (later.paused_until, later.next_probe, later.pause_reason) == (None, None, None)


def test_pause_of_two_minutes_is_not_reported():
    budget = RequestBudget()
    asked(budget, answer(429, retry_after=120))
    assert budget.pauses(START) == []
    asked(budget, answer(429, retry_after=121))
    assert len(budget.pauses(START)) == 1


def test_pause_lasts_until_a_request_succeeds():
    budget = RequestBudget()
    asked(budget, answer(429, retry_after=200))
    began = budget.pauses(START)[0].began
    assert budget.pauses(START + 200) == []
    assert budget.is_paused("")
    assert is_open(budget, START + 200)
    asked(budget, answer(429, retry_after=200), at=START + 200)
    assert budget.pauses(START + 200)[0].began == began
    assert is_open(budget, START + 400)
    asked(budget, answer(), at=START + 400)
    assert not budget.is_paused("")


@pytest.mark.parametrize("at", [1e30, -1e30, math.inf, math.nan, 1e12])
def test_any_time_can_be_said(at):
    assert utc(at)
    assert not_sent_reason(1.0, at, at)


# GitLab's limiter of single endpoints resets at whole minutes of the server's clock
# (lib/gitlab/application_rate_limiter.rb): its Retry-After of 60 s is the longest wait.


@pytest.mark.parametrize("second", [0, 1, 30, 59])
@pytest.mark.parametrize("skew", [-7000, 0, 7000])
@pytest.mark.parametrize("said", [{}, {"retry_after": 60}])
def test_json_429_waits_for_the_servers_minute(second, skew, said):
    budget = RequestBudget()
    minute = START - START % 60
    now, there = minute + second, minute + second + skew
    skew_in_minute = (second + skew) % 60
    asked(budget, answer(429, json=True, date=there, **said), at=now)
    assert budget.blocked_for(Priority.DIRECT, now, JOB) == 60 - skew_in_minute


def test_json_429_without_date_waits_as_it_says():
    budget = RequestBudget()
    asked(budget, answer(429, json=True, date=None, retry_after=60))
    assert budget.blocked_for(Priority.DIRECT, START, JOB) == 60


def test_jitter_comes_on_top_of_the_minute():
    budget = RequestBudget()
    budget.answered(budget.sent(JOB), answer(429, json=True, retry_after=60), START, 0.5)
    assert budget.blocked_for(Priority.DIRECT, START, JOB) == 20.5


def test_wrong_minute_is_waited_for_in_full():
    budget = RequestBudget()
    asked(budget, answer(429, json=True, retry_after=60))
    at = START + 20
    assert is_open(budget, at)
    asked(budget, answer(429, json=True, date=at, retry_after=60), at=at)
    assert budget.blocked_for(Priority.DIRECT, at, JOB) == 60
    # From then on, too: waits as long as stated cause no further 429s.
    at += 60
    assert is_open(budget, at)
    asked(budget, answer(), at=at)
    asked(budget, answer(429, json=True, date=at + 30, retry_after=60), at=at + 30)
    assert budget.blocked_for(Priority.DIRECT, at + 30, JOB) == 60


def test_confirmed_window_end_is_trusted_again():
    budget = RequestBudget()
    for minute in range(3):
        at = START + 60 * minute
        assert is_open(budget, at)
        asked(budget, answer(), at=at)
        asked(budget, answer(429, json=True, date=at, retry_after=60), at=at)
        assert budget.blocked_for(Priority.DIRECT, at, JOB) == 20


def test_retry_after_of_zero_is_no_tight_loop():
    budget, at, times = RequestBudget(), START, []
    while at < START + 300:
        opens = budget.available_at(Priority.DIRECT, at)
        if opens > at:
            at = opens
            continue
        times.append(at)
        asked(budget, answer(429, retry_after=0), at=at)
    assert len(times) <= 14
