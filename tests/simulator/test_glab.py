"""The real `glab` against the simulator; the path of its program is in the variable GLAB.

Written for glab 1.53. It sends what GitLab's own client for the terminal expects of a server.
"""

import os
import subprocess
import time
from urllib.parse import urlsplit

import pytest

from gitlab_jobs_async.simulator import JobPlan, Simulator, default_world

# Read before the tests clear the environment.
GLAB = os.environ.get("GLAB", "")
TOKEN = "glpat-abcdefghij0123456789"

pytestmark = [
    pytest.mark.skipif(not GLAB, reason="GLAB does not name the program of glab 1.53"),
    pytest.mark.timeout(60),
]

CONFIG = """\
check_update: false
host: {host}
hosts:
  {host}:
    token: {token}
    api_protocol: http
    api_host: {host}
    git_protocol: https
    user: root
"""


@pytest.fixture
def simulator():
    """Serve the small world in a thread, with a finished pipeline on another branch."""
    world = default_world(time.time())
    world.add_token(world.root, TOKEN)
    released = world.add_pipeline(world.project("group/app"), ref="release/1.0")
    plan = JobPlan(queued=0, duration=1, artifacts={"a.txt": b"content\n"})
    world.add_job(released, "package", plan=plan)
    world.settle(world.now + 30)
    with Simulator(world) as running:
        yield running


@pytest.fixture
def glab(simulator, tmp_path):
    """Run glab in a checkout of group/app; return its exit code and output."""
    host = urlsplit(simulator.url).netloc
    config = tmp_path / "config"
    config.mkdir()
    file = config / "config.yml"
    file.write_text(CONFIG.format(host=host, token=TOKEN))
    file.chmod(0o600)
    checkout = tmp_path / "app"
    checkout.mkdir()
    for command in (
        ("init", "-q", "-b", "main"),
        ("remote", "add", "origin", f"http://{host}/group/app.git"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"),
    ):
        subprocess.run(["git", *command], cwd=checkout, check=True, timeout=10)
    environment = {
        **os.environ,
        "GLAB_CONFIG_DIR": str(config),
        "GITLAB_HOST": host,
        "NO_COLOR": "1",
        "HOME": str(tmp_path),
    }

    def run(*arguments):
        # Of a remote, glab ignores the port, so the project must be named.
        if arguments[0] in {"ci", "job"}:
            arguments = (*arguments, "-R", "group/app")
        done = subprocess.run(
            [GLAB, *map(str, arguments)],
            cwd=checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_token_is_accepted(glab):
    code, text = glab("auth", "status")
    assert code == 0
    assert "Logged in to" in text
    assert "as root" in text
    assert "Invalid token" not in text


def test_projects_are_listed(glab):
    code, text = glab("repo", "list")
    assert code == 0
    assert "group/app" in text


def test_pipelines_are_listed(glab):
    code, text = glab("ci", "list")
    assert code == 0
    assert "(running) • #1\t(#1)\tmain" in text
    assert "(success) • #2\t(#2)\trelease/1.0" in text


@pytest.mark.parametrize("options", [("-b", "main"), ("-p", 1)])
def test_pipeline_is_shown(glab, options):
    code, text = glab("ci", "get", *options)
    assert code == 0
    assert "id:\t1\n" in text
    assert "status:\trunning" in text
    assert "user:\tbob" in text


def test_branch_with_a_slash_is_found(glab):
    code, text = glab("ci", "get", "-b", "release/1.0")
    assert code == 0
    assert "id:\t2\n" in text


def test_status_has_all_jobs(glab):
    code, text = glab("ci", "status", "-b", "main")
    assert code == 0
    assert "Pipeline state: running" in text
    for name in ("compile", "unit", "flaky", "deploy"):
        assert name in text


@pytest.mark.parametrize("job", [1, "compile"])
def test_log_is_traced(glab, job):
    code, text = glab("ci", "trace", job, "-b", "main")
    assert code == 0
    assert "Showing logs for compile job #1." in text
    assert "Job succeeded" in text


@pytest.mark.parametrize("job", [3, "flaky"])
def test_job_is_retried(glab, simulator, job):
    code, text = glab("ci", "retry", job, "-b", "main")
    assert code == 0
    assert "Retried job" in text
    assert simulator.world.jobs[3].retried


def test_manual_job_is_triggered(glab, simulator):
    code, text = glab("ci", "trigger", 4)
    assert (code, "Triggered job (ID: 4" in text) == (0, True)
    assert simulator.world.jobs[4].status != "manual"


def test_job_is_canceled(glab, simulator):
    code, text = glab("ci", "cancel", "job", 2)
    assert (code, "Job #2 is canceled" in text) == (0, True)
    assert simulator.world.jobs[2].status == "canceled"


def test_pipeline_is_canceled_and_deleted(glab, simulator):
    assert glab("ci", "cancel", "pipeline", 1)[0] == 0
    code, text = glab("ci", "delete", 1)
    assert (code, "deleted successfully" in text) == (0, True)
    assert 1 not in simulator.world.pipelines


def test_pipeline_is_run_with_variables(glab, simulator):
    code, text = glab("ci", "run", "-b", "main", "--variables", "LEVEL:full")
    assert code == 0
    assert "Created pipeline (id: 3" in text
    assert simulator.world.pipelines[3].variables == {"LEVEL": "full"}


def test_unknown_branch_is_refused(glab):
    code, text = glab("ci", "run", "-b", "none")
    assert code == 1
    assert "Reference not found" in text


def test_artifact_is_downloaded_by_ref(glab, tmp_path):
    code, _ = glab("job", "artifact", "release/1.0", "package", "-p", tmp_path / "out/")
    assert code == 0
    assert (tmp_path / "out/a.txt").read_bytes() == b"content\n"
