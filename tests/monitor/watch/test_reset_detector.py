"""A reset is detected by rows that contradict the tracked jobs, and by nothing else."""

import pytest
from attrs import evolve

from gitlab_jobs_async.events import JobAppeared, JobFinished
from gitlab_jobs_async.models.values import UNKNOWN_TIME
from gitlab_jobs_async.monitor.watch.full_scan import FullScanSchedule
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from gitlab_jobs_async.monitor.watch.server_resets import (
    ResetDetector,
    contradiction,
    latest_creation,
    next_epoch,
    runs_again,
)
from gitlab_jobs_async.monitor.watch.tracked_jobs import TrackedJobs
from gitlab_jobs_async.monitor.watch.watermark import ALLOWED_LATENESS
from tests.support.sample_jobs import START, bridge, job, tracked


def detector_of(*jobs, **fields):
    tracker = JobTracker(7, TrackedJobs.of(jobs))
    return ResetDetector(tracker, IdHistory(), FullScanSchedule(), **fields)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (job(1, "failed"), None),
        (job(1, "failed", name="other"), "job 1 is another job than before"),
        (job(1, "failed", of=10), "job 1 is another job than before"),
        (job(1, "failed", of=None), None),
        (bridge(1, "failed"), "job 1 is another job than before"),
        (job(1, "success"), "job 1 has ended in another way than before"),
        (job(1, "running"), "job 1 had ended and is running again"),
    ],
)
def test_contradictions_are_named(row, reason):
    assert contradiction(tracked(1, "failed"), row, START + ALLOWED_LATENESS) == reason


def test_stale_row_contradicts_nothing():
    """A replica of the database may lag."""
    assert contradiction(tracked(1, "failed"), job(1), START + ALLOWED_LATENESS - 1) is None


def test_bridge_may_run_again():
    """GitLab reopens a bridge when its downstream pipeline is retried."""
    assert not runs_again(tracked(1, "failed", is_bridge=True), bridge(1))
    assert runs_again(tracked(1, "failed"), job(1))


@pytest.mark.parametrize("is_suspicious", [False, True])
@pytest.mark.parametrize(("number", "is_past"), [(5, True), (50, False)])
def test_evicted_job_that_runs_needs_suspicion(number, is_past, is_suspicious):
    detector = detector_of()
    detector.tracker.evicted_to = 10
    detector.full_scan.is_suspicious = is_suspicious
    shown = detector.check([job(number)], START, low_watermark=9)
    assert (shown is not None) is (is_past and is_suspicious)


def test_late_job_after_a_deletion_is_no_reset():
    """GitLab assigns ids before jobs are visible: a job may appear below a deleted one."""
    detector = detector_of()
    detector.tracker.deleted_to = 10
    detector.full_scan.is_suspicious = True
    assert detector.check([job(5)], START, low_watermark=4) is None
    assert detector.check([job(5)], START, low_watermark=5) is not None


def test_finished_job_that_runs_is_suspicious():
    detector = detector_of(tracked(1, "failed"))
    detector.learn([job(1, "failed")], START)
    assert not detector.full_scan.is_suspicious
    detector.learn([job(1)], START)
    assert detector.full_scan.is_suspicious


def test_creations_count_after_the_poll():
    detector = detector_of()
    detector.learn([job(1, created=50.0)], START + 60)
    assert detector.created_to == 0
    detector.begin_poll()
    assert detector.created_to == START + 50


def test_jobs_created_after_a_reset_are_new():
    detector = detector_of(new_after=int(START) + 10)
    created = (9.0, 10.0, 11.0)
    assert [detector.is_new(job(1, created=at)) for at in created] == [False, False, True]
    assert not detector_of().is_new(job(1, created=99.0))


def test_changed_jobs_are_reported_after_a_reset():
    before = {1: tracked(1, "failed"), 2: tracked(2, "running")}
    detector = detector_of(previous=before, new_after=int(START))
    rows = [job(1, "failed"), job(2, "failed"), job(3, created=9.0), job(4)]
    assert [detector.is_unreported(row) for row in rows] == [False, True, True, False]
    events = detector.report(rows[1], START)
    assert [type(event) for event in events] == [JobAppeared, JobFinished]


@pytest.mark.parametrize(
    ("previous", "rows", "continues"),
    [
        (None, [job(9)], False),
        ({}, [], False),
        ({}, [job(9)], False),
        ({}, [job(9, created=5.0)], True),
        ({5: tracked(5)}, [job(9)], True),
        ({5: tracked(5)}, [job(5)], False),
    ],
)
def test_baseline_reads_on_while_jobs_are_new(previous, rows, continues):
    detector = detector_of(previous=previous, new_after=int(START))
    assert detector.may_continue_below(rows) is continues


def test_epochs_never_repeat():
    assert next_epoch(START, 0) == int(START * 1000)
    assert next_epoch(1.0, 5000) == 5001


def test_future_creations_do_not_count():
    rows = [job(1, created=5.0), job(2, created=4000.0), evolve(job(3), created_at=UNKNOWN_TIME)]
    assert latest_creation(rows, START) == START + 5
    assert latest_creation([], START) == 0
