"""Whose turn it is: each in proportion to what it asks for, nobody left out, no turn twice."""

from math import ceil, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gitlab_jobs_async.monitor.schedule.scheduler import PollScheduler

intervals = st.floats(0.0, 3600.0)
ALIKE = 2**0.25
"""Intervals count as alike when they differ by no more than this from what is between them."""


def turns_of(rota, intervals, gap, count, chance=0.0):
    """Who has the turns, one every *gap* seconds, each waiting anew as soon as it had one."""
    now, taken = 0.0, []
    for key, interval in enumerate(intervals):
        rota.put(key, now, interval, chance)
    while len(taken) < count:
        now += gap
        if (key := rota.take(now)) is not None:
            taken.append(key)
            rota.put(key, now, intervals[key], chance)
    return taken


@given(st.lists(st.floats(1.0, 300.0), min_size=2, max_size=8))
def test_nobody_has_more_than_his_share_of_turns_between_two_of_another(intervals):
    """While all are due, of two the busier has as many more turns as its interval is shorter."""
    taken = turns_of(PollScheduler(), intervals, 2 * max(intervals), 300)
    for key, interval in enumerate(intervals):
        places = [-1, *(n for n, k in enumerate(taken) if k == key)]
        for other, its in enumerate(intervals):
            most = ceil(interval / its * ALIKE**2) + 1
            for begin, end in zip(places, [*places[1:], len(taken)], strict=True):
                assert taken[begin + 1 : end].count(other) <= most or other == key


@given(st.lists(st.floats(1.0, 100.0), min_size=2, max_size=6))
def test_under_shortage_turns_are_in_proportion_to_what_is_asked_for(intervals):
    """Ten targets of each, since with two of them turn and turn about is as near as it comes."""
    rates = [1 / interval for interval in intervals]
    taken = turns_of(PollScheduler(), intervals * 10, 0.2 / sum(rates), 3000)
    for kind, rate in enumerate(rates):
        due = 3000 * rate / sum(rates)
        had = sum(key % len(rates) == kind for key in taken)
        assert due / ALIKE**2 - 20 <= had <= due * ALIKE**2 + 20


@given(intervals, st.permutations(range(8)))
def test_of_equal_intervals_the_least_recently_looked_at_is_first(interval, order):
    rota = PollScheduler()
    for now, key in enumerate(order):
        rota.put(key, float(now), interval)
    later = 10_000.0
    assert [rota.take(later) for _ in order] == list(order)


@given(st.lists(st.tuples(intervals, st.floats(0.0, 1.0)), min_size=1), st.floats(0.0, 5000.0))
def test_only_those_are_given_that_are_due(waits, now):
    rota = PollScheduler()
    for key, (interval, chance) in enumerate(waits):
        rota.put(key, 0.0, interval, chance)
    taken = set()
    while (key := rota.take(now)) is not None:
        taken.add(key)
    for key, (interval, chance) in enumerate(waits):
        due = interval * (1 + 0.2 * chance)
        assert (due < now + 1e-6) if key in taken else (due > now - 1e-6)
    assert len(rota) == len(waits) - len(taken)


@given(st.floats(0.01, 10.0), st.integers(1, 50))
def test_turns_come_evenly_with_a_second_of_those_left_over(gap, count):
    rota = PollScheduler(gap)
    for key in range(200):
        rota.put(key, 0.0, 0.0)
    begun, now = 1000.0, 1000.0
    for _ in range(count):
        now = max(now, rota.next_at())
        assert rota.take(now) is not None
    least = (count - 1) * gap - 1.0
    assert max(0.0, least - gap) <= now - begun + 1e-6 <= max(0.0, least) + gap + 1e-6


def test_those_that_are_told_to_hasten_leave_turns_to_the_others():
    """Five that hooks tell of every second, faster than turns come, and one of which none does."""
    rota, turns = PollScheduler(1.0), []
    for key in range(6):
        rota.put(key, 0.0, 180.0)
    looked_at = dict.fromkeys(range(5), 0.0)
    for now in map(float, range(1, 3600)):
        for key in looked_at:
            if key in rota:
                rota.hasten(key, now, max(0.0, looked_at[key] + 3.0 - now))
        key = rota.take(now)
        if key is not None:
            turns.append(key)
            looked_at[key] = now
            rota.put(key, now, 180.0)
        looked_at.pop(5, None)
    assert turns.count(5) >= 3600 / 180 / 2
    assert min(turns.count(key) for key in range(5)) > 600


@given(st.floats(0.0, 400.0), st.lists(st.floats(0.0, 5.0), max_size=20))
def test_one_that_is_told_to_hasten_is_never_set_back(before, hooks):
    rota, now = PollScheduler(), before
    rota.put("told", 0.0, 180.0)
    rota.put("untold", 0.0, 180.0)
    for wait in hooks:
        rota.hasten("told", now, max(0.0, 3.0 - now))
        now += wait
    assert not hooks or rota.take(max(now, 181.0) + 1.0) == "told"


def test_nobody_is_next_where_nobody_waits():
    rota = PollScheduler(5.0)
    assert rota.take(1e9) is None
    assert rota.next_at() == inf
    assert not rota.remove("nobody")


class Waiting(RuleBasedStateMachine):
    """Any puts, removals and takes against a plain table of who waits until when."""

    def __init__(self):
        super().__init__()
        self.rota, self.now, self.due = PollScheduler(), 0.0, {}

    @rule(key=st.integers(0, 5), interval=intervals, chance=st.floats(0.0, 1.0))
    def put(self, key, interval, chance):
        self.rota.put(key, self.now, interval, chance)
        self.due[key] = self.now + interval * (1 + 0.2 * chance)

    @rule(key=st.integers(0, 5))
    def remove(self, key):
        assert self.rota.remove(key) == (self.due.pop(key, None) is not None)

    @rule(seconds=st.floats(0.0, 4000.0))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def take(self):
        key = self.rota.take(self.now)
        if key is None:
            assert all(due > self.now - 1e-6 for due in self.due.values())
        else:
            assert self.due.pop(key) <= self.now + 1e-6

    @invariant()
    def it_knows_who_waits_and_until_when(self):
        assert len(self.rota) == len(self.due)
        assert all(key in self.rota for key in self.due)
        soonest = min(self.due.values(), default=inf)
        assert max(self.now, self.rota.next_at()) == pytest.approx(max(self.now, soonest))


TestWaiting = Waiting.TestCase


def test_demand_is_of_those_who_wait():
    rota = PollScheduler()
    assert rota.demand == 0
    rota.put("a", 0.0, 32.0)
    rota.put("b", 0.0, 64.0)
    assert rota.demand == 1 / 32 + 1 / 64
    rota.put("b", 0.0, 32.0)
    assert rota.demand == 2 / 32
    rota.remove("a")
    assert rota.demand == 1 / 32
    rota.hasten("b", 0.0, 4.0)
    assert rota.demand > 1 / 4
    assert rota.take(1000.0) == "b"
    assert rota.demand == 0


def test_shorter_gap_counts_from_the_last_turn():
    rota = PollScheduler(gap=100.0)
    for key in "ab":
        rota.put(key, 0.0, 1.0)
    assert rota.take(10.0)
    assert rota.take(20.0) is None
    rota.gap = 5.0
    assert rota.take(20.0)
