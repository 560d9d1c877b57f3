"""The small parts of a watch by themselves: what each remembers, and for how long."""

import pytest
from attrs import evolve

from gitlab_jobs_async.models.jobs import Job, Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.watch.dormant_jobs import DormantJobs
from gitlab_jobs_async.monitor.watch.full_scan import EVERY, FullScanSchedule
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from gitlab_jobs_async.monitor.watch.project_state import KnownJobs, ProjectState
from gitlab_jobs_async.monitor.watch.reopened_pipelines import ReopenedPipelines
from gitlab_jobs_async.monitor.watch.watermark import PAGE, SETTLING, Watermark


def row(number, status="running", name="unit", pipeline=5):
    inner = Pipeline(id=pipeline, status=JobStatus.RUNNING, project_id=1)
    return Job(id=number, status=JobStatus(status), stage="a", name=name, pipeline=inner)


def test_the_watermark_waits_for_slow_answers():
    """GitLab shows a job late: what counts is when a scan began, not when it was answered."""
    reach = Watermark()
    reach.looked(0.0, 0.0, [10])
    reach.looked(SETTLING - 1, SETTLING + 10, [10])
    assert reach.floor == 0
    reach.looked(SETTLING, SETTLING + 10, [10])
    assert reach.floor == 10


def test_a_resumed_page_is_as_large_as_it_was():
    reach = Watermark(10, expected=30)
    assert reach.page_size(10) == 34
    assert Watermark(10).page_size(10) == PAGE
    reach.looked(0.0, 0.0, [10, 11])
    assert reach.page_size(10) == 6
    assert reach.rows_to(10) == 2


def test_deep_parked_jobs_are_asked_in_turn():
    parked = DormantJobs(dict.fromkeys((1, 2, 3), 0.0))
    assert [parked.least_asked([1, 2, 3], at) for at in (1.0, 2.0, 3.0, 4.0)] == [1, 2, 3, 1]


def test_a_retry_replaces_the_newest_attempt():
    """Also when an older attempt was forgotten in between."""
    ledger = JobTracker("group/app")
    for number in (1, 2):
        ledger.tell(row(number, "failed"), 0.0)
    ledger.forget([1])
    assert ledger.tell(row(3), 0.0)[0].replaces == 2
    ledger.forget([3])
    assert ledger.tell(row(4), 0.0)[0].replaces is None


def test_a_revival_asked_once_is_asked_once_more():
    revivals = ReopenedPipelines.of([1], [2])
    assert (revivals.pipelines(), revivals.asked_once()) == ([1, 2], [2])
    revivals.asked(1)
    revivals.asked(2)
    assert (revivals.pipelines(), revivals.asked_once()) == ([1], [1])


@pytest.mark.parametrize(
    ("waited", "scans", "is_suspicious", "is_due"),
    [
        (EVERY - 1, 50, False, False),
        (EVERY, 49, False, False),
        (EVERY, 50, False, True),
        (599.0, 0, True, False),
        (600.0, 0, True, True),
    ],
)
def test_a_comparison_is_due(waited, scans, is_suspicious, is_due):
    assert FullScanSchedule(0.0, scans, is_suspicious).is_due(waited) == is_due


def test_a_comparison_is_due_once():
    comparing = FullScanSchedule(0.0, 49, is_suspicious=True)
    comparing.scanned(EVERY, compared=False)
    assert comparing.is_due(EVERY)
    comparing.scanned(EVERY, compared=True)
    assert not comparing.is_due(2 * EVERY - 1)
    assert comparing == FullScanSchedule(EVERY)


def test_first_comparisons_are_spread():
    times = {FullScanSchedule.begun(f"p{number}", 0.0).compared_at for number in range(100)}
    assert len(times) == 100
    assert -EVERY / 2 <= min(times) < -EVERY / 3 < -EVERY / 6 < max(times) <= 0.0


def test_a_schedule_of_comparisons_is_resumed():
    progress = Progress(0.0, 0.0, compared_at=500.0, scans=7)
    assert FullScanSchedule.restored(progress, "p", 1000.0) == FullScanSchedule(500.0, 7)
    assert FullScanSchedule.restored(progress, "p", 400.0).compared_at == 400.0
    for broken in (None, float("nan"), float("inf")):
        progress = Progress(0.0, 0.0, compared_at=broken, scans=7)
        assert FullScanSchedule.restored(progress, "p", 0.0) == FullScanSchedule.begun("p", 0.0)


def test_progress_of_another_epoch_is_left_aside():
    """It was written before a reset, whose watermark has nothing to do with the one after."""
    state = ProjectState(1, 50, 50, (), epoch=9)
    progress = Progress(0.0, 0.0, floor=1000, epoch=9)
    for known, floor in ((progress, 1000), (evolve(progress, epoch=0), 50)):
        restored = KnownJobs.restored("p", state, 0.0, downstream=False, progress=known)
        assert restored.reach.floor == floor
