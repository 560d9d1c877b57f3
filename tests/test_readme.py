"""Run every code block of the README, or check that the gate runs it."""

import ast
import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.cli.runner import run
from gitlab_jobs_async.simulator import RealClock, Simulator, demo_world

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
NOW = 1_750_000_000.0


def blocks(language):
    return [code for kind, code in BLOCKS if kind == language]


SCRIPTS = [code for code in blocks("python") if "asyncio.run" in code]
TESTS = [code for code in blocks("python") if "async def test_" in code]
SNIPPETS = [code for code in blocks("python") if code not in SCRIPTS + TESTS]


@pytest.fixture
async def simulated(clock, monkeypatch, tmp_path):
    """Serve the demo world and name it in the environment."""
    monkeypatch.chdir(tmp_path)
    clock.stepped.advance(NOW - clock.now())
    async with Simulator(demo_world(NOW), clock=clock.stepped) as simulator:
        monkeypatch.setenv("GITLAB_URL", simulator.url)
        monkeypatch.setenv("GITLAB_TOKEN", simulator.token)
        yield simulator


def test_all_block_kinds_are_known():
    assert {kind for kind, _ in BLOCKS} == {"python", "sh", "console", "text"}
    assert (len(SCRIPTS), len(TESTS)) == (1, 1)
    assert len(SNIPPETS) > 8


@pytest.mark.parametrize("code", SNIPPETS, ids=lambda code: code.splitlines()[0][:40])
@pytest.mark.usefixtures("simulated")
async def test_snippet_runs(code):
    assert 'project = gitlab.project("shop/checkout")' in README
    compiled = compile(code, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    async with GitLab.from_env() as gitlab:
        names = {"gitlab": gitlab, "project": gitlab.project("shop/checkout"), "GitLab": GitLab}
        running = eval(compiled, names)
        if inspect.iscoroutine(running):
            await running


def test_script_runs_unchanged():
    with Simulator(demo_world(RealClock().now())) as simulator:
        environ = {**os.environ, "GITLAB_URL": simulator.url, "GITLAB_TOKEN": simulator.token}
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPTS[0]],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
    assert "shop/payments 200 contract script_failure http" in ran.stdout


def test_example_test_passes(tmp_path):
    (tmp_path / "test_bot.py").write_text(TESTS[0])
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "1 passed" in ran.stdout


COMMANDS = [line.removeprefix("$ ") for code in blocks("console") for line in code.splitlines()]


def test_readme_shows_the_commands():
    assert len(COMMANDS) >= 10
    assert {shlex.split(command)[0] for command in COMMANDS} == {"gitlab-jobs"}


@pytest.mark.parametrize("command", COMMANDS)
def test_command_succeeds(command):
    """Run each on a world of its own; `tail` of a failed job exits with 1, all others with 0."""
    arguments = shlex.split(command)[1:]
    with Simulator(demo_world(RealClock().now())) as simulator:
        environ = {**os.environ, "GITLAB_URL": simulator.url, "GITLAB_TOKEN": simulator.token}
        ran = subprocess.run(
            [sys.executable, "-m", "gitlab_jobs_async.cli", *arguments],
            env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
    followed_a_failure = arguments[0] == "tail"
    assert ran.returncode == int(followed_a_failure), ran.stderr
    assert followed_a_failure or not ran.stderr


def test_actions_succeed_in_their_order(monkeypatch):
    """A reader tries them one after the other on one server: a job is canceled after its play."""
    actions = [shlex.split(command)[1:] for command in COMMANDS]
    actions = [
        words for words in actions if words[0] not in {"list", "show", "trace", "tail", "watch"}
    ]
    with Simulator(demo_world(RealClock().now())) as simulator:
        monkeypatch.setenv("GITLAB_URL", simulator.url)
        monkeypatch.setenv("GITLAB_TOKEN", simulator.token)
        assert [run(words) for words in actions] == [0] * len(actions)
    assert [words[0] for words in actions] == ["retry", "play", "cancel", "artifacts", "erase"]


def test_gate_runs_both_setup_commands():
    gate = (ROOT / ".ci" / "run").read_text()
    demo, tests, simulate = (code.strip() for code in blocks("sh"))
    assert demo in gate
    assert tests in gate
    assert demo.endswith("gitlab-jobs demo")
    assert tests.endswith("pytest")
    assert simulate == "gitlab-jobs simulate --port 8080"
