"""`timeline`: cells for pipes, JSON for programs, files for people, and exit codes."""

import json

import pytest

from gitlab_jobs_async.cli import output
from gitlab_jobs_async.cli.commands import timeline as command
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.finding.references import Latest
from gitlab_jobs_async.cli.finding.selection import select_pipeline
from gitlab_jobs_async.simulator import Fault, JobPlan

COLUMNS = 13

pytestmark = pytest.mark.usefixtures("signed_in")


def test_pipe_gets_a_line_per_attempt(run, world, job_of):
    world.retry(job_of("flaky"))
    result = run("timeline", "group/app", 1)
    rows = [line.split("\t") for line in result.lines]
    assert (result.code, result.err) == (0, "")
    assert {len(row) for row in rows} == {COLUMNS}
    tries = [(row[4], row[5], row[6]) for row in rows if row[4] == "flaky"]
    assert [tries[0], tries[1][::2]] == [("flaky", "failed", "1"), ("flaky", "2")]
    compiled = next(row for row in rows if row[4] == "compile")
    assert compiled[:4] == ["1", "group/app", "1", "build"]
    assert compiled[7:] == ["critical", "0.0", "0.0", "0.0", "2.0", "10.0"]
    lines = run("timeline", "group/app", 1, "--columns", "name,running,failure_reason").lines
    assert lines[0] == "compile\t10.0\t"
    assert "flaky\t10.0\tscript_failure" in lines
    # As the other commands name a pipeline.
    assert run("timeline", "group/app", "--pipeline", "!12").code == 4
    again = run("timeline", "--pipeline", 1, "--project", "group/app").lines
    assert [row.split("\t")[:8] for row in again] == [row[:8] for row in rows]
    assert run("timeline", "group/app", 1, "--pipeline", 1).code == 2


def test_json_is_one_object_per_pipeline(run, world, job_of, clock):
    world.play(job_of("trigger"))
    world.settle(clock.now() + 100)
    found = [json.loads(line) for line in run("timeline", "group/evil", 2, "--json").lines]
    root, child = found
    assert (root["depth"], child["depth"]) == (0, 1)
    assert child["bridge_id"] == job_of("trigger").id
    assert root["basis"] == "needs"
    assert sum(root["time_spent"].values()) == pytest.approx(root["end"] - root["begin"], abs=0.01)
    assert {"id", "phases", "running_seconds", "critical"} <= root["jobs"][0].keys()


def test_files_are_written_and_nothing_is_printed(run, tmp_path):
    svg, page = tmp_path / "a.svg", tmp_path / "a.html"
    result = run("timeline", "group/evil", 2, "--svg", svg, "--html", page)
    assert (result.code, result.out, result.err) == (0, "", "")
    assert svg.read_text(encoding="utf-8").startswith("<svg ")
    assert "<script" not in page.read_text(encoding="utf-8")


def test_terminal_gets_a_waterfall(run, monkeypatch):
    monkeypatch.setattr(command, "is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    result = run("timeline", "group/evil", 2, "--no-follow")
    assert result.code == 0
    assert "◆ critical path" in result.out
    assert max(map(len, result.lines)) <= 80
    # With columns it is a table, which does not follow.
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    result = run("timeline", "group/evil", 2, "--columns", "name,queued,running")
    assert result.lines[0].split() == ["name", "queued", "running"]


def test_follow_ends_with_the_result(run, world, clock):
    """The exit code is that of the pipeline only with --follow."""
    pipeline = world.add_pipeline(world.project("group/empty"), stages=("test",))
    world.add_job(pipeline, "unit", plan=JobPlan(duration=200.0, outcome="failed"))
    world.settle(clock.now())
    assert run("timeline", "group/empty", pipeline.id).code == 0
    result = run("timeline", "group/empty", pipeline.id, "--follow", "--interval", 0.05)
    assert (result.code, len(result.lines)) == (1, 1)
    assert result.lines[0].split("\t")[5] == "failed"
    assert run("timeline", "group/empty", pipeline.id).code == 0


def test_url_of_a_job_shows_its_pipeline(run, signed_in):
    lines = run("timeline", f"{signed_in.url}/group/app/-/jobs/2").lines
    assert {line.split("\t")[2] for line in lines} == {"1"}


def test_needs_are_not_asked_for_without_them(run, signed_in):
    run("timeline", "group/app", 1, "--no-needs")
    assert not any("graphql" in request.path for request in signed_in.requests)
    signed_in.faults.add(Fault(status=403, path="/api/graphql", times=None))
    found = json.loads(run("timeline", "group/app", 1, "--json").out)
    assert found["basis"] == "stages"


def test_branch_read_as_a_project_is_noted(run, assert_one_line):
    words = "as a branch it is: . feature/x"
    assert_one_line(run("timeline", "feature/x"), 4, "404 Project Not Found", words)


def test_unknown_pipeline_is_one_line(run, assert_one_line):
    assert_one_line(run("timeline", "group/app", 999), 4, "404")
    assert_one_line(run("timeline", "group/app", 1, 2), 2, "at most a PROJECT and a PIPELINE")


@pytest.mark.parametrize(
    ("words", "project", "pipeline"),
    [
        ([], None, None),
        (["17"], None, 17),
        (["group/app"], "group/app", None),
        (["group/app", "17"], "group/app", 17),
        (["4", "17"], 4, 17),
        ([".", "topic/a"], None, Latest("topic/a")),
        (["latest"], None, Latest()),
    ],
)
def test_words_name_project_and_pipeline(words, project, pipeline):
    found = select_pipeline(words)
    assert (found.project, found.pipeline, found.jobs) == (project, pipeline, ())


def test_two_pipelines_are_refused():
    with pytest.raises(CommandError, match="at most a PROJECT and a PIPELINE"):
        select_pipeline(["17", "18"], "group/app")
