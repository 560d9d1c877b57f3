"""The help: its width, its words, and its examples, which are run against the demo world."""

import asyncio
import re
import shlex

import pytest

from gitlab_jobs_async.cli.help.acting import ACTING
from gitlab_jobs_async.cli.help.helping import HELP
from gitlab_jobs_async.cli.help.other_names import OTHER_NAMES
from gitlab_jobs_async.cli.help.reading import READING
from gitlab_jobs_async.cli.help.simulating import SIMULATING
from tests.support.doc_runs import demo_server, exit_code_of, interrupted_after_output
from tests.support.stores import record_for

COMMANDS = (*READING, *ACTING, *SIMULATING, HELP)
EXAMPLES = [line for command in COMMANDS for _, line in command.examples]
ENDLESS = r"gitlab-jobs (events|run|simulate|demo|exporter --group|watch --group|tail --group)\b.*"
"""Examples that run until a signal."""

FREE_PORTS = {
    "--port 8080": "--port 0",
    "exporter --group": "exporter --listen 127.0.0.1:0 --group",
}
"""Another run of the tests may use the port of an example."""

REFUSED = {"gitlab-jobs erase shop/payments 200": 2}
"""Needs a terminal for its question."""


def test_every_command_has_two_examples():
    assert [command.name for command in COMMANDS if len(command.examples) < 2] == []


def test_other_names_are_no_commands_here():
    names = {command.name for command in COMMANDS}
    assert not names & OTHER_NAMES.keys()
    # Each begins with a command, or names one.
    assert all(names & set(re.findall(r"\w+", text)) for text in OTHER_NAMES.values())


def test_help_fits_80_columns(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in ([], *([command.name] for command in COMMANDS), ["help", "server"]):
        option = [] if arguments[:1] == ["help"] and len(arguments) > 1 else ["--help"]
        lines = run(*arguments, *option).lines
        assert max(map(len, lines)) <= 80, arguments
        assert [line for line in lines if "…" in line and "//…" not in line] == [], arguments


def test_wide_terminal_gets_a_page(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert max(map(len, run("help", "watch").lines)) <= 100
    monkeypatch.setenv("COLUMNS", "0")
    assert 40 < max(map(len, run("help", "watch").lines)) <= 100


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_help_of_a_command_ends_with_examples(run, command):
    shown = run("help", command)
    assert shown.code == 0
    assert shown.out == run(command, "--help").out
    options, _, examples = shown.out.partition("\nExamples:\n")
    assert f"gitlab-jobs {command}" in examples
    # Each option says what its value is, and the same group comes first and last.
    assert not re.search(r"--\S+ (STR|INT|FLOAT|INT\|BOOL)\b", options)
    assert "─ Parameters ─" not in options


def test_topics_and_unknown_topics(run, assert_one_line):
    assert run("help").out == run("--help").out
    assert "GITLAB_URL" in run("help", "server").out
    assert_one_line(run("help", "lst"), 2, "help 'lst': expected one of list")


def arguments_of(line):
    for fixed, free in FREE_PORTS.items():
        line = line.replace(fixed, free)
    return shlex.split(re.split(" [|>] ", line)[0])[1:]


@pytest.mark.parametrize("line", [line for line in EXAMPLES if not re.fullmatch(ENDLESS, line)])
def test_example_runs(line, run, monkeypatch, tmp_path):
    with demo_server(monkeypatch, tmp_path):
        result = run(*arguments_of(line))
    assert result.code == REFUSED.get(line, exit_code_of(line)), result


@pytest.mark.parametrize("line", [line for line in EXAMPLES if re.fullmatch(ENDLESS, line)])
def test_endless_example_has_output(line, run, monkeypatch, tmp_path):
    """Ctrl-C ends a server, which is what it is for, and interrupts what follows others."""
    (tmp_path / "notify").write_text("#!/bin/sh\ncat\n")
    (tmp_path / "notify").chmod(0o700)
    if "--store" in line:
        asyncio.run(record_for(tmp_path / "ci.db", "bot", "audit"))
    with demo_server(monkeypatch, tmp_path), interrupted_after_output():
        result = run(*arguments_of(line))
    assert result.code == (0 if "simulate" in line else 130), result
    assert "Traceback" not in result.err
    assert result.out or "metrics at http://127.0.0.1:" in result.err
