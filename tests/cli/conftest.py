"""Serve a simulated GitLab, and run the command against it in this process or in another."""

import os
import subprocess
import sys

import pytest

from gitlab_jobs_async.cli.runner import run as run_command
from gitlab_jobs_async.simulator import (
    AcceleratedClock,
    BytesLog,
    JobPlan,
    PipelinePlan,
    PlannedJob,
    Simulator,
    default_world,
)
from tests.support.command import COMMAND, HOSTILE_LOG, HOSTILE_NAME, Result

SPEED = 100.0
GIT_SETTINGS = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


@pytest.fixture
def clock():
    return AcceleratedClock(SPEED)


@pytest.fixture
def world(clock):
    """Return the small world with a hostile project and an empty one."""
    world = default_world(clock.now())
    evil = world.add_project("group/evil")
    world.add_project("group/empty")
    pipeline = world.add_pipeline(evil, stages=("test",), ref="main\x1b[31m\t!")
    nasty = JobPlan(duration=1.0, queued=0.0, log=BytesLog(HOSTILE_LOG))
    world.add_job(pipeline, HOSTILE_NAME, plan=nasty)
    stuck = JobPlan(duration=1.0, queued=0.0, outcome="failed")
    world.add_job(pipeline, "broken", plan=stuck)
    deploy = JobPlan(when="manual", inputs={"target": "staging", "count": 1}, duration=1.0)
    world.add_job(pipeline, "deploy", plan=deploy)
    child = PipelinePlan(jobs=(PlannedJob("child job"),))
    world.add_bridge(pipeline, "trigger", downstream=child, plan=JobPlan(when="manual"))
    world.settle(clock.now() + 60.0)
    return world


@pytest.fixture
def gitlab(world, clock):
    with Simulator(world, clock=clock) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Clear the environment, set an empty home, and leave the checkout of this repository."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def signed_in(gitlab, monkeypatch):
    monkeypatch.setenv("GITLAB_URL", gitlab.url)
    monkeypatch.setenv("GITLAB_TOKEN", gitlab.token)
    return gitlab


@pytest.fixture
def run(capfdbinary):
    """Run the command in this process: `run("list", "group/app").lines`."""

    def call(*arguments) -> Result:
        capfdbinary.readouterr()
        code = run_command([str(argument) for argument in arguments])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Result(code, out.decode("utf-8", "surrogateescape"), err.decode())

    return call


@pytest.fixture
def job_of(world):
    """Find the newest job with a name."""

    def find(name):
        return max((job for job in world.jobs.values() if job.name == name), key=lambda j: j.id)

    return find


@pytest.fixture
def spawn():
    """Start the command as a process that ends with the test."""
    started = []

    def start(*arguments, **options):
        process = subprocess.Popen([*COMMAND, *map(str, arguments)], **options)
        started.append(process)
        return process

    start.python = sys.executable
    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def assert_one_line():
    """Check that a failure prints one line on stderr and nothing else."""

    def check(result, code, *words):
        assert result.code == code, result
        assert result.out == ""
        assert len(result.err.splitlines()) == 1, result.err
        assert result.err.startswith("gitlab-jobs: ")
        assert "Traceback" not in result.err
        for word in words:
            assert word in result.err, result.err

    return check


@pytest.fixture
def git(tmp_path, monkeypatch):
    """Run git in a new, empty repository, which is the current directory."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, value in GIT_SETTINGS.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "checkout"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*arguments):
        done = subprocess.run(["git", *arguments], capture_output=True, check=True, text=True)
        return done.stdout.strip()

    run("init", "--quiet", "--initial-branch", "main")
    return run
