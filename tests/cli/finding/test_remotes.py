"""Addresses of git remotes, and the choice among several."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.cli.config.addresses import Address
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.finding.remotes import (
    Branch,
    choose_remote,
    parse_remote,
    read_remotes,
)

REMOTES = {
    "git@gitlab.example.com:group/app.git": ("https://gitlab.example.com", "group/app"),
    "gitlab.example.com:group/sub/app": ("https://gitlab.example.com", "group/sub/app"),
    "git@gitlab.example.com:/group/app.git": ("https://gitlab.example.com", "group/app"),
    "git@[::1]:group/app.git": ("https://[::1]", "group/app"),
    "git@[gitlab.example.com:2222]:group/app.git": ("https://gitlab.example.com", "group/app"),
    "[git@gitlab.example.com:2222]:/group/app": ("https://gitlab.example.com", "group/app"),
    "[gitlab.example.com]:group/app": ("https://gitlab.example.com", "group/app"),
    "git@[[::1]:2222]:group/app.git": ("https://[::1]", "group/app"),
    "[git@::1]:group/app.git": ("https://[::1]", "group/app"),
    "ssh://git@gitlab.example.com/group/app.git": ("https://gitlab.example.com", "group/app"),
    "ssh://git@gitlab.example.com:2222/group/app": ("https://gitlab.example.com:8443", "group/app"),
    "git+ssh://git@GitLab.Example.com/group/app/": ("https://gitlab.example.com", "group/app"),
    "ssh://git@gitlab.example.com/group/app.git ": ("https://gitlab.example.com", "group/app.git "),
    # SSH addresses have no relative root, web addresses do.
    "git@h:group/app": ("https://h/gitlab", "group/app"),
    "https://h/gitlab/group/app.git": ("https://h/gitlab", "group/app"),
    "https://h/group/app.git": ("https://h/gitlab", None),
    "https://h:8443/group/app": ("https://h:8443", "group/app"),
    "https://h:443/group/app": ("https://h", "group/app"),
    "http://h/group/app": ("https://h", "group/app"),
    "https://h:8443/group/app.git": ("https://h", None),
    "https://gitlab-ci-token:secret@h/group/app.git": ("https://h", "group/app"),
    "https://me@h/gr%C3%BC%C3%9Fe/app.git": ("https://h", "grüße/app"),
    "git@altssh.gitlab.com:group/app.git": ("https://gitlab.com", "group/app"),
    "https://altssh.gitlab.com/group/app.git": ("https://gitlab.com", None),
    "git@github.com:group/app.git": ("https://gitlab.com", None),
}


def test_remote_of_each_form_leads_to_its_project():
    for url, (server, folder) in REMOTES.items():
        address = parse_remote(url, "remote")
        assert address.project_at(ServerUrl.parse(server)) == folder, url
        assert "secret" not in f"{address} {address!r}"


@pytest.mark.parametrize(
    "url",
    [
        "/srv/git/group/app.git", "../app", "file:///srv/group/app.git", "C:\\group\\app",
        "C:/group/app", "git@host:app.git", "https://host/app.git", "https://host", "ftp://h/a/b",
        "git@[]:group/app", "git@[a]b:group/app",
        "[a/b]:group/app", "ssh://", "https://[::1/group/app", "ext::ssh host %S group/app", "", "codecommit::eu://a/b",
    ],
)  # fmt: skip
def test_remote_without_a_project_is_none(url):
    assert parse_remote(url, "remote") is None


@given(st.text(st.characters() | st.sampled_from("/:@[]%. ")))
def test_any_remote_is_read(url):
    for text in (url, f"ssh://{url}", f"git@{url}", f"https://{url}"):
        address = parse_remote(text, "remote")
        assert address is None or "/" in address.folder


def test_output_of_git_is_read():
    text = (
        "origin\tgit@h:a/b.git (fetch) [blob:none]\norigin\tgit@h:x/y.git (push)\n"
        "my fork\thttps://h/c d/e (fetch)\nbroken\t\n"
    )
    assert read_remotes(text) == {"origin": "git@h:a/b.git", "my fork": "https://h/c d/e"}


def at(folder):
    return Address("h", None, folder)


def test_remote_of_the_branch_is_preferred():
    one, two = {"fork": at("me/app")}, {"fork": at("me/app"), "origin": at("group/app")}
    assert choose_remote(two, None) == "origin"
    assert choose_remote(one, None) == "fork"
    assert choose_remote(two, Branch("x", upstream=("fork", "x"))) == "fork"
    assert choose_remote(two, Branch("x", push=("fork", ""), upstream=("origin", "x"))) == "fork"
    # A branch may track a local one, or a URL.
    assert choose_remote(two, Branch("x", upstream=(".", "main"))) == "origin"
    with pytest.raises(CommandError, match=r"several remotes: a \(me/app\), b \(group/app\)"):
        choose_remote({"b": at("group/app"), "a": at("me/app")}, None)
    with pytest.raises(CommandError, match="no remote on a server"):
        choose_remote({}, None)


@pytest.mark.parametrize(
    ("branch", "expected"),
    [
        (Branch("x"), "x"),
        (Branch("x", upstream=("origin", "fix-12")), "fix-12"),
        (Branch("x", push=("origin", "fix-12")), "fix-12"),
        (Branch("x", upstream=("other", "fix-12")), "x"),
        # New, made from the default branch and not pushed yet.
        (Branch("x", upstream=("origin", "main"), heads=frozenset({"origin/main"})), "x"),
        (Branch("x", upstream=("origin", "dev"), tracked=frozenset({"origin/x"})), "x"),
    ],
)
def test_branch_has_its_name_on_the_remote(branch, expected):
    assert branch.on_remote("origin") == expected
