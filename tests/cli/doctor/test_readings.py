"""Answers of GraphQL: cost, projects, and movement between two readings."""

import pytest

from gitlab_jobs_async.cli.doctor.readings import (
    Cost,
    Movement,
    cost,
    has_unfinished_jobs,
    movement,
    projects_in,
    refused_cost,
)


def reading(status="RUNNING", updated="10:00", jobs=("RUNNING", "CREATED"), pipeline=5):
    rows = [{"id": f"job {number}", "status": job} for number, job in enumerate(jobs)]
    one = {"id": pipeline, "status": status, "updatedAt": updated, "jobs": {"nodes": rows}}
    return {
        "queryComplexity": {"score": 21, "limit": 250},
        "projects": {"nodes": [{"id": "p", "pipelines": {"nodes": [one]}}]},
    }


@pytest.mark.parametrize(
    ("second", "seen"),
    [
        (reading(), Movement.NOTHING),
        (reading(pipeline=6, status="SUCCESS"), Movement.NOTHING),
        (reading(updated="10:01"), Movement.NOTHING),
        (reading(jobs=("SUCCESS", "RUNNING")), Movement.NOT_WITH_JOBS),
        (reading(jobs=("SUCCESS", "RUNNING"), updated="10:01"), Movement.WITH_JOBS),
        (reading("FAILED", "10:01", ("FAILED", "SKIPPED")), Movement.WITH_STATUS),
        (reading("FAILED", "10:00", ("FAILED", "SKIPPED")), Movement.NEVER),
        ({}, Movement.NOTHING),
    ],
)
def test_movement_between_two_readings(second, seen):
    assert movement(reading(), second) is seen


@pytest.mark.parametrize(
    ("jobs", "is_running"),
    [
        ((), False),
        (("SUCCESS", "FAILED", "CANCELED", "SKIPPED"), False),
        (("MANUAL", "SCHEDULED", "CREATED"), False),
        (("SUCCESS", "PENDING"), True),
        (("RUNNING",), True),
        (("CANCELING",), True),
    ],
)
def test_unfinished_jobs_may_change_soon(jobs, is_running):
    assert has_unfinished_jobs(reading(jobs=jobs)) is is_running


def test_cost_and_projects_of_an_answer():
    assert cost(reading()) == Cost(21, 250)
    assert projects_in(reading()) == 1


@pytest.mark.parametrize(
    ("messages", "stated"),
    [
        (["Query has complexity of 1421, which exceeds max complexity of 300"], Cost(1421, 300)),
        (["Timeout", "Query has complexity of 9, which exceeds max complexity of 5"], Cost(9, 5)),
        (["Field 'x' does not exist"], None),
        ([], None),
    ],
)
def test_refusal_names_its_cost(messages, stated):
    assert cost(refused_cost(messages)) == stated


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        {"projects": None, "queryComplexity": {"score": "21", "limit": 250}},
        {"projects": {"nodes": "none"}},
        {"projects": {"nodes": [None, 7, {"pipelines": [1]}, {"pipelines": {"nodes": [3]}}]}},
    ],
)
def test_odd_answers_have_nothing_to_read(odd):
    assert cost(odd) is None
    assert projects_in(odd) in {0, 2}
    assert not has_unfinished_jobs(odd)
    assert movement(odd, odd) is Movement.NOTHING
