"""Full scans are rare, spread over a day, and sooner on suspicion."""

import pytest

from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.watch.full_scan import INTERVAL, FullScanSchedule


@pytest.mark.parametrize(
    ("waited", "scans", "is_suspicious", "is_due"),
    [
        (INTERVAL - 1, 50, False, False),
        (INTERVAL, 49, False, False),
        (INTERVAL, 50, False, True),
        (599.0, 0, True, False),
        (600.0, 0, True, True),
    ],
)
def test_full_scan_is_due(waited, scans, is_suspicious, is_due):
    assert FullScanSchedule(0.0, scans, is_suspicious).is_due(waited) == is_due


def test_full_scan_is_due_once():
    schedule = FullScanSchedule(0.0, 49, is_suspicious=True)
    schedule.polled(INTERVAL, is_full=False)
    assert schedule.is_due(INTERVAL)
    schedule.polled(INTERVAL, is_full=True)
    assert not schedule.is_due(2 * INTERVAL - 1)
    assert schedule == FullScanSchedule(INTERVAL)


def test_first_full_scans_are_spread():
    times = {FullScanSchedule.first(f"p{number}", 0.0).scanned_at for number in range(100)}
    assert len(times) == 100
    assert -INTERVAL / 2 <= min(times) < -INTERVAL / 3 < -INTERVAL / 6 < max(times) <= 0.0


def test_full_scan_schedule_is_resumed():
    progress = Progress(0.0, 0.0, compared_at=500.0, scans=7)
    assert FullScanSchedule.restored(progress, "p", 1000.0) == FullScanSchedule(500.0, 7)
    assert FullScanSchedule.restored(progress, "p", 400.0).scanned_at == 400.0
    for broken in (None, float("nan"), float("inf")):
        progress = Progress(0.0, 0.0, compared_at=broken, scans=7)
        assert FullScanSchedule.restored(progress, "p", 0.0) == FullScanSchedule.first("p", 0.0)
