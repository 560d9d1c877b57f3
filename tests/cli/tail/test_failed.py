"""`tail --log-failed`: the failed sections of jobs and pipelines."""

import json

import pytest

from gitlab_jobs_async.simulator import BytesLog, Fault, JobPlan, PipelinePlan, PlannedJob

LOG = (
    b"section_start:100:get_sources\r\x1b[0KFetching\nsection_end:101:get_sources\r\x1b[0K"
    b"section_start:101:step_script\r\x1b[0K$ make\nok\nmain.c:3:1: error: no\nmake: *** Error\n"
    b"section_end:109:step_script\r\x1b[0K"
    b"section_start:109:after_script\r\x1b[0Kcleaning\nsection_end:110:after_script\r\x1b[0K"
    b"\x1b[31;1mERROR: Job failed: exit code 2\x1b[0;m\n"
)
FAILED = {"duration": 10.0, "queued": 0.0, "outcome": "failed"}
SECTION = ["$ make", "ok", "main.c:3:1: error: no", "make: *** Error"]

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture
def pipeline(world):
    """A pipeline that failed: two jobs failed, one of them without a log, and one passed."""
    added = world.add_pipeline(world.project("group/empty"), stages=("test",), ref="main")
    for name, plan in (
        ("build", JobPlan(log=BytesLog(LOG), **FAILED)),
        ("killed", JobPlan(log=BytesLog(b""), **FAILED | {"duration": 20.0})),
        ("fine", JobPlan(duration=1.0, queued=0.0)),
    ):
        world.add_job(added, name, plan=plan)
    world.settle(world.now + 60)
    return added


def heading(job, took="10s", details=", exit code 2, in step_script", project="group/empty"):
    return f"{project} {job.name} {job.id} failed after {took} (script_failure){details}"


def test_job_shows_its_failed_section(run, pipeline):
    job = pipeline.jobs[0]
    result = run("tail", "group/empty", job.id, "--log-failed")
    assert (result.code, result.err) == (1, "")
    assert result.lines[0] == heading(job)
    assert result.lines[1].endswith(f"/group/empty/-/jobs/{job.id}")
    assert result.lines[2] == "  line 4: main.c:3:1: error: no"
    assert result.lines[3:] == SECTION


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (["--lines", 1], SECTION[-1:]),
        (["--grep", "error"], SECTION[2:3]),
        (["--exclude-lines", "make"], SECTION[1:3]),
        (
            ["--template", "{job} {number} {line}"],
            [f"build {2 + n} {t}" for n, t in enumerate(SECTION)],
        ),
    ],
)
def test_lines_of_a_section_are_filtered(run, pipeline, options, lines):
    result = run("tail", "group/empty", pipeline.jobs[0].id, "--log-failed", *options)
    assert result.lines[0 if "--template" in options else 3 :] == lines


@pytest.mark.parametrize("where", [["--pipeline", "main"], [], ["--ref", "."], ["--exclude", "x"]])
def test_pipeline_shows_all_failed_jobs(run, pipeline, where):
    result = run("tail", "group/empty", "--log-failed", *where)
    build, killed, _ = pipeline.jobs
    assert result.code == 1
    assert heading(build) in result.lines
    assert heading(killed, "20s", "") in result.lines
    assert "  no lines: the log is empty or was erased" in result.lines
    assert "fine" not in result.out
    assert run("tail", "group/empty", "--log-failed", "--jobs", "^k", *where).lines[0] == heading(
        killed, "20s", ""
    )


@pytest.mark.usefixtures("pipeline")
def test_failures_as_json(run):
    result = run("tail", "group/empty", "--log-failed", "--json", "--grep", "make")
    first, second = map(json.loads, result.lines)
    assert (result.code, first["job"]["name"], first["exit_code"]) == (1, "build", 2)
    assert first["section"] == ["step_script"]
    assert [line["text"] for line in first["lines"]] == ["$ make", "make: *** Error"]
    assert (second["job"]["name"], second["lines"]) == ("killed", [])


