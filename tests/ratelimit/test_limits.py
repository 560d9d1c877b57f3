"""Unit tests of the small limits: sliding and fixed windows, groups."""

import math

from gitlab_jobs_async.ratelimit.limits import JOBS_INDEX, LimitGroup, LimitGroups
from gitlab_jobs_async.ratelimit.windows import FixedWindow, SlidingWindow

START = 1_750_000_000.0


def test_bucket_expires_with_its_last_request():
    minute = SlidingWindow()
    minute.add(START)
    minute.add(START + 0.24)
    assert minute.count(START + 60.0) == 2
    assert minute.next_expiry() == START + 60.24
    assert minute.count(START + 60.24) == 0


def test_request_counts_for_a_whole_minute():
    minute = SlidingWindow()
    minute.add(START)
    minute.add(START + 1)
    assert minute.count(START + 59.99) == 2
    assert minute.count(START + 60) == 1


def test_cleared_window_is_empty():
    minute = SlidingWindow()
    minute.add(START)
    minute.clear()
    assert minute.count(START) == 0
    assert minute.next_expiry() == math.inf


def test_lost_request_counts_in_next_window_too():
    window = FixedWindow(100, START + 20, 10)
    window.count_lost()
    assert window.remaining == 9
    window.update(160, START + 80, 10)
    assert window.remaining == 9
    window.update(220, START + 140, 10)
    assert window.remaining == 10


def test_lost_request_counts_after_a_gap():
    window = FixedWindow(100, START + 20, 10)
    window.count_lost()
    assert not window.roll_over(START + 20)
    assert window.remaining == 11 - 1


def test_window_ignores_an_older_statement():
    window = FixedWindow(100, START + 20, 10)
    window.update(40, START - 40, 0)
    assert (window.reset, window.ends, window.remaining) == (100, START + 20, 10)


def test_unstated_window_is_dropped_at_its_end():
    window = FixedWindow(100, START + 20, 10)
    assert not window.roll_over(START + 20)
    window.count_unstated()
    assert window.roll_over(START + 80)


def test_group_counts_requests_in_flight():
    group = LimitGroup(10)
    group.in_flight = 4
    assert group.available(START, background=False) == 6
    assert group.available(START, background=True) == 5
    group.lost(START)
    assert (group.in_flight, group.used(START)) == (3, 4)
    assert group.used(START + 60) == 3


def test_group_at_its_cap_opens_with_the_oldest():
    group = LimitGroup(1)
    assert group.available_at(START, background=False) == START
    group.in_flight = 1
    group.succeeded(START)
    assert group.available_at(START + 1, background=False) == START + 60


def test_poll_spacing_leaves_the_reserve():
    assert LimitGroup(100).min_poll_spacing(START, 90) == 0.0
    assert LimitGroup(100).min_poll_spacing(START, 91) == 60 / 90
    assert LimitGroup().min_poll_spacing(START, 10**6) == 0.0


def test_idle_kinds_are_dropped_blocked_ones_kept():
    groups = LimitGroups(LimitGroup(), {JOBS_INDEX: LimitGroup(600)})
    groups.add("blocked", START).adaptive.refused(START, 60.0, None)
    groups.add("in flight", START).in_flight = 1
    for n in range(200):
        groups.add(f"GET /{n}", START)
    assert {JOBS_INDEX, "blocked", "in flight"} <= set(groups.kinds)
    assert len(list(groups.kinds)) <= 101
