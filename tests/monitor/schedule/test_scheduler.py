"""Polls are shared in proportion to the intervals asked for, and every target comes up."""

from math import ceil, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gitlab_jobs_async.monitor.schedule.scheduler import PollScheduler

intervals = st.floats(0.0, 3600.0)
SLACK = 2**0.5
"""How much more often than in proportion a target may be polled between two polls of another."""


def scheduled(intervals, now=0.0, spacing=0.0):
    scheduler = PollScheduler(spacing)
    for key, interval in enumerate(intervals):
        scheduler.schedule(str(key), now, interval)
    return scheduler


def polls_of(intervals, spacing, count):
    """Return which targets are polled, one every *spacing* seconds, each then scheduled again."""
    scheduler, now, polled = scheduled(intervals), 0.0, []
    while len(polled) < count:
        now += spacing
        if (key := scheduler.pop_due(now)) is not None:
            polled.append(int(key))
            scheduler.schedule(key, now, intervals[int(key)])
    return polled


@given(st.lists(st.floats(1.0, 300.0), min_size=2, max_size=8))
def test_polls_between_two_of_another_are_bounded(intervals):
    """While all are due, a target is polled as much more often as its interval is shorter."""
    polled = polls_of(intervals, 2 * max(intervals), 300)
    for key, interval in enumerate(intervals):
        places = [-1, *(n for n, k in enumerate(polled) if k == key)]
        for other, its in enumerate(intervals):
            most = ceil(interval / its * SLACK) + 1
            for begin, end in zip(places, [*places[1:], len(polled)], strict=True):
                assert polled[begin + 1 : end].count(other) <= most or other == key


@given(st.lists(st.floats(1.0, 100.0), min_size=2, max_size=6))
def test_scarce_polls_are_proportional(intervals):
    """Use ten targets of each interval, because two of them can only alternate."""
    rates = [1 / interval for interval in intervals]
    polled = polls_of(intervals * 10, 0.2 / sum(rates), 1000)
    for kind, rate in enumerate(rates):
        expected = 1000 * rate / sum(rates)
        count = sum(key % len(rates) == kind for key in polled)
        assert count == pytest.approx(expected, rel=0.05, abs=20)


@given(intervals, st.permutations(range(8)))
def test_equal_intervals_pop_in_order(interval, order):
    scheduler = PollScheduler()
    for now, key in enumerate(order):
        scheduler.schedule(str(key), float(now), interval)
    later = 10_000.0
    assert [scheduler.pop_due(later) for _ in order] == [str(key) for key in order]


@given(st.lists(st.tuples(intervals, st.floats(0.0, 1.0)), min_size=1), st.floats(0.0, 5000.0))
def test_only_due_targets_are_popped(waits, now):
    scheduler = PollScheduler()
    for key, (interval, jitter) in enumerate(waits):
        scheduler.schedule(str(key), 0.0, interval, jitter)
    popped = set()
    while (key := scheduler.pop_due(now)) is not None:
        popped.add(int(key))
    for key, (interval, jitter) in enumerate(waits):
        due = interval * (1 + 0.2 * jitter)
        assert (due < now + 1e-6) if key in popped else (due > now - 1e-6)
    assert len(scheduler) == len(waits) - len(popped)


@given(st.floats(0.01, 10.0), st.integers(1, 50))
def test_polls_are_spaced_with_a_second_of_burst(spacing, count):
    scheduler = scheduled([0.0] * 200, spacing=spacing)
    started, now = 1000.0, 1000.0
    for _ in range(count):
        now = max(now, scheduler.next_at())
        assert scheduler.pop_due(now) is not None
    least = (count - 1) * spacing - 1.0
    assert max(0.0, least - spacing) <= now - started + 1e-6 <= max(0.0, least) + spacing + 1e-6


