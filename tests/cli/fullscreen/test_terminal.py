"""The full screen on a real terminal: tmux, and pseudo-terminals that are slow or vanish."""

import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import time

import pytest

from gitlab_jobs_async.cli.commands.watch import is_full_screen
from gitlab_jobs_async.cli.commands.watch_options import WatchOptions
from gitlab_jobs_async.cli.event_command import EventCommand
from gitlab_jobs_async.cli.terminal import supports_full_screen, supports_live
from gitlab_jobs_async.simulator import NEVER, JobPlan
from tests.support.command import COMMAND

COLOURS = re.compile(rb"\x1b\[(?:[0-9;]*;)?(?:[349][0-7]|[34]8[;0-9]*)(?:;[0-9;]*)?m")


@pytest.fixture
def tmux(tmp_path):
    """Return a function that calls tmux with a server of its own."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed: apt-get install tmux")

    def call(*arguments) -> str:
        command = ["tmux", "-S", tmp_path / "tmux", "-f", os.devnull, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    yield call
    call("kill-server")


@pytest.mark.usefixtures("signed_in")
def test_tmux_shows_a_log_and_restores_its_screen(tmux, job_of):
    watch = shlex.join([*COMMAND, "watch", "group/evil", "--theme", "dark"])
    tmux("new-session", "-d", "-x", "100", "-y", "30", "bash", "--norc", "-i")
    tmux("send-keys", f"clear; echo before; {watch}; echo code $?", "Enter")

    def shows(*words) -> str:
        for _ in range(100):
            shown = tmux("capture-pane", "-p")
            if all(word in shown for word in words):
                return shown
            time.sleep(0.05)
        pytest.fail(f"{words} are not all in:\n{shown}")

    number = str(job_of("broken").id)
    shows("✗ broken", number, "next failed")
    # All at once: no letter of the filter may act on a job.
    tmux("send-keys", "/broken", "Enter", "f", "Enter")
    shows(f"job {number}", "✗ failed", "ERROR: Job failed")
    tmux("send-keys", "C-z")
    shell = shows("before", "Stopped")
    assert "failed" not in shell.partition("Stopped")[0].replace(watch, "")
    tmux("send-keys", "bg; echo $((40 + 2))", "Enter")
    shows("42")
    tmux("send-keys", "fg; echo code $?", "Enter")
    shows(f"job {number}", "✗ failed", "ERROR: Job failed")
    # Keys still arrive, also those of a line that is typed.
    tmux("send-keys", "/", "C-z")
    shows("before", "code 148")
    tmux("send-keys", "fg; echo code $?", "Enter")
    shows(f"job {number}", "ERROR: Job failed")
    tmux("send-keys", "Enter", "q", "q")
    assert "next failed" not in shows("before", "code 0")


def open_watch(gitlab, *arguments, **environment):
    """Start `watch` on a pseudo-terminal; return its process and the other end."""
    pid, end = pty.fork()
    if pid == 0:
        os.environ |= {"GITLAB_URL": gitlab.url, "GITLAB_TOKEN": gitlab.token, "TERM": "xterm"}
        os.environ |= environment
        os.execv(COMMAND[0], [*COMMAND, "watch", *arguments])
    return pid, end


def read_until(end, words: bytes, seconds=15.0) -> bytes:
    shown, until = b"", time.monotonic() + seconds
    while words not in shown and time.monotonic() < until:
        if select.select([end], [], [], 0.1)[0]:
            shown += os.read(end, 65536)
    assert words in shown
    return shown


def quit_with(pid, end, key: bytes) -> tuple[int, bytes]:
    """Press *key*; return the exit code and what is shown until then."""
    os.write(end, key)
    shown = b""
    try:
        while data := os.read(end, 65536):
            shown += data
    except OSError:  # the terminal has no other end
        pass
    os.close(end)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


def test_exit_code_is_the_result_once_known(gitlab, world, clock):
    project = world.project("group/evil")
    endless = world.add_pipeline(project, stages=("test",))
    world.add_job(endless, "endless", plan=JobPlan(duration=NEVER, queued=0.0))
    pipeline = world.add_pipeline(project, stages=("test",))
    quick = JobPlan(duration=1.0, queued=0.0, outcome="failed")
    world.add_job(pipeline, "broken too", plan=quick)
    world.settle(clock.now() + 60.0)
    pid, end = open_watch(gitlab, "group/evil", "--pipeline", str(endless.id))
    read_until(end, b"endless")
    assert quit_with(pid, end, b"q")[0] == 130
    pid, end = open_watch(gitlab, "group/evil", "--pipeline", str(pipeline.id), NO_COLOR="1")
    drawn = read_until(end, b"ended")
    assert b"\x1b[7;" in drawn, "the selected line is reversed"
    assert not COLOURS.search(drawn)
    code, shown = quit_with(pid, end, b"q")
    assert code == 1
    assert b"broken too failed" in shown


def test_vanishing_terminal_ends_the_command(gitlab):
    pid, end = open_watch(gitlab, "group/app")
    read_until(end, b"next failed")
    os.close(end)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 130


def test_slow_terminal_does_not_delay_keys(gitlab, clock, world):
    """Nothing is read for a time in which jobs change: drawings must not queue up."""
    pid, end = open_watch(gitlab, "group/app", "group/evil")
    read_until(end, b"next failed")
    app = world.project("group/app")
    for _ in range(15):
        world.settle(clock.now())
        world.add_pipeline(app, stages=("test",))
        time.sleep(0.1)
    os.kill(pid, signal.SIGCONT)
    code, shown = quit_with(pid, end, b"q")
    assert code == 0
    assert b"\x1b[?1049h" not in shown, "it was not suspended, and does not begin again"
    assert b"\x1b[?1049l" in shown
    assert b"\x1b[?1003l" in shown


@pytest.mark.parametrize(
    ("options", "is_full"),
    [({}, True), ({"failed_only": True}, True), ({"plain": True}, False), ({"logs": True}, False)],
)
def test_full_screen_is_default_on_terminals(monkeypatch, options, is_full):
    monkeypatch.setattr("gitlab_jobs_async.cli.commands.watch.supports_full_screen", lambda: True)
    wanted = WatchOptions(**options)
    assert is_full_screen(wanted, None, json=False) is is_full
    assert not is_full_screen(wanted, None, json=True)
    assert not is_full_screen(wanted, EventCommand(("true",)), json=False)


def test_dumb_terminal_gets_no_full_screen(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert not supports_full_screen()
    for name in ("stdin", "stdout", "__stderr__"):
        monkeypatch.setattr(f"sys.{name}", Terminal())
    assert supports_full_screen()
    assert supports_live()
    for name in ("dumb", "unknown"):
        monkeypatch.setenv("TERM", name)
        assert not supports_full_screen()
        assert not supports_live()
    monkeypatch.delenv("TERM")
    assert not supports_full_screen()
    assert not supports_live()


def test_terminal_without_textual_gets_the_table(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    for name in ("stdin", "stdout", "__stderr__"):
        monkeypatch.setattr(f"sys.{name}", Terminal())
    monkeypatch.setattr("gitlab_jobs_async.cli.terminal.find_spec", lambda _name: None)
    assert supports_live()
    assert not supports_full_screen()


class Terminal:
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True

    def write(self, text) -> int:
        return len(text)

    def flush(self) -> None:
        pass
