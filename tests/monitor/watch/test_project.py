"""Events of a project add up to its jobs, whatever happens and whenever it is polled."""

from collections import deque

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async import JobStatus
from gitlab_jobs_async.errors import MethodNotAllowedError, NotFoundError, RateLimitedError
from gitlab_jobs_async.events import JobChanged, JobFinished
from gitlab_jobs_async.monitor.checkpoint.serialization import dumps, loads
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.monitor.watch.project_state import ProjectState
from gitlab_jobs_async.monitor.watch.queries import QueryKind
from gitlab_jobs_async.monitor.watch.watermark import ALLOWED_LATENESS
from tests.support.event_replay import Replay
from tests.support.project_model import OPEN, ModelProject, poll

LATE = st.sampled_from([0.0, 0.0, 0.0, 1.0, 30.0, ALLOWED_LATENESS - 1])
TENTH = st.integers(0, 9)
OPS = st.one_of(
    st.tuples(st.just("pipeline"), st.integers(1, 6), st.lists(LATE, max_size=6)),
    st.tuples(st.just("bulk"), st.integers(30, 160), st.integers(0, 2)),
    st.tuples(st.just("move"), TENTH, st.integers(0, 4)),
    st.tuples(st.just("finish"), st.integers(1, 40), st.integers(0, 4)),
    st.tuples(st.just("fail"), TENTH, st.none()),
    st.tuples(st.just("retry"), TENTH, LATE),
    st.tuples(st.just("erase"), TENTH, st.none()),
    st.tuples(st.just("delete"), TENTH, st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 5.0, 60.0, 400.0, 5000.0]), st.none()),
    st.tuples(st.just("poll"), st.none(), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
)


@define
class Watched:
    """A model project, its watch, and a consumer of the events."""

    project: ModelProject = field(factory=ModelProject)
    watch: ProjectWatch = field(factory=lambda: ProjectWatch.of("group/app"))
    replay: Replay = field(factory=Replay)
    coming: deque = field(factory=deque)

    def poll(self, wait=0.0):
        """Poll when it is due, and apply operations between responses."""
        self.project.now = max(self.project.now + wait, self.watch.next_at)
        events = poll(self.watch, self.project, self.go_on)
        self.replay.hear(*events)
        return events

    def go_on(self):
        """Apply the operations up to the next poll."""
        while self.coming:
            op = self.coming.popleft()
            if op[0] in {"poll", "restart"}:
                return op[0]
            self.project.happen(*op)
        return None

    def settle(self, polls=80, wait=0.0):
        for _ in range(polls):
            self.poll(wait)

    def restart(self):
        state = loads(dumps(self.watch.state()), ProjectState)
        self.watch = ProjectWatch.of("group/app", state, self.project.now)


@pytest.mark.timeout(120)  # 300 histories of a project: 10 s alone, 35 s on a busy machine
@settings(max_examples=300, deadline=None)
@given(st.lists(OPS, max_size=12), st.lists(OPS, max_size=40))
@pytest.mark.no_cover("repeats the same lines 300 times")
def test_events_add_up_to_the_project(before, during):
    watched = Watched()
    project, replay = watched.project, watched.replay
    for op in before:
        project.happen(*op)
    project.now += ALLOWED_LATENESS
    there = {job.id: job.status in OPEN for job in project.jobs.values()}
    watched.poll()
    watched.coming.extend(during)
    while watched.coming:
        if watched.go_on() == "restart":
            watched.restart()
        watched.poll()
    watched.settle(wait=150.0)
    check(project, replay, there)
    assert watched.poll(wait=10.0) == []


def check(project, replay, there):
    """Check that each new job, and each one open at first, was emitted with its status."""
    for job in project.jobs.values():
        if not there.get(job.id, True) and job.id not in replay.appeared:
            continue
        assert replay.status[job.id] == job.status, job
        if job.id not in there:
            assert replay.appeared[job.id].is_new
            assert replay.ends.get(job.id, 0) <= job.ends
            assert replay.ends.get(job.id, 0) or not job.ends or job.status in OPEN
    for job_id, status in replay.status.items():
        assert job_id in project.jobs or status.is_finished


def watched_with(*pipelines, age=ALLOWED_LATENESS * 2):
    """Return a watch with its baseline, and pipelines below the watermark."""
    watched = Watched()
    jobs = [watched.project.add_pipeline(names) for names in pipelines]
    watched.project.now += age
    watched.poll()
    return watched, jobs


def test_quiet_project_costs_one_small_page():
    watched, [[job]] = watched_with(["a"])
    watched.project.move(job, 4)
    watched.settle(10)
    watched.project.asked = 0
    query = watched.watch.next_query(watched.watch.next_at)
    assert dict(query.request.params)["per_page"] == "5"
    watched.settle(10)
    assert watched.project.asked == 10


def test_played_deep_manual_job_is_found():
    watched, [[manual]] = watched_with(["deploy"])
    watched.project.move(manual, 1)
    watched.poll()
    for _ in range(5):
        watched.project.add_bulk(60, "success")
        watched.project.now += 400
        watched.poll()
    watched.settle(20)
    assert manual.id in watched.watch.jobs.dormant
    assert not watched.watch.jobs.watermark.is_in_scan(manual.id)
    watched.project.move(manual)
    watched.settle(30)
    assert watched.replay.status[manual.id] == "pending"


