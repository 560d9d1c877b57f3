"""Jobs open for long leave the scans of the newest jobs, and are polled rarely, but always."""

import pytest

from gitlab_jobs_async.monitor.watch.dormant_jobs import DormantJobs
from gitlab_jobs_async.monitor.watch.watermark import Watermark
from tests.support.sample_jobs import START, tracked


def scan_of(*ids):
    watermark = Watermark(1)
    watermark.advance(START, START, ids)
    return watermark


def chosen(jobs, watermark, now):
    dormant = DormantJobs()
    dormant.select(jobs, watermark, START + now)
    return sorted(dormant.ids)


@pytest.mark.parametrize(
    ("status", "tolerance"),
    [("running", 3600), ("manual", 300), ("created", 300), ("scheduled", 300)],
)
def test_job_becomes_dormant_after_a_while(status, tolerance):
    jobs, watermark = [tracked(5, status)], scan_of(5)
    assert chosen(jobs, watermark, tolerance) == []
    assert chosen(jobs, watermark, tolerance + 1) == [5]


def test_deep_job_becomes_dormant_sooner():
    watermark = scan_of(*range(1000, 1350))
    jobs = [tracked(1340), tracked(1200), tracked(1010)]
    assert chosen(jobs, watermark, 3600 / 16 + 1) == [1010]
    assert chosen(jobs, watermark, 3600 / 4 + 1) == [1010, 1200]
    assert chosen(jobs, watermark, 3601) == [1010, 1200, 1340]


def test_finished_job_is_no_longer_dormant():
    dormant = DormantJobs({5: 0.0, 6: 1.0})
    dormant.select([tracked(6)], scan_of(6), START)
    assert dormant.ids == {6: 1.0}


def test_only_hidden_jobs_are_due():
    dormant, jobs = (
        DormantJobs({1: 0.0, 2: 0.0, 3: 0.0}),
        [tracked(3), tracked(1), tracked(2), tracked(4)],
    )
    assert dormant.due(jobs, scan_of(2), START) == [1, 3]
    assert dormant.due(jobs, scan_of(1, 2, 3), START + 9000) == []


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
def test_interval_of_open_scans_grows_with_age(status, stood, wait):
    now = START + stood
    dormant, jobs, watermark = (
        DormantJobs({1: 0.0}, scanned_at=now - wait),
        [tracked(1, status)],
        scan_of(),
    )
    assert dormant.due(jobs, watermark, now - 1) == []
    assert dormant.due(jobs, watermark, now) == [1]
    assert dormant.scanned_at == now
    assert dormant.due(jobs, watermark, now + 1) == []


def test_hidden_jobs_count_as_one():
    dormant, watermark = DormantJobs({1: 0.0, 2: 0.0}), scan_of(3)
    jobs = [tracked(1, since=START - 50), tracked(2, since=START - 20), tracked(3, since=START - 7)]
    assert sorted(dormant.ages(jobs, watermark, START)) == [7, 20]
    assert dormant.ages([], watermark, START) == []


def test_deep_jobs_are_polled_in_rotation():
    """Jobs too deep for a listing are requested singly, the least recently polled first."""
    dormant = DormantJobs({1: 0.0, 2: 0.0, 3: 0.0})
    asked = [dormant.least_recently_polled([1, 2, 3], START + number) for number in range(6)]
    assert asked == [1, 2, 3, 1, 2, 3]


def test_adding_again_keeps_the_poll_time():
    dormant = DormantJobs()
    dormant.add(1)
    dormant.least_recently_polled([1], START)
    dormant.add(1)
    assert dormant.ids == {1: START}
