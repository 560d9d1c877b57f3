"""Exit codes beyond the ordinary: a demo that fails, a bug, an extra that is not installed."""

import io
import subprocess
import sys

import pytest
from attrs import evolve
from rich.console import Console

from gitlab_jobs_async import (
    CredentialsError,
    FencedError,
    GitLab,
    LookupFailedError,
    NotFoundError,
    StoreAwayError,
    StoreError,
    WaitTimedOutError,
)
from gitlab_jobs_async.cli import runner
from gitlab_jobs_async.cli.demo import command
from gitlab_jobs_async.cli.demo.observed import HeldClock, Observed
from gitlab_jobs_async.cli.demo.screen import DemoScreen
from gitlab_jobs_async.cli.demo.steps import Scene, follow_log, list_everything, retry_failed
from gitlab_jobs_async.cli.errors import CommandError, error_line, exit_code_of
from gitlab_jobs_async.simulator import Fault, Simulator, World, demo_world


@pytest.fixture
async def scene(clock):
    out = io.StringIO()
    screen = DemoScreen(Console(file=out, width=100), quiet=False)
    async with Simulator(World(clock.now()), clock=clock) as server:
        async with GitLab(server.url, auth=server.token, clock=clock) as gitlab:
            yield Scene(gitlab, clock, screen, ["no/such"], Observed()), server


async def test_failed_step_reports_the_error(scene):
    report = await command.carry_out("list", list_everything, scene[0], 10.0)
    assert not report.ok
    assert "404" in report.detail
    assert command.total([report], 1.0).detail == "0 of 1 step done"


async def test_step_without_its_job_names_it(scene):
    scene, server = scene
    server.world.add_project("shop/checkout")
    report = await command.carry_out("follow", follow_log, scene, 10.0)
    assert "end-to-end" in report.detail


async def test_slow_step_times_out(scene):
    report = await command.carry_out("retry", retry_failed, scene[0], 0.01)
    assert (report.ok, report.detail) == (False, "not done after 0.01 s")


def _without_jobs(server):
    empty = Fault(
        path="*/jobs", status=200, body=b"[]", content_type="application/json", times=None
    )
    server.faults.add(empty)


def _without_logs(server):
    server.faults.add(Fault(path="*/trace", status=200, content_type="text/plain", times=None))


def _failing(name):
    def fail(server):
        for job in server.world.jobs.values():
            if job.name == name:
                job.plan = evolve(job.plan, outcome="failed", attempts=())

    return fail


def _refusing(action):
    return lambda server: server.faults.add(Fault(path=f"*/{action}", status=403, times=None))


def _without_bridges(server):
    empty = Fault(
        path="*/bridges", status=200, body=b"[]", content_type="application/json", times=None
    )
    server.faults.add(empty)


@pytest.mark.parametrize(
    ("spoil", "failed"),
    [
        (_without_jobs, "list, follow, retry, play, child"),
        (_without_logs, "follow"),
        (_failing("end-to-end"), "follow"),
        (_refusing("retry"), "retry"),
        (_failing("deploy production"), "play"),
        (_without_bridges, "child"),
    ],
)
@pytest.mark.no_cover("repeats the demo of other tests six times")
async def test_demo_fails_with_a_failed_step(spoil, failed):
    clock, out = HeldClock(200.0), io.StringIO()
    server = Simulator(demo_world(clock.now()), clock=clock)
    spoil(server)
    screen = DemoScreen(Console(file=out, width=100), quiet=False)
    with pytest.raises(CommandError, match=f"the demo failed at: {failed}$") as raised:
        await command.perform(server, clock, screen, speed=200.0, json=False, timeout=40.0)
    assert exit_code_of(raised.value) == 1
    assert "✗" in out.getvalue()


async def test_step_raises_the_errors_of_the_sdk(scene):
    with pytest.raises(NotFoundError):
        await list_everything(scene[0])


def test_bug_is_one_line_with_its_own_code(monkeypatch, capsys):
    def fail(_arguments):
        raise KeyError("a\n\x1b[31mb")

    monkeypatch.setattr(runner, "run", fail)
    assert runner.run_process([]) == 70
    said = capsys.readouterr().err
    assert (
        said == "gitlab-jobs: KeyError: 'a\\n\\x1b[31mb' (a bug; GITLAB_JOBS_DEBUG=1 shows where)\n"
    )
    monkeypatch.setenv("GITLAB_JOBS_DEBUG", "1")
    with pytest.raises(KeyError):
        runner.run_process([])


def test_codes():
    assert exit_code_of(CommandError("x")) == 1
    assert exit_code_of(ValueError("x")) == 2
    assert exit_code_of(OSError("x")) == 2
    assert exit_code_of(StoreError("ci.db", "x")) == 2
    assert exit_code_of(StoreAwayError("ci.db", "x")) == 3
    assert exit_code_of(FencedError("ci.db", "x")) == 3
    assert exit_code_of(CredentialsError("x")) == 2
    assert exit_code_of(LookupFailedError("x")) == 4
    assert exit_code_of(WaitTimedOutError("job 1", 5.0, None)) == 1
    assert error_line(OSError()) == "OSError"
    missing = error_line(FileNotFoundError(2, "No such file", "a/b"))
    assert missing == "a/b: No such file; check the path"


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [("cyclopts", ["list", "a"]), ("rich", ["--help"]), ("yaml", ["list", "a"])],
)
def test_missing_extra_names_the_installation(home, missing, arguments):
    (home / ".config" / "glab-cli").mkdir(parents=True)
    (home / ".config" / "glab-cli" / "config.yml").write_text("hosts: {}")
    script = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = {['gitlab-jobs', *arguments]}\n"
        "from gitlab_jobs_async.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("gitlab-jobs: ")
    assert "pip install 'gitlab_jobs_async[cli]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
