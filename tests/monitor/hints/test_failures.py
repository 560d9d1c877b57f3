"""Failed questions: the cause is found by halves, and all others are answered soon."""

import pytest

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.errors import NotFoundError, ServerError
from gitlab_jobs_async.monitor.hints.planner import SWEEP, QuestionPlanner
from gitlab_jobs_async.monitor.hints.snapshots import ProjectSnapshot

WHERE = "POST", "/api/graphql"
FAILED = ServerError(503, "Request timed out", *WHERE)
START = 1_800_000_000.0


def planner_of(count):
    planner = QuestionPlanner(ServerCapabilities())
    planner.set_rate(count, requests=10.0, polls=10.0)
    for _ in range(2):
        for number in range(1, count + 1):
            planner.offer(f"p{number}", number, START, START, is_idle=True)
    assert len(planner) == count
    return planner


def run(planner, seconds, fails, began=START):
    """Ask for some *seconds*; return when each project was answered, and what REST polls."""
    answered, dropped, now = {}, {}, began
    while now < began + seconds:
        now += 1.0
        batch = planner.take(now)
        if batch is None:
            continue
        planner.ended()
        ids = batch.question.project_ids
        if error := fails(ids):
            for name in planner.on_error(batch, error, now):
                dropped[name] = now
        else:
            answer = {i: ProjectSnapshot(i, (), 0) for i in ids}
            planner.on_answer(batch, answer, now, 1.0)
            for name in batch.names:
                answered.setdefault(name, []).append(now)
    return answered, dropped


@pytest.mark.parametrize("count", [12, 100, 600])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_failing_project_spares_the_others(count, place):
    poison = 1 + int(place * (count - 1))
    planner = planner_of(count)
    answered, dropped = run(planner, 900, lambda ids: FAILED if poison in ids else None)
    assert dropped.keys() == {f"p{poison}"}
    assert f"p{poison}" not in planner
    assert len(answered) == count - 1
    for times in answered.values():
        gaps = [b - a for a, b in zip([START, *times], [*times, START + 900], strict=True)]
        assert max(gaps) <= 60 + 2 * SWEEP


def test_outage_leaves_all_to_rest_and_ends():
    planner = planner_of(50)
    _, dropped = run(planner, 30, lambda _: FAILED)
    assert len(dropped) == 50
    assert not planner.is_active(START + 31)
    later = START + 200
    assert planner.is_active(later)
    for number in range(1, 51):
        planner.offer(f"p{number}", number, later, later, is_idle=True)
    answered, dropped = run(planner, 60, lambda _: None, later)
    assert len(answered) == 50
    assert not dropped


def test_refusal_leaves_all_to_rest_for_an_hour():
    planner = planner_of(50)
    _, dropped = run(planner, 60, lambda _: NotFoundError(404, "404 Not Found", *WHERE))
    assert len(dropped) == 50
    other = QuestionPlanner(planner.capabilities)
    other.set_rate(50, requests=10.0, polls=10.0)
    assert not other.is_active(START + 3000)
    assert other.is_active(START + 3700)
