"""`list` and `show`: tables for people, plain lines for pipes, JSON for programs."""

import json
import re

import pytest

COLUMNS = 9

pytestmark = pytest.mark.usefixtures("signed_in")


def test_pipe_gets_one_tabbed_line_per_job(run):
    result = run("list", "group/app")
    assert result.code == 0
    rows = [line.split("\t") for line in result.lines]
    assert [row[0] for row in rows] == ["4", "3", "2", "1"]
    assert {len(row) for row in rows} == {COLUMNS}
    assert rows[-1][1:6] == ["group/app", "1", "build", "compile", "success"]
    assert rows[-1][6] == "10.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", rows[-1][7])
    assert rows[-1][8] == "main"


def test_projects_keep_the_given_order(run):
    rows = [line.split("\t") for line in run("list", "group/evil", "1", "group/empty").lines]
    assert [row[1] for row in rows] == ["group/evil"] * 3 + ["1"] * 4


def test_repeated_project_is_listed_once(run):
    assert len(run("list", "group/app", "group/app").lines) == 4


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--scope", "failed"], ["flaky"]),
        (["--scope", "failed", "--scope", "manual"], ["deploy", "flaky"]),
        (["--scope", "failed,manual"], ["deploy", "flaky"]),
        (["--limit", 2], ["deploy", "flaky"]),
        (["--limit", 1, "--scope", "success"], ["compile"]),
        (["--ref", "main", "--scope", "success"], ["compile"]),
        (["--ref", "other"], []),
        (["--pipeline", 1, "--scope", "success"], ["compile"]),
        (["--pipeline", 1, "--limit", 1], ["deploy"]),
    ],
)
def test_options_choose_the_jobs(run, options, names):
    result = run("list", "group/app", *options)
    assert result.code == 0
    assert [line.split("\t")[4] for line in result.lines] == names


def test_limit_requests_no_further_page(signed_in, world, run):
    world.add_finished_jobs(world.project("group/empty"), 250)
    assert len(run("list", "group/empty", "--limit", 5).lines) == 5
    assert len(signed_in.requests) == 1


def test_retried_jobs_need_include_retried(world, run, job_of):
    world.retry(job_of("flaky"))
    count = len(run("list", "group/app", "--pipeline", 1).lines)
    assert len(run("list", "group/app", "--pipeline", 1, "--include-retried").lines) == count + 1


def test_json_is_one_object_per_line(run):
    result = run("list", "group/app", "group/evil", "--json")
    jobs = [json.loads(line) for line in result.lines]
    assert [job["id"] for job in jobs][:4] == [4, 3, 2, 1]
    compile_job = jobs[3]
    assert compile_job["name"] == "compile"
    assert compile_job["pipeline"]["project_id"] == 1
    assert compile_job["coverage"] == 87.5
    assert compile_job["finished_at"].endswith("Z")
    assert compile_job["artifacts_file"]["filename"] == "artifacts.zip"
    assert "\x1b" not in result.out
    assert "\x9b" not in result.out


def test_nothing_to_list_is_nothing_at_all(run):
    assert run("list", "group/empty").out == ""
    assert run("list", "group/empty", "--json").out == ""


def test_hostile_names_stay_one_clean_line(run):
    lines = run("list", "group/evil").lines
    assert all(len(line.split("\t")) == COLUMNS for line in lines)
    assert any("[bold]x[/] red tab line" in line for line in lines)
    assert all(line.isprintable() for line in (line.replace("\t", "") for line in lines))


def test_show_prints_names_and_values(run):
    facts = dict(line.split("\t") for line in run("show", "group/app", 1).lines)
    assert facts["id"] == "1"
    assert facts["name"] == "compile"
    assert facts["status"] == "success"
    assert facts["artifacts_file"] == "artifacts.zip"
    assert facts["web_url"].startswith("http")
    assert "failure_reason" not in facts


def test_show_prints_the_failure_reason(run):
    facts = dict(line.split("\t") for line in run("show", "group/app", 3).lines)
    assert facts["failure_reason"] == "script_failure"


def test_show_as_json(run):
    assert json.loads(run("show", 1, 1, "--json").out)["name"] == "compile"


def test_options_may_stand_between_the_projects(run):
    result = run("list", "group/app", "--json", "group/evil", "--limit", 1)
    assert len({json.loads(line)["pipeline"]["id"] for line in result.lines}) == 2
