"""The small parts of a watch by themselves: what each remembers, and for how long."""

import pytest
from attrs import evolve

from gitlab_jobs_async.models.jobs import Job, Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.watch.dormant_jobs import DormantJobs
from gitlab_jobs_async.monitor.watch.full_scan import INTERVAL, FullScanSchedule
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from gitlab_jobs_async.monitor.watch.project_state import ProjectState, restored_jobs
from gitlab_jobs_async.monitor.watch.reopened_pipelines import ReopenedPipelines
from gitlab_jobs_async.monitor.watch.watermark import ALLOWED_LATENESS, PAGE, Watermark


def row(number, status="running", name="unit", pipeline=5):
    inner = Pipeline(id=pipeline, status=JobStatus.RUNNING, project_id=1)
    return Job(id=number, status=JobStatus(status), stage="a", name=name, pipeline=inner)


def test_the_watermark_waits_for_slow_answers():
    """GitLab shows a job late: what counts is when a scan began, not when it was answered."""
    watermark = Watermark()
    watermark.advance(0.0, 0.0, [10])
    watermark.advance(ALLOWED_LATENESS - 1, ALLOWED_LATENESS + 10, [10])
    assert watermark.low_watermark == 0
    watermark.advance(ALLOWED_LATENESS, ALLOWED_LATENESS + 10, [10])
    assert watermark.low_watermark == 10


def test_a_resumed_page_is_as_large_as_it_was():
    watermark = Watermark(10, expected=30)
    assert watermark.page_size(10) == 34
    assert Watermark(10).page_size(10) == PAGE
    watermark.advance(0.0, 0.0, [10, 11])
    assert watermark.page_size(10) == 6
    assert watermark.rows_to(10) == 2


def test_deep_dormant_jobs_are_polled_in_turn():
    dormant = DormantJobs(dict.fromkeys((1, 2, 3), 0.0))
    assert [dormant.least_recently_polled([1, 2, 3], at) for at in (1.0, 2.0, 3.0, 4.0)] == [
        1,
        2,
        3,
        1,
    ]


def test_a_retry_replaces_the_newest_attempt():
    """Also when an older attempt was forgotten in between."""
    tracker = JobTracker("group/app")
    for number in (1, 2):
        tracker.update(row(number, "failed"), 0.0)
    tracker.evict([1])
    assert tracker.update(row(3), 0.0)[0].replaces == 2
    tracker.evict([3])
    assert tracker.update(row(4), 0.0)[0].replaces is None


def test_restored_pipeline_is_polled_once_more():
    reopened = ReopenedPipelines.restored([1], [2])
    assert (reopened.pipelines(), reopened.polled_once()) == ([1, 2], [2])
    reopened.polled(1)
    reopened.polled(2)
    assert (reopened.pipelines(), reopened.polled_once()) == ([1], [1])


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


def test_progress_of_another_epoch_is_ignored():
    """It was written before a reset, whose watermark has nothing to do with the one after."""
    state = ProjectState(1, 50, 50, (), epoch=9)
    progress = Progress(0.0, 0.0, floor=1000, epoch=9)
    for known, floor in ((progress, 1000), (evolve(progress, epoch=0), 50)):
        jobs = restored_jobs("p", state, 0.0, known, IdHistory(), downstream=False)
        assert jobs.watermark.low_watermark == floor
