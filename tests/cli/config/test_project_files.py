"""Files of projects: their parsing, and errors that name the line."""

import io
import sys
from pathlib import Path

import pytest

from gitlab_jobs_async.api.parameters import project_path
from gitlab_jobs_async.cli.config.project_files import projects_of
from gitlab_jobs_async.cli.errors import CommandError


def invalid_project(name):
    """Return the message of the SDK for a name."""
    with pytest.raises(ValueError, match="project") as raised:
        project_path(name)
    return str(raised.value)


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "projects.txt"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"group/app\n17\n", ["group/app", "17"]),
        (b"\xef\xbb\xbfgroup/app\r\n\r\n  b/c  ", ["group/app", "b/c"]),
        (b"# all of us\ngroup/app # the app\n\t# more\nb/c#d\ngroup/app", ["group/app", "b/c#d"]),
    ],
)
def test_file_has_one_project_per_line(file, content, names):
    assert projects_of(file(content)) == names


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a/b\nc d\n", f"projects.txt:2: {invalid_project('c d')}"),
        (
            b"\n\n-x\n",
            "projects.txt:3: project '-x': expected an id or a path without a leading dash",
        ),
        (b"0\n", "projects.txt:1: project must be a whole number above 0, not 0"),
        (b"a/b\nftp://gitlab.com/a/b\n", "projects.txt:2: "),
        (b"a/../b\n", "projects.txt:1: "),
        (b"a/\x1b[31mb\n", "projects.txt:1: "),
        (b"# none\n", "projects.txt: expected at least one project"),
        (b"a/b\n\xff\n", "projects.txt: expected UTF-8"),
    ],
)
def test_invalid_line_is_named(file, content, words):
    with pytest.raises(CommandError) as raised:
        projects_of(file(content))
    assert words in str(raised.value)
    assert str(raised.value).startswith("--projects-from /")
    assert str(raised.value).isprintable()
    assert raised.value.code == 2


def test_unreadable_file_is_refused(tmp_path):
    with pytest.raises(CommandError, match=r"^--projects-from .*nowhere: No such file") as raised:
        projects_of(tmp_path / "nowhere")
    assert raised.value.code == 2
    with pytest.raises(CommandError, match="directory"):
        projects_of(tmp_path)


def test_stdin(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a/b\n# c\nd/e\n")))
    assert projects_of(Path("-")) == ["a/b", "d/e"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a/b\na b\n")))
    with pytest.raises(CommandError, match=r"^--projects-from stdin:2: "):
        projects_of(Path("-"))
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CommandError, match="stdin is closed"):
        projects_of(Path("-"))
