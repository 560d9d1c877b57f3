"""The checkout of the current directory, with real repositories."""

import subprocess
from pathlib import Path

import pytest

from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.finding import checkout as checkouts
from gitlab_jobs_async.cli.finding.checkout import find_checkout

URL = "https://oauth2:glpat-secret@gitlab.example.com/group/app.git"


def facts():
    found = find_checkout()
    return found.remote, found.address.folder, found.branch, found.sha


def refusal():
    with pytest.raises(CommandError) as info:
        find_checkout()
    assert info.value.code == 2
    assert "secret" not in str(info.value)
    return str(info.value)


def commit(git):
    git("commit", "--quiet", "--allow-empty", "--message", "x")
    return git("rev-parse", "HEAD")


def test_branch_and_commit_are_found(git, tmp_path, monkeypatch):
    git("remote", "add", "origin", URL)
    assert facts() == ("origin", "group/app", "main", None)
    sha = commit(git)
    assert facts() == ("origin", "group/app", "main", sha)
    assert "secret" not in repr(find_checkout())
    git("worktree", "add", "--quiet", "-b", "feature/x", "../tree")
    git("checkout", "--quiet", "--detach")
    assert facts() == ("origin", "group/app", None, sha)
    (Path.cwd() / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "checkout" / "sub")
    assert facts()[1:3] == ("group/app", None)
    monkeypatch.chdir(tmp_path / "tree")
    assert facts() == ("origin", "group/app", "feature/x", sha)


def test_submodule_has_its_own_project(git, tmp_path, monkeypatch):
    git("remote", "add", "origin", URL)
    other = tmp_path / "library"
    git("init", "--quiet", str(other))
    git("-C", str(other), "commit", "--quiet", "--allow-empty", "--message", "x")
    add = ("submodule", "--quiet", "add", str(other), "lib")
    git("-c", "protocol.file.allow=always", *add)
    monkeypatch.chdir(tmp_path / "checkout" / "lib")
    assert "no remote on a server" in refusal()  # the clone of a folder
    git("remote", "set-url", "origin", "git@gitlab.example.com:group/lib.git")
    assert facts()[:2] == ("origin", "group/lib")


def test_remote_and_branch_of_the_upstream_count(git):
    git("remote", "add", "origin", URL)
    git("remote", "add", "fork", "work:me/app.git")
    git("config", "url.git@gitlab.example.com:.insteadOf", "work:")
    commit(git)
    git("checkout", "--quiet", "-b", "topic")
    git("config", "branch.topic.remote", "fork")
    git("config", "branch.topic.merge", "refs/heads/fix-12")
    assert facts()[:3] == ("fork", "me/app", "fix-12")
    assert find_checkout().address.host == "gitlab.example.com"
    assert find_checkout().others["origin"].folder == "group/app"
    git("config", "branch.topic.pushRemote", "origin")
    assert facts()[:3] == ("origin", "group/app", "topic")
    git("update-ref", "refs/remotes/fork/fix-12", "HEAD")
    git("symbolic-ref", "refs/remotes/fork/HEAD", "refs/remotes/fork/fix-12")
    git("config", "--unset", "branch.topic.pushRemote")
    assert facts()[:3] == ("fork", "me/app", "topic")  # made from the default branch


def test_remotes_without_origin_are_ambiguous(git):
    git("remote", "add", "one", URL)
    git("remote", "add", "two", "git@gitlab.example.com:me/app.git")
    assert "one (group/app), two (me/app)" in refusal()


def test_bare_repository_has_a_project(git):
    git("remote", "add", "origin", URL)
    git("config", "core.bare", "true")
    assert facts() == ("origin", "group/app", "main", None)


@pytest.mark.usefixtures("git")
def test_absence_of_a_checkout_is_named(tmp_path, monkeypatch):
    assert "no remote on a server" in refusal()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert refusal() == "not in a git checkout: expected a PROJECT or a URL"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed" in refusal()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo \"fatal: detected dubious ownership in 'secret'\" >&2; exit 128", "safe.directory"),
        ("echo 'fatal: secret' >&2; exit 128", "git cannot read this checkout"),
        ("read line && exit 0; exec sleep 30", "did not answer within"),
    ],
)
def test_git_that_refuses_or_hangs_is_named(tmp_path, monkeypatch, script, words):
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(checkouts, "_SECONDS", 0.2)
    assert words in refusal()


def test_git_asks_nothing(git, monkeypatch):
    git("remote", "add", "origin", URL)
    calls = []
    real = subprocess.run

    def run(command, **options):
        calls.append((command, options))
        return real(command, **options)

    monkeypatch.setattr(subprocess, "run", run)
    find_checkout()
    for command, options in calls:
        assert command[2] in {"remote", "symbolic-ref", "for-each-ref", "rev-parse"}
        assert options["stdin"] == subprocess.DEVNULL
        assert options["env"]["GIT_TERMINAL_PROMPT"] == "0"
    assert len(calls) <= 4
