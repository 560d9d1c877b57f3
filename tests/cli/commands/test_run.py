"""The command `run`: its lines, its exit codes, and what it refuses."""

import json
import signal
import subprocess

import orjson
import pytest

from gitlab_jobs_async.simulator import Fault, JobPlan, PipelinePlan, PlannedJob

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture
def plan(world):
    """Set the jobs of the next pipelines."""

    def change(*jobs):
        world.project("group/app").configuration = PipelinePlan(jobs=jobs)

    world.project("group/app").inputs = {"target": "staging"}
    change(
        PlannedJob("compile", "build", JobPlan(duration=200)),
        PlannedJob("deploy", "deploy", JobPlan(duration=1, when="manual", allow_failure=False)),
    )
    return change


def cells(result):
    return [line.split("\t") for line in result.lines]


@pytest.mark.usefixtures("plan")
def test_run_prints_changes_until_blocked(signed_in, run, world):
    options = ["--variable", "A=ä=b", "--input", "target=prod", "--until", "blocked"]
    result = run("run", "group/app", "main", *options, "--interval", "0.2")
    assert (result.code, result.err) == (0, "")
    made = world.project("group/app").pipelines[-1]
    assert (made.variables, made.inputs) == ({"A": "ä=b"}, {"target": "prod"})
    rows = cells(result)
    assert {len(row) for row in rows} == {8}
    assert {row[1] for row in rows} == {"group/app"}
    assert {row[2] for row in rows} == {str(made.id)}
    assert rows[0][5] == "pipeline_created"
    assert rows[0][7].endswith(f"/pipelines/{made.id}")
    assert ["compile", "job_finished", "success"] in [row[4:7] for row in rows]
    assert rows[-1][5:7] == ["pipeline_changed", "manual"]
    assert signed_in.requests[0].method == "POST"


def test_failed_pipeline_exits_with_1(run, plan):
    plan(PlannedJob("test", "test", JobPlan(duration=1, outcome="failed")))
    result = run("run", "group/app", "main", "--interval", "0.1", "--json")
    assert result.code == 1
    rows = [json.loads(line) for line in result.lines]
    assert "stage" not in rows[0]
    assert rows[-2]["name"] == "test"
    assert (rows[-1]["id"], rows[-1]["status"]) == (rows[0]["id"], "failed")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["group/app", "none"], 2, "group/app has neither a branch nor a tag 'none': push it"),
        (["group/app", "--ref", "none"], 2, "group/app has neither a branch nor a tag 'none'"),
        (["group/app", "main", "--ref", "x"], 2, "REF 'x': expected at most"),
        (["group/app", "main", "--input", "x=1"], 2, "unknown input arguments: x"),
        (["group/app", "main", "--variable", "x"], 2, "--variable: expected K=V"),
        (["group/app", "main", "--until", "done"], 2, "--until"),
        (["group/app", ""], 2, "ref"),
        (["group/none", "main"], 4, "404"),
    ],
)
@pytest.mark.usefixtures("plan")
def test_refusal_prints_one_line(run, assert_one_line, arguments, code, words):
    assert_one_line(run("run", *arguments), code, words)


@pytest.mark.usefixtures("plan")
def test_failing_server_exits_with_3(signed_in, run, assert_one_line):
    signed_in.faults.add(Fault(status=500))
    assert_one_line(run("run", "group/app", "main"), 3, "500")


def test_deleted_pipeline_is_named(signed_in, run, plan):
    plan(PlannedJob("test", "test", JobPlan(duration=1000)))
    signed_in.faults.add(Fault(status=404, path="*/pipelines/*"))
    result = run("run", "group/app", "main")
    assert result.code == 4
    assert "was created: http" in result.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_names_the_pipeline(spawn, plan, world, number):
    plan(PlannedJob("test", "test", JobPlan(duration=100_000)))
    process = spawn(
        "run", "group/app", "main", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert "pipeline_created" in process.stdout.readline()
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    made = world.project("group/app").pipelines[-1]
    assert f"pipeline {made.id} was created: http" in err
    assert made.status in {"pending", "running"}


def test_cancel_and_retry_a_pipeline(signed_in, run, world):
    number = world.project("group/app").pipelines[-1].id
    result = run("cancel", "group/app", "--pipeline", number)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"pipeline {number} is ")
    assert signed_in.requests[-1].path.endswith(f"/pipelines/{number}/cancel")
    result = run("retry", "group/app", "--pipeline", number, "--json")
    assert json.loads(result.out)["id"] == number
    assert signed_in.requests[-1].path.endswith(f"/pipelines/{number}/retry")
    assert not orjson.loads(signed_in.requests[-1].body or b"null")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cancel", "-R", "a/b"], "missing JOB: expected at least one, or --pipeline"),
        (["cancel"], "missing JOB: expected at least one, or --pipeline"),
        (["cancel", "a/b"], "expected a PROJECT in front of the JOB"),
        (["retry", "a/b", 3, "--pipeline", 4], "--pipeline: expected the name of a JOB"),
        (["retry", "a/b", "--pipeline", 0], "--pipeline"),
        (["retry", "a/b", "--pipeline", 3, "--input", "x=1"], "--input: expected a JOB"),
        (["cancel", "a/b", "--pipeline", 3, "--force"], "--force: expected a JOB"),
    ],
)
def test_job_or_pipeline_is_required(signed_in, run, assert_one_line, arguments, words):
    assert_one_line(run(*arguments), 2, words)
    assert not signed_in.requests
