"""State of a live table: latest attempts, their pipelines, bounded memory."""

from datetime import UTC, datetime

import pytest

from gitlab_jobs_async.cli.views.board import (
    ACTIVE,
    ENDED,
    WAITING,
    Board,
    pipeline_status,
    project_name,
)
from gitlab_jobs_async.events import (
    JobDeleted,
    MonitorPaused,
    MonitorResumed,
    ProjectRecovered,
    ProjectReset,
    ProjectUnreachable,
)
from gitlab_jobs_async.models.statuses import JobStatus
from tests.support.sample_events import NOW, appeared, bridge, changed, finished, job, log_line


def emitted(*events, now=NOW):
    board = Board()
    for event in events:
        board.add(event, now)
    return board


def ids(board, now=NOW):
    return [row.id for row in board.ordered(now)]


def with_status(*statuses):
    """Jobs with these statuses; a trailing ! makes one that may fail."""
    return [
        job(number, status=status.rstrip("!"), allow_failure=status.endswith("!"))
        for number, status in enumerate(statuses, start=1)
    ]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ("success success", "success"),
        ("success running", "running"),
        ("pending created", "pending"),
        ("success pending", "running"),
        ("success created", "running"),
        ("created created", "created"),
        ("failed running", "running"),
        ("failed skipped", "failed"),
        ("failed! success", "success"),
        ("failed!", "success"),
        ("canceled success", "canceled"),
        ("manual! success", "success"),
        ("manual success created", "manual"),
        ("scheduled success", "scheduled"),
        ("canceling success", "canceling"),
        ("canceling running", "running"),
        ("skipped skipped", "skipped"),
        ("odd success", "running"),
        ("odd", "odd"),
    ],
)
def test_pipeline_status_follows_its_jobs(statuses, expected):
    assert pipeline_status(with_status(*statuses.split())) == expected


def test_pipeline_keeps_latest_attempt_per_job():
    board = emitted(
        appeared(job(1, "a", "failed")),
        appeared(job(2, "b", "success")),
        appeared(job(3, "a", "running"), replaces=1),
        changed(job(3, "a", "running")),
        finished(job(1, "a", "failed")),
        appeared(job(4, "a", "running", pipeline_id=9)),
    )
    assert ids(board) == [9, 7]
    row = board.ordered(NOW)[1]
    assert {name: (one.job.id, one.replaces) for name, one in row.jobs.items()} == {
        "a": (3, 1),
        "b": (2, None),
    }
    assert (row.status, row.rank, row.counts["success"]) == ("running", ACTIVE, 1)
    assert board.events == 6


def test_newest_active_pipelines_are_first():
    board = emitted(
        appeared(job(1, "a", "success", pipeline_id=40)),
        appeared(job(2, "a", "manual", pipeline_id=30)),
        appeared(job(3, "a", "running", pipeline_id=10)),
        appeared(job(4, "a", "running", pipeline_id=20)),
        appeared(job(5, "a", "failed", pipeline_id=41)),
    )
    assert ids(board) == [20, 10, 30, 41, 40]
    assert [row.rank for row in board.ordered(NOW)] == [ACTIVE, ACTIVE, WAITING, ENDED, ENDED]


def test_child_is_below_its_parent_and_ranks_it():
    board = emitted(
        appeared(bridge(1, "go", 12, pipeline_id=10, status="success")),
        appeared(job(2, "a", "running", pipeline_id=11)),
        appeared(job(3, "a", "running", pipeline_id=12), project=4),
        appeared(bridge(4, "on", 13, pipeline_id=12)),
        appeared(job(5, "a", "success", pipeline_id=13)),
    )
    assert ids(board) == [11, 10, 12, 13]
    assert [board.parent_of(row) for row in board.ordered(NOW)] == [None, None, 10, 12]


def test_pipelines_that_make_each_other_are_shown():
    board = emitted(
        appeared(bridge(1, "go", 11, pipeline_id=10)), appeared(bridge(2, "go", 10, pipeline_id=11))
    )
    assert sorted(ids(board)) == [10, 11]


