"""Candidates for the word at the cursor, and bash's words, as values."""

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async.cli.completion import names
from gitlab_jobs_async.cli.completion.answers import answer
from gitlab_jobs_async.cli.completion.bash_line import parse_line, replies
from gitlab_jobs_async.cli.completion.names import find_names
from gitlab_jobs_async.cli.grammar_of_app import grammar_of_app

GRAMMAR = grammar_of_app()


def values(*words):
    *before, current = words
    found = answer(GRAMMAR, before, current)
    return {found.prefix + one.value for one in found.candidates}


def kinds(*words):
    *before, current = words
    found = answer(GRAMMAR, before, current)
    return found.kinds, found.project


def test_commands_and_their_values():
    assert {"list", "retry", "completion", "help", "--version"} <= values("")
    assert {"server", "names"} <= set(values("help", ""))
    assert values("help", "list", "") == set()
    assert values("completion", "") == {"bash", "zsh", "fish"}
    assert values("nosuch", "") == set()


def test_options_are_those_that_help_shows():
    options = values("tail", "group/app", "--")
    assert {"--follow", "--no-follow", "--no-color", "--lines", "-n", "--help"} <= options
    assert not {"--no-json", "--empty-group", "--no-raw"} & options
    assert values("tail", "--", "--") == set()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["list", ""], (("projects",), None)),
        (["list", "--group", ""], (("groups",), None)),
        (["list", "a/b", "--pipeline", ""], (("pipelines",), "a/b")),
        (["list", "--ref", ""], (("refs",), None)),
        (["show", ""], (("jobs", "projects"), None)),
        (["show", "a/b", ""], (("jobs",), "a/b")),
        (["retry", "--project=a/b", "unit 1/3"], (("jobs",), "a/b")),
        (["retry", "-R", "a/b", ""], (("jobs",), "a/b")),
        (["artifacts", "a/b", "--ref", "main", "--job", ""], (("jobs",), "a/b")),
        (["run", "a/b", ""], (("refs",), "a/b")),
        (["doctor", ""], ((), None)),
        (["tail", "a/b", "--stage", ""], (("stages",), "a/b")),
        (["tail", "--ref", ""], (("refs",), None)),
        (["list", "--profile", ""], (("profiles",), None)),
    ],
)
def test_names_of_the_server_are_asked_for(words, found):
    assert kinds(*words) == found


def test_server_options_of_the_line_are_used():
    found = answer(GRAMMAR, ["list", "--url", "http://x", "--token=secret"], "")
    assert found.server == {"--url": "http://x", "--token": "secret"}
    assert "secret" not in repr(found)


def test_values_of_options():
    assert values("artifacts", "--links", "") == {"refuse", "skip", "create"}
    assert "--links=skip" in values("artifacts", "--links=")
    assert "failed,manual" in values("list", "--scope", "failed,")
    assert answer(GRAMMAR, ["trace", "--output"], "").is_file
    assert values("list", "--limit", "") == set()
    assert {"push", "parent_pipeline"} <= values("pipelines", "--source", "")
    assert "--status=failed" in values("pipelines", "--status=")
    assert "step_script" in values("tail", "--section", "")
    # Of a list, those that are not given yet.
    assert "id,name,status" in values("list", "--columns", "id,name,st")
    assert not {"id,id", "id"} & values("list", "--columns", "id,")
    assert "failed,failed" not in values("list", "--scope", "failed,")


def test_columns_are_those_of_each_command(run):
    names = [
        name
        for name, command in GRAMMAR.items()
        if any("--columns" in option.names for option in command.options)
    ]
    assert sorted(names) == [
        "artifacts", "events", "failures", "list", "pipelines", "timeline", "watch"
    ]  # fmt: skip
    for name in names:
        needed = ["--store", "x", "--group", "x"] if name == "events" else ["group/app"]
        error = run(name, *needed, "--columns", "nosuch").err.strip()
        assert set(error.partition("some of ")[2].split(", ")) == values(name, "--columns", "")


