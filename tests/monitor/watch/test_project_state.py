"""What is known of a project's jobs: what rows add to it, and what is kept of it."""

import pytest

from gitlab_jobs_async.events import JobAppeared, JobChanged, JobDeleted, JobFinished
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.watch.project_state import KnownJobs
from gitlab_jobs_async.monitor.watch.scans import NewestScan
from gitlab_jobs_async.monitor.watch.watermark import Watermark
from tests.support.sample_jobs import START, bridge, job


def known_with(*jobs, floor=0, downstream=False):
    known = KnownJobs.of("group/app", downstream=downstream)
    known.reach = Watermark(floor)
    known.tell(jobs, START, newest_known=0)
    return known


def look_of(*jobs):
    look = NewestScan(START, 0, answered=START, rows={one.id: one for one in jobs})
    look.ids |= {one.id for one in jobs}
    return look


def kinds(events):
    return [(type(event), event.job.id) for event in events]


def test_at_first_only_live_pipelines_are_reported():
    known = KnownJobs.of(7, downstream=False)
    rows = [job(1, "success", of=1), job(2, "success", of=2), job(3, "running", of=2)]
    events = known.begin(look_of(*rows), START + 5)
    assert kinds(events) == [(JobAppeared, 2), (JobAppeared, 3)]
    assert not any(event.is_new for event in events)
    assert known.tell(rows, START + 6) == []
    assert known.active_at == START


@pytest.mark.parametrize(
    ("status", "is_old", "reported"),
    [
        ("running", False, [JobAppeared]),
        ("success", False, [JobAppeared, JobFinished]),
        ("running", True, [JobAppeared]),
        ("success", True, []),
    ],
)
def test_rows_below_the_floor_are_not_new(status, is_old, reported):
    known = known_with(floor=50 if is_old else 5)
    events = known.tell([job(10, status)], START)
    assert [type(event) for event in events] == reported
    assert all(event.is_new is not is_old for event in events if type(event) is JobAppeared)
    assert 10 in known.ledger


def test_rows_are_taken_in_the_order_of_their_ids():
    known = known_with()
    events = known.tell([job(3), job(1), job(2)], START)
    assert [event.job.id for event in events] == [1, 2, 3]
    assert [event.replaces for event in events] == [None, 1, 2]


def test_an_event_takes_a_job_out_of_parking():
    known = known_with(job(1))
    known.parked.ids[1] = START
    known.tell([job(1)], START + 5)
    assert 1 in known.parked.ids, "nothing has changed"
    assert known.active_at == START
    assert kinds(known.tell([job(1, "success")], START + 9)) == [(JobFinished, 1)]
    assert known.parked.ids == {}
    assert known.active_at == START + 9


def test_the_goal_is_the_lowest_open_job_not_parked():
    known = KnownJobs.of(7, downstream=False)
    assert known.goal() == 2**63 - 1
    known = known_with(job(10), job(20), bridge(5), floor=50)
    assert known.goal() == 10
    known.parked.ids[10] = 0.0
    assert known.goal() == 20
    known.parked.ids[20] = 0.0
    assert known.goal() == 50


def test_the_number_is_learned_from_a_job():
    known = known_with()
    assert known.address == "group/app"
    known.learn_number([])
    known.learn_number([job(1)])
    assert known.address == 7


def test_a_lost_pipeline_loses_its_open_jobs():
    known = known_with(job(1), job(2, "success"), job(3, of=10), bridge(4))
    lost = known.lost(9)
    assert [(type(event), event.job_id) for event in lost] == [(JobDeleted, 1)]
    assert known.lost(9) == []


def test_bridges_that_are_gone_are_reported():
    known = known_with(bridge(1), bridge(2), bridge(3, of=10), job(4))
    assert [event.job_id for event in known.gone(9, [bridge(2)])] == [1]
    assert known.gone(9, [bridge(2)]) == []


def test_known_bridge_may_lead_to_something_new():
    known = known_with(bridge(3))
    known.began = 10
    assert [known.is_new_bridge(number) for number in (2, 3, 11)] == [False, True, True]


def test_the_oldest_finished_jobs_are_forgotten():
    known = known_with(*(job(number, "success", name=str(number)) for number in range(1, 201)))
    known.reach.floor = 150
    known.forget(look_of(*(job(number, "success") for number in range(141, 201))))
    assert min(known.ledger.jobs) == 41, "a hundred below the floor and out of view"
    assert len(known.ledger.jobs) == 160


def test_open_and_skipped_jobs_are_kept_for_longer():
    skipped = [job(number, "skipped", name=str(number)) for number in range(1, 402)]
    known = known_with(*skipped, job(1000, "running"), floor=0)
    known.reach.floor = 5000
    known.forget(look_of())
    assert 1000 in known.ledger
    assert len([one for one in known.ledger.jobs if one < 1000]) == 300


def test_a_changed_job_reports_once():
    known = known_with(job(1, "pending"))
    assert kinds(known.tell([job(1), job(1)], START)) == [(JobChanged, 1)]


def test_a_restart_knows_the_same():
    known = known_with(job(1), job(2, "success"), bridge(3), floor=0, downstream=True)
    known.began, known.number = 2, 7
    known.parked.ids[1] = START
    known.tell([job(4, "manual")], START)
    known.tell([job(4, "pending")], START)
    known.revivals.asked(9)
    state = known.state(
        TargetAvailability("group/app", "group/app", emitted=3, is_unreachable=True)
    )
    again = KnownJobs.restored("group/app", state, START, downstream=True)
    assert again.ledger.jobs == known.ledger.jobs
    assert (again.number, again.began, again.reach.floor) == (7, 2, 0)
    assert again.revivals.asked_once() == [9]
    assert set(again.parked.ids) == {1}
    assert (state.unreachable_told, state.is_unreachable) == (3, True)
