"""Modules that a first use loads: they are most of the time that it takes."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.support.environments import without_coverage

# Rooms of a method that many programs never call, and libraries of the command and the tests.
LATE = {
    *(f"gitlab_jobs_async.{name}" for name in (
        "api.graphql_syntax", "api.json_reading", "api.tolerant_decoder", "artifacts.download",
        "artifacts.unpack", "events", "http.call_scopes",
        "http.graphql", "http.hook_observer", "http.hooks", "logs.follow", "logs.merge",
        "models.agents",
        "models.webhooks", "monitor.checkpoint", "monitor.hints", "monitor.monitor",
        "monitor.watch", "pipelines.fetch", "pipelines.wait", "simulator", "webhooks",
    )),
    "cattrs", "cyclopts", "graphql", "hypothesis", "pytest", "rich", "sqlite3", "yaml",
}  # fmt: skip


def loaded_by(code, **environ):
    """Return the modules that a new process has after *code*."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    command, env = [sys.executable, "-c", script], without_coverage(**environ)
    done = subprocess.run(command, env=env, capture_output=True, check=True)
    return set(done.stdout.decode().split())


@pytest.mark.parametrize("name", sorted(LATE))
def test_late_module_exists(name):
    """Else no test would notice that it was renamed."""
    assert find_spec(name)


def test_import_loads_no_dependency():
    loaded = loaded_by("import gitlab_jobs_async")
    assert "gitlab_jobs_async" in loaded
    assert not {"aiohttp", "attrs", "orjson", *LATE} & loaded


def test_first_client_loads_no_late_module():
    loaded = loaded_by("from gitlab_jobs_async import GitLab; GitLab().project(1).iter_jobs()")
    assert "gitlab_jobs_async.listing.keyset" in loaded
    assert not LATE & loaded


def test_first_monitor_loads_its_room():
    loaded = loaded_by("from gitlab_jobs_async import GitLab; GitLab().monitor([1])")
    assert {"gitlab_jobs_async.monitor.monitor", "gitlab_jobs_async.events"} <= loaded


def test_eager_import_loads_all_rooms():
    """A service may prefer a slow start to a first call that blocks its loop."""
    loaded = loaded_by("import gitlab_jobs_async", EAGER_IMPORT="1")
    rooms = {name for name in LATE if name.startswith("gitlab_jobs_async.")}
    assert rooms - loaded <= {"gitlab_jobs_async.simulator"}
