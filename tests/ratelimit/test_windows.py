"""Windows of requests hold what is less than a minute old, and no more."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.ratelimit.windows import SlidingWindow


def size(window):
    return sys.getsizeof(window._buckets)


def test_window_that_is_never_counted_stays_small():
    window, first = SlidingWindow(), SlidingWindow()
    for second in range(120):
        first.add(float(second))
    for second in range(100_000):
        window.add(float(second))
    assert size(window) <= size(first)


@given(st.lists(st.floats(0, 30), max_size=60), st.data())
def test_count_does_not_depend_on_earlier_counts(steps, data):
    counted, uncounted, now = SlidingWindow(), SlidingWindow(), 0.0
    for step in steps:
        now += step
        counted.add(now)
        uncounted.add(now)
        if data.draw(st.booleans()):
            counted.count(now)
    assert counted.count(now) == uncounted.count(now)
    assert counted.next_expiry() == uncounted.next_expiry()
    assert counted.next_expiry() > now
