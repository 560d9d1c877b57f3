"""Long output in a pager: which one, from when, and what its early end does."""

import re
import sys
import time

import pytest

from gitlab_jobs_async.cli import pager
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.pager import paged, pager_command
from gitlab_jobs_async.cli.terminal import is_terminal, write
from tests.cli.test_terminal import ESCAPE, Terminal

HEIGHT = 24


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    for name in ("PAGER", "GITLAB_JOBS_PAGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pager, "is_terminal", lambda: True)


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """Use a pager that writes to a file; return its text so far."""
    out = tmp_path / "shown"
    monkeypatch.setenv("GITLAB_JOBS_PAGER", f"tee {out}")
    return lambda: out.read_text() if out.exists() else None


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"GITLAB_JOBS_PAGER": "head -n 1", "PAGER": "tail"}, ["head", "-n", "1"]),
        ({"PAGER": "tail -n '1 2'"}, ["tail", "-n", "1 2"]),
        ({"GITLAB_JOBS_PAGER": "", "PAGER": "tail"}, []),
        ({"PAGER": "cat"}, []),
        ({"PAGER": "/no/such/pager"}, []),
        ({"PAGER": "tail; echo $(id)"}, []),
        ({"PAGER": "tail", "TERM": "dumb"}, []),
    ],
)
def test_pager_is_chosen_without_a_shell(monkeypatch, environ, words):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    found = pager_command()
    assert [found[0].rpartition("/")[2], *found[1:]] == words if words else found == []


@pytest.mark.parametrize("value", ["/no/such/pager", "less '"])
def test_mistyped_own_pager_is_an_error(monkeypatch, value):
    monkeypatch.setenv("GITLAB_JOBS_PAGER", value)
    with pytest.raises(CommandError, match=r"not found|No closing quotation"):
        pager_command()


def test_short_output_is_not_paged(shown, capfd):
    with paged():
        write("line\n" * (HEIGHT - 1))
    assert shown() is None
    assert capfd.readouterr().out == "line\n" * (HEIGHT - 1)


def test_unwanted_pager_is_not_started(shown, capfd):
    with paged(is_wanted=False):
        write("line\n" * 2 * HEIGHT)
    assert shown() is None
    assert capfd.readouterr().out.count("line") == 2 * HEIGHT


def test_first_screen_is_shown_before_the_end(shown):
    with paged():
        assert not is_terminal()  # it asks the stream that the pager replaces
        write("line\n" * HEIGHT)
        until = time.monotonic() + 10.0
        while not shown() and time.monotonic() < until:
            time.sleep(0.01)
        assert shown() == "line\n" * HEIGHT
        write("last\n")
    assert shown().endswith("line\nlast\n")


def test_early_quit_ends_the_block(monkeypatch):
    monkeypatch.setenv("GITLAB_JOBS_PAGER", "true")
    before = sys.stdout
    written = 0
    with paged():
        for _ in range(100_000):
            write("line\n")
            written += 1
    assert written < 100_000
    assert sys.stdout is before


def test_quit_of_a_listing_stops_its_requests(signed_in, world):
    world.add_finished_jobs(world.project("group/empty"), 3000)
    terminal = Terminal(["list", "group/empty"], 80, {"GITLAB_JOBS_PAGER": "head -n 3"})
    code, text = terminal.end()
    assert (code, len(text.splitlines())) == (0, 3)
    assert len(signed_in.requests) < 30


@pytest.mark.usefixtures("signed_in")
def test_paged_listing_is_one_table(world):
    world.add_finished_jobs(world.project("group/empty"), 250)
    terminal = Terminal(["list", "group/empty"], 80, {"GITLAB_JOBS_PAGER": "tail -n +1"})
    code, text = terminal.end()
    lines = ESCAPE.sub("", text).splitlines()
    assert (code, len(lines)) == (0, 252)
    assert [line.split()[0] for line in lines].count("job") == 1
    assert {len(line) <= 80 for line in lines} == {True}
    # A column of the status begins at the same place in all parts.
    assert len({re.search("[✓✗⊘»]", line).start() for line in lines[2:]}) == 1