def test_expedited_targets_do_not_starve_others():
    """Expedite five of six every second, which is faster than polls are possible."""
    scheduler, polled = scheduled([180.0] * 6, spacing=1.0), []
    polled_at = dict.fromkeys("01234", 0.0)
    for now in map(float, range(1, 3600)):
        for key, at in polled_at.items():
            if key in scheduler:
                scheduler.expedite(key, now, max(0.0, at + 3.0 - now))
        key = scheduler.pop_due(now)
        if key is not None:
            polled.append(key)
            polled_at[key] = now
            scheduler.schedule(key, now, 180.0)
        polled_at.pop("5", None)
    assert polled.count("5") >= 3600 / 180 / 2
    assert min(polled.count(key) for key in polled_at) > 600


@given(st.floats(0.0, 400.0), st.lists(st.floats(0.0, 5.0), max_size=20))
def test_expedite_never_delays(before, pauses):
    scheduler, now = scheduled([180.0, 180.0]), before
    for pause in pauses:
        scheduler.expedite("0", now, max(0.0, 3.0 - now))
        now += pause
    assert not pauses or scheduler.pop_due(max(now, 181.0) + 1.0) == "0"


def test_empty_scheduler_pops_nothing():
    scheduler = PollScheduler(5.0)
    assert scheduler.pop_due(1e9) is None
    assert scheduler.next_at() == inf
    assert not scheduler.remove("0")


class Schedule(RuleBasedStateMachine):
    """Compare any sequence of calls with a plain table of due times."""

    def __init__(self):
        super().__init__()
        self.scheduler, self.now, self.due = PollScheduler(), 0.0, {}

    @rule(key=st.sampled_from("012345"), interval=intervals, jitter=st.floats(0.0, 1.0))
    def schedule(self, key, interval, jitter):
        self.scheduler.schedule(key, self.now, interval, jitter)
        self.due[key] = self.now + interval * (1 + 0.2 * jitter)

    @rule(key=st.sampled_from("012345"))
    def remove(self, key):
        assert self.scheduler.remove(key) == (self.due.pop(key, None) is not None)

    @rule(seconds=st.floats(0.0, 4000.0))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def pop_due(self):
        key = self.scheduler.pop_due(self.now)
        if key is None:
            assert all(due > self.now - 1e-6 for due in self.due.values())
        else:
            assert self.due.pop(key) <= self.now + 1e-6

    @invariant()
    def due_times_agree(self):
        assert len(self.scheduler) == len(self.due)
        assert all(key in self.scheduler for key in self.due)
        soonest = min(self.due.values(), default=inf)
        assert max(self.now, self.scheduler.next_at()) == pytest.approx(max(self.now, soonest))

    @invariant()
    def demand_is_positive_while_any_waits(self):
        assert (self.scheduler.demand > 0) == bool(self.due)


TestSchedule = Schedule.TestCase


def test_demand_counts_waiting_targets():
    scheduler = PollScheduler()
    assert scheduler.demand == 0
    scheduler.schedule("a", 0.0, 32.0)
    scheduler.schedule("b", 0.0, 64.0)
    assert scheduler.demand == 1 / 32 + 1 / 64
    scheduler.schedule("b", 0.0, 32.0)
    assert scheduler.demand == 2 / 32
    scheduler.remove("a")
    assert scheduler.demand == 1 / 32
    scheduler.expedite("b", 0.0, 4.0)
    assert scheduler.demand > 1 / 4
    assert scheduler.pop_due(1000.0) == "b"
    assert scheduler.demand == 0


def test_spacing_counts_from_the_last_poll():
    scheduler = scheduled([1.0, 1.0], spacing=100.0)
    assert scheduler.pop_due(10.0)
    assert scheduler.pop_due(20.0) is None
    scheduler.spacing = 5.0
    assert scheduler.pop_due(20.0)


def test_lateness_is_relative_to_the_interval():
    """After 100 s, a target of 10 s is ten intervals late, one of 60 s less than two."""
    assert scheduled([60.0, 10.0]).pop_due(100.0) == "1"


def test_further_requests_of_a_poll_use_slots():
    scheduler = scheduled([1.0, 1.0], spacing=10.0)
    assert scheduler.pop_due(100.0)
    scheduler.use_slot(100.0)
    assert scheduler.next_at() == 119.0
    assert scheduler.pop_due(118.9) is None
    assert scheduler.pop_due(119.0)
