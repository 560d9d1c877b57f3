"""Events as programs read them: JSON and tab-separated lines."""

import json
from datetime import UTC, datetime
from typing import get_args, get_origin

import pytest

from gitlab_jobs_async import NotFoundError, from_json
from gitlab_jobs_async.cli.views.events import (
    is_failure,
    plain_event,
    short_reason,
)
from gitlab_jobs_async.cli.views.rows import json_line
from gitlab_jobs_async.events import (
    AllTargetsUnreachable,
    Event,
    JobDeleted,
    JobErased,
    JobLogFailed,
    MonitorPaused,
    MonitorResumed,
    ProjectRecovered,
    ProjectReset,
    ProjectUnreachable,
)
from gitlab_jobs_async.models.statuses import JobStatus
from tests.support.command import HOSTILE_NAME
from tests.support.sample_events import (
    appeared,
    bridge,
    changed,
    finished,
    job,
    log_ended,
    log_line,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FAILED = job(3, "flaky", "failed", failure_reason="script_failure")
DELETED = JobDeleted(key="k", project=17, job_id=9, name="gone", previous=JobStatus.MANUAL)
ERASED = JobErased(key="k", project="a/b", job=job(3, "flaky", "success", erased_at=AT))
UNREACHABLE = ProjectUnreachable(key="k", project="a/b", reason="404 Not Found", status=404)
RECOVERED = ProjectRecovered(key="k", project="a/b")
RESET = ProjectReset(key="k", project="a/b", reason="job 1 had ended and is running again")
ALL_UNREACHABLE = AllTargetsUnreachable(key="k", targets=2, reason="404 Not Found", status=404)
JOBS = "GET /projects/:id/jobs"
PAUSED = MonitorPaused(key="k", kind="", until=AT, next_probe=None, reason="HTTP 429")
PROBED = MonitorPaused(key="k", kind=JOBS, until=AT, next_probe=AT, reason="HTTP 429")
RESUMED = MonitorResumed(key="k", kind=JOBS)
LOG_FAILED = JobLogFailed(key="k", project="a/b", job=job(1), reason="403 Forbidden")
CASES = [
    (appeared(job(3, status="pending")), "group/app 7 3 unit job_appeared pending "),
    (appeared(job(3), replaces=2), "group/app 7 3 unit job_appeared running replaces 2"),
    (appeared(job(3), is_new=False), "group/app 7 3 unit job_appeared running was there"),
    (appeared(bridge(4, "go", 8)), "group/app 7 4 go job_appeared running "),
    (changed(job(3), "pending"), "group/app 7 3 unit job_changed running was pending"),
    (finished(FAILED), "group/app 7 3 flaky job_finished failed script_failure"),
    (finished(job(3, status="success")), "group/app 7 3 unit job_finished success was running"),
    (finished(job(3, pipeline_id=None)), "group/app  3 unit job_finished running was running"),
    (
        finished(job(3, web_url="https://gitlab.example.com/new/path/-/jobs/3"), project=17),
        "new/path 7 3 unit job_finished running was running",
    ),
    (DELETED, "17  9 gone job_deleted  was manual"),
    (ERASED, "a/b 7 3 flaky job_erased success at 2026-01-02T03:04:05Z"),
    (log_line(job(3), 1, "a\tb"), "group/app 7 3 unit job_log_line  a b"),
    (log_ended(job(3)), "group/app 7 3 unit job_log_ended  "),
    (LOG_FAILED, "a/b 7 1 unit job_log_failed  403 Forbidden"),
    (UNREACHABLE, "a/b    project_unreachable  404 Not Found"),
    (RECOVERED, "a/b    project_recovered  "),
    (RESET, "a/b    project_reset  job 1 had ended and is running again"),
    (ALL_UNREACHABLE, "    all_targets_unreachable  404 Not Found"),
    (PAUSED, "    monitor_paused  HTTP 429"),
    (PROBED, "    monitor_paused  HTTP 429; next try at 2026-01-02T03:04:05Z"),
    (RESUMED, f"    monitor_resumed  {JOBS}"),
]


@pytest.mark.parametrize(("event", "words"), CASES)
def test_plain_line_of_each_event(event, words):
    cells = plain_event(event, AT).removesuffix("\n").split("\t")
    assert len(cells) == 8
    assert cells[0] == "2026-01-02T03:04:05Z"
    assert " ".join(cells[1:]) == words


def test_every_event_has_a_line():
    kinds = {get_origin(kind) or kind for kind in get_args(Event)}
    assert {type(event) for event, _ in CASES} == kinds


def test_hostile_event_is_one_plain_line():
    evil = job(5, HOSTILE_NAME, failure_reason="\x1b[2J\nx")
    for event in (finished(evil, project="a\x1b]0;t\x07"), log_line(evil, 1, "\x9b31m\x1b[2Jz\n")):
        line = plain_event(event, AT)
        assert line.replace("\t", "").removesuffix("\n").isprintable()


@pytest.mark.parametrize("event", [event for event, _ in CASES])
def test_json_holds_all_that_the_event_does(event):
    line = json_line(event)
    found = json.loads(line)
    assert line.count("\n") == 1
    assert list(found)[:3] == ["version", "type", "key"]
    assert (found["key"], found.get("project")) == (event.key, event.project)
    assert from_json(line) == event
    if getattr(event, "job", None) is not None:
        assert found["job"]["id"] == event.job.id
        assert found["job"]["pipeline"]["id"] == event.job.pipeline.id


def test_json_of_a_job_is_that_of_list():
    found = json.loads(json_line(finished(FAILED)))
    assert (found["previous"], found["job"]["status"]) == ("running", "failed")
    assert found["job"]["created_at"].endswith("Z")
    assert json.loads(json_line(log_line(job(1), 4, "x")))["line"]["number"] == 4


def test_reason_omits_the_request():
    error = str(NotFoundError(404, "404 Project Not Found", "GET", "http://x/api", None, "01R"))
    assert short_reason(error) == "HTTP 404: 404 Project Not Found"
    assert short_reason("no answer: 3") == "no answer: 3"


def test_failures_and_monitor_events_are_kept():
    watching = [UNREACHABLE, RECOVERED, RESET, ALL_UNREACHABLE, PAUSED, PROBED, RESUMED]
    failures = [finished(FAILED), *watching]
    assert [event for event, _ in CASES if is_failure(event)] == failures
    assert not is_failure(appeared(FAILED))
