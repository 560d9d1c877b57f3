"""Modules that the command loads, and the garbage collector in its process."""

import gc
import subprocess
import sys

import pytest

from tests.support.environments import without_coverage

SDK_LATE = {
    f"gitlab_jobs_async.{name}"
    for name in (
        "api.tolerant_decoder",
        "logs.follow",
        "monitor.monitor",
        "cli.finding.resolve",
        "store.values",
    )
}
LIBRARIES_LATE = {
    "cattrs",
    "configparser",
    "difflib",
    "graphql",
    "hypothesis",
    "rich",
    "sqlite3",
    "textual",
    "yaml",
}


@pytest.fixture
def loaded_by():
    """Return the modules that the command has in a process of its own, and its output."""

    def run(*arguments):
        script = (
            "import atexit, sys\n"
            "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
            "from gitlab_jobs_async.cli import main\n"
            f"sys.argv = {['gitlab-jobs', *arguments]}\n"
            "main()"
        )
        command = [sys.executable, "-c", script]
        done = subprocess.run(
            command, env=without_coverage(), capture_output=True, check=True, text=True
        )
        return set(done.stderr.split()), done.stdout

    return run


def test_help_loads_no_client(loaded_by):
    loaded, shown = loaded_by("--help")
    assert "Usage: gitlab-jobs" in shown
    assert "rich" in loaded
    assert (
        not {"aiohttp", "asyncio", "msgspec", "textual", "yaml", "gitlab_jobs_async.client"}
        & loaded
    )


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_list_in_a_pipe_loads_no_late_module(loaded_by, form):
    loaded, shown = loaded_by("list", "group/app", *form)
    assert len(shown.splitlines()) == 4
    assert "gitlab_jobs_async.client" in loaded
    assert not (SDK_LATE | LIBRARIES_LATE) & loaded
    # Writing JSON needs the types of all events.
    assert ("gitlab_jobs_async.events" in loaded) == bool(form)


@pytest.mark.usefixtures("signed_in")
def test_list_reads_yaml_where_glab_has_a_file(loaded_by, home):
    folder = home / ".config" / "glab-cli"
    folder.mkdir(parents=True)
    (folder / "config.yml").write_text("hosts: {}")
    loaded, _ = loaded_by("list", "group/app")
    assert "yaml" in loaded


def test_command_runs_with_the_collector(run):
    """The process stops it for its imports; a command may run for weeks."""
    gc.disable()
    try:
        assert run("--version").code == 0
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.enable()
