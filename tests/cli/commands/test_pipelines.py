"""`pipelines`, `show` of a pipeline, and `--web`."""

import json

import pytest

from gitlab_jobs_async.cli import web_page
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.web_page import open_page, project_page
from gitlab_jobs_async.simulator import JobPlan, MergeRequest

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture
def pipelines(world):
    """Add three pipelines to the one of `group/app`: of a branch and of a merge request."""
    project = world.project("group/app")
    request = MergeRequest(iid=12, source_branch="topic")
    return [
        world.add_pipeline(project, ref="topic"),
        world.add_pipeline(project, merge_request=request),
        world.add_pipeline(project, ref="main", source="schedule"),
    ]


def ids(result):
    assert result.code == 0, result.err
    return [int(line.split("\t")[0]) for line in result.lines]


def test_newest_pipelines_are_listed(run, pipelines, world):
    branch, request, newest = (one.id for one in pipelines)
    result = run("pipelines", "group/app")
    assert ids(result) == [newest, request, branch, 1]
    cells = result.lines[0].split("\t")
    sha = world.pipelines[newest].sha
    assert cells[1:6] == ["group/app", "created", "main", sha, "schedule"]
    assert cells[6].endswith("Z")
    assert ids(run("pipelines", "1", "--ref", "topic")) == [branch]
    assert ids(run("pipelines", "1", "--limit", 2)) == [newest, request]
    assert ids(run("pipelines", "1", "--source", "schedule")) == [newest]
    assert ids(run("pipelines", "1", "--status", "running")) == [1]
    refused = run("pipelines", "1", "--status", "bogus")
    assert (refused.code, refused.err.endswith(", scheduled\n")) == (2, True)
    assert ids(run("pipelines", "1", "--merge-request", 12)) == [request, branch]
    assert ids(run("pipelines", "1", "--merge-request", 12, "--ref", "topic")) == [branch]
    assert len(ids(run("pipelines", "group/app", "group/evil", "--limit", 1))) == 2
    assert run("pipelines", "1", "--columns", "id,name", "--limit", 1).out == f"{newest}\t\n"
    assert [json.loads(line)["id"] for line in run("pipelines", "1", "--json").lines][-1] == 1
    assert run("pipelines", "group/empty").out == ""
    rows = [
        line.split("\t")[1] for line in run("pipelines", "--group", "group", "--limit", 1).lines
    ]
    assert rows == ["group/evil", "group/app"]


def test_url_selects_branch_and_merge_request(run, pipelines, gitlab, assert_one_line):
    branch, request, _ = (one.id for one in pipelines)
    url = f"{gitlab.url}/group/app/-"
    assert ids(run("pipelines", f"{url}/pipelines?ref=topic")) == [branch]
    assert ids(run("pipelines", f"{url}/merge_requests/12/pipelines")) == [request, branch]
    assert_one_line(run("pipelines", f"{url}/pipelines/1"), 2, "expected a project or a branch")
    assert_one_line(run("pipelines", "1", "--columns", "x"), 2, "unknown column 'x'")


def test_pipeline_is_shown_with_its_jobs(run, world):
    world.add_job(world.pipelines[1], "late", stage="deploy", plan=JobPlan(when="manual"))
    result = run("show", "group/app", "--pipeline", "latest")
    rows = [line.split("\t") for line in result.lines]
    facts = {row[0]: row[1] for row in rows if row[0] != "job"}
    assert facts["id"] == "1"
    assert facts["progress"] == (
        "2 of 5 jobs ended; build: 1 manual; test: 1 running, 1 failed; deploy: 1 created"
    )
    assert facts["web_url"].endswith("/group/app/-/pipelines/1")
    jobs = [row[1:] for row in rows if row[0] == "job"]
    assert [job[:4] for job in jobs[:4]] == [
        ["1", "build", "compile", "success"],
        ["4", "build", "deploy", "manual"],
        ["2", "test", "unit", "running"],
        ["3", "test", "flaky", "failed"],
    ]
    assert jobs[3][5] == "script_failure"
    value = json.loads(run("show", "1", "--pipeline", "1", "--json").out)
    assert value["id"] == 1
    assert [job["id"] for job in value["jobs"]][-1] == 1
    assert value["bridges"] == []


def test_near_miss_names_the_pipeline(run, world, assert_one_line):
    number = world.add_pipeline(world.project("group/app"), pipeline_id=900).id
    words = "job 900 does not exist in group/app, but a pipeline 900: expected --pipeline 900"
    assert_one_line(run("show", "group/app", number), 4, words)


@pytest.fixture
def opened(monkeypatch):
    """Collect the pages that a browser is to show."""
    pages = []
    monkeypatch.setattr("webbrowser.open", lambda url: pages.append(url) or True)
    monkeypatch.setenv("DISPLAY", ":0")
    return pages


