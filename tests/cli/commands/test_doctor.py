"""`doctor` against servers of several versions, other kinds of servers, tokens and projects."""

import json

import pytest

from gitlab_jobs_async.cli.commands import doctor as command
from gitlab_jobs_async.simulator import (
    AcceleratedClock,
    Fault,
    GraphqlSettings,
    JobPlan,
    Simulator,
    SimulatorSettings,
    World,
)
from gitlab_jobs_async.simulator.faults import SIGN_IN_PAGE
from tests.support.clocks import JumpClock

NAMES = ("acme-corp", "rockets", "boosters", "launch-pad", "ada.lovelace", "glpat-secret-ada")
CHECKS = [
    "version", "metadata", "token", "scopes", "projects", "rate limit headers", "list jobs",
    "order of jobs", "next page", "X-Next-Cursor", "last page", "below the last job",
    "page by offset", "read a log", "byte ranges", "ETag of a log", "ETag of a job",
    "GraphQL, 1 project", "GraphQL, 10 projects", "GraphQL, 50 projects", "updatedAt",
]  # fmt: skip


@pytest.fixture
def clock():
    """Return a clock that only the wait between two readings moves."""
    return JumpClock()


@pytest.fixture
def world(clock):
    """Return a company with one big project, a running job, and 60 small projects."""
    world = World(clock.now() - 100)
    ada = world.add_user("ada.lovelace", token="glpat-secret-ada", scopes=("read_api",))
    reads = {ada: "reporter"}
    for number in range(60):
        world.add_project(f"acme-corp/boosters/b{number}", members=reads)
    world.add_project("acme-corp/launch-pad", members=reads)
    big = world.add_project("acme-corp/rockets", members=reads)
    world.add_finished_jobs(big, 40)
    world.settle(clock.now())
    return world


@pytest.fixture
def start(world, clock, monkeypatch):
    """Serve the world with settings; the environment names the server and ada's token."""
    running = []

    def serve(*faults, accelerated=None, **settings):
        kept = accelerated or clock
        stepped = accelerated or clock.stepped
        server = Simulator(world, SimulatorSettings(**settings), clock=stepped)
        running.append(server)
        server.__enter__()
        server.faults.add(*faults)
        monkeypatch.setenv("GITLAB_URL", server.url)
        monkeypatch.setenv("GITLAB_TOKEN", "glpat-secret-ada")
        monkeypatch.setattr(command, "SystemClock", lambda: kept)
        return server

    yield serve
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture
def checked(run):
    """Run `doctor --json`; return the exit code, seen answers and verdicts by check."""

    def call(*arguments):
        result = run("doctor", *arguments, "--json")
        assert result.err == ""
        report = json.loads(result.out)
        assert report["requests"] <= 20
        found = {one["check"]: (one["seen"], one["verdict"]) for one in report["checks"]}
        return result.code, found

    return call


EVERYWHERE = {
    "token": "personal token",
    "scopes": "read_api",
    "projects": "62",
    "list jobs": "200",
    "order of jobs": "newest id first",
    "page by offset": "Link, X-Next-Page",
    "read a log": "200",
    "ETag of a log": "304",
    "ETag of a job": "304",
    "rate limit headers": "none",
    "updatedAt": "not asked",
}
OLD = {"X-Next-Cursor": "not sent", "below the last job": "200, no job"}
WHOLE = {"byte ranges": "the whole log"}
KEYSET = {"next page": "Link with a cursor", "last page": "the oldest jobs"}


@pytest.mark.parametrize(
    ("version", "seen"),
    [
        ("15.0", {"metadata": "HTTP 404", "token": "not a job token", "scopes": "HTTP 404",
                  "next page": "Link by offset", "last page": "ignored",
                  "X-Next-Cursor": "not sent", "below the last job": "ignored", **WHOLE}),
        ("16.4", {**OLD, **KEYSET, **WHOLE}),
        ("17.0", {**OLD, **KEYSET, **WHOLE}),
        ("18.5", {"X-Next-Cursor": "sent", "below the last job": "500", **KEYSET, **WHOLE}),
        ("19.5", {"X-Next-Cursor": "sent", "below the last job": "500", **KEYSET,
                  "byte ranges": "1 byte"}),
    ],
)  # fmt: skip
def test_report_is_true_for_a_version(start, checked, version, seen):
    server = start(version=version)
    code, found = checked("--project", "acme-corp/rockets")
    assert code == 0
    expected = {"metadata": "200"} | EVERYWHERE | {"version": f"{version}.0"} | seen
    shown = {name: one for name, (one, _) in found.items() if not name.startswith("GraphQL")}
    assert shown == expected
    differing = [name for name, (_, verdict) in found.items() if verdict == "differs"]
    assert differing == (["version"] if version == "15.0" else [])
    for size in (1, 10, 50):
        text, verdict = found[f"GraphQL, {size} project{'s' * (size > 1)}"]
        assert text.endswith(f", found {size} of {size}")
        assert verdict == "as expected"
    assert {(one.method, one.path) for one in server.requests if one.method != "GET"} == {
        ("POST", "/api/graphql")
    }


