"""Each change of a job is reported once, under a key of its own, in whatever order rows come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.events import (
    JobAppeared,
    JobChanged,
    JobDeleted,
    JobErased,
    JobFinished,
)
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from gitlab_jobs_async.monitor.watch.tracked_job import pipeline_id_of, unchanged_since
from gitlab_jobs_async.monitor.watch.tracked_jobs import TrackedJobs
from tests.support.sample_jobs import START, bridge, job, tracked

STATUSES = [status.value for status in JobStatus]
FINAL = ["success", "failed", "canceled"]


def kinds(events):
    return [type(event) for event in events]


def test_a_new_job_appears_once():
    tracker = JobTracker("group/app")
    (appeared,) = tracker.update(job(1), START)
    assert kinds([appeared]) == [JobAppeared]
    assert (appeared.project, appeared.is_new, appeared.replaces) == ("group/app", True, None)
    assert tracker.update(job(1), START) == []


def test_each_change_has_the_previous_status():
    tracker = JobTracker(7)
    seen = ["created", "pending", "running", "success"]
    events = [event for status in seen for event in tracker.update(job(1, status), START)]
    assert kinds(events) == [JobAppeared, JobChanged, JobChanged, JobFinished]
    assert [event.previous for event in events[1:]] == seen[:3]


@pytest.mark.parametrize("final", FINAL)
@pytest.mark.parametrize("later", STATUSES)
def test_a_final_status_is_never_left(final, later):
    """An older row may come from another replica of the database."""
    tracker = JobTracker(7)
    tracker.update(job(1, final), START)
    assert tracker.update(job(1, later), START) == []
    assert tracker.jobs[1].status == final


def test_skipped_job_may_be_reopened():
    tracker = JobTracker(7)
    tracker.update(job(1, "skipped"), START)
    (changed,) = tracker.update(job(1, "pending"), START)
    (finished,) = tracker.update(job(1, "success"), START)
    assert (changed.previous, finished.previous) == ("skipped", "pending")


def test_a_job_that_had_ended_appears_and_ends():
    assert kinds(JobTracker(7).update(job(1, "failed"), START)) == [JobAppeared, JobFinished]
    assert kinds(JobTracker(7).update(job(1, "failed", erased=5), START)) == [
        JobAppeared,
        JobFinished,
        JobErased,
    ]


def test_existing_job_appears_only():
    (appeared,) = JobTracker(7).update(job(1, "failed", erased=5), START, is_new=False)
    assert not appeared.is_new


def test_an_erasure_is_reported_once():
    tracker = JobTracker(7)
    tracker.update(job(1, "success"), START)
    assert kinds(tracker.update(job(1, "success", erased=9), START)) == [JobErased]
    assert tracker.update(job(1, "success", erased=9), START) == []


def test_seeded_job_reports_later_changes_only():
    tracker = JobTracker(7)
    tracker.seed(job(1, "success"), START)
    tracker.seed(job(2, "success", erased=3), START)
    assert tracker.update(job(1, "success"), START) == []
    assert kinds(tracker.update(job(1, "success", erased=9), START)) == [JobErased]
    assert tracker.update(job(2, "success", erased=3), START) == []


def test_seeded_skipped_job_appears_when_reopened():
    tracker = JobTracker(7)
    tracker.seed(job(1, "skipped"), START)
    (appeared,) = tracker.update(job(1, "pending"), START)
    assert (type(appeared), appeared.is_new) == (JobAppeared, False)


def test_a_retry_replaces_the_newest_of_its_name():
    tracker = JobTracker(7)
    for number in (1, 2):
        tracker.update(job(number, "failed"), START)
    tracker.update(job(3, name="other"), START)
    tracker.update(job(4, of=10), START)
    assert tracker.update(job(5), START)[0].replaces == 2
    assert tracker.update(job(6, name="other", of=10), START)[0].replaces is None


def test_an_older_attempt_replaces_nothing():
    tracker = JobTracker(7)
    tracker.update(job(5), START)
    assert tracker.update(job(3), START)[0].replaces is None
    assert tracker.update(job(6), START)[0].replaces == 5


def test_evicting_an_older_attempt_keeps_newest():
    """`JobAppeared.replaces` goes by the newest one."""
    tracker = JobTracker(7)
    tracker.update(job(1, "failed"), START)
    tracker.update(job(2, "failed"), START)
    tracker.evict([1])
    assert tracker.update(job(3), START)[0].replaces == 2


def test_evicted_job_is_not_replaced():
    tracker = JobTracker(7)
    tracker.update(job(1, "failed"), START)
    tracker.evict([1])
    assert 1 not in tracker
    assert tracker.update(job(2), START)[0].replaces is None


@pytest.mark.parametrize("status", STATUSES)
def test_only_an_open_job_is_reported_deleted(status):
    tracker = JobTracker(7)
    tracker.update(job(1, status), START)
    deleted = tracker.delete(1)
    assert kinds(deleted) == ([] if JobStatus(status).is_finished else [JobDeleted])
    assert [event.previous for event in deleted] == [status] * len(deleted)
    assert tracker.delete(1) == []


def test_restored_tracker_continues():
    tracker = JobTracker(
        7,
        TrackedJobs.of([tracked(1, "running", events=1), tracked(2, "failed", name="x", events=2)]),
    )
    assert [one.id for one in tracker.open_jobs()] == [1]
    (finished,) = tracker.update(job(1, "success"), START)
    assert finished.key == "job/1/1/finished/success"
    assert tracker.update(job(3, name="x"), START)[0].replaces == 2


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(STATUSES), st.booleans())))
def test_keys_are_never_used_twice(rows):
    tracker, keys, ends = JobTracker(7), [], {}
    for number, status, is_erased in rows:
        for event in tracker.update(job(number, status, erased=9 if is_erased else None), START):
            keys.append(event.key)
            if isinstance(event, JobFinished):
                ends.setdefault(number, []).append(event.job.status)
    assert len(keys) == len(set(keys))
    for statuses in ends.values():
        assert all(status == "skipped" for status in statuses[:-1])


def test_the_pipeline_id_of_a_job_may_be_unknown():
    assert pipeline_id_of(job(1, of=None)) == 0
    assert pipeline_id_of(bridge(1)) == 9


@pytest.mark.parametrize(
    ("fields", "since"),
    [({}, 100.0), ({"created": None}, 500.0), ({"created": 900.0}, 500.0)],
)
def test_unchanged_since_the_last_known_time(fields, since):
    assert unchanged_since(job(1, **{"created": 100.0, **fields}), START + 500.0) == START + since


def test_a_retry_replaces_the_newest_attempt():
    """Also when an older attempt was evicted in between."""
    tracker = JobTracker("group/app")
    for number in (1, 2):
        tracker.update(job(number, "failed"), START)
    tracker.evict([1])
    assert tracker.update(job(3), START)[0].replaces == 2
    tracker.evict([3])
    assert tracker.update(job(4), START)[0].replaces is None
