"""Completion in real shells on a terminal: what is typed, Tab, and the words the command gets."""

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time

import pytest

NAMES = ["pytest 1/3", 'matrix: [a, "b"]', "it's $HOME", "lint:code", "build&go"]
REAL = f"{shlex.quote(sys.executable)} -m gitlab_jobs_async.cli"
BASH = f"""
gitlab-jobs() {{
  if [ "$1" = __complete ]; then {REAL} "$@"; else printf '<%s>' "$@"; echo END; fi
}}
"""
FISH = f"""
function fish_prompt; end
function fish_greeting; end
function gitlab-jobs
  if test "$argv[1]" = __complete; {REAL} $argv; else; printf '<%s>' $argv; echo END; end
end
"""
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], f"PS1=; {BASH}"),
    "zsh": (
        ["zsh", "-f", "-i"],
        f"PS1= RPS1=; unsetopt PROMPT_SP; autoload -U compinit; compinit -u -D; {BASH}",
    ),
    "fish": (["fish", "--no-config", "-i"], FISH),
}
CASES = [
    ("sh\t", ["show"]),
    ("list --include-r\t", ["list", "--include-retried"]),
    ("list --scope fail\t", ["list", "--scope", "failed"]),
    ("list --scope=fail\t", ["list", "--scope=failed"]),
    ("list --json --scope=\tmanual", ["list", "--json", "--scope=manual"]),
    ("pipelines --source sched\t", ["pipelines", "--source", "schedule"]),
    ("list --columns id,stat\t", ["list", "--columns", "id,status"]),
    ("list --scope=failed,ski\t", ["list", "--scope=failed,skipped"]),
    ("completion f\t", ["completion", "fish"]),
    ("show group/em\t", ["show", "group/empty"]),
    ("retry group/app pyt\t", ["retry", "group/app", "pytest 1/3"]),
    ('retry group/app "pytest\t', ["retry", "group/app", "pytest 1/3"]),
    ("retry group/app 'py\t", ["retry", "group/app", "pytest 1/3"]),
    ("retry group/app mat\t", ["retry", "group/app", 'matrix: [a, "b"]']),
    ("retry group/app matrix:\t", ["retry", "group/app", 'matrix: [a, "b"]']),
    ("retry group/app it\t", ["retry", "group/app", "it's $HOME"]),
    ("retry group/app lint:c\t", ["retry", "group/app", "lint:code"]),
    ("retry group/app build\t", ["retry", "group/app", "build&go"]),
    ("retry --project=group/app build\t", ["retry", "--project=group/app", "build&go"]),
]


@pytest.fixture
def warm(world, tmp_path, monkeypatch):
    """Fill the cache, as the first Tab does, so that a busy machine fails no test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TERM", "xterm")
    project = world.project("group/app")
    pipeline = world.add_pipeline(project, stages=("test",))
    for name in NAMES:
        world.add_job(pipeline, name)
    for words in (["show", ""], ["retry", "group/app", ""]):
        until = time.monotonic() + 15.0
        while not asked(words, tmp_path) and time.monotonic() < until:
            pass


def asked(words, folder):
    done = subprocess.run(
        [sys.executable, "-m", "gitlab_jobs_async.cli", "__complete", "zsh", *words],
        capture_output=True, check=True, cwd=folder,
    )  # fmt: skip
    assert done.stderr == b""
    return done.stdout


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, command, folder):
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            # Shells want a terminal that controls them.
            ["setsid", "--ctty", *command],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder,
        )  # fmt: skip
        os.close(theirs)

    def send(self, text):
        os.write(self.ours, text.encode())

    def read_until(self, end, seconds=10.0):
        shown, until = "", time.monotonic() + seconds
        while not re.search(end, shown) and time.monotonic() < until:
            if select.select([self.ours], [], [], 0.1)[0]:
                shown += os.read(self.ours, 65536).decode(errors="replace")
        assert re.search(end, shown), shown
        return shown

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


@pytest.mark.usefixtures("signed_in", "warm")
@pytest.mark.parametrize("shell", SHELLS)
def test_shell_completes_words(shell, run, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    command, setting = SHELLS[shell]
    script = tmp_path / f"script.{shell}"
    script.write_text(setting + run("completion", shell).out + "echo READY\n")
    terminal = Terminal(command, tmp_path)
    try:
        terminal.send(f"source {script}\n")
        terminal.read_until("READY")
        for typed, words in CASES:
            terminal.send(f"gitlab-jobs {typed}")
            terminal.send("\n")
            shown = terminal.read_until(r"END\s")
            assert "".join(f"<{word}>" for word in words) + "END" in shown, (typed, shown)
    finally:
        terminal.close()
