"""One request an interval, of the right kind: ends and lines are seen soon, at a bounded cost."""

import bisect
import itertools

import pytest
from attrs import define, field
from hypothesis import example, given
from hypothesis import strategies as st

from gitlab_jobs_async import JobStatus
from gitlab_jobs_async.logs.poll_schedule import NextPoll, PollKind, PollSchedule, PollTerms

INTERVAL, LONGEST = 5.0, 60.0
FREE = PollTerms(INTERVAL, LONGEST)
STATUS, TRACE = PollKind.STATUS, PollKind.TRACE
SOONEST = INTERVAL * 4 / 5


@define
class Run:
    """The polls of one log with the times of their requests, and what was seen how late."""

    polls: list = field(factory=list)
    lags: list = field(factory=list)
    end_delay: float = 0.0

    def at(self, kind):
        return [began for poll, began in self.polls if poll.kind is kind]

    @property
    def times(self):
        return [began for _, began in self.polls]

    @property
    def most_in_a_minute(self):
        times = self.times
        return max(bisect.bisect_left(times, at + 60) - n for n, at in enumerate(times))


def follow(
    uploads,
    end,
    *,
    starts=0.0,
    end_lines=(),
    latency=0.1,
    terms=FREE,
    listings=None,
    sends_whole=False,
):
    """Follow a job that starts, uploads and ends at these times.

    *end_lines* are the numbers of the uploads that end with a runner's last line. *listings* are
    the seconds between two listings that show the job's status.
    """
    schedule = PollSchedule(terms.interval, sends_whole)
    run, known, now = Run(), 0, 0.0
    poll = NextPoll(STATUS, 0.0)
    while True:
        began = max(now, poll.at)
        run.polls.append((poll, began))
        seen, now = began + latency / 2, began + latency
        if poll.kind is TRACE:
            there = bisect.bisect_right(uploads, seen)
            run.lags += [now - at for at in uploads[known:there]]
            says_end = there - 1 in end_lines
            schedule.after_trace(began, now, grew=there > known, says_end=says_end)
            known = there
        elif seen >= end:
            run.polls.append((NextPoll(TRACE, now), now))
            run.lags += [now + latency - at for at in uploads[known:]]
            run.end_delay = now + latency - end
            return run
        else:
            status = JobStatus.RUNNING if seen >= starts else JobStatus.PENDING
            schedule.after_status(status, began, now)
        if listings is not None:
            # Due until it was sent, and then an interval later.
            tick = listings * (run.at(STATUS)[-1] // listings + 1)
            terms = PollTerms(terms.interval, terms.max_interval, terms.is_stretched, tick)
        poll = schedule.next_poll(terms)


def every(period, until, first=3.0):
    return [*itertools.takewhile(lambda at: at < until, itertools.count(first, period))]


def gaps(times):
    return [later - sooner for sooner, later in itertools.pairwise(times)]


ENDS = st.floats(0.5, 700.0)
PERIODS = st.sampled_from([3.0, 17.0, 60.0])
LATENCIES = st.floats(0.0, 0.6)


@given(ENDS, PERIODS, LATENCIES, st.floats(0.0, 100.0), st.booleans())
@example(end=1.0, period=3.0, latency=0.25, starts=52.0, ending=True)
@example(end=17.35, period=3.0, latency=0.16, starts=36.33, ending=True)
def test_free_budget_shows_end_and_lines_soon(end, period, latency, starts, ending):
    """The bars of following one log by ranges; the last line comes half a second before the end."""
    uploads = [at + starts for at in [*every(period, end - 0.5), end - 0.5]]
    run = follow(
        uploads,
        end + starts,
        starts=starts,
        latency=latency,
        end_lines={len(uploads) - 1} if ending else (),
    )
    assert run.end_delay <= 10.0
    assert max(run.lags) <= 10.0
    assert run.most_in_a_minute <= 15 + (latency >= 0.5)
    assert len(run.polls) <= 6 + (end + starts) / SOONEST


@pytest.mark.parametrize("ending", [True, False])
def test_free_budget_shows_the_end_in_5_s(ending):
    delays = []
    for number in range(200):
        end = 20.0 + number * 3.37
        uploads = [*every(60.0, end - 0.5), end - 0.5]
        line = {len(uploads) - 1} if ending else ()
        delays.append(follow(uploads, end, end_lines=line).end_delay)
    assert sorted(delays)[100] <= (3.0 if ending else 5.3)


@given(PERIODS, LATENCIES)
def test_ranges_are_polled_in_turn(period, latency):
    run = follow(every(period, 300), 300, latency=latency)
    # After the first ones of a job that has just started; the last trace follows the status.
    kinds = [poll.kind for poll, _ in run.polls[3:]]
    assert all(one is not other for one, other in itertools.pairwise(kinds))


def test_started_job_has_its_trace_polled_twice():
    """Its first upload comes 3 seconds after the start, and a poll would find it 10 later."""
    schedule = PollSchedule(INTERVAL)
    schedule.after_status(JobStatus.RUNNING, 0.0, 0.0)
    schedule.after_trace(0.0, 0.0, grew=False)
    assert schedule.next_poll(FREE) == NextPoll(TRACE, INTERVAL)
    schedule.after_trace(INTERVAL, INTERVAL, grew=False)
    assert schedule.next_poll(FREE) == NextPoll(STATUS, 2 * INTERVAL)


@given(
    st.lists(st.floats(0.1, 90.0), min_size=1, max_size=30),
    st.floats(0.0, 20.0),
    st.booleans(),
    st.booleans(),
    st.sampled_from([5.0, 17.0, 60.0]),
)
def test_requests_are_an_interval_apart(spans, latency, whole, stretched, interval):
    """Never closer than the interval allows, and never later."""
    uploads = list(itertools.accumulate(spans))
    terms = PollTerms(interval, 60.0, stretched)
    run = follow(uploads, uploads[-1], latency=latency, terms=terms, sends_whole=whole)
    polls = run.times[1:-1]  # the trace follows the first and the last status at once
    soonest = interval if stretched else interval * 4 / 5
    rest = max(latency + interval / 2, soonest)
    assert all(gap >= rest - 1e-6 for gap in gaps(polls))
    longest = 1.5 * interval if stretched else interval
    assert all(gap <= longest + latency + 1e-6 for gap in gaps(polls))


@given(
    st.lists(st.floats(0.1, 90.0), min_size=1, max_size=30),
    st.booleans(),
    st.booleans(),
    st.sampled_from([5.0, 17.0, 60.0]),
)
def test_no_status_and_no_trace_is_forgotten(spans, whole, stretched, interval):
    uploads = list(itertools.accumulate(spans))
    terms = PollTerms(interval, 60.0, stretched)
    run = follow(uploads, uploads[-1], terms=terms, sends_whole=whole, latency=0.0)
    longest = (2.5 if stretched else 2) * interval + 1e-6
    assert max(gaps(run.at(STATUS)), default=0.0) <= longest
    assert max(run.lags) <= max(60.0 + interval, longest)
    assert run.end_delay <= longest


@pytest.mark.parametrize("latency", [1.0, 3.0, 10.0])
def test_slow_server_rests_between_polls(latency):
    run = follow(every(60, 300), 300, latency=latency)
    assert min(gaps(run.times[1:-1])) >= min(latency + INTERVAL / 2, SOONEST)
    assert run.most_in_a_minute <= 15 + 1  # the last trace follows the last status


def test_slow_response_advances_the_next_poll():
    """So an answer comes every interval, and two polls show an end within two intervals."""
    schedule = PollSchedule(INTERVAL)
    schedule.after_status(JobStatus.RUNNING, 0.0, 0.25)
    schedule.after_trace(0.25, 0.5, grew=True)
    assert schedule.next_poll(FREE) == NextPoll(STATUS, INTERVAL)
    stretched = PollTerms(20.0, LONGEST, is_stretched=True)
    assert schedule.next_poll(stretched).at == 20.25


def test_retried_response_advances_it_further():
    """An end is seen within two intervals also where every third response fails."""
    schedule = PollSchedule(INTERVAL)
    schedule.after_status(JobStatus.RUNNING, 0.0, 2.0)
    schedule.after_trace(2.0, 2.0, grew=True)
    assert schedule.next_poll(FREE) == NextPoll(STATUS, 2.0 + SOONEST)


# Before a runner has the job


@pytest.mark.parametrize(
    "status",
    [
        "created",
        "waiting_for_resource",
        "preparing",
        "waiting_for_callback",
        "pending",
        "manual",
        "scheduled",
    ],
)
def test_queued_job_has_its_status_polled(status):
    schedule, now = PollSchedule(INTERVAL), 0.0
    for _ in range(100):
        schedule.after_status(JobStatus(status), now, now)
        assert schedule.next_poll(FREE) == NextPoll(STATUS, now + INTERVAL)
        now += INTERVAL
    schedule.after_status(JobStatus.RUNNING, now, now + 0.3)
    assert schedule.next_poll(FREE) == NextPoll(TRACE, now + 0.3)


@pytest.mark.parametrize("status", ["running", "canceling", "brand_new"])
def test_started_job_has_its_trace_polled(status):
    schedule = PollSchedule(INTERVAL)
    schedule.after_status(JobStatus(status), 5.0, 5.1)
    assert schedule.next_poll(FREE) == NextPoll(TRACE, 5.1)


# The line that says the end


def ended(count=1):
    """A schedule whose log has just said that the job has ended, at 100 s."""
    schedule = PollSchedule(INTERVAL)
    schedule.after_status(JobStatus.RUNNING, 90.0, 90.0)
    for number in range(count):
        at = 100.0 + number - count + 1
        schedule.after_trace(at, at, grew=True, says_end=True)
    return schedule


def test_end_line_makes_the_status_due():
    schedule, polls = ended(), []
    for _ in range(5):
        polls.append(schedule.next_poll(FREE))
        if polls[-1].kind is TRACE:
            schedule.after_trace(polls[-1].at, polls[-1].at, grew=False, says_end=True)
        else:
            schedule.after_status(JobStatus.RUNNING, polls[-1].at, polls[-1].at)
    assert polls == [
        NextPoll(STATUS, 100.0, is_single=True),
        NextPoll(STATUS, 105.0),
        NextPoll(TRACE, 110.0),
        NextPoll(STATUS, 115.0),
        NextPoll(TRACE, 120.0),
    ]


def test_growth_after_an_end_line_ends_its_polls():
    schedule = ended()
    schedule.after_trace(100.5, 100.5, grew=True)
    assert schedule.next_poll(FREE) == NextPoll(STATUS, 105.5)


def test_end_line_is_no_news_within_a_minute():
    schedule = ended()
    schedule.after_status(JobStatus.RUNNING, 100.0, 100.0)
    schedule.after_trace(110.0, 110.0, grew=False, says_end=True)
    assert schedule.next_poll(FREE) == NextPoll(STATUS, 115.0)
    schedule.after_trace(120.0, 120.0, grew=True, says_end=True)
    assert schedule.next_poll(FREE) == NextPoll(STATUS, 125.0)
    schedule.after_trace(170.0, 170.0, grew=True, says_end=True)
    assert schedule.next_poll(FREE) == NextPoll(STATUS, 170.0, is_single=True)


@pytest.mark.parametrize(
    ("polls", "duration", "is_due"),
    [(12, 0.0, True), (13, 0.0, False), (13, 1.0, True), (14, 1.0, False)],
)
def test_end_line_keeps_to_15_a_minute(polls, duration, is_due):
    """One is left for the last trace, unless slow responses tell of retries."""
    schedule = PollSchedule(INTERVAL)
    for number in range(polls):
        schedule.after_status(JobStatus.RUNNING, 4.0 * number, 4.0 * number + duration)
    schedule.after_trace(55.0, 55.0, grew=True, says_end=True)
    assert schedule.next_poll(FREE).is_single == is_due


@given(PERIODS, st.floats(0.0, 0.2), st.booleans())
def test_printed_end_lines_cost_15_a_minute(period, latency, whole):
    """A log may print such a line at each upload, and its job goes on."""
    uploads = every(period, 600)
    run = follow(uploads, 600.0, end_lines=range(len(uploads)), latency=latency, sends_whole=whole)
    assert run.most_in_a_minute <= 15
    assert run.end_delay <= 10.0


@given(ENDS, st.floats(0.0, 0.45), st.booleans())
def test_end_line_shows_the_end_at_once(end, latency, whole):
    """The next poll of the trace, or that of the status, shows the end."""
    uploads = [*every(60.0, end - 0.1), end - 0.1]
    line = {len(uploads) - 1}
    run = follow(uploads, end, end_lines=line, latency=latency, sends_whole=whole)
    assert run.end_delay <= (10.0 if whole else INTERVAL + 1.0 + 2 * latency)


# Servers that send whole traces


@pytest.mark.parametrize("period", [30.0, 60.0])
def test_whole_traces_are_read_when_due(period):
    run = follow(every(period, 1800), 1800.0, sends_whole=True)
    assert len(run.at(TRACE)) <= 1.6 * 1800 / period + 6
    assert sum(run.lags) / len(run.lags) <= 15.0
    assert len(run.at(STATUS)) >= 0.75 * 1800 / INTERVAL


def test_fast_uploads_leave_every_other_status():
    run = follow(every(3.0, 300), 300.0, sends_whole=True)
    assert max(run.lags) <= 2 * INTERVAL + 0.2
    assert max(gaps(run.at(STATUS))) <= 2 * INTERVAL
    assert run.most_in_a_minute <= 15


def test_quiet_whole_log_is_read_once_a_minute():
    run = follow([3.0], 1800.0, sends_whole=True)
    assert len(run.at(TRACE)) <= 12 + 1800 / LONGEST


# A short budget


@pytest.mark.parametrize("interval", [10.0, 20.0])
def test_short_budget_is_spent_by_the_rhythm(interval):
    """Each upload is found once, and the other requests show the status."""
    terms = PollTerms(interval, LONGEST, is_stretched=True)
    run = follow(every(60.0, 3600), 3600.0, terms=terms)
    assert len(run.at(TRACE)) <= 1.5 * 60
    assert sum(run.lags[10:]) / len(run.lags[10:]) <= 0.75 * interval
    assert len(run.polls) <= 3600 / interval + 4


def test_short_budget_without_rhythm_alternates():
    terms = PollTerms(60.0, 60.0, is_stretched=True)
    run = follow(every(3.0, 1800), 1800.0, terms=terms)
    assert max(gaps(run.at(TRACE))) <= 121.0
    assert max(gaps(run.at(STATUS))) <= 121.0


# One listing for many jobs


@given(ENDS, PERIODS, st.booleans(), LATENCIES)
def test_listings_leave_every_second_trace(end, period, whole, latency):
    uploads = [*every(period, end), end]
    run = follow(uploads, end, listings=INTERVAL, sends_whole=whole, latency=latency)
    traces = run.at(TRACE)[:-1]
    assert all(gap >= 2 * SOONEST for gap in gaps(traces))
    assert run.end_delay <= INTERVAL + 1.0 + 2 * latency
    assert all(began - poll.at <= latency for poll, began in run.polls)
    if not whole:
        assert max(run.lags) <= 10.0 + latency


def test_listed_job_is_polled_with_the_listing():
    schedule = PollSchedule(INTERVAL)
    schedule.after_status(JobStatus.RUNNING, 0.0, 0.0)
    schedule.after_trace(0.0, 0.0, grew=True)
    assert schedule.next_poll(PollTerms(5.0, 60.0, next_listing=3.3)) == NextPoll(STATUS, 3.3)
    assert schedule.next_poll(PollTerms(5.0, 60.0, next_listing=11.0)) == NextPoll(TRACE, 10.0)


def test_queued_listed_job_waits_for_the_listing():
    schedule = PollSchedule(INTERVAL)
    schedule.after_status(JobStatus.PENDING, 0.0, 0.0)
    assert schedule.next_poll(PollTerms(5.0, 60.0, next_listing=31.0)) == NextPoll(STATUS, 31.0)


# Statuses that come from elsewhere


def test_report_replaces_a_poll_of_the_status():
    schedule = PollSchedule(INTERVAL)
    schedule.after_status(JobStatus.RUNNING, 0.0, 0.0)
    schedule.after_trace(0.0, 0.0, grew=True)
    schedule.after_report(JobStatus.RUNNING, 4.0)
    assert schedule.status_known_at == 4.0
    assert schedule.next_poll(FREE) == NextPoll(TRACE, INTERVAL)


def test_report_shows_that_the_job_has_started():
    schedule = PollSchedule(INTERVAL)
    schedule.after_status(JobStatus.PENDING, 0.0, 0.1)
    schedule.after_report(JobStatus.RUNNING, 2.0)
    assert schedule.next_poll(FREE) == NextPoll(TRACE, 0.1)
