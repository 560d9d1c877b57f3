"""Commands in a checkout and with pasted URLs: the same results as with ids."""

import sys
import time

import orjson
import pytest

from gitlab_jobs_async.cli.terminal import print_note
from gitlab_jobs_async.simulator import Fault

pytestmark = pytest.mark.usefixtures("signed_in")

READING = [
    (["list"], ["list", "group/app"]),
    (["list", "."], ["list", "group/app"]),
    (["list", "URL"], ["list", "group/app"]),
    (["list", "URL/-/pipelines/1"], ["list", "group/app", "--pipeline", "1"]),
    (["list", "URL/pipelines/1"], ["list", "group/app", "--pipeline", "1"]),
    (["show", "API/1/jobs/1/trace"], ["show", "group/app", "1"]),
    (["show", "API/group%2Fapp/pipelines/1"], ["show", "group/app", "--pipeline", "1"]),
    (["list", "URL/-/tree/main/src"], ["list", "group/app", "--pipeline", "1"]),
    (["list", "--group", "GROUP"], ["list", "--group", "group"]),
    (["list", "--pipeline", "latest"], ["list", "group/app", "--pipeline", "1"]),
    (["list", "--pipeline", "URL/-/pipelines/1"], ["list", "group/app", "--pipeline", "1"]),
    (["show", "compile"], ["show", "group/app", "1"]),
    (["show", "1"], ["show", "group/app", "1"]),
    (["show", "group/app", "compile"], ["show", "group/app", "1"]),
    (["show", "compile", "-R", "1", "--pipeline", "main"], ["show", "group/app", "1"]),
    (["show", "URL/-/pipelines/1", "compile"], ["show", "group/app", "1"]),
    (["trace", "URL/-/jobs/1#L3"], ["trace", "group/app", "1"]),
    (["trace", "compile"], ["trace", "group/app", "1"]),
    (["tail", "compile", "flaky", "--no-follow"], ["tail", "group/app", "1", "3", "--no-follow"]),
    (
        ["tail", "--pipeline", "main", "-n", "1", "--no-follow"],
        ["tail", "group/app", "--pipeline", "1", "-n", "1", "--no-follow"],
    ),
    (["artifacts", "compile", "--list"], ["artifacts", "group/app", "1", "--list"]),
    (
        ["artifacts", "URL/-/jobs/1", "--path", "report.xml"],
        ["artifacts", "group/app", "1", "--path", "report.xml"],
    ),
    (
        ["artifacts", "--ref", "main", "--job", "compile", "--path", "report.xml"],
        ["artifacts", "1", "--ref", "main", "--job", "compile", "--path", "report.xml"],
    ),
    (["watch", "--plan"], ["watch", "--plan"]),
    (["watch", ".", "--plan"], ["watch", "1", "--plan"]),
]


def test_reading_is_the_same_by_name_and_url(run, checkout, gitlab):
    checkout()
    run("cancel", "group/app", 2)  # the duration of a running job changes
    for words, plain in READING:
        api = f"{gitlab.url}/api/v4/projects"
        named = run(
            *(
                word.replace("URL", f"{gitlab.url}/group/app")
                .replace("API", api)
                .replace("GROUP", f"{gitlab.url}/groups/group")
                for word in words
            )
        )
        expected = run(*plain)
        assert named.code == expected.code, (words, named.err)
        # The lines of two logs may alternate in any way.
        assert sorted(named.lines) == sorted(expected.lines), words


ACTIONS = {
    ("cancel", "unit"): "job 2 unit is canceled",
    ("cancel", "deploy", "unit"): "job 4 deploy is canceled",
    ("retry", "flaky", "--pipeline", "main"): "job 3 flaky runs again as job ",
    ("play", "URL/-/jobs/4"): "job 4 deploy ",
    ("erase", "compile", "--yes"): "job 1 compile is erased",
    ("cancel", "--pipeline", "latest"): "pipeline 1 is ",
    ("retry", "URL/-/pipelines/1"): "pipeline 1 is retried",
}


def test_actions_take_names_and_urls(run, checkout, gitlab):
    checkout()
    for words, expected in ACTIONS.items():
        result = run(*(word.replace("URL", f"{gitlab.url}/group/app") for word in words))
        assert result.code == 0, (words, result.err)
        assert result.out.startswith(expected)


def test_run_takes_the_branch_of_the_checkout(run, checkout, gitlab):
    git = checkout("topic")
    gitlab.faults.add(Fault(path="*/pipeline", status=400, times=None))
    url = f"{gitlab.url}/group/app"
    for words, ref in (
        ([], "topic"), (["a/b"], "a/b"), ([f"{url}/-/tree/dev"], "dev"), ([url, "x"], "x"),
        # The default branch of a project that is named.
        (["-R", "1"], "main"), ([url], "main"), (["-R", "."], "topic"),
    ):  # fmt: skip
        sent = len(gitlab.requests)
        assert run("run", *words).code == 2
        created = []
        while not created:  # noted after the answer
            time.sleep(0.001)
            created = [one for one in gitlab.requests[sent:] if one.path.endswith("/pipeline")]
        assert orjson.loads(created[0].body)["ref"] == ref
    # Other pages have no ref, and the default branch would be a guess.
    for page in ("merge_requests/12", "pipelines/1", "jobs/1", "commit/a1b2c3d"):
        assert "expected the URL of a project or branch" in run("run", f"{url}/-/{page}").err
    assert "expected at most a PROJECT and a REF" in run("run", "1", "main", "x").err
    git("commit", "--quiet", "--allow-empty", "--message", "x")
    git("checkout", "--quiet", "--detach")
    assert "missing REF" in run("run").err


def test_erase_asks_about_the_job_that_was_found(run, checkout):
    checkout()
    result = run("erase", "compile")
    assert result.code == 2
    assert "Erase the log and artifacts of job 1 compile in group/app?" in result.err


def test_choice_is_noted_on_terminals_only(monkeypatch, capsys):
    print_note("x")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    print_note("group/\x1b[31mapp, pipeline 7 of main")
    assert capsys.readouterr().err == "\x1b[2mgroup/app, pipeline 7 of main\x1b[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    print_note("x")
    assert capsys.readouterr().err == "x\n"
    monkeypatch.setenv("TERM", "dumb")
    print_note("x")
    assert capsys.readouterr().err == "x\n"
