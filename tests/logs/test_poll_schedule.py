"""Polls find each upload soon after it came, for about one request each."""

import bisect
import itertools
import random

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import JobStatus
from gitlab_jobs_async.intervals import PollIntervals
from gitlab_jobs_async.logs.poll_schedule import PollKind, PollSchedule

LONGEST = 60.0


@define
class Seen:
    """The cost of following a log, and the delay of each upload."""

    requests: int = 0
    traces: int = 0
    lags: list = field(factory=list)
    until: float = 0.0

    @property
    def mean(self):
        return sum(self.lags) / len(self.lags)


def follow(
    uploads, *, ending=True, latency=0.2, intervals=None, polls_are_expensive=False, lasts=0.5
):
    """Follow a job that uploads at these times, and ends *lasts* seconds after the last."""
    schedule = PollSchedule(intervals or PollIntervals(3.0, 60.0), polls_are_expensive)
    seen, known, now = Seen(), 0, 0.0
    is_status, end = True, uploads[-1] + lasts
    while True:
        now += latency
        seen.requests += 1
        if is_status and now < end:
            poll = schedule.after_status(JobStatus.RUNNING, now)
        else:
            is_last, there = is_status, bisect.bisect_right(uploads, now)
            seen.requests += is_last
            seen.traces += 1
            seen.lags += [now - at for at in uploads[known:there]]
            if is_last:
                seen.until = now - end
                return seen
            says_end = ending and there == len(uploads)
            poll = schedule.after_trace(now, grew=there > known, says_end=says_end)
            known = there
        assert poll.at >= now
        is_status, now = poll.kind is PollKind.STATUS, poll.at


def every(period, count=200, first=3.0):
    return [first + period * number for number in range(count)]


def irregular(mean, count=200, seed=1):
    gaps = (max(3.0, random.Random(f"{seed}/{n}").expovariate(1 / mean)) for n in range(count))
    return list(itertools.accumulate(gaps, initial=3.0))


@pytest.mark.parametrize(
    ("period", "soon"),
    [(3, 5), (30, 5), (59.6, 8), (60, 8), (60.3, 8), (5, 6), (10, 6), (20, 10), (37, 12), (45, 15)],
)
@pytest.mark.parametrize("ending", [True, False])
@pytest.mark.parametrize("latency", [0.0, 0.2, 1.0])
def test_regular_uploads_are_found_soon(period, soon, ending, latency):
    seen = follow(every(period), ending=ending, latency=latency)
    assert seen.requests <= 1.75 * 200
    assert seen.mean <= soon + latency
    assert max(seen.lags) <= LONGEST + 2 * latency


@pytest.mark.parametrize("mean", [5, 20, 40, 60])
@pytest.mark.parametrize("seed", range(3))
def test_irregular_uploads_cost_two_requests(mean, seed):
    seen = follow(irregular(mean, seed=seed))
    assert seen.requests <= 2 * 201 + 6
    assert max(seen.lags) <= LONGEST + 1


@pytest.mark.parametrize("period", [3, 4, 10, 30, 60, 60.3])
@pytest.mark.parametrize("count", [*range(1, 9), 20])
@pytest.mark.parametrize("first", [0.5, 3, 10])
@pytest.mark.parametrize("ending", [True, False])
def test_short_log_costs_few_requests(period, count, first, ending):
    for latency in (0.0, 0.2, 1.0):
        seen = follow(every(period, count, first=first), ending=ending, latency=latency)
        assert seen.requests <= 2 * count + 6


@pytest.mark.parametrize("shortest", [3.0, 20.0, 31.0, 60.0])
def test_apparent_end_does_not_delay_polls(shortest):
    schedule, now = PollSchedule(PollIntervals(shortest, LONGEST)), 0.0
    schedule.after_status(JobStatus.RUNNING, now)
    for _ in range(5):
        now = schedule.after_trace(now, grew=True).at
    polled_at, poll = now, schedule.after_trace(now, grew=True, says_end=True)
    while poll.kind is PollKind.STATUS:
        poll = schedule.after_status(JobStatus.RUNNING, poll.at)
    assert poll.at <= polled_at + LONGEST


def test_changed_upload_interval_is_learned():
    slow = every(60, 60, first=33)
    uploads = [*every(3, 10), *slow, *(slow[-1] + 3.0 * number for number in range(1, 400))]
    seen = follow(uploads)
    assert seen.requests <= len(uploads)
    assert sum(seen.lags[-200:]) / 200 < 3.5
    assert sum(seen.lags[30:60]) / 30 < 10


@given(
    st.lists(st.floats(0.1, 150.0), min_size=1, max_size=40),
    st.booleans(),
    st.booleans(),
    st.floats(0.0, 2.0),
    st.floats(1.0, 20.0),
    st.floats(20.0, 90.0),
)
def test_no_line_waits_longer_than_allowed(
    gaps, ending, polls_are_expensive, latency, shortest, longest
):
    seen = follow(
        list(itertools.accumulate(gaps)),
        ending=ending,
        latency=latency,
        intervals=PollIntervals(shortest, longest),
        polls_are_expensive=polls_are_expensive,
    )
    assert max(seen.lags) <= longest + 2 * latency + 0.001


@given(st.lists(st.floats(0.1, 50.0), min_size=1, max_size=60), st.floats(0.0, 1.0))
def test_frequent_uploads_cost_two_requests(gaps, latency):
    uploads = [3.0, *(3.0 + at for at in itertools.accumulate(gaps))]
    assert follow(uploads, latency=latency).requests <= 2 * len(uploads) + 6


@pytest.mark.parametrize("period", [3, 30, 60])
def test_expensive_polls_are_never_wasted(period):
    seen = follow(every(period), polls_are_expensive=True, latency=0.0)
    assert seen.traces <= 200 + 3
    assert seen.requests <= 2 * 200 + 6


def test_queued_job_is_polled_ever_more_rarely():
    schedule, now, asked = PollSchedule(PollIntervals(3.0, 60.0)), 0.0, []
    for status in [*["created", "pending", "manual", "scheduled", "preparing"] * 40]:
        poll = schedule.after_status(JobStatus(status), now)
        assert poll.kind is PollKind.STATUS
        asked.append(poll.at - now)
        now = poll.at
    assert asked == sorted(asked)
    assert (asked[0], asked[-1]) == (3.0, LONGEST)
    started = schedule.after_status(JobStatus.RUNNING, now)
    assert (started.kind, started.at) == (PollKind.TRACE, now)


@pytest.mark.parametrize("status", ["running", "canceling", "brand_new"])
def test_started_job_has_its_trace_polled(status):
    poll = PollSchedule(PollIntervals(3.0, 60.0)).after_status(JobStatus(status), 5.0)
    assert (poll.kind, poll.at) == (PollKind.TRACE, 5.0)


def test_apparent_end_is_checked_a_few_times():
    schedule = PollSchedule(PollIntervals(3.0, 60.0))
    schedule.after_status(JobStatus.RUNNING, 0.0)
    poll = schedule.after_trace(0.0, grew=True, says_end=True)
    asked = [poll.at]
    while poll.kind is PollKind.STATUS:
        poll = schedule.after_status(JobStatus.RUNNING, poll.at)
        asked.append(poll.at)
    assert asked[0] == 0.0
    assert 2 <= len(asked) <= 5