@pytest.mark.usefixtures("signed_in")
def test_stages_and_profiles_are_found(home):
    assert find_names("stages", "group/app", {}) == [["build", "stage"], ["test", "stage"]]
    (home / ".python-gitlab.cfg").write_text("[a]\nurl = https://h\nprivate_token = secret\n")
    assert find_names("profiles", None, {}) == [["a", "https://h"]]


@pytest.mark.usefixtures("signed_in")
def test_names_of_each_kind_are_found(world, monkeypatch):
    project = world.project("group/app")
    newest = world.add_pipeline(project, stages=("test",), ref="fix\x1b[31m")
    job = world.add_job(newest, "unit" * 60)
    projects = [path for path, _ in find_names("projects", None, {})]
    assert {"group/app", "group/empty"} <= set(projects)
    assert find_names("groups", None, {}) == [["group", "group"]]
    assert [ref for ref, _ in find_names("refs", "group/app", {})] == ["fix", "main"]
    pipelines = find_names("pipelines", "group/app", {})
    assert pipelines[0] == ["latest", "the newest"]
    assert pipelines[1] == [str(newest.id), "created fix"]
    assert [name for name, _ in pipelines[-2:]] == ["fix", "main"]
    # Refs that are read as something else.
    for ref in "12", "abcdef0", "latest", "refs/merge-requests/1/head":
        world.add_pipeline(project, stages=("test",), ref=ref)
    found = [name for name, _ in find_names("pipelines", "group/app", {})]
    assert found[-2:] == ["fix", "main"]
    assert (found.count("latest"), "abcdef0" in found) == (1, False)
    jobs = dict(find_names("jobs", "group/app", {}))
    assert jobs[job.name[:200]] == "created, test"
    assert jobs[str(job.id)] == f"{job.name} created"[:200]
    monkeypatch.setattr(names, "_MOST_ROWS", 2)
    assert len(find_names("refs", "group/app", {})) == 2


def test_helper_is_never_run_for_names(home):
    """It may ask for a passphrase."""
    settings = "[a]\nurl = https://h\nprivate_token = helper: /bin/false\n"
    (home / ".python-gitlab.cfg").write_text(settings)
    assert find_names("jobs", "group/app", {"--profile": "a"}) == []


WORD = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]) | st.sampled_from(" '\"\\$`:!"))


@settings(max_examples=100)
@given(st.lists(WORD.map(shlex.quote), max_size=3), WORD)
def test_bash_words_are_those_of_a_shell(before, last):
    line = parse_line(" ".join([*before, shlex.quote(last)]))
    assert [*line.words, line.current] == shlex.split(" ".join([*before, shlex.quote(last)]))


@settings(max_examples=100)
@given(WORD, st.sampled_from(["", "'", '"']), st.integers(0, 3))
def test_bash_reply_completes_to_the_candidate(name, quote, typed):
    """The typed part and the reply, put together, are one word of the shell: the candidate."""
    start = "".join(letter for letter in name[:typed] if letter.isalnum())
    # In double quotes, shlex does not know that a shell unescapes these.
    if not name.startswith(start) or (quote == '"' and set(name) & {"`", "$"}):
        return
    line = parse_line(f"gitlab-jobs retry {quote}{start}")
    (reply,) = replies(line, quote + start, [name])
    expected = [name] if name or quote else []
    assert shlex.split(f"{quote}{reply}{quote} .") == [*expected, "."]


def test_bash_words_may_be_escaped():
    line = r'  a\ b "c\"d\e" \'f g'
    parsed = parse_line(line)
    assert [*parsed.words, parsed.current] == shlex.split(line)


def test_bash_keeps_what_stands_before_a_colon():
    line = parse_line("gitlab-jobs retry lint:co")
    assert replies(line, "co", ["lint:code", "unit"]) == ["code"]
    assert replies(parse_line("gitlab-jobs retry lint:"), ":", ["lint:code"]) == ["code"]
    assert replies(parse_line('gitlab-jobs retry "lint:c'), '"lint:c', ["lint:code"]) == [
        "lint:code"
    ]