def test_last_deleted_job_removes_its_pipeline():
    board = emitted(appeared(job(1, "a", "manual")), appeared(job(2, "b", "running")))
    for number, name in ((1, "a"), (9, "b"), (2, "b")):
        event = JobDeleted(
            key="k", project="group/app", job_id=number, name=name, previous=JobStatus.MANUAL
        )
        board.add(event, NOW)
    assert ids(board) == []


def test_projects_out_of_reach():
    board = emitted(
        ProjectUnreachable(key="k", project="a/b", reason="404 Not Found"),
        ProjectUnreachable(key="k", project=17, reason="no answer"),
        ProjectRecovered(key="k", project="a/b"),
    )
    assert board.unreachable == {"17": "no answer"}


def test_reset_clears_its_project():
    board = emitted(
        appeared(job(1, "a", "running", pipeline_id=1)),
        ProjectReset(key="k", project="other/app", reason="job 1 is another job than before"),
    )
    assert ids(board) == [1]
    board.add(ProjectReset(key="l", project="group/app", reason=""), NOW)
    assert ids(board) == []


def test_ended_pipelines_are_evicted():
    board = emitted(
        appeared(job(1, "a", "success", pipeline_id=1)),
        appeared(job(2, "a", "running", pipeline_id=2)),
        appeared(job(3, "a", "manual", pipeline_id=3)),
        appeared(bridge(4, "go", 5, pipeline_id=4, status="success")),
    )
    assert ids(board, NOW + 599) == [2, 3, 4, 1]
    assert ids(board, NOW + 601) == [2, 3]
    assert board._parents == {}


def test_inactive_pipelines_are_bounded():
    board = emitted(*(appeared(job(n, "a", "success", pipeline_id=n)) for n in range(1, 1001)))
    board.ordered(NOW)
    assert len(board.pipelines) == 200
    board = emitted(*(appeared(job(n, "a", "running", pipeline_id=n)) for n in range(1, 1001)))
    assert len(board.ordered(NOW)) == 1000


def test_durations_tick_by_the_local_clock():
    board = emitted(
        appeared(job(1, "a", "running", duration=5.0)),
        appeared(job(2, "b", "pending", queued_duration=2.0)),
        appeared(job(3, "c", "success", duration=9.0)),
        appeared(job(4, "d", "manual")),
        appeared(job(5, "e", "running", duration=None)),
    )
    rows = board.ordered(NOW)[0].jobs
    seconds = {name: row.seconds(NOW + 10) for name, row in rows.items()}
    assert seconds == {"a": 15.0, "b": 12.0, "c": 9.0, "d": None, "e": 10.0}


def test_jobs_without_pipeline_group_by_project():
    board = emitted(
        appeared(job(1, pipeline_id=None), project="a/b"),
        appeared(job(2, pipeline_id=None), project="c/d"),
    )
    assert sorted(row.project for row in board.ordered(NOW)) == ["a/b", "c/d"]


def test_lines_of_logs_are_events_too():
    assert emitted(log_line(job(1), 1, "x")).events == 1


@pytest.mark.parametrize(
    ("project", "url", "shown"),
    [
        ("a/b", "https://gitlab.example/x/y/-/jobs/1", "a/b"),
        (17, "https://gitlab.example/x/y/-/jobs/1", "x/y"),
        (17, "", "17"),
        (17, "https://[odd/-/", "17"),
        (17, "https://[odd/x/-/", "x"),
    ],
)
def test_project_name_is_its_path(project, url, shown):
    assert project_name(project, job(1, web_url=url)) == shown


def test_pauses_of_the_server():
    at = datetime(2026, 1, 2, tzinfo=UTC)
    jobs = "GET /projects/:id/jobs"
    board = emitted(
        MonitorPaused(key="k", kind="", until=at, next_probe=None, reason="HTTP 429"),
        MonitorPaused(key="k", kind=jobs, until=at, next_probe=None, reason="HTTP 429: jobs"),
        MonitorResumed(key="k", kind=""),
    )
    assert board.paused == {jobs: "HTTP 429: jobs"}