def test_unknown_ref_of_an_empty_list_is_noted(run, monkeypatch):
    assert run("pipelines", "group/app", "--ref", "maim").err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    for command in ("pipelines", "list"):
        result = run(command, "group/app", "--ref", "maim")
        assert (result.code, result.out) == (0, "")
        assert result.err == "no pipeline of 'maim' in group/app: expected main\n"
        assert run(command, "group/app", "group/evil", "--ref", "maim").err == ""
    assert run("list", "group/app", "--ref", "main", "--scope", "skipped").err == ""


def test_web_opens_the_page(run, opened, gitlab):
    root = f"{gitlab.url}/group/app"
    for words, page in {
        ("show", "group/app", "1"): "/-/jobs/1",
        ("show", "group/app", "--pipeline", "main"): "/-/pipelines/1",
        ("list", "group/app"): "/-/jobs",
        ("list", "group/app", "--pipeline", "1"): "/-/pipelines/1",
        ("pipelines", "group/app"): "/-/pipelines",
        ("pipelines", "group/app", "--ref", "a/b", "--status", "failed"): (
            "/-/pipelines?ref=a%2Fb&status=failed"
        ),
        ("pipelines", f"{root}/-/merge_requests/12"): "/-/merge_requests/12/pipelines",
        ("failures", "group/app"): "/-/jobs?statuses=FAILED",
        ("timeline", "group/app"): "/-/pipelines/1",
        ("timeline", f"{root}/-/jobs/1"): "/-/pipelines/1",
        ("trace", "group/app", "compile"): "/-/jobs/1",
        ("trace", f"{root}/-/jobs/1#L7"): "/-/jobs/1#L7",
        ("tail", "group/app", "1"): "/-/jobs/1",
        ("tail", "group/app", "--pipeline", "1"): "/-/pipelines/1",
        ("tail", "group/app", "--jobs", "."): "/-/jobs",
        ("artifacts", "group/app", "1"): "/-/jobs/1/artifacts/browse",
        ("artifacts", "group/app", "--ref", "main", "--job", "compile"): "/-/artifacts",
        ("watch", "group/app"): "/-/pipelines",
        ("watch", "group/app", "--pipeline", "1"): "/-/pipelines/1",
        ("list", "--group", "group"): "",
    }.items():
        result = run(*words, "--web")
        assert (result.code, result.out, result.err) == (0, "", "")
        assert opened.pop() == (f"{root}{page}" if page else f"{gitlab.url}/groups/group")
    run("pipelines", "1", "--web")
    assert opened.pop() == f"{gitlab.url}/projects/1"
    assert "expected neither" in run("artifacts", "1", "1", "--web", "--keep").err


def test_web_opens_what_an_action_changed(run, opened, gitlab, job_of):
    root = f"{gitlab.url}/group/app/-"
    for words, page, out in (
        (["wait", "group/app", "1"], "jobs/1", "job 1 compile: success"),
        (["cancel", "group/app", "2"], "jobs/2", "job 2 unit is canceled"),
        (["play", "group/app", "4"], "jobs/4", "job 4 deploy is"),
        (["erase", "group/app", "1", "--yes"], "jobs/1", "job 1 compile is erased"),
        (["cancel", "group/app", "--pipeline", "1"], "pipelines/1", "pipeline 1 is"),
        (["retry", "group/app", "--pipeline", "1"], "pipelines/1", "pipeline 1 is retried"),
    ):
        assert run(*words, "-w").out.startswith(out)
        assert opened.pop() == f"{root}/{page}"
    run("retry", "group/app", "1", "--web")
    assert opened == [f"{root}/jobs/{job_of('compile').id}"]


def test_page_is_printed_without_a_browser(run, opened, monkeypatch, gitlab):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(web_page.sys, "platform", "linux")
    assert run("show", "group/app", "1", "--web").out == f"{gitlab.url}/group/app/-/jobs/1\n"
    monkeypatch.setenv("BROWSER", "x")
    monkeypatch.setattr("webbrowser.open", lambda _url: False)
    assert run("show", "group/app", "1", "-w").out == f"{gitlab.url}/group/app/-/jobs/1\n"
    # A program gets the URL in the JSON.
    assert len(run("erase", "group/app", "1", "-y", "-w", "--json").lines) == 1
    assert opened == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "",
        "-x",
        "https://",
        "http://h/\x1b[2J",
        "ftp://h",
    ],
)
def test_only_web_pages_are_opened(opened, url):
    with pytest.raises(CommandError, match="expected an http or https URL"):
        open_page(url)
    assert opened == []


def test_page_of_a_project_is_quoted():
    assert project_page("https://h/gitlab/", "grüße/app", "jobs") == (
        "https://h/gitlab/gr%C3%BC%C3%9Fe/app/-/jobs"
    )
    assert project_page("https://h/api/v4", 17, "jobs") == "https://h/projects/17"