def test_many_dormant_jobs_are_listed_by_page():
    watched, [manual] = watched_with([f"deploy {number}" for number in range(90)])
    for job in manual:
        watched.project.move(job, 1)
    watched.poll()
    watched.project.now += 400
    watched.poll()
    watched.project.add_bulk(100, "success")
    watched.settle(20)
    watched.project.asked = 0
    watched.settle(20)
    assert watched.project.asked < 60
    watched.project.move(manual[0])
    watched.settle(40)
    assert watched.replay.status[manual[0].id] == "pending"


def test_baseline_has_open_jobs_of_any_depth():
    watched, jobs = watched_with(*[[f"job {number}" for number in range(100)]] * 12)
    assert len(watched.replay.appeared) == sum(map(len, jobs))
    assert watched.project.asked == 13


def test_hidden_pipeline_costs_one_request():
    watched, [jobs] = watched_with([f"job {number}" for number in range(60)])
    watched.poll()
    for _ in range(4):
        watched.project.add_bulk(90, "success")
        watched.project.now += 400
        watched.poll()
    watched.settle(5)
    for job in jobs:
        watched.project.move(job, 4)
    watched.project.asked = 0
    watched.settle(10, wait=150.0)
    assert all(watched.replay.status[job.id] == "canceled" for job in jobs)
    assert watched.project.asked < 20


def test_deleted_hidden_pipeline_is_reported():
    watched, [jobs] = watched_with([f"job {number}" for number in range(10)])
    for _ in range(4):
        watched.project.add_bulk(90, "success")
        watched.project.now += 400
        watched.poll()
    watched.project.delete(jobs[0].pipeline)
    watched.settle(20, wait=150.0)
    assert watched.replay.deleted == {job.id for job in jobs}


def test_reopened_deep_skipped_jobs_are_found():
    watched, [jobs] = watched_with(["build", "test", "deploy"])
    watched.project.fail(jobs[0].pipeline)
    watched.poll()
    for _ in range(4):
        watched.project.add_bulk(90, "success")
        watched.project.now += 300
        watched.settle(3)
    watched.project.retry(jobs[0])
    watched.settle(3)
    assert watched.replay.status[jobs[1].id] == "created"
    emitted = [event for event in watched.replay.events if getattr(event, "job", None)]
    assert any(isinstance(event, JobChanged) and event.previous == "skipped" for event in emitted)


def test_stale_row_changes_nothing():
    watched, [[job]] = watched_with(["a"])
    stale = watched.project.row(job)
    watched.project.move(job, 4)
    watched.poll()
    assert isinstance(watched.replay.events[-1], JobFinished)
    assert watched.watch.jobs.tracker.update(stale, watched.project.now) == []
    assert watched.replay.status[job.id] == JobStatus.CANCELED


def test_long_absence_is_caught_up_by_page():
    watched, _ = watched_with(["a"])
    for _ in range(25):
        watched.project.add_bulk(60, "success")
    watched.project.now += 86_400
    watched.restart()
    watched.poll()
    assert len(watched.replay.ends) == 1500
    assert len(watched.replay.appeared) == 1501


def test_outage_is_reported_once_and_backs_off():
    watched, _ = watched_with(["a"])
    watch, gone = watched.watch, NotFoundError(404, "404 Project Not Found", "GET", "/")
    emitted, waits, now = [], [], watch.next_at
    for _ in range(8):
        assert watch.next_query(now).kind is QueryKind.NEWEST
        emitted += watch.on_error(now, gone)
        assert watch.next_query(now) is None
        waits.append(watch.next_at - now)
        now = watch.next_at
    watched.replay.hear(*emitted)
    assert [event.status for event in emitted] == [404]
    assert waits == sorted(waits)
    assert waits[-1] == 600
    watched.poll()
    assert [type(event).__name__ for event in watched.replay.events][-1] == "ProjectRecovered"


def test_rate_limit_emits_nothing():
    watched, _ = watched_with(["a"])
    now = watched.watch.next_at
    watched.watch.next_query(now)
    limit = RateLimitedError(429, "Retry later", "GET", "/", retry_after=900.0)
    assert watched.watch.on_error(now, limit) == []
    assert watched.watch.next_at == now + 900


def test_server_without_keyset_is_read_by_offset():
    watched, _ = watched_with(["a"])
    now = watched.watch.next_at
    watched.watch.next_query(now)
    refusal = MethodNotAllowedError(405, "not yet available", "GET", "/")
    assert watched.watch.on_error(now, refusal) == []
    assert "pagination" not in dict(watched.watch.next_query(now).request.params)


@pytest.mark.parametrize("times", [1, 50])
def test_poll_now_keeps_the_minimum_interval(times):
    watched, _ = watched_with(["a"])
    polled_at = watched.project.now
    for _ in range(times):
        watched.watch.poll_now(polled_at)
    assert watched.watch.next_at == polled_at + 3
