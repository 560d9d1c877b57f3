"""Make git repositories, with no configuration but theirs."""

import os
import subprocess

import pytest

SETTINGS = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


@pytest.fixture
def git(tmp_path, monkeypatch):
    """Run git in a new, empty repository, which is the current directory."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "checkout"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*arguments):
        done = subprocess.run(["git", *arguments], capture_output=True, check=True, text=True)
        return done.stdout.strip()

    run("init", "--quiet", "--initial-branch", "main")
    return run


@pytest.fixture
def checkout(git, gitlab):
    """Return a function that makes the current directory a checkout of a branch."""

    def make(branch="main", remote=None):
        git("remote", "add", "origin", remote or f"{gitlab.url}/group/app.git")
        git("symbolic-ref", "HEAD", f"refs/heads/{branch}")
        return git

    return make
