"""A warning where others can read the token that is used, once a file, and nowhere else."""

import os

import pytest

from gitlab_jobs_async.api.credentials import PrivateToken
from gitlab_jobs_async.cli.config import permissions
from gitlab_jobs_async.cli.config.permissions import is_exposed, warn_of_exposed

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permission bits are POSIX's")


@pytest.fixture(autouse=True)
def nothing_warned(monkeypatch):
    monkeypatch.setattr(permissions, "_warned", set())


def python_gitlab(home, gitlab):
    path = home / ".python-gitlab.cfg"
    path.write_text(
        f"[global]\ndefault=sim\n[sim]\nurl={gitlab.url}\nprivate_token={gitlab.token}\n"
    )
    return path


def glab(home, gitlab):
    path = home / ".config" / "glab-cli" / "config.yml"
    path.parent.mkdir(parents=True)
    host = gitlab.url.removeprefix("http://")
    path.write_text(
        f"host: {host}\nhosts:\n  {host}:\n    api_protocol: http\n    token: {gitlab.token}\n"
    )
    return path


@pytest.mark.parametrize("write", [python_gitlab, glab])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o664, 0o777])
def test_token_that_others_can_read_is_warned_of(gitlab, home, run, write, mode):
    path = write(home, gitlab)
    path.chmod(mode)
    result = run("list", "group/app")
    assert (result.code, len(result.lines)) == (0, 4)
    assert result.err == (
        f"gitlab-jobs: {path}: token is readable by other users; run: chmod 600 {path}\n"
    )
    assert gitlab.token not in result.err
    assert run("list", "group/app").err == ""


@pytest.mark.parametrize("write", [python_gitlab, glab])
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700, 0o622])
def test_private_token_file_is_not_warned_of(gitlab, home, run, write, mode):
    write(home, gitlab).chmod(mode)
    assert run("list", "group/app").err == ""


def test_file_of_an_unused_token_gives_no_warning(gitlab, home, run, monkeypatch):
    path = python_gitlab(home, gitlab)
    path.write_text(path.read_text().replace(gitlab.token, "another"))
    monkeypatch.setenv("GITLAB_URL", gitlab.url)
    monkeypatch.setenv("GITLAB_TOKEN", gitlab.token)
    assert run("list", "group/app").err == ""


def test_warning_is_not_in_json(gitlab, home, run):
    python_gitlab(home, gitlab).chmod(0o644)
    result = run("list", "group/app", "--json")
    assert all(line.startswith("{") for line in result.lines)
    assert result.err.count("chmod 600") == 1


def test_path_in_the_warning_is_quoted(tmp_path, capfd):
    path = tmp_path / "a b\x1b[2J.cfg"
    path.write_text("private_token = s3cret")
    path.chmod(0o644)
    warn_of_exposed([{path: path.read_text()}], PrivateToken("s3cret"))
    err = capfd.readouterr().err
    assert "chmod 600 '" in err
    assert "\x1b" not in err


def test_missing_files_and_windows_do_not_warn(tmp_path, monkeypatch):
    path = tmp_path / "x.cfg"
    assert not is_exposed(path)
    path.touch(0o644)
    assert is_exposed(path)
    monkeypatch.setattr(permissions.os, "name", "nt")
    assert not is_exposed(path)
