"""`tail` of selected jobs: which join, how they leave, and the exit code."""

import json
import os
import re
import signal
import threading
import time
from itertools import groupby, pairwise

import pytest

from gitlab_jobs_async.simulator import BytesLog, Fault, JobPlan

PROMPT = ["--interval", 0.05]
"""The server is 100 times as fast as the command."""

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture
def pipeline(world):
    return world.add_pipeline(world.project("group/empty"), stages=("build", "test"))


@pytest.fixture
def start(world, pipeline):
    """Add a job of the pipeline, or of another one, that runs for some seconds of the server."""

    def add(name, log=b"one\ntwo\n", *, at=None, stage="build", **plan):
        plan = {
            "duration": 150.0,
            "queued": 0.0,
            "first_upload": 1.0,
            "upload_interval": 3.0,
        } | plan
        job = world.add_job(
            at or pipeline, name, stage=stage, plan=JobPlan(log=BytesLog(log), **plan)
        )
        world.settle(world.now + 1.0)
        return job

    return add


@pytest.fixture
def interrupt():
    """Send Ctrl-C as soon as a condition holds."""
    threads = []

    def when(condition):
        def wait():
            end = time.monotonic() + 10.0
            while not condition() and time.monotonic() < end:
                time.sleep(0.005)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=wait)
        threads.append(thread)
        thread.start()

    yield when
    for thread in threads:
        thread.join()


def lines_of(result, job, project="group/empty"):
    label = f"{project} {job.name} {job.id} | "
    return [line.removeprefix(label) for line in result.lines if line.startswith(label)]


def test_pipeline_is_followed_to_its_end(run, start, pipeline):
    jobs = [
        start("first"),
        start("queued", queued=150.0),
        start("broken", duration=120.0, outcome="failed"),
        start("later", stage="test"),
    ]
    result = run("tail", "group/empty", "--pipeline", pipeline.id, *PROMPT)
    assert result.code == 1
    # A job that needs an earlier, failed one does not run.
    assert [lines_of(result, job) for job in jobs] == [["one", "two"]] * 3 + [[]]
    said = [line.removeprefix("gitlab-jobs: ") for line in result.err.splitlines()]
    assert said[0] == f"group/empty broken {jobs[2].id} failed after 2m 00s (script_failure)"
    assert f"group/empty queued {jobs[1].id} succeeded after 2m 30s" in said
    assert re.fullmatch(rf"pipeline {pipeline.id} failed: http\S+; --log-failed shows why", said[3])
    assert len(said) == 4


def test_ended_pipeline_exits_with_its_result(run, job_of):
    pipeline = job_of("broken").pipeline.id
    result = run("tail", "group/evil", "--pipeline", pipeline)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"gitlab-jobs: pipeline {pipeline} failed: http")


def test_pipeline_that_waits_for_a_person_ends(run, start, pipeline):
    start("a")
    start("deploy", stage="test", when="manual", allow_failure=False)
    result = run("tail", "group/empty", "--pipeline", pipeline.id, *PROMPT)
    assert result.code == 0
    assert "waits for a manual job: http" in result.err.splitlines()[-1]


def test_projects_are_followed_until_interrupted(run, start, world, interrupt, gitlab):
    other = world.add_pipeline(world.project("group/app"), ref="feature")
    log = b"x\n" * 100_000
    jobs = [start("soak", log, duration=1e5), start("soak", log, at=other, duration=1e5)]
    start("lint", log, at=other, duration=1e5)
    ends = tuple(f"/jobs/{job.id}/trace" for job in jobs)
    interrupt(lambda: all(sum(r.path.endswith(e) for r in gitlab.requests) > 20 for e in ends))
    result = run("tail", "group/app", "group/empty", "--jobs", "^soak$", *PROMPT)
    assert (result.code, result.err) == (130, "")
    assert {line.partition(" | ")[0] for line in result.lines} == {
        f"group/empty soak {jobs[0].id}",
        f"group/app soak {jobs[1].id}",
    }


def test_without_follow_shows_what_runs(run, start, pipeline):
    running = start("runs", duration=1e4, first_upload=0.0)
    start("waits", queued=1e4)
    ended = start("ended", duration=0.5)
    result = run("tail", "group/empty", "--pipeline", pipeline.id, "--no-follow")
    assert (result.code, result.err) == (0, "")
    assert {line.partition(" |")[0] for line in result.lines} <= {f"group/empty runs {running.id}"}
    for where in (["--pipeline", pipeline.id], ["--jobs", "."]):
        result = run("tail", "group/empty", *where, "--no-follow", "--since", "1h")
        assert lines_of(result, ended) == ["one", "two"]
        result = run("tail", "group/empty", *where, "--no-follow", "--stage", "deploy")
        assert (result.code, result.out) == (0, "")
        assert "is running" in result.err
    lines = run("tail", "--group", "group", "--since", "1h", "--no-follow", "--json").lines
    shown = [json.loads(line) for line in lines]
    assert {"project", "job_id", "job_name", "text"} <= set(shown[0])
    assert {line["project"] for line in shown} >= {"group/empty", "group/app", "group/evil"}


