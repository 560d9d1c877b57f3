"""Monitors of one client share its poll rate by demand, and its slots in order."""

from contextlib import ExitStack

import pytest

from gitlab_jobs_async.monitor.schedule.shared import SharedSchedule


@pytest.fixture
def joined():
    """Return a function that joins a schedule until the end of the test."""
    with ExitStack() as stack:
        yield lambda schedule, wake=lambda: None: stack.enter_context(schedule.join(wake))


def test_rate_is_shared_by_demand(joined):
    schedule = SharedSchedule(1)
    a = joined(schedule)
    a.claim(10, 3.0)
    assert a.stretch == 1
    b = joined(schedule)
    b.claim(30, 1.0)
    assert schedule.targets == 40
    assert a.stretch == 4 / 3
    assert b.stretch == 4
    assert 1 / a.stretch + 1 / b.stretch == 1


def test_unused_rate_is_left_to_others(joined):
    schedule = SharedSchedule(1)
    with schedule.join(lambda: None) as a:
        a.claim(10, 3.0)
        b = joined(schedule)
        b.claim(30, 0.0)
        assert a.stretch == 1
        assert b.stretch == 1
    assert schedule.targets == 30


@pytest.mark.parametrize("waiting", [1, 3])
def test_slots_are_given_in_order(joined, waiting):
    schedule, woken = SharedSchedule(1), []
    first = joined(schedule)
    rest = [joined(schedule, lambda n=n: woken.append(n)) for n in range(waiting)]
    assert first.acquire()
    for share in rest:
        assert not share.acquire()
        assert share.is_queued
    first.release()
    assert woken == [0]
    assert not first.acquire()
    assert rest[0].acquire()
    assert not rest[0].is_queued


def test_leaving_the_queue_wakes_the_next(joined):
    schedule, woken = SharedSchedule(1), []
    second = joined(schedule, lambda: woken.append("second"))
    third = joined(schedule, lambda: woken.append("third"))
    with schedule.join(lambda: None) as first:
        assert first.acquire()
        assert not second.acquire()
        assert not third.acquire()
    assert woken == ["second"]
    second.leave_queue()
    assert woken == ["second", "third"]
    assert third.acquire()
    assert schedule.free_slots == 0


def test_leaving_without_waiting_wakes_nothing(joined):
    schedule, woken = SharedSchedule(1), []
    joined(schedule, lambda: woken.append("first")).acquire()
    other = joined(schedule)
    assert not joined(schedule, lambda: woken.append("queued")).acquire()
    other.leave_queue()
    assert woken == []


def test_closed_monitor_gives_its_slots_back():
    schedule = SharedSchedule(2)
    with schedule.join(lambda: None) as share:
        assert share.acquire()
        assert share.acquire()
        assert not share.acquire()
        share.release()
    assert schedule.free_slots == 2
    assert not schedule.queue
