"""Looks come soon after a change, ever later without one, and never outside their bounds."""

from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.logs.poll_schedule import PollIntervals
from gitlab_jobs_async.pipelines.poll_interval import WaitInterval

CHANCES = st.floats(0, 1)
BOUNDS = st.tuples(st.floats(0.1, 100), st.floats(0, 1000)).map(
    lambda b: PollIntervals(b[0], sum(b))
)


def looks(pace, now, chances):
    """The times of the looks that follow one at *now*, one for each chance."""
    for jitter in chances:
        now += pace.wait(now, jitter=jitter)
        yield now


@given(BOUNDS, st.lists(st.tuples(CHANCES, st.booleans()), max_size=60), st.floats(0.1, 1e5))
def test_no_wait_is_outside_the_bounds(bounds, steps, timeout):
    now = 1e9
    pace = WaitInterval(bounds, now, now + timeout)
    for jitter, changes in steps:
        if changes:
            pace.changed(now)
        wait = pace.wait(now, jitter=jitter)
        assert bounds.shortest <= wait <= bounds.longest
        now += wait


@given(BOUNDS, CHANCES, st.floats(0, 1e5), st.floats(0, 1e5))
def test_the_longer_nothing_changes_the_longer_a_wait_is(bounds, jitter, age, more):
    pace = WaitInterval(bounds, 0.0)
    sooner, later = (pace.wait(now, jitter=jitter) for now in (age, age + more))
    assert sooner <= later
    pace.changed(age + more)
    assert pace.wait(age + more, jitter=jitter) == bounds.shortest


@given(st.lists(CHANCES, min_size=400, max_size=400), st.floats(1, 3600))
def test_an_end_is_seen_within_a_third_of_its_time_or_the_bounds(chances, ends_at):
    bounds = PollIntervals(2.0, 30.0)
    seen = next(at for at in looks(WaitInterval(bounds, 0.0), 0.0, chances) if at >= ends_at)
    assert seen - ends_at <= min(bounds.longest, max(bounds.shortest, ends_at * 0.3 + 0.001))


def test_an_hour_costs_few_looks():
    times = [
        at
        for at in looks(WaitInterval(PollIntervals(2.0, 30.0), 0.0), 0.0, [0.5] * 400)
        if at < 3600
    ]
    assert len(times) <= 135
    assert times[:4] == [2.0, 4.0, 6.0, 8.0]


@given(BOUNDS, st.floats(0.1, 1e4), CHANCES)
def test_the_last_look_leaves_little_of_the_time_unseen(bounds, timeout, jitter):
    last, pace = 0.0, WaitInterval(bounds, 0.0, timeout)
    for _ in range(200_000):
        following = last + pace.wait(last, jitter=jitter)
        if following > timeout:
            break
        last = following
    assert timeout - last <= 2 * bounds.shortest + 0.001


def test_who_look_at_the_same_time_do_not_look_again_at_the_same_time():
    pace = WaitInterval(PollIntervals(2.0, 30.0), 0.0)
    assert len({pace.wait(60.0, jitter=jitter) for jitter in (0.0, 0.3, 0.7, 1.0)}) == 4
