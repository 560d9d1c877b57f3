"""The jobs of a project: what rows change about them, and what is kept of them."""

import pytest
from attrs import evolve

from gitlab_jobs_async.events import JobAppeared, JobChanged, JobDeleted, JobFinished
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.project_state import (
    ProjectState,
    new_jobs,
    restored_jobs,
    state_of,
)
from gitlab_jobs_async.monitor.watch.watermark import Watermark
from tests.support.sample_jobs import START, bridge, job


def jobs_of(*rows, low=0, project="group/app", downstream=False):
    jobs = new_jobs(project, IdHistory(), downstream=downstream)
    jobs.watermark = Watermark(low)
    jobs.update(rows, START, new_above=0)
    return jobs


def kinds(events):
    return [(type(event), event.job.id) for event in events]


def test_baseline_reports_active_pipelines_only():
    jobs = new_jobs(7, IdHistory(), downstream=False)
    rows = [job(1, "success", of=1), job(2, "success", of=2), job(3, "running", of=2)]
    events = jobs.set_baseline(rows, [1, 2, 3], START, START, START + 5)
    assert kinds(events) == [(JobAppeared, 2), (JobAppeared, 3)]
    assert not any(event.is_new for event in events)
    assert jobs.update(rows, START + 6) == []
    assert jobs.active_at == START


@pytest.mark.parametrize(
    ("status", "is_old", "reported"),
    [
        ("running", False, [JobAppeared]),
        ("success", False, [JobAppeared, JobFinished]),
        ("running", True, [JobAppeared]),
        ("success", True, []),
    ],
)
def test_rows_below_the_watermark_are_not_new(status, is_old, reported):
    jobs = jobs_of(low=50 if is_old else 5)
    events = jobs.update([job(10, status)], START)
    assert [type(event) for event in events] == reported
    assert all(event.is_new is not is_old for event in events if type(event) is JobAppeared)
    assert 10 in jobs.tracker


def test_rows_are_processed_by_id():
    jobs = jobs_of()
    events = jobs.update([job(3), job(1), job(2)], START)
    assert [event.job.id for event in events] == [1, 2, 3]
    assert [event.replaces for event in events] == [None, 1, 2]


def test_changed_job_is_no_longer_dormant():
    jobs = jobs_of(job(1))
    jobs.dormant.ids[1] = START
    jobs.update([job(1)], START + 5)
    assert 1 in jobs.dormant.ids, "nothing has changed"
    assert jobs.active_at == START
    assert kinds(jobs.update([job(1, "success")], START + 9)) == [(JobFinished, 1)]
    assert jobs.dormant.ids == {}
    assert jobs.active_at == START + 9


def test_scan_reaches_lowest_job_not_dormant():
    jobs = new_jobs(7, IdHistory(), downstream=False)
    assert jobs.down_to() == 2**63 - 1
    jobs = jobs_of(job(10), job(20), bridge(5), low=50)
    assert jobs.down_to() == 10
    jobs.dormant.ids[10] = 0.0
    assert jobs.down_to() == 20
    jobs.dormant.ids[20] = 0.0
    assert jobs.down_to() == 50


def test_deleted_pipeline_deletes_its_open_jobs():
    jobs = jobs_of(job(1), job(2, "success"), job(3, of=10), bridge(4))
    lost = jobs.delete_pipeline(9)
    assert [(type(event), event.job_id) for event in lost] == [(JobDeleted, 1)]
    assert jobs.delete_pipeline(9) == []


def test_deleted_bridges_are_reported_once():
    jobs = jobs_of(bridge(1), bridge(2), bridge(3, of=10), job(4))
    assert [event.job_id for event in jobs.delete_bridges(9, [bridge(2)])] == [1]
    assert jobs.delete_bridges(9, [bridge(2)]) == []


def test_tracked_bridge_may_trigger_new_pipeline():
    jobs = jobs_of(bridge(3))
    jobs.tracker.baseline_id = 10
    assert [jobs.is_new_bridge(bridge(i)) for i in (2, 3, 11)] == [False, True, True]


def test_oldest_finished_jobs_are_evicted():
    jobs = jobs_of(*(job(number, "success", name=str(number)) for number in range(1, 201)))
    jobs.watermark.low_watermark = 150
    jobs.end_scan(set(range(141, 201)))
    assert min(jobs.tracker.jobs) == 41, "a hundred below the floor and out of view"
    assert len(jobs.tracker.jobs) == 160


def test_open_and_skipped_jobs_are_kept_longer():
    skipped = [job(number, "skipped", name=str(number)) for number in range(1, 402)]
    jobs = jobs_of(*skipped, job(1000, "running"), low=0)
    jobs.watermark.low_watermark = 5000
    jobs.end_scan(set())
    assert 1000 in jobs.tracker
    assert len([one for one in jobs.tracker.jobs if one < 1000]) == 300


def test_change_is_reported_once():
    jobs = jobs_of(job(1, "pending"))
    assert kinds(jobs.update([job(1), job(1)], START)) == [(JobChanged, 1)]


def test_restored_jobs_equal_the_stored_ones():
    jobs = jobs_of(job(1), job(2, "success"), bridge(3), low=0, downstream=True)
    jobs.tracker.baseline_id = 2
    jobs.dormant.ids[1] = START
    jobs.update([job(4, "manual")], START)
    jobs.update([job(4, "pending")], START)
    jobs.reopened.polled(9)
    lost = TargetAvailability("group/app", "group/app", emitted=3, is_unreachable=True)
    state = state_of(jobs, 7, lost)
    again = restored_jobs("group/app", state, START, None, IdHistory(), downstream=True)
    assert again.tracker.jobs == jobs.tracker.jobs
    assert (again.tracker.baseline_id, again.watermark.low_watermark) == (2, 0)
    assert again.reopened.polled_once() == [9]
    assert set(again.dormant.ids) == {1}
    assert (state.numeric_id, state.availability_events, state.is_unreachable) == (7, 3, True)


def test_progress_of_another_epoch_is_ignored():
    """It was written before a reset, whose watermark has nothing to do with the one after."""
    state = ProjectState(1, 50, 50, (), epoch=9)
    progress = Progress(0.0, 0.0, floor=1000, epoch=9)
    for known, floor in ((progress, 1000), (evolve(progress, epoch=0), 50)):
        jobs = restored_jobs("p", state, 0.0, known, IdHistory(), downstream=False)
        assert jobs.watermark.low_watermark == floor
