"""Polls of a wait: soon after a change, rarer without one, never outside the bounds."""

from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.intervals import PollIntervals
from gitlab_jobs_async.pipelines.poll_interval import WaitInterval

JITTER = st.floats(0, 1)
BOUNDS = st.tuples(st.floats(0.1, 100), st.floats(0, 1000)).map(
    lambda b: PollIntervals(b[0], sum(b))
)


def polls(interval, now, jitters):
    """Yield the times of the polls that follow one at *now*."""
    for jitter in jitters:
        now += interval.delay(now, jitter=jitter)
        yield now


@given(BOUNDS, st.lists(st.tuples(JITTER, st.booleans()), max_size=60), st.floats(0.1, 1e5))
def test_delay_is_within_the_bounds(bounds, steps, timeout):
    now = 1e9
    interval = WaitInterval(bounds, now, now + timeout)
    for jitter, changes in steps:
        if changes:
            interval.changed_at = now
        delay = interval.delay(now, jitter=jitter)
        assert bounds.shortest <= delay <= bounds.longest
        now += delay


@given(BOUNDS, JITTER, st.floats(0, 1e5), st.floats(0, 1e5))
def test_delay_grows_until_a_change(bounds, jitter, age, more):
    interval = WaitInterval(bounds, 0.0)
    sooner, later = (interval.delay(now, jitter=jitter) for now in (age, age + more))
    assert sooner <= later
    interval.changed_at = age + more
    assert interval.delay(age + more, jitter=jitter) == bounds.shortest


@given(st.lists(JITTER, min_size=400, max_size=400), st.floats(1, 3600))
def test_end_is_seen_within_a_third_of_its_age(jitters, ends_at):
    bounds = PollIntervals(2.0, 30.0)
    seen = next(at for at in polls(WaitInterval(bounds, 0.0), 0.0, jitters) if at >= ends_at)
    assert seen - ends_at <= min(bounds.longest, max(bounds.shortest, ends_at * 0.3 + 0.001))


def test_hour_costs_few_polls():
    interval = WaitInterval(PollIntervals(2.0, 30.0), 0.0)
    times = [at for at in polls(interval, 0.0, [0.5] * 400) if at < 3600]
    assert len(times) <= 135
    assert times[:4] == [2.0, 4.0, 6.0, 8.0]


@given(BOUNDS, st.floats(0.1, 1e4), JITTER)
def test_last_poll_comes_just_before_the_end(bounds, timeout, jitter):
    last, interval = 0.0, WaitInterval(bounds, 0.0, timeout)
    for _ in range(200_000):
        following = last + interval.delay(last, jitter=jitter)
        if following > timeout:
            break
        last = following
    assert timeout - last <= 2 * bounds.shortest + 0.001


def test_jitter_spreads_polls():
    interval = WaitInterval(PollIntervals(2.0, 30.0), 0.0)
    assert len({interval.delay(60.0, jitter=jitter) for jitter in (0.0, 0.3, 0.7, 1.0)}) == 4