def test_limits_of_the_server_are_seen(start, checked):
    start(api_limit=500)
    _, found = checked()
    assert found["rate limit headers"][0] == "500 a minute, throttle_authenticated_api"


def test_graphql_that_is_off_is_a_difference(start, checked):
    start(graphql=None)
    code, found = checked()
    assert code == 0
    assert found["GraphQL, 1 project"] == ("HTTP 404", "differs")
    assert found["GraphQL, 10 projects"] == ("not asked", "unknown")
    assert found["updatedAt"][1] == "unknown"


def test_small_limit_of_complexity(start, checked):
    start(graphql=GraphqlSettings(max_complexity=5))
    _, found = checked()
    assert found["GraphQL, 1 project"] == ("refused, complexity 165 of 5", "differs")


def test_slow_answers_are_measured(start, checked):
    slow = GraphqlSettings(seconds_per_project=0.2)
    start(accelerated=AcceleratedClock(20), graphql=slow)
    code, found = checked()
    assert code == 0
    seen, verdict = found["GraphQL, 50 projects"]
    assert float(seen.split(" s")[0]) >= 10.0
    assert verdict == "differs"


def test_running_pipeline_is_read_twice(start, checked, world, clock):
    project = world.project("acme-corp/rockets")
    pipeline = world.add_pipeline(project, stages=("test",))
    soon = clock.now() - world.now
    for seconds in (soon + 8, soon + 900):
        world.add_job(pipeline, "unit", plan=JobPlan(queued=0.0, duration=seconds))
    world.settle(clock.now())
    start()
    _, found = checked("--project", "acme-corp/rockets")
    assert found["updatedAt"] == ("does not move with a job", "as expected")


def test_group_gives_projects_to_ask_about(start, checked, world):
    start()
    _, found = checked("--group", "acme-corp/boosters")
    assert found["projects"][0] == "60"
    assert found["list jobs"] == ("200, no jobs", "as expected")
    assert found["GraphQL, 50 projects"][1] == "as expected"
    code, found = checked("--group", "1", "--project", world.project("acme-corp/rockets").id)
    assert (code, found["projects"][0]) == (0, "62")
    assert found["next page"][1] == "as expected"


def test_empty_project_leaves_questions_open(start, checked):
    start()
    code, found = checked("--project", "acme-corp/launch-pad")
    assert code == 0
    assert found["list jobs"] == ("200, no jobs", "as expected")
    open_questions = {name for name, (_, verdict) in found.items() if verdict == "unknown"}
    assert {"order of jobs", "next page", "last page", "byte ranges"} <= open_questions
    assert found["GraphQL, 50 projects"][1] == "as expected"


def test_unknown_says_what_would_answer_it(start, run, world):
    world.add_user("eve", token="glpat-eve")
    start()
    report = json.loads(run("doctor", "--token", "glpat-eve", "--json").out)
    unknown = {one["check"]: one["consequence"] for one in report["checks"]
               if one["verdict"] == "unknown"}  # fmt: skip
    assert unknown["projects"] == "name a project or a group: --project, --group"
    assert unknown["list jobs"] == "needs a project with jobs: --project PROJECT"
    assert unknown["GraphQL, 1 project"] == "needs projects: --project, --group"


def test_named_project_leaves_a_group_to_name(start, run, world):
    world.add_user("eve", token="glpat-eve")
    start()
    options = ("--token", "glpat-eve", "--project", "acme-corp/rockets", "--json")
    report = json.loads(run("doctor", *options).out)
    consequences = {one["check"]: one["consequence"] for one in report["checks"]}
    assert consequences["projects"] == "name a group: --group"


@pytest.mark.parametrize(
    ("username", "kind"),
    [("project_62_bot_9f3c", "project token"), ("group_1_bot_07ab", "group token")],
)
def test_bot_tokens_are_told_apart(start, checked, world, username, kind):
    bot = world.add_user(username, token="glpat-bot")
    world.project("acme-corp/rockets").members[bot.id] = 30
    start()
    code, found = checked("--token", "glpat-bot")
    assert (code, found["token"][0], found["projects"][0]) == (0, kind, "1")


def test_oauth_token_has_no_readable_scopes(start, checked, world, environment):
    world.add_token(world.root, "oauth-1", kind="oauth")
    start()
    environment.delenv("GITLAB_TOKEN")
    environment.setenv("GITLAB_OAUTH_TOKEN", "oauth-1")
    code, found = checked("--project", "acme-corp/rockets")
    assert (code, found["token"][0]) == (0, "OAuth token")
    assert found["scopes"] == ("HTTP 400", "unknown")


def test_narrow_scope_is_not_enough(start, checked, world):
    world.add_user("eve", token="glpat-eve", scopes=("read_user",))
    start()
    code, found = checked("--token", "glpat-eve", "--project", "acme-corp/rockets")
    assert (code, found["scopes"]) == (4, ("read_user", "differs"))
    assert found["list jobs"] == ("HTTP 403", "differs")
    code, _ = checked("--token", "glpat-eve")
    assert code == 1


