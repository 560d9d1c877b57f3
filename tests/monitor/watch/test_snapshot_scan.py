"""Answers by GraphQL and polls by REST together: events add up, and none is invented or lost."""

from copy import deepcopy

import pytest
from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async import JobStatus
from gitlab_jobs_async.events import JobAppeared, JobChanged, JobDeleted, JobFinished
from gitlab_jobs_async.monitor.hints.snapshots import PipelineSnapshot, ProjectSnapshot
from gitlab_jobs_async.monitor.watch.watermark import ALLOWED_LATENESS
from tests.monitor.watch.test_project import OPS, Watched, check, watched_with
from tests.support.project_model import NUMBER, OPEN, moment

PAGE = 100
PIPELINES = 5
MAX_LAG = 3


def snapshot_of(project, dropped=(), page=PAGE):
    """Return what an answer shows of *project*: its newest pipelines, without the *dropped*."""
    by_pipeline = {}
    for job in project.visible():
        by_pipeline.setdefault(job.pipeline, []).append(job)
    pipelines = []
    for number in sorted(by_pipeline, reverse=True)[:PIPELINES]:
        jobs = by_pipeline[number]
        is_open = any(job.status in OPEN for job in jobs)
        rows = tuple(evolve(project.row(job), is_partial=True) for job in jobs[:page])
        status = JobStatus("running" if is_open else "success")
        moved = moment(max(job.moved for job in jobs))
        pipelines.append(PipelineSnapshot(number, status, moved, rows, len(jobs) <= page))
    shown = tuple(p for n, p in enumerate(pipelines) if n not in dropped)
    floor = pipelines[-1].id if len(pipelines) == PIPELINES else 0
    return ProjectSnapshot(NUMBER, shown, floor)


@define
class Asked(Watched):
    """A watched project that is asked about, too; answers may be old, or lack pipelines."""

    past: list = field(factory=list)
    doubts: int = 0

    def ask(self, lag=0, dropped=(), *, as_hint=False):
        """Take an answer from *lag* questions ago; poll if it does not fit."""
        self.past = [deepcopy(self.project), *self.past][: MAX_LAG + 1]
        if not self.watch.is_known:
            return []
        seen = self.past[min(lag, len(self.past) - 1)]
        result = self.watch.on_snapshot(
            self.project.now, snapshot_of(seen, dropped), as_hint=as_hint
        )
        self.replay.hear(*result.events)
        self.doubts += not result.fits
        return result.events


QUESTION = st.tuples(
    st.just("ask"), st.integers(0, MAX_LAG), st.sets(st.integers(0, 4), max_size=1)
)
STEPS = st.lists(st.one_of(OPS, QUESTION, QUESTION), max_size=40)


def run(steps, before, *, as_hint):
    watched = Asked()
    for op in before:
        watched.project.happen(*op)
    watched.project.now += ALLOWED_LATENESS
    there = {job.id: job.status in OPEN for job in watched.project.jobs.values()}
    watched.poll()
    for op in steps:
        if op[0] == "ask":
            watched.ask(op[1], op[2], as_hint=as_hint)
        elif op[0] == "poll":
            watched.poll()
        elif op[0] == "restart":
            watched.restart()
        else:
            watched.project.happen(*op)
    return watched, there


@pytest.mark.timeout(120)  # 120 histories of a project
@settings(max_examples=120, deadline=None)
@given(st.lists(OPS.filter(lambda op: op[0] not in {"poll", "restart"}), max_size=8), STEPS)
def test_events_of_both_ways_add_up(before, steps):
    watched, there = run(steps, before, as_hint=False)
    watched.settle(wait=150.0)
    check(watched.project, watched.replay, there)
    assert not watched.replay.resets
    assert watched.poll(wait=10.0) == []


@pytest.mark.timeout(120)
@settings(max_examples=60, deadline=None)
@given(st.lists(OPS.filter(lambda op: op[0] not in {"poll", "restart"}), max_size=6), STEPS)
def test_hints_change_no_event(before, steps):
    """The same polls emit the same keys, with any answers between them and without."""
    with_hints, _ = run(steps, before, as_hint=True)
    without, _ = run([op for op in steps if op[0] != "ask"], before, as_hint=True)
    assert [e.key for e in with_hints.replay.events] == [e.key for e in without.replay.events]


def asked_with(*pipelines, age=ALLOWED_LATENESS * 2):
    known, jobs = watched_with(*pipelines, age=age)
    return Asked(known.project, known.watch, known.replay), jobs


def test_new_pipeline_is_reported_as_partial():
    watched, _ = asked_with(["a"])
    new = watched.project.add_pipeline(["b", "c"])
    events = watched.ask()
    assert [type(event) for event in events] == [JobAppeared, JobAppeared]
    assert [event.job.id for event in events] == [job.id for job in new]
    assert all(event.job.is_partial and event.is_new for event in events)
    assert watched.doubts == 0
    assert watched.poll() == []


def test_change_and_end_have_the_keys_of_a_poll():
    watched, [[job]] = asked_with(["a"])
    other, [[same]] = asked_with(["a"])
    for status in ("pending", "running", "success"):
        job.status = same.status = status
        watched.project.wait(10)
        other.project.wait(10)
        keys = [event.key for event in watched.ask()]
        assert keys == [event.key for event in other.poll()]
        assert keys
    assert [type(e) for e in watched.replay.events[1:]] == [JobChanged, JobChanged, JobFinished]


