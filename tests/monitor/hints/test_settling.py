"""A changed project is polled by REST until that has surely seen the change."""

from datetime import UTC, datetime

import pytest

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.hints.covered import SETTLING
from gitlab_jobs_async.monitor.hints.planner import COMPARISON_INTERVALS, QuestionPlanner
from gitlab_jobs_async.monitor.hints.snapshots import PipelineSnapshot, ProjectSnapshot

NAMES = [f"p{number}" for number in range(1, 13)]
OLD = datetime(2020, 1, 1, tzinfo=UTC)


def snapshots(status=JobStatus.SUCCESS):
    """Return an answer about all projects, whose only pipeline has this status."""
    pipeline = PipelineSnapshot(5, status, OLD)
    return {n: ProjectSnapshot(n, (pipeline,)) for n in range(1, 13)}


def answered(planner, now, status=JobStatus.SUCCESS):
    batch = planner.take(now)
    assert len(batch.names) == len(NAMES)
    planner.ended()
    return planner.on_answer(batch, snapshots(status), now, 1.0)[0]


def offered(planner, now):
    """Offer all projects as polled at *now*; return the seconds until their next polls."""
    for name in NAMES:
        planner.offer(name, int(name[1:]), now, now, is_idle=True)
    return {planner.comparison_interval(name, now) for name in NAMES if name in planner}


def test_changed_project_has_to_settle():
    """The poll after the change may be answered by a replica that has not seen it."""
    now, planner = 1_800_000_000.0, QuestionPlanner(ServerCapabilities())
    planner.set_rate(len(NAMES), requests=10.0, polls=10.0)
    offered(planner, now)
    assert offered(planner, now) == {COMPARISON_INTERVALS["changes"]}
    assert answered(planner, now + 60) == []
    assert set(answered(planner, now + 120, JobStatus.RUNNING)) == set(NAMES)
    assert offered(planner, now + 121) == {SETTLING - 1}
    assert answered(planner, now + 180, JobStatus.RUNNING) == []
    assert offered(planner, now + 119 + SETTLING) == {1}
    assert offered(planner, now + 120 + SETTLING) == {COMPARISON_INTERVALS["changes"]}


@pytest.mark.parametrize(
    ("ahead", "lag", "changed"),
    [
        (-300.0, 0.0, True),
        (0.0, 0.0, True),
        (240.0, 0.0, True),
        (850.0, 0.0, True),
        (9000.0, 0.0, False),
        (9000.0, 8900.0, True),
    ],
)
def test_first_answer_allows_for_wrong_clocks(ahead, lag, changed):
    """Compare a time of the server with that of the poll, by another clock."""
    polled_at, planner = 1_800_000_000.0, QuestionPlanner(ServerCapabilities())
    planner.set_rate(len(NAMES), requests=10.0, polls=10.0)
    offered(planner, polled_at)
    offered(planner, polled_at)
    ended = datetime.fromtimestamp(polled_at - ahead + 5, UTC)
    pipeline = PipelineSnapshot(5, JobStatus.SUCCESS, ended)
    answer = {n: ProjectSnapshot(n, (pipeline,)) for n in range(1, 13)}
    batch = planner.take(polled_at + 60)
    assert bool(planner.on_answer(batch, answer, polled_at + 60, 1.0, lag)[0]) is changed


def test_clock_that_was_set_back_hides_no_change():
    """The poll seems to come from the future."""
    asked_at, planner = 1_800_000_000.0, QuestionPlanner(ServerCapabilities())
    planner.set_rate(len(NAMES), requests=10.0, polls=10.0)
    for _ in range(2):
        for name in NAMES:
            planner.offer(name, int(name[1:]), asked_at + 9000, asked_at - 60, is_idle=True)
    pipeline = PipelineSnapshot(5, JobStatus.SUCCESS, datetime.fromtimestamp(asked_at - 30, UTC))
    answer = {n: ProjectSnapshot(n, (pipeline,)) for n in range(1, 13)}
    assert planner.on_answer(planner.take(asked_at), answer, asked_at, 1.0)[0]
