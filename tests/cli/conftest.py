"""A simulated GitLab on the loopback, and the command run against it, here or on its own."""

import subprocess
import sys

import pytest
from attrs import frozen

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

SPEED = 100.0
HIDDEN = "\u202e\u2066\u061c\u200f\u2060\ufeff\U000e0041\U000e007f"
HOSTILE_NAME = f"[bold]x[/] \x1b]0;owned\x07\x1b[2J\x9b31mred\ttab\nline{HIDDEN}\u2028"
HOSTILE_LOG = (
    b"\x1b[32mgreen\x1b[0m plain" + HIDDEN.encode() + b"\n"
    b"\x1b]0;owned\x07title \x1b[2J\x1b[1;1Hmoved \xc2\x9b31m c1\n"
    b"\x1b[31mred, not closed\n"
)
ARTIFACTS = {"reports/junit.xml": b"<testsuite/>\n", "app.txt": b"app\n"}
COMMAND = [sys.executable, "-m", "gitlab_jobs_async.cli"]


@frozen
class Result:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@pytest.fixture
def clock():
    return AcceleratedClock(SPEED)


@pytest.fixture
def world(clock):
    """The simulator's small world, with a second project full of malice and an empty one."""
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
    """An environment in which nothing of the person who runs the tests is left."""
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
    """Run the command here: `run("list", "group/app").lines`."""

    def call(*arguments) -> Result:
        capfdbinary.readouterr()
        code = run_command([str(argument) for argument in arguments])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Result(code, out.decode("utf-8", "surrogateescape"), err.decode())

    return call


@pytest.fixture
def job_of(world):
    """The newest job of that name."""

    def find(name):
        return max((job for job in world.jobs.values() if job.name == name), key=lambda j: j.id)

    return find


@pytest.fixture
def spawn():
    """Start the command as a process of its own, ended with the test."""
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
    """The contract of every failure."""

    def check(result, code, *words):
        assert result.code == code, result
        assert result.out == ""
        assert len(result.err.splitlines()) == 1, result.err
        assert result.err.startswith("gitlab-jobs: ")
        assert "Traceback" not in result.err
        for word in words:
            assert word in result.err, result.err

    return check
