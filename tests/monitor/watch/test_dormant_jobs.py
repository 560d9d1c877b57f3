"""Jobs that stay open for long leave the scans, and are asked for rarely but never forgotten."""

import pytest

from gitlab_jobs_async.monitor.watch.dormant_jobs import OPEN, OPEN_BEFORE_17, DormantJobs
from gitlab_jobs_async.monitor.watch.watermark import Watermark
from tests.support.sample_jobs import START, told


def reach_of(*ids):
    reach = Watermark(floor=1)
    reach.looked(START, START, ids)
    return reach


def chosen(jobs, reach, now):
    parked = DormantJobs()
    parked.choose(jobs, reach, START + now)
    return sorted(parked.ids)


@pytest.mark.parametrize(
    ("status", "tolerance"),
    [("running", 3600), ("manual", 300), ("created", 300), ("scheduled", 300)],
)
def test_a_job_is_parked_after_a_while(status, tolerance):
    jobs, reach = [told(5, status)], reach_of(5)
    assert chosen(jobs, reach, tolerance) == []
    assert chosen(jobs, reach, tolerance + 1) == [5]


def test_a_deep_job_is_parked_sooner():
    reach = reach_of(*range(1000, 1350))
    jobs = [told(1340), told(1200), told(1010)]
    assert chosen(jobs, reach, 3600 / 16 + 1) == [1010]
    assert chosen(jobs, reach, 3600 / 4 + 1) == [1010, 1200]
    assert chosen(jobs, reach, 3601) == [1010, 1200, 1340]


def test_what_is_open_no_more_is_forgotten():
    parked = DormantJobs({5: 0.0, 6: 1.0})
    parked.choose([told(6)], reach_of(6), START)
    assert parked.ids == {6: 1.0}


def test_only_jobs_out_of_sight_are_due():
    parked, jobs = DormantJobs({1: 0.0, 2: 0.0, 3: 0.0}), [told(3), told(1), told(2), told(4)]
    assert parked.due(jobs, reach_of(2), START) == [1, 3]
    assert parked.due(jobs, reach_of(1, 2, 3), START + 9000) == []


@pytest.mark.parametrize(
    ("status", "stood", "wait"),
    [
        ("running", 0, 30),
        ("running", 3600, 120),
        ("running", 10**7, 3600),
        ("manual", 0, 120),
        ("manual", 36_000, 3600),
        ("manual", 7200, 720),
    ],
)
def test_sweeps_get_rarer(status, stood, wait):
    now = START + stood
    parked, jobs, reach = DormantJobs({1: 0.0}, swept_at=now - wait), [told(1, status)], reach_of()
    assert parked.due(jobs, reach, now - 1) == []
    assert parked.due(jobs, reach, now) == [1]
    assert parked.swept_at == now
    assert parked.due(jobs, reach, now + 1) == []


def test_out_of_sight_jobs_count_as_one():
    parked, reach = DormantJobs({1: 0.0, 2: 0.0}), reach_of(3)
    jobs = [told(1, since=START - 50), told(2, since=START - 20), told(3, since=START - 7)]
    assert sorted(parked.stood(jobs, reach, START)) == [7, 20]
    assert parked.stood([], reach, START) == []


def test_deep_jobs_take_turns():
    """What is too deep for a sweep is asked for singly, the one least recently asked first."""
    parked = DormantJobs({1: 0.0, 2: 0.0, 3: 0.0})
    asked = [parked.least_asked([1, 2, 3], START + number) for number in range(6)]
    assert asked == [1, 2, 3, 1, 2, 3]


def test_parking_again_keeps_the_turn():
    parked = DormantJobs()
    parked.park(told(1))
    parked.least_asked([1], START)
    parked.park(told(1))
    assert parked.ids == {1: START}


def test_old_servers_know_fewer_statuses():
    assert set(OPEN) - set(OPEN_BEFORE_17) == {"canceling", "waiting_for_callback"}
    assert not any(status.is_finished for status in OPEN)