def test_job_token_lists_jobs_only(start, checked, world, clock, environment):
    pipeline = world.add_pipeline(world.project("acme-corp/rockets"))
    job = world.add_job(pipeline, "self check", plan=JobPlan(queued=0.0, duration=9000.0))
    world.settle(clock.now() + 5)
    server = start()
    environment.delenv("GITLAB_TOKEN")
    environment.delenv("GITLAB_URL")
    environment.setenv("CI_SERVER_URL", server.url)
    environment.setenv("CI_JOB_TOKEN", job.token)
    code, found = checked()
    assert (code, found["token"]) == (0, ("job token", "differs"))
    assert found["list jobs"] == ("200", "as expected")
    assert found["next page"][1] == "as expected"
    assert found["read a log"] == ("HTTP 401", "as expected")
    assert found["GraphQL, 1 project"] == ("not asked", "unknown")
    assert not any(one.method == "POST" for one in server.requests)


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Fault(status=200, body=SIGN_IN_PAGE, times=None), 3, "got text"),
        (Fault(status=404, body=SIGN_IN_PAGE, times=None), 4, "expected a GitLab"),
        (Fault(status=200, body="{}", content_type="application/json", times=None), 3,
         "got other JSON"),
        (Fault(status=500, times=None), 3, "HTTP 500"),
        (Fault.bad_gateway(times=None), 3, "HTTP 502"),
        (Fault(reset="before", times=None), 3, "version"),
    ],
)  # fmt: skip
def test_other_servers_are_refused(start, run, assert_one_line, fault, code, words):
    server = start(fault)
    assert_one_line(run("doctor"), code, words)
    assert len(server.requests) <= 3


def test_no_server_at_all(run, assert_one_line):
    assert_one_line(run("doctor", "--url", "http://127.0.0.1:1", "--token", "x"), 3, "/version")


def test_refused_token_is_not_allowed(start, run, assert_one_line, environment):
    start()
    assert_one_line(run("doctor", "--token", "wrong"), 4, "401")
    environment.delenv("GITLAB_TOKEN")
    assert_one_line(run("doctor"), 4, "no token was found")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--project", "no/where"], 4),
        (["--group", "nowhere"], 4),
        (["--project", 999], 4),
        (["--group", "nowhere", "--project", "acme-corp/rockets"], 4),
    ],
)
def test_unknown_target_is_not_found(start, checked, arguments, code):
    start()
    assert checked(*arguments)[0] == code


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--project", "a b"], "--project 'a b': expected an id, a full path"),
        (["--group", "../x"], "--group '../x': expected an id, a full path"),
        (["--group", "-x"], "--group"),
        (["x/y"], "Try --help"),
        (["--attempts", 0], "--attempts"),
    ],
)
def test_invalid_usage_sends_nothing(start, run, assert_one_line, arguments, words):
    server = start()
    assert_one_line(run("doctor", *arguments), 2, words)
    assert server.requests == []


def test_json_has_one_object_with_a_fixed_shape(start, run):
    start()
    (line,) = run("doctor", "--json").lines
    report = json.loads(line)
    assert list(report) == ["client", "version", "requests", "checks"]
    assert [one["check"] for one in report["checks"]] == CHECKS
    for one in report["checks"]:
        assert list(one) == [
            "check", "asked", "expected", "seen", "verdict", "harmful", "consequence",
        ]  # fmt: skip
        assert one["verdict"] in {"as expected", "differs", "unknown"}
        assert isinstance(one["harmful"], bool)


def test_pipe_gets_one_line_a_check(start, run):
    start()
    lines = [line.split("\t") for line in run("doctor").lines]
    assert [line[0] for line in lines] == CHECKS
    assert {len(line) for line in lines} == {5}


@pytest.mark.parametrize("form", [[], ["--json"], "table"])
@pytest.mark.parametrize("version", ["15.0", "19.5"])
def test_report_names_nothing_unless_asked(start, run, monkeypatch, form, version):
    server = start(version=version, api_limit=500, external_url="https://git.acme-corp.example")
    if form == "table":
        monkeypatch.setattr("gitlab_jobs_async.cli.output.is_terminal", lambda: True)
        form = []
    given = ["doctor", "--project", "acme-corp/rockets", "--group", "acme-corp", *form]
    host = server.url.removeprefix("http://")
    report = run(*given)
    assert report.code == 0
    for name in (*NAMES, "lovelace", "acme", host, host.partition(":")[2], "main"):
        assert name not in report.out, name
    named = run(*given, "--names")
    assert named.code == 0
    for name in ("acme-corp/rockets", "ada.lovelace", server.url):
        assert name in named.out
    assert "glpat" not in named.out


def test_table_wraps_at_80_columns(start, run, monkeypatch):
    start(graphql=None)
    monkeypatch.setattr("gitlab_jobs_async.cli.output.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    result = run("doctor", "--project", "acme-corp/launch-pad")
    assert max(map(len, result.lines)) <= 80
    for title in ("Differs:", "Unknown:", "Remarks:"):
        assert title in result.lines
    assert "  version" not in result.out