def test_nothing_failed_is_said(run, pipeline):
    passed = pipeline.jobs[2]
    result = run("tail", "group/empty", passed.id, "--log-failed")
    said = f"gitlab-jobs: job {passed.id} fine has not failed: it is success\n"
    assert (result.code, result.out, result.err) == (0, "", said)
    result = run("tail", "group/empty", "--log-failed", "--jobs", "fine")
    said = f"gitlab-jobs: no job of pipeline {pipeline.id} has failed\n"
    assert (result.code, result.out, result.err) == (0, "", said)


def test_downstream_failures_are_found(run, world):
    above = world.add_pipeline(world.project("group/empty"), stages=("test",), ref="above")
    job = PlannedJob("child", plan=JobPlan(log=BytesLog(LOG), **FAILED))
    child = PipelinePlan(jobs=(job,), depend=True)
    world.add_bridge(above, "trigger", downstream=child, plan=JobPlan(queued=0.0))
    nowhere = PipelinePlan(project="group/none")
    empty = world.add_bridge(above, "broken", downstream=nowhere, plan=JobPlan(queued=0.0))
    world.settle(world.now + 90)
    options = ["--pipeline", "above", "--log-failed"]
    result = run("tail", "group/empty", *options)
    assert (result.code, result.err) == (1, "")
    assert SECTION[2] in result.lines
    headings = [line for line in result.lines if line.startswith("group/empty ")]
    assert [line.split()[1] for line in headings] == ["broken", "child"]
    assert headings[0].endswith("(downstream_bridge_project_not_found)")
    bridge, failure = map(json.loads, run("tail", "group/empty", *options, "--json").lines)
    assert (bridge["id"], failure["job"]["name"]) == (empty.id, "child")


def test_unreadable_log_does_not_hide_others(run, pipeline, signed_in):
    build, killed, _ = pipeline.jobs
    signed_in.faults.add(Fault(path=f"*/jobs/{build.id}/trace", status=403, times=None))
    result = run("tail", "group/empty", "--log-failed")
    assert result.code == 4
    assert result.lines[0] == heading(killed, "20s", "")
    assert result.err.startswith(f"gitlab-jobs: job {build.id} build: GET ")


def test_section_counts_its_own_last_lines(run, pipeline):
    job = pipeline.jobs[0].id
    result = run("tail", "group/empty", job, "--section", "step_script", "--lines", 2)
    assert result.lines == SECTION[2:]
    result = run("tail", "group/empty", job, "--grep", "make", "--lines", 1, "--json")
    assert [json.loads(line)["text"] for line in result.lines] == ["make: *** Error"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([1, "--log-failed", "--offset", 1], "--offset"),
        ([1, "--log-failed", "--raw"], "--raw"),
        (["--log-failed", "--since", "1h"], "--since"),
        (["--log-failed", "--interval", 1], "--interval"),
        (["--jobs", "a", "--raw"], "one JOB"),
        (["--jobs", "a", "--offset", 3], "one JOB"),
        (["--jobs", "("], "--jobs '('"),
        (["--exclude", "("], "--exclude '('"),
        (["--stage", "("], "--stage '('"),
        (["--ref", "("], "--ref '('"),
        ([1, "--exclude-lines", "("], "--exclude-lines '('"),
        ([1, "--highlight", "("], "--highlight '('"),
        ([1, "--template", "{x}"], "unknown field {x}"),
        ([1, "--since", "x"], "--since 'x'"),
        ([1, "--raw", "--since", "1h"], "--raw"),
        ([1, "--since", "1h", "--offset", 1], "--since"),
        (["--jobs", "a", "--max-logs", 0], "--max-logs"),
        (["--group", "group", "--log-failed"], "one PROJECT"),
    ],
)
def test_contradictions_are_usage_errors(run, assert_one_line, arguments, word, signed_in):
    assert_one_line(run("tail", "group/app", *arguments), 2, word)
    assert len(signed_in.requests) == 0
