"""The command `watch`: refusals, lines, JSON, and a command for each event."""

import asyncio
import json
import shlex
import sys

import pytest

from gitlab_jobs_async import GroupTarget, PipelineTarget, RequestBudget
from gitlab_jobs_async.cli.commands.watch_events import show
from gitlab_jobs_async.cli.commands.watch_options import WatchOptions
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.event_command import EventCommand
from gitlab_jobs_async.events import AllTargetsUnreachable, ProjectUnreachable
from tests.support.sample_events import appeared, changed, finished, job, log_line
from tests.support.tasks import others, prompt, until

RUNNING = job(1, "unit", "running")
FAILED = job(1, "unit", "failed", failure_reason="script_failure")
EVENTS = [
    appeared(job(1, "unit", "pending")),
    changed(RUNNING),
    log_line(RUNNING, 1, "one"),
    finished(FAILED),
    finished(job(2, "lint", "success")),
    ProjectUnreachable(key="p/0", project="a/b", reason="404 Not Found", status=404),
]


TARGETS = ["a/b", PipelineTarget(5, 7), GroupTarget("g")]


class Scripted:
    """A monitor with given events; `asked` counts the events that were read."""

    def __init__(self, events, *, is_endless=False):
        self.events, self.is_endless, self.asked = events, is_endless, 0

    def __len__(self):
        return 1

    async def __aiter__(self):
        for event in self.events:
            self.asked += 1
            yield event
        if self.is_endless:
            await asyncio.Event().wait()


def shown(events, what=None, command=None, *, json=False):
    asyncio.run(
        show(Scripted(events), TARGETS, RequestBudget(), what or WatchOptions(), command, json=json)
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected a PROJECT, --group GROUP or --projects-from FILE"),
        (["a/b", "--logs", "--failed-only"], "--logs and --failed-only: expected only one"),
        (["a/b", "c/d", "--pipeline", 3], "--pipeline: expected one PROJECT"),
        (["a/b", "--pipeline", 3, "--group", "x"], "--pipeline: expected one PROJECT"),
        (["--group", "a/../b"], "invalid group 'a/../b'"),
        (["a/b", "--pipeline", 3, "c/d"], "--pipeline: expected one PROJECT"),
        (["--pipeline", 3], "not in a git checkout: expected a PROJECT, --group GROUP"),
        (["a/b", "--pipeline", 0], "--pipeline"),
        (["a/b", "--per-minute", 0], "--per-minute"),
        (["a/b", "--jobs-index-per-minute", 0], "--jobs-index-per-minute"),
        (["-x"], "-x"),
        (["a b"], "project 'a b'"),
        (["--projects-from", "/nowhere"], "/nowhere: No such file"),
        (["a/b", "--exec", "/nowhere/at/all"], "program '/nowhere/at/all' not found"),
        (["a/b", "--plan", 10], "--plan: expected a number or projects"),
        (["--group", "group", "--plan", 10], "--plan: expected a number or projects"),
        (["--plan"], "--plan: expected a number or projects"),
        (["--plan", 10, "--logs"], "--plan: expected a number or projects"),
        (["a/b", "--plan", "--logs"], "--plan: expected a number or projects"),
        (["--plan", 10, "--busy", 11], "--busy 11: expected at most 10"),
        (["a/b", "c/d", "--plan", "--busy", 3], "--busy 3: expected at most 2"),
        (["--plan", 0], "--plan"),
        (["a/b", "--busy", 3], "--busy: expected --plan"),
        (["a/b", "--exec", "'"], "No closing quotation"),
    ],
)
def test_refusals(run, assert_one_line, arguments, words):
    assert_one_line(run("watch", *arguments), 2, words)


def forecast_of(run, *arguments):
    result = run("watch", *arguments, "--json", "--per-minute", 60)
    assert result.code == 0
    return json.loads(result.out)


def test_plan_counts_the_projects_of_groups(signed_in, run):
    for path in ("big/web", "big/deep/api", "big/old"):
        signed_in.world.add_project(path)
    signed_in.world.project("big/old").archived = True
    named = ["--group", "big", "--group", "big/deep", "big/web", "group/app", "--plan"]
    before = len(signed_in.requests)
    assert forecast_of(run, *named) == forecast_of(run, "--plan", 3)
    # One listing of each group.
    assert len(signed_in.requests) - before == 2


def test_plan_of_named_projects_sends_nothing(signed_in, run):
    before = len(signed_in.requests)
    assert forecast_of(run, "a/b", "c/d", "--plan") == forecast_of(run, "--plan", 2)
    assert len(signed_in.requests) == before


def test_plan_of_an_unknown_group_exits_with_4(signed_in, run, assert_one_line):
    assert_one_line(run("watch", "--group", "none", "--plan"), 4, "404 Group Not Found")
    signed_in.world.add_project("empty/old").archived = True
    assert_one_line(run("watch", "--group", "empty", "--plan"), 4, "no project to watch")


def test_pipe_gets_one_line_per_event(capfd):
    shown(EVENTS)
    lines = [line.split("\t") for line in capfd.readouterr().out.splitlines()]
    assert [(cells[3], cells[5]) for cells in lines] == [
        ("1", "job_appeared"),
        ("1", "job_changed"),
        ("1", "job_log_line"),
        ("1", "job_finished"),
        ("2", "job_finished"),
        ("", "project_unreachable"),
    ]
    assert all(len(cells) == 8 for cells in lines)


