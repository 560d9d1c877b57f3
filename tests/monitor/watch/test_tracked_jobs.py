"""Packed jobs behave as plain ones, and take a tenth of the memory."""

import tracemalloc

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.checkpoint.serialization import dumps, loads
from gitlab_jobs_async.monitor.watch.factory import create_watch
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from gitlab_jobs_async.monitor.watch.project_state import ProjectState, new_jobs
from gitlab_jobs_async.monitor.watch.tracked_job import hash_of
from gitlab_jobs_async.monitor.watch.tracked_jobs import TrackedJobs
from tests.support.sample_jobs import START, bridge, job, tracked

FINISHED = ["success", "failed", "canceled", "skipped"]
STATUSES = [status.value for status in JobStatus]
IDS = st.integers(1, 8)
OPS = st.one_of(
    st.tuples(st.just("seed"), IDS, st.sampled_from(FINISHED), st.booleans(), st.booleans()),
    st.tuples(st.just("update"), IDS, st.sampled_from(STATUSES), st.booleans(), st.booleans()),
    st.tuples(st.just("existing"), IDS, st.sampled_from(STATUSES), st.booleans(), st.booleans()),
    st.tuples(st.just("delete"), IDS),
    st.tuples(st.just("evict"), IDS),
)


class PlainJobs(dict):
    """The face of `TrackedJobs` over a dictionary of whole jobs."""

    @property
    def unfinished(self):
        return {number: one for number, one in self.items() if one.is_open}

    find = dict.get

    def put(self, one):
        self[one.id] = one

    def remove(self, number):
        self.pop(number, None)


def row_of(number, status, is_erased, is_bridge):
    """A row whose name and pipeline depend on its id, so that some are retries of others."""
    kind = bridge if is_bridge and number > 6 else job
    name, of = f"job-{number % 2}", 1 + number % 3
    return kind(number, status, name=name, of=of, erased=9 if is_erased else None)


def apply(tracker, now, what, number, *row):
    """Return the events of one operation."""
    match what:
        case "seed":
            return tracker.seed(row_of(number, *row), now)
        case "update":
            return tracker.update(row_of(number, *row), now, first=number)
        case "existing":
            return tracker.update(row_of(number, *row), now, is_new=False)
        case "delete":
            return tracker.delete(number)
    if number in tracker and not tracker.jobs[number].is_open:
        tracker.evict([number])
    return None


@given(st.lists(OPS, max_size=40))
def test_packed_jobs_behave_as_plain_ones(ops):
    packed, plain = JobTracker("group/app"), JobTracker("group/app", PlainJobs())
    for place, op in enumerate(ops):
        now = START + place / 8
        assert apply(packed, now, *op) == apply(plain, now, *op)
        assert sorted(packed.jobs) == sorted(plain.jobs)
        assert {one.id for one in packed.open_jobs()} == {one.id for one in plain.open_jobs()}
        for number, one in plain.jobs.items():
            unnamed = packed.jobs[number]
            assert unnamed.is_named(one.name)
            assert unnamed.attempt_key() == one.attempt_key()
            assert evolve(unnamed, name=one.name, name_hash=None) == one


@given(st.lists(OPS, max_size=40))
def test_stored_jobs_are_equal_after_a_restart(ops):
    tracker = JobTracker("group/app")
    for place, op in enumerate(ops):
        apply(tracker, START + place, *op)
    state = ProjectState(7, 0, 0, tuple(tracker.jobs.values()))
    again = loads(dumps(state), ProjectState)
    assert TrackedJobs.of(again.jobs) == tracker.jobs


@given(st.sets(st.integers(1, 60)), st.integers(0, 61))
def test_finished_to_yields_ids_in_order(ids, limit):
    statuses = {number: FINISHED[number % 4] for number in ids}
    jobs = TrackedJobs.of(
        tracked(n, status, is_bridge=n % 3 == 0) for n, status in statuses.items()
    )
    jobs.put(tracked(100, "running"))
    assert list(jobs.finished_to(limit)) == [
        (n, statuses[n] == "skipped", n % 3 == 0) for n in sorted(ids) if n <= limit
    ]


def test_index_of_retries_is_rebuilt():
    tracker = JobTracker(7)
    for number in (1, 2):
        tracker.update(job(number, "failed"), START)
    tracker.release_index()
    assert tracker.update(job(3), START)[0].replaces == 2
    assert tracker.update(job(4), START)[0].replaces == 3


def test_reopened_job_has_its_name_again():
    """A deletion is reported by name, and a packed job has none."""
    tracker = JobTracker(7)
    tracker.update(job(1, "skipped", name="deploy"), START)
    assert tracker.jobs[1].name == ""
    tracker.update(job(1, "pending", name="deploy"), START)
    assert tracker.delete(1)[0].name == "deploy"


def test_old_checkpoint_with_names_is_read():
    """Before jobs were packed, the name of every job was stored."""
    data = (
        b'{"number":7,"floor":1,"began":1,"jobs":[{"id":1,"status":"failed","name":"build",'
        b'"pipeline_id":9,"since":1750000000.0,"events":2,"times":7516192768000000000},'
        b'{"id":2,"status":"running","name":"test","pipeline_id":9,"since":1.5}]}'
    )
    jobs = create_watch("group/app", data, START, downstream=False).jobs.tracker.jobs
    assert jobs[1].is_named("build")
    assert (jobs[1].events, jobs[1].times, jobs[2].name) == (2, 7516192768000000000, "test")
    assert jobs[1].name_hash == hash_of("build") == 7839841271434011937


@pytest.mark.parametrize(
    "fields", [{"id": 2**63}, {"pipeline_id": -(2**64)}, {"times": -1}, {"events": 2**63}]
)
def test_damaged_checkpoint_is_a_value_error(fields):
    state = ProjectState(7, 0, 0, (evolve(tracked(1, "failed"), **fields),))
    with pytest.raises(ValueError, match=r"^job \d+: number out of range$"):
        create_watch("group/app", dumps(state), START, downstream=False)


def bytes_kept(build):
    """Return what *build* returns, and the bytes that it keeps."""
    build()  # fills the caches of the process
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    built = build()
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return built, kept


def test_finished_jobs_take_little_memory():
    names = [f"a long name of a job {number}" * 9 for number in range(100)]

    def build():
        return TrackedJobs.of(
            tracked(number, "success", name=name) for number, name in enumerate(names)
        )

    jobs, kept = bytes_kept(build)
    assert len(jobs) == 100
    assert kept < 6000


def test_project_after_a_poll_takes_little_memory():
    rows, history = [job(n, "success", name=f"job-{n}") for n in range(101)], IdHistory()

    def build():
        jobs = new_jobs(7, history, downstream=False)
        jobs.set_baseline(rows[:100], range(100), START, START, START)
        assert len(jobs.update(rows, START + 200)) == 2
        jobs.end_scan({100})
        jobs.end_poll(START + 200, is_full=False)
        return jobs

    jobs, kept = bytes_kept(build)
    assert len(jobs.tracker.jobs) == 101
    assert kept < 8000
