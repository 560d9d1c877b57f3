"""`failures`: groups for pipes, people and programs, with the lines of the newest failure."""

import json

import pytest
from attrs import evolve

from gitlab_jobs_async.cli.commands import failures as command
from gitlab_jobs_async.simulator import BytesLog, Fault, JobPlan

LOG = (
    b"$ make\nbuilding\nerror: no rule\n\x1b[31m  make: *** stop\x1b[0m\n"
    b"ERROR: Job failed: exit code 2\n"
)
FAILS = JobPlan(queued=0.0, duration=1.0, outcome="failed", log=BytesLog(LOG))

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture
def broken(world):
    """Two failed jobs of one name, of which the first passed on retry, and another."""
    project = world.project("group/empty")
    passes = evolve(FAILS, attempts=(JobPlan(duration=1.0),), auto_retry=1)
    for ref, plan in (("main", passes), ("topic", FAILS)):
        pipeline = world.add_pipeline(project, stages=("test",), ref=ref)
        world.add_job(pipeline, "unit", plan=plan)
        if ref == "main":
            world.add_job(pipeline, "lint", plan=FAILS)
        world.settle(world.now + 10.0)


def on_terminal(monkeypatch):
    monkeypatch.setattr(command, "is_terminal", lambda: True)
    monkeypatch.setattr("gitlab_jobs_async.cli.output.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")


@pytest.mark.usefixtures("broken")
def test_pipe_gets_a_line_per_group(run):
    result = run("failures", "group/empty")
    rows = [line.split("\t") for line in result.lines]
    assert (result.code, result.err) == (0, "")
    assert [row[:5] for row in rows] == [
        ["2", "1", "group/empty", "unit", "script_failure"],
        ["1", "0", "group/empty", "lint", "script_failure"],
    ]
    assert [row[8:] for row in rows] == [["2", "error: no rule"]] * 2
    assert rows[0][7].endswith(f"/group/empty/-/jobs/{rows[0][6]}")


@pytest.mark.usefixtures("broken")
def test_terminal_shows_the_failing_lines(run, monkeypatch):
    on_terminal(monkeypatch)
    lines = run("failures", "group/empty", "--lines", 2).lines
    assert lines[0].startswith("2x unit  group/empty  script_failure")
    assert lines[0].endswith("flaky: 1 passed on retry")
    assert lines[1].endswith("on topic, main")
    assert "exit code 2" in lines[2]
    assert "   > error: no rule" in lines
    assert "   |   make: *** stop" in lines


@pytest.mark.usefixtures("broken")
def test_no_logs_spares_their_requests(run, signed_in, monkeypatch):
    on_terminal(monkeypatch)
    result = run("failures", "group/empty", "--no-logs")
    assert "unit" in result.lines[2]
    assert not [one for one in signed_in.requests if one.path.endswith("/trace")]
    run("failures", "group/empty", "--limit", 1)
    assert len([one for one in signed_in.requests if one.path.endswith("/trace")]) == 1


@pytest.mark.usefixtures("broken")
def test_json_has_the_group_and_its_failure(run):
    found = [json.loads(line) for line in run("failures", "--group", "group", "--json").lines]
    unit = next(one for one in found if one["name"] == "unit")
    assert (unit["count"], len(unit["flaky_ids"]), unit["failure"]["exit_code"]) == (2, 1, 2)
    assert unit["failure"]["error"]["text"] == "error: no rule"
    assert (
        json.loads(run("failures", "group/empty", "--no-logs", "--json").lines[0])["failure"]
        is None
    )


@pytest.mark.usefixtures("broken")
def test_log_that_is_refused_hides_nothing(run, signed_in, monkeypatch):
    on_terminal(monkeypatch)
    signed_in.faults.add(Fault(status=403, path="*/trace", times=None))
    result = run("failures", "group/empty")
    assert result.code == 0
    assert len([line for line in result.lines if "log unavailable: " in line]) == 2


def test_nothing_failed(run, monkeypatch):
    assert run("failures", "group/empty").out == ""
    on_terminal(monkeypatch)
    assert run("failures", "group/empty").out == "no failed jobs\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "soon"], "--since 'soon': expected a span"),
        (["--lines", "-1"], "lines"),
        (["--limit", "0"], "limit"),
        (["--columns", "x"], "unknown column 'x'"),
    ],
)
def test_invalid_options_are_refused(run, assert_one_line, arguments, words):
    assert_one_line(run("failures", "group/app", *arguments), 2, words)