def test_json_is_one_object_per_event(capfd):
    shown(EVENTS, json=True)
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [one["type"] for one in found][2:4] == ["JobLogLine", "JobFinished"]
    assert found[3]["job"]["failure_reason"] == "script_failure"


@pytest.mark.parametrize("as_json", [False, True])
def test_only_failures(capfd, as_json):
    shown(EVENTS, WatchOptions(failed_only=True), json=as_json)
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2
    assert ("JobFinished" if as_json else "job_finished") in lines[0]
    assert ("ProjectUnreachable" if as_json else "project_unreachable") in lines[1]


def test_command_gets_each_shown_event(capfd):
    script = (
        "import json, sys; event = json.load(sys.stdin);"
        "print('got', event['type'], event.get('job', {}).get('id'), flush=True);"
        "sys.exit(event['type'] == 'ProjectUnreachable')"
    )
    command = EventCommand.parse(shlex.join([sys.executable, "-c", script]))
    shown(EVENTS, WatchOptions(failed_only=True), command)
    out, err = capfd.readouterr()
    lines = out.splitlines()
    assert [line.split("\t")[-3] if "\t" in line else line for line in lines] == [
        "job_finished",
        "got JobFinished 1",
        "project_unreachable",
        "got ProjectUnreachable None",
    ]
    assert err == "gitlab-jobs: --exec: exit code 1 (p/0)\n"


@prompt
async def test_next_event_waits_for_the_command(tmp_path):
    gate = tmp_path / "started"
    script = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(60)"
    command = EventCommand.parse(shlex.join([sys.executable, "-c", script, str(gate)]))
    events = Scripted(EVENTS)
    task = asyncio.create_task(
        show(events, TARGETS, RequestBudget(), WatchOptions(), command, json=False)
    )
    await until(gate.exists)
    assert events.asked == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert events.asked == 1
    assert await others() == set()


DELAYS = ["projects", "requests_per_minute", "interval", "median", "most"]
WAY = ["name", "requests_per_minute", "questions_per_minute", "stretch", "first_round"]


def test_plan_needs_no_server(run, monkeypatch):
    monkeypatch.setenv("GITLAB_URL", "http://127.0.0.1:1")
    text = run("watch", "--plan", 1000, "--busy", 30).out
    words, _, facts = text.rpartition("\n\n")
    assert words.startswith("1,000 projects, 30 with running jobs, on 600 requests a minute.")
    plan = dict(line.split("\t") for line in facts.splitlines())
    names = [*WAY, *(f"{kind}.{name}" for kind in ("busy", "idle") for name in DELAYS)]
    assert list(plan) == [
        *("limits.most", "limits.all", "limits.listings"),
        *(f"{way}.{name}" for way in ("rest", "graphql") for name in names),
        "complete",
    ]
    assert (plan["rest.busy.projects"], plan["rest.idle.projects"]) == ("30", "970")
    assert plan["rest.requests_per_minute"] == "540.0"


def test_plan_wraps_words_on_a_terminal(run, monkeypatch):
    options = ("watch", "--plan", 10_000, "--per-minute", 100)
    in_a_pipe = run(*options).out.rpartition("\n\n")[0]
    monkeypatch.setattr("gitlab_jobs_async.cli.commands.plan.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(*options).out.rpartition("\n\n")[0].split("\n")
    assert max(map(len, lines)) <= 80 < max(map(len, in_a_pipe.split("\n")))
    assert " ".join(lines).split() == in_a_pipe.split()


def test_plan_as_json_has_two_percent_busy(run):
    (line,) = run("watch", "--plan", 1000, "--json", "--per-minute", 60).lines
    plan = json.loads(line)
    assert list(plan) == ["limits", "rest", "graphql", "complete"]
    assert (plan["rest"]["busy"]["projects"], plan["rest"]["idle"]["projects"]) == (20, 980)
    assert list(plan["graphql"]) == [*WAY, "busy", "idle"]
    assert list(plan["graphql"]["idle"]) == DELAYS
    assert plan["rest"]["requests_per_minute"] == 54.0


def test_plan_of_one_project_needs_no_graphql(run):
    (line,) = run("watch", "--plan", 1, "--json").lines
    assert json.loads(line)["graphql"] is None
    assert "GraphQL," not in run("watch", "--plan", 1).out


def test_plan_knows_both_limits(run):
    limited = ("--per-minute", 2000, "--jobs-index-per-minute", 1000)
    (line,) = run("watch", "--plan", 1000, "--json", *limited).lines
    assert json.loads(line)["limits"] == {"most": 2000, "all": 1800.0, "listings": 900.0}
    assert "Listings of jobs may use 900 of them" in run("watch", "--plan", 1000, *limited).out


UNREACHABLE = AllTargetsUnreachable(key="k", targets=3, reason="404 Not Found", status=404)


@pytest.mark.parametrize("what", [WatchOptions(), WatchOptions(failed_only=True)])
def test_all_targets_unreachable_exits_with_4(capfd, what):
    with pytest.raises(CommandError, match=r"project a/b, pipeline 7 of 5, group g") as ended:
        shown([UNREACHABLE, *EVENTS], what)
    assert ended.value.code == 4
    assert "all_targets_unreachable" in capfd.readouterr().out


def test_wait_for_projects_continues(capfd):
    shown([UNREACHABLE, *EVENTS], WatchOptions(wait_for_projects=True))
    assert len(capfd.readouterr().out.splitlines()) == 1 + len(EVENTS)