def test_row_behind_the_tracked_state_is_ignored():
    watched, [[job]] = asked_with(["a"])
    job.status = "pending"
    assert watched.ask()
    job.status = "running"
    assert watched.ask()
    assert not watched.ask(lag=2)
    assert watched.doubts == 1
    assert not watched.ask()
    assert watched.doubts == 1


def test_deleted_job_does_not_appear_again():
    watched, [[old]] = asked_with(["a"])
    old.status = "success"
    watched.poll()
    [job] = watched.project.add_pipeline(["b"])
    assert watched.ask()
    watched.project.delete(job.pipeline)
    assert [type(event) for event in watched.poll()] == [JobDeleted]
    assert not watched.ask(lag=1)
    assert watched.doubts == 1
    assert not watched.ask()
    assert watched.doubts == 1


def test_answer_that_needs_a_reset_is_void():
    watched, [[job], [_]] = asked_with(["a"], ["b"])
    job.name = "another job"
    watched.project.add_pipeline(["new"])
    assert not watched.ask()
    assert watched.doubts == 1
    assert any(watched.poll())
    assert watched.replay.resets


def test_open_job_below_the_answer_is_polled():
    watched, [[job], *_] = asked_with(["a"], ["b"], ["c"], ["d"], ["e"])
    job.status = "running"
    watched.poll()
    watched.project.add_pipeline(["f"])
    watched.ask()
    assert watched.doubts == 1


def test_gap_of_pipelines_is_polled():
    watched, _ = asked_with(["a"])
    for n in range(PIPELINES):
        watched.project.add_pipeline([f"new {n}"])
    watched.ask()
    assert watched.doubts == 1, "the page is full, and the known pipeline is not on it"


@pytest.mark.parametrize(("above", "doubts"), [(0, 0), (1, 1)])
def test_page_that_ends_above_known_is_polled(above, doubts):
    watched, [[job]] = asked_with(["a"])
    watched.project.add_pipeline(["new"])
    shown = evolve(snapshot_of(watched.project), floor=job.pipeline + above)
    result = watched.watch.on_snapshot(watched.project.now, shown, as_hint=False)
    assert (len(result.events), result.fits) == (1, not doubts)


def test_pipeline_beyond_its_page_is_polled():
    watched, _ = asked_with(["a"])
    watched.project.add_pipeline([f"job {n}" for n in range(PAGE + 1)])
    events = watched.ask()
    assert len(events) == PAGE
    assert watched.doubts == 1
    assert len(watched.poll()) == 1


def test_project_with_hidden_jobs_is_polled():
    watched, _ = asked_with(["a"])
    shown = snapshot_of(watched.project)
    hidden = evolve(shown, pipelines=(evolve(shown.pipelines[0], jobs=None),))
    result = watched.watch.on_snapshot(watched.project.now, hidden, as_hint=False)
    assert (result.events, result.fits) == ((), False)


def test_unknown_project_waits_for_its_baseline():
    watched = Asked()
    watched.project.add_pipeline(["a"])
    result = watched.watch.on_snapshot(0.0, snapshot_of(watched.project), as_hint=False)
    assert (result.events, result.fits) == ((), False)


@pytest.mark.parametrize("status", ["pending", "running", "success", "skipped"])
def test_hint_asks_for_a_poll_at_any_change(status):
    watched, [[job]] = asked_with(["a"])
    watched.ask(as_hint=True)
    assert watched.doubts == 0
    job.status = status
    assert not watched.ask(as_hint=True)
    assert watched.doubts == 1


def test_growth_between_polls_is_bounded():
    watched, [[job]] = asked_with(["a"])
    job.status = "success"
    watched.poll()
    for _ in range(7):
        watched.project.add_bulk(99, "success")
        watched.project.wait(60)
        watched.ask()
    assert watched.doubts == 5, "from the third on, more than 200 finished jobs are kept"
    for _ in range(4):
        watched.poll(wait=ALLOWED_LATENESS)
    assert len(watched.watch.jobs.tracker.jobs) <= 400


@pytest.mark.parametrize(
    ("known", "stale"),
    [
        (["manual", "created"], "manual"),
        (["skipped", "created"], "skipped"),
        (["preparing"], "waiting_for_resource"),
        (["manual"], "scheduled"),
        (["pending", "running"], "pending"),
        (["pending", "running"], "created"),
    ],
)
def test_stale_row_emits_no_change(known, stale):
    """Each of these may be the answer of a replica that lags."""
    watched, _ = asked_with(["a"])
    [job] = watched.project.add_pipeline(["b"])
    watched.poll()
    for status in known:
        job.status = status
        watched.project.wait(5)
        watched.poll()
    job.status = stale
    assert not watched.ask()
    assert watched.doubts == 1


@pytest.mark.parametrize("status", ["manual", "scheduled", "skipped", "pending", "canceled"])
def test_first_step_of_a_new_job_is_reported(status):
    watched, _ = asked_with(["a"])
    [job] = watched.project.add_pipeline(["b"])
    assert len(watched.ask()) == 1
    job.status = status
    assert len(watched.ask()) == 1
    assert watched.doubts == 0
