"""Output on a terminal: tables that fit, colours, questions, and no hostile text."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios

import pytest

from tests.support.command import COMMAND, HIDDEN, HOSTILE_NAME

pytestmark = pytest.mark.usefixtures("signed_in")

HEADER = "job project pipeline stage name status time created ref"
COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|.)", re.DOTALL)


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, arguments, width, environ):
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        self._process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", "GITLAB_JOBS_PAGER": "cat", **environ},
            start_new_session=True,
        )
        os.close(theirs)

    def type(self, keys):
        os.write(self._ours, keys.encode())

    def read_until(self, text):
        """Return what was shown up to *text*."""
        shown = b""
        while text.encode() not in shown:
            shown += os.read(self._ours, 65536)
        return shown

    def send(self, number):
        """Send a signal to the process and its children."""
        os.killpg(self._process.pid, number)

    def hang_up(self):
        """Close the terminal, and return the exit code."""
        os.close(self._ours)
        return self._process.wait(10)

    def end(self):
        """The exit code and all that was shown."""
        shown = b""
        while True:
            try:
                piece = os.read(self._ours, 65536)
            except OSError:  # how Linux says that the other side is gone
                break
            if not piece:
                break
            shown += piece
        os.close(self._ours)
        # A test that has read before may have cut a character.
        return self._process.wait(30), shown.decode(errors="replace").replace("\r\n", "\n")


@pytest.fixture
def on_terminal():
    def start(*arguments, width=80, keys="", **environ):
        terminal = Terminal(arguments, width, environ)
        if keys:
            terminal.type(keys)
        return terminal.end()

    return start


def text_of(shown):
    return ESCAPE.sub("", shown)


@pytest.mark.parametrize("width", [80, 120])
def test_table_fits_the_terminal(on_terminal, width):
    code, shown = on_terminal("list", "group/app", "group/evil", width=width)
    lines = text_of(shown).splitlines()
    assert code == 0
    assert all(len(line) <= width for line in lines)
    assert " ".join(lines[0].split()) == HEADER
    assert len(lines) == 2 + 7
    assert any("✓ success" in line and "compile" in line for line in lines)
    assert any("✗ failed" in line and "flaky" in line for line in lines)


def test_single_project_has_no_column(on_terminal):
    _, shown = on_terminal("list", "group/app")
    assert "project" not in shown.splitlines()[0]


def test_empty_list_prints_no_jobs(on_terminal):
    assert on_terminal("list", "group/empty") == (0, "no jobs\n")


def test_hostile_names_add_no_escape(on_terminal):
    _, shown = on_terminal("list", "group/evil", width=200)
    assert "\x1b]" not in shown
    assert "\x9b" not in shown
    assert "[bold]x[/] red tab line" in text_of(shown)
    assert all(line.isprintable() for line in text_of(shown).splitlines())


def test_no_color(on_terminal):
    _, shown = on_terminal("list", "group/app", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown)
    _, shown = on_terminal("trace", "group/evil", 5, NO_COLOR="1")
    assert "\x1b" not in shown
    _, shown = on_terminal("trace", "group/evil", 5, "--no-color")
    assert "\x1b" not in shown


@pytest.mark.parametrize("command", ["trace", "tail"])
def test_log_keeps_only_colours(on_terminal, command):
    code, shown = on_terminal(command, "group/evil", 5)
    assert code == 0
    assert "\x1b[32mgreen\x1b[0m plain" in shown
    assert COLOUR.sub("", shown) == "green plain\ntitle moved 31m c1\nred, not closed\n"
    assert shown.rstrip("\n").endswith("\x1b[0m")


def test_several_logs_have_own_colours(on_terminal):
    code, shown = on_terminal("tail", "group/evil", 5, 6, "--no-follow", "--sections")
    assert code == 0
    assert "\x1b]" not in shown
    lines = shown.splitlines()
    colours = {
        re.match(r"\x1b\[([0-9;]+)m", line)[1]
        for name in ("[bold]x[/] red tab line 5 ", "broken 6 ")
        for line in lines
        if COLOUR.sub("", line).startswith(name)
    }
    assert len(colours) == 2
    assert all(COLOUR.sub("", line).isprintable() for line in lines)
    assert "\x1b[1;36m▾ step_script\x1b[0m" in shown


def test_raw_is_refused_on_a_terminal(on_terminal):
    code, shown = on_terminal("tail", "group/evil", 5, "--raw")
    assert code == 2
    assert shown.startswith("gitlab-jobs: --raw needs a file or pipe")


def test_show_is_a_table(on_terminal):
    code, shown = on_terminal("show", "group/app", 1)
    assert code == 0
    assert "✓ success" in shown
    assert re.search(r"created_at +\S+ \(\d+ \w+ ago\)", text_of(shown))


@pytest.mark.parametrize(("keys", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_erase_asks(on_terminal, job_of, keys, code):
    result, shown = on_terminal("erase", "group/app", 1, keys=keys)
    assert result == code
    assert "Erase the log and artifacts of job 1 in group/app? [y/N]" in shown
    assert (job_of("compile").erased_at is not None) == (code == 0)


def test_archive_is_refused_on_a_terminal(on_terminal):
    code, shown = on_terminal("artifacts", "group/app", 1)
    assert code == 2
    assert shown.startswith("gitlab-jobs: stdout is a terminal")


def test_demo_on_a_terminal_is_live(on_terminal):
    code, shown = on_terminal("demo", "--speed", 50)
    assert code == 0
    text = text_of(shown)
    assert "╭─ shop/checkout · end-to-end" in text
    assert "requests a minute" in text
    last = text_of(shown.rpartition("\x1b[?1049l")[2])
    assert "Job succeeded" in last
    assert "Summary ─" in last
    assert last.rstrip().splitlines()[-1].split()[:2] == ["total", "✓"]
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_demo_restores_the_terminal(number):
    terminal = Terminal(["demo"], 80, {})
    terminal.read_until("end-to-end")
    terminal.send(number)
    code, rest = terminal.end()
    assert code == 130
    assert "Traceback" not in rest
    assert rest.rfind("\x1b[?25h") > rest.rfind("\x1b[?25l")


@pytest.mark.parametrize("options", [[], ["--plain"]], ids=["full screen", "live table"])
def test_lost_terminal_ends_the_watch(options):
    terminal = Terminal(["watch", "group/app", *options], 80, {})
    terminal.read_until("compile")  # then nothing happens any more
    assert terminal.hang_up() == 130


def test_watch_leaves_its_live_table(on_terminal, job_of):
    pipeline = job_of("broken").pipeline.id
    code, shown = on_terminal("watch", "group/evil", "--pipeline", pipeline, "--plain")
    assert code == 1
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert shown.count("\x1b[?1049h") == shown.count("\x1b[?1049l") == 1
    lines = text_of(shown.rpartition("\x1b[?1049l")[2]).splitlines()
    assert lines[0].split() == ["stage", "job", "status", "time"]
    assert any(f"#{pipeline}" in line for line in lines)
    assert any("✗ failed" in line and "broken" in line for line in lines)
    assert lines[-1] == "gitlab-jobs: job 6 broken failed (script_failure)"
    assert all(len(line) <= 80 and line.isprintable() for line in lines)


def test_interrupted_watch_leaves_its_last_state():
    terminal = Terminal(["watch", "group/app", "--logs"], 100, {})
    terminal.read_until("● running")
    terminal.send(signal.SIGINT)
    code, rest = terminal.end()
    assert code == 130
    assert "Traceback" not in rest
    last = text_of(rest.rpartition("\x1b[?1049l")[2])
    assert "unit" in last
    assert "1 target" in last
    assert rest.rfind("\x1b[?25h") > rest.rfind("\x1b[?25l")


def test_exec_prints_lines_on_a_terminal(on_terminal, job_of):
    pipeline = job_of("broken").pipeline.id
    arguments = ["watch", "group/evil", "--pipeline", pipeline, "--exec", "echo handled"]
    code, shown = on_terminal(*arguments)
    assert code == 1
    assert "\x1b" not in shown
    assert "job_appeared" in shown
    assert "handled\n" in shown


@pytest.mark.parametrize("command", ["list", "show", "trace", "tail", "watch", "cancel"])
def test_hidden_characters_are_removed(on_terminal, job_of, command):
    job = job_of(HOSTILE_NAME)
    arguments = {
        "list": ["group/evil"],
        "watch": ["group/evil", "--pipeline", job.pipeline.id, "--logs"],
    }.get(command, ["group/evil", job.id])
    _, shown = on_terminal(command, *arguments, width=200)
    words = {"trace": "green", "tail": "green", "watch": "main !"}.get(command, "tab line")
    assert words in shown
    assert not set(shown) & {*HIDDEN, "\u2028", "\x9b"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["1000", "--busy", "30"],
            {
                "rest.busy.projects": 30,
                "rest.requests_per_minute": 540,
                "rest.first_round": 111.11,
                "rest.stretch": 1.2,
            },
        ),
        (
            ["5", "--busy", "5", "--per-minute", "900"],
            {"rest.idle.projects": 0, "rest.stretch": 1.0},
        ),
        (
            ["5", "--busy", "0", "--per-minute", "100"],
            {"rest.busy.projects": 0, "rest.first_round": 3.33},
        ),
    ],
)
def test_plan_on_a_terminal_ends_with_a_table(on_terminal, arguments, expected):
    code, shown = on_terminal("watch", "--plan", *arguments)
    assert code == 0
    sentences, _, table = text_of(shown).rpartition("\n\n")
    assert "With GraphQL" in sentences or "By REST" in sentences
    found = dict(line.split() for line in table.splitlines())
    for name, number in expected.items():
        assert float(found[name]) == pytest.approx(number, abs=0.06)


def test_interrupted_wait_clears_its_line(job_of):
    """The terminal has shown ^C there, and the prompt of the shell follows."""
    terminal = Terminal(["wait", "group/evil", job_of("deploy").id], 80, {})
    terminal.read_until("is manual")
    terminal.send(signal.SIGINT)
    code, shown = terminal.end()
    assert code == 130
    assert shown.endswith("\r\x1b[K")