@pytest.mark.parametrize("by_project", [True, False])
def test_since_shows_jobs_that_ended_later(run, start, pipeline, by_project):
    """Of projects, jobs that were created a day before that time are not read."""
    where = ["--jobs", "."] if by_project else ["--pipeline", pipeline.id]
    early, long = start("early", duration=0.5), start("long", duration=0.5)
    now = time.time()
    early.started_at = early.finished_at = now - 3600
    early.created_at = now - 7200
    long.created_at, long.started_at, long.finished_at = now - 36 * 3600, now - 60, now - 50

    def shown(since):
        result = run("tail", "group/empty", *where, "--no-follow", "--since", since)
        return {line.split()[1] for line in result.lines}, result.err

    assert shown("30m")[0] == (set() if by_project else {"long"})
    assert shown("15h") == ({"early", "long"}, "")
    long.started_at = now - 30 * 3600
    note = (
        f"gitlab-jobs: group/empty long {long.id}: its log has no times: only new lines are shown\n"
    )
    assert shown("15h") == ({"early"}, note)


@pytest.mark.parametrize(
    "where",
    [["--group", "none"], ["group/app", "--pipeline", 99], ["group/none", "--exclude", "x"]],
)
def test_unknown_names_end_the_command(run, assert_one_line, where):
    assert_one_line(run("tail", *where), 4, "404")


def test_retries_are_followed_to_the_last(run, start, pipeline):
    again = JobPlan(duration=50.0, queued=1.0, log=BytesLog(b"again\n"), outcome="failed")
    last = JobPlan(duration=50.0, queued=1.0, log=BytesLog(b"last\n"))
    plan = {"outcome": "failed", "auto_retry": 2, "attempts": (again, last), "duration": 50.0}
    job = start("flaky", b"first\n", **plan)
    result = run("tail", "group/empty", job.id, "--follow-retries", *PROMPT)
    attempts = [one.id for one in pipeline.jobs if one.name == "flaky"]
    assert (result.code, result.lines) == (0, ["first", "again", "last"])
    assert result.err.splitlines() == [
        f"gitlab-jobs: job {before} flaky runs again as job {after}"
        for before, after in pairwise(attempts)
    ]
    # Without it, the result is that of the attempt. With others, each line is labelled.
    result = run("tail", "group/empty", job.id)
    assert (result.code, result.lines) == (1, ["first"])
    steady = start("steady", b"s\n", duration=1.0)
    result = run("tail", "group/empty", job.id, steady.id, "--follow-retries", "--json")
    shown = {(one["job_id"], one["text"]) for one in map(json.loads, result.lines)}
    expected = zip(attempts, ("first", "again", "last"), strict=True)
    assert shown == {*expected, (steady.id, "s")}
    assert result.code == 0


@pytest.mark.parametrize(
    "options", [["5", "--no-follow"], ["5", "--raw"], ["--jobs", "x"], ["5", "--log-failed"]]
)
def test_retries_of_what_ends_are_refused(run, assert_one_line, options):
    result = run("tail", "group/app", *options, "--follow-retries")
    assert_one_line(result, 2, "--follow-retries: expected a JOB")


def test_without_follow_logs_come_one_by_one(run, start, gitlab):
    jobs = [start(f"job {number}", b"x\n" * 300, duration=0.5) for number in range(6)]
    gitlab.faults.add(Fault(path=f"*/jobs/{jobs[0].id}/trace", latency=20.0))
    failed = jobs.pop(3)
    gitlab.faults.add(Fault(path=f"*/jobs/{failed.id}/trace", status=403, times=None))
    ids = [job.id for job in (*jobs, failed)]
    for arguments in (ids, ["--jobs", ".", "--since", "1h"]):
        result = run("tail", "group/empty", *arguments, "--no-follow")
        labels = [line.partition(" | ")[0] for line in result.lines]
        assert [label for label, _ in groupby(labels)] == [
            f"group/empty {job.name} {job.id}" for job in jobs
        ]
        assert len(labels) == 1500
        assert result.code == 4
        assert result.err.startswith(f"gitlab-jobs: job {failed.id}: GET ")


def test_since_does_not_read_older_logs(run, start, gitlab):
    old, new = start("old", duration=0.5, outcome="failed"), start("new", duration=0.5)
    old.started_at = old.finished_at = time.time() - 3600
    for follow, code in (([], 1), (["--no-follow"], 0)):
        result = run("tail", "group/empty", old.id, new.id, "--since", "30m", *follow)
        assert lines_of(result, new) == ["one", "two"]
        assert result.code == code
        assert f"gitlab-jobs: group/empty old {old.id} had ended by --since" in result.err
    assert not any(f"/{old.id}/trace" in request.path for request in gitlab.requests)
