"""When to look: each upload soon after it came, for about one request each."""

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
    """What following cost, and how long each upload lay on the server."""

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
    """Follow a job that uploads at these times and ends *lasts* seconds after the last of them."""
    cadence = PollSchedule(intervals or PollIntervals(), polls_are_expensive)
    seen, known, now = Seen(), 0, 0.0
    is_status, end = True, uploads[-1] + lasts
    while True:
        now += latency
        seen.requests += 1
        if is_status and now < end:
            look = cadence.after_status(JobStatus.RUNNING, now)
        else:
            is_last, there = is_status, bisect.bisect_right(uploads, now)
            seen.requests += is_last
            seen.traces += 1
            seen.lags += [now - at for at in uploads[known:there]]
            if is_last:
                seen.until = now - end
                return seen
            says_end = ending and there == len(uploads)
            look = cadence.after_trace(now, grew=there > known, says_end=says_end)
            known = there
        assert look.at >= now
        is_status, now = look.kind is PollKind.STATUS, look.at


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
def test_a_regular_runner_is_met_soon_for_little_more_than_one_request_an_upload(
    period, soon, ending, latency
):
    seen = follow(every(period), ending=ending, latency=latency)
    assert seen.requests <= 1.75 * 200
    assert seen.mean <= soon + latency
    assert max(seen.lags) <= LONGEST + 2 * latency


@pytest.mark.parametrize("mean", [5, 20, 40, 60])
@pytest.mark.parametrize("seed", range(3))
def test_an_irregular_runner_costs_no_more_than_two_requests_an_upload(mean, seed):
    seen = follow(irregular(mean, seed=seed))
    assert seen.requests <= 2 * 201 + 6
    assert max(seen.lags) <= LONGEST + 1


@pytest.mark.parametrize("period", [3, 4, 10, 30, 60, 60.3])
@pytest.mark.parametrize("count", [*range(1, 9), 20])
@pytest.mark.parametrize("first", [0.5, 3, 10])
@pytest.mark.parametrize("ending", [True, False])
def test_a_short_log_costs_no_more_than_two_requests_an_upload_and_six(
    period, count, first, ending
):
    for latency in (0.0, 0.2, 1.0):
        seen = follow(every(period, count, first=first), ending=ending, latency=latency)
        assert seen.requests <= 2 * count + 6


@pytest.mark.parametrize("shortest", [3.0, 20.0, 31.0, 60.0])
def test_a_log_that_seems_over_is_looked_at_in_time(shortest):
    cadence, now = PollSchedule(PollIntervals(shortest, LONGEST)), 0.0
    cadence.after_status(JobStatus.RUNNING, now)
    for _ in range(5):
        now = cadence.after_trace(now, grew=True).at
    looked, look = now, cadence.after_trace(now, grew=True, says_end=True)
    while look.kind is PollKind.STATUS:
        look = cadence.after_status(JobStatus.RUNNING, look.at)
    assert look.at <= looked + LONGEST


def test_a_change_of_pace_is_learned():
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
def test_no_line_lies_longer_than_allowed(
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
def test_no_log_that_grows_each_minute_costs_more_than_two_requests_an_upload(gaps, latency):
    uploads = [3.0, *(3.0 + at for at in itertools.accumulate(gaps))]
    assert follow(uploads, latency=latency).requests <= 2 * len(uploads) + 6


@pytest.mark.parametrize("period", [3, 30, 60])
def test_where_every_look_costs_the_whole_log_none_comes_for_nothing(period):
    seen = follow(every(period), polls_are_expensive=True, latency=0.0)
    assert seen.traces <= 200 + 3
    assert seen.requests <= 2 * 200 + 6


def test_a_job_that_waits_is_asked_ever_more_rarely():
    cadence, now, asked = PollSchedule(), 0.0, []
    for status in [*["created", "pending", "manual", "scheduled", "preparing"] * 40]:
        look = cadence.after_status(JobStatus(status), now)
        assert look.kind is PollKind.STATUS
        asked.append(look.at - now)
        now = look.at
    assert asked == sorted(asked)
    assert (asked[0], asked[-1]) == (3.0, LONGEST)
    begun = cadence.after_status(JobStatus.RUNNING, now)
    assert (begun.kind, begun.at) == (PollKind.TRACE, now)


@pytest.mark.parametrize("status", ["running", "canceling", "brand_new"])
def test_a_job_that_may_write_has_its_trace_read(status):
    look = PollSchedule().after_status(JobStatus(status), 5.0)
    assert (look.kind, look.at) == (PollKind.TRACE, 5.0)


def test_a_log_that_says_it_is_over_is_believed_for_a_while_only():
    cadence = PollSchedule()
    cadence.after_status(JobStatus.RUNNING, 0.0)
    look = cadence.after_trace(0.0, grew=True, says_end=True)
    asked = [look.at]
    while look.kind is PollKind.STATUS:
        look = cadence.after_status(JobStatus.RUNNING, look.at)
        asked.append(look.at)
    assert asked[0] == 0.0
    assert 2 <= len(asked) <= 5
