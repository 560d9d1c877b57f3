"""`--group` names a GitLab group, and `--projects-from` a file of projects."""

import subprocess

import pytest

pytestmark = pytest.mark.usefixtures("signed_in")


def projects(lines):
    return {line.split("\t")[1] for line in lines}


def test_jobs_of_a_group_are_listed(run):
    listed = run("list", "--group", "group").lines
    assert projects(listed) == {"group/app", "group/evil"}
    newest = run("list", "--group", "group", "--limit", 1).lines
    assert projects(newest) == {"group/app", "group/evil"}
    assert len(newest) == 2


def test_file_and_group_are_joined(run, tmp_path, gitlab):
    file = tmp_path / "projects.txt"
    file.write_text("1\n")
    listed = run("list", "--projects-from", file, "--group", "group", "--group", "group").lines
    # The project 1 is group/app, which is read once.
    assert projects(listed) == {"1", "group/evil"}
    file.write_text(f"{gitlab.url}/group/app\n")
    assert projects(run("list", "--projects-from", file).lines) == {"group/app"}


@pytest.mark.parametrize("command", ["list", "watch"])
def test_unknown_group_is_not_found(run, command):
    result = run(command, "--group", "nowhere")
    assert result.code in {1, 4}
    assert "Group Not Found" in result.err


@pytest.mark.parametrize("command", ["list", "watch"])
def test_bad_group_is_a_usage_error(run, command):
    result = run(command, "--group", "a/../b")
    assert result.code == 2
    assert "invalid group 'a/../b'" in result.err


def test_no_project_is_a_usage_error(run):
    result = run("list")
    assert result.code == 2
    assert "expected a PROJECT, --group GROUP or --projects-from FILE" in result.err


def test_group_is_watched(spawn):
    process = spawn("watch", "--group", "group", stdout=subprocess.PIPE)
    assert b"group/" in process.stdout.readline()
