"""The README is true: every code block in it is run, or is what the gate runs."""

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
    """The world that `gitlab-jobs simulate` serves, named by the environment."""
    monkeypatch.chdir(tmp_path)
    clock.stepped.advance(NOW - clock.now())
    async with Simulator(demo_world(NOW), clock=clock.stepped) as simulator:
        monkeypatch.setenv("GITLAB_URL", simulator.url)
        monkeypatch.setenv("GITLAB_TOKEN", simulator.token)
        yield simulator


def test_no_block_is_of_an_unknown_kind():
    assert {kind for kind, _ in BLOCKS} == {"python", "sh", "console", "text"}
    assert (len(SCRIPTS), len(TESTS)) == (1, 1)
    assert len(SNIPPETS) > 8


@pytest.mark.parametrize("code", SNIPPETS, ids=lambda code: code.splitlines()[0][:40])
@pytest.mark.usefixtures("simulated")
async def test_a_snippet_runs_inside_the_block_that_it_names(code):
    assert 'project = gitlab.project("shop/checkout")' in README
    compiled = compile(code, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    async with GitLab.from_env() as gitlab:
        names = {"gitlab": gitlab, "project": gitlab.project("shop/checkout"), "GitLab": GitLab}
        running = eval(compiled, names)
        if inspect.iscoroutine(running):
            await running


def test_the_script_runs_as_it_stands():
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


def test_the_test_runs_as_it_stands(tmp_path):
    (tmp_path / "test_bot.py").write_text(TESTS[0])
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "1 passed" in ran.stdout


def test_the_commands_run_in_their_order():
    commands = [line.removeprefix("$ ") for code in blocks("console") for line in code.splitlines()]
    assert len(commands) >= 10
    with Simulator(demo_world(RealClock().now())) as simulator:
        environ = {**os.environ, "GITLAB_URL": simulator.url, "GITLAB_TOKEN": simulator.token}
        for command in commands:
            program, *arguments = shlex.split(command)
            assert program == "gitlab-jobs"
            ran = subprocess.run(
                [sys.executable, "-m", "gitlab_jobs_async.cli", *arguments],
                env=environ, capture_output=True, text=True, timeout=30, check=False,
            )  # fmt: skip
            followed_a_failure = arguments[0] == "tail"
            assert ran.returncode == int(followed_a_failure), command
            assert followed_a_failure or not ran.stderr, command


def test_the_gate_runs_the_two_commands_of_the_first_screen():
    gate = (ROOT / ".ci" / "run").read_text()
    demo, tests, simulate = (code.strip() for code in blocks("sh"))
    assert demo in gate
    assert tests in gate
    assert demo.endswith("gitlab-jobs demo")
    assert tests.endswith("pytest")
    assert simulate == "gitlab-jobs simulate --port 8080"
