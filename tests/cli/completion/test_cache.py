"""The cache of names: private, small, short-lived, and never an error."""

import json
import os
import resource
import socket
import stat
import subprocess
import sys
import time

import pytest

from gitlab_jobs_async.cli import completing
from gitlab_jobs_async.cli.completion.cache import cache_folder, read_cached, write_cached

ROWS = [["group/app", "app"]]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gitlab-jobs"


def test_cache_is_private_and_bounded(folder):
    for number in range(70):
        write_cached(f"key {number}", ROWS)
    value, age = read_cached("key 69")
    assert (value, age < 60) == (ROWS, True)
    files = list(folder.iterdir())
    assert len(files) == 64
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_unusable_cache_is_no_error(folder, monkeypatch):
    assert read_cached("key") is None
    write_cached("key", ROWS)
    (file,) = folder.iterdir()
    file.write_text("[")
    assert read_cached("key") is None
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    write_cached("key", ROWS)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder().is_absolute()


def answer_of(*words, **environ):
    done = subprocess.run(
        [sys.executable, "-m", "gitlab_jobs_async.cli", "__complete", *words],
        capture_output=True, check=False, text=True, env=os.environ | environ,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_errors_print_nothing():
    refused = {"GITLAB_URL": "http://127.0.0.1:1", "GITLAB_TOKEN": "glpat-secret"}
    assert answer_of("zsh", "list", "", **refused) == ""
    assert answer_of("bash", "what", "is", "this") == ""


def test_key_of_names_holds_no_token(monkeypatch):
    monkeypatch.setenv("GITLAB_TOKEN", "glpat-environment")
    words = ["list", "--token", "glpat-line", "--url", "http://x"]
    key = completing._key("projects", completing.answer(completing._grammar(), words, ""))
    assert "glpat" not in key
    assert "http://x" in key


def test_stale_names_are_better_than_none(monkeypatch, folder):
    found = completing.answer(completing._grammar(), ["list"], "")
    write_cached(completing._key("projects", found), ROWS)
    for file in folder.iterdir():
        os.utime(file, (time.time() - 600, time.time() - 600))
    monkeypatch.setattr(completing, "_is_pending", lambda _key: True)
    assert completing.complete(["zsh", "list", ""], 0.0) == ["group/app\tapp"]
    monkeypatch.setattr(completing, "STALE_SECONDS", 300.0)
    assert completing.complete(["zsh", "list", ""], 0.0) == []


@pytest.mark.usefixtures("signed_in")
def test_server_fills_the_cache(gitlab, folder):
    """On a busy machine a Tab gives up first, and the process that asks goes on."""
    shown, until = "", time.monotonic() + 15.0
    while not shown and time.monotonic() < until:
        shown = answer_of("zsh", "list", "")
    assert "group/app\tapp" in shown.splitlines()
    for file in folder.iterdir():
        assert gitlab.token not in file.read_text()
        assert json.loads(file.read_text())


def test_silent_server_ends_a_tab_within_a_second():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        environ = {"GITLAB_URL": url, "GITLAB_TOKEN": "glpat-secret"}
        assert answer_of("zsh", "list", "", **environ) == ""
        # The first one has read the command line, and another process asks the server.
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert answer_of("zsh", "list", "", **environ) == ""
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 0.5
