"""Hold hostile texts, and run the command as a process of its own."""

import os
import subprocess
import sys
from contextlib import suppress

from attrs import frozen
from hypothesis import strategies as st

HIDDEN = "\u202e\u2066\u061c\u200f\u2060\ufeff\U000e0041\U000e007f"
HOSTILE_NAME = f"[bold]x[/] \x1b]0;owned\x07\x1b[2J\x9b31mred\ttab\nline{HIDDEN}\u2028"
HOSTILE_LOG = (
    b"\x1b[32mgreen\x1b[0m plain" + HIDDEN.encode() + b"\n"
    b"\x1b]0;owned\x07title \x1b[2J\x1b[1;1Hmoved \xc2\x9b31m c1\n"
    b"\x1b[31mred, not closed\n"
)
NASTY = st.text(
    st.characters() | st.sampled_from("\x1b[];m?\x07\x9b\x9d\x90\\0123\r\n\t\u2028\u202e[bold]/")
)
ARTIFACTS = {"reports/junit.xml": b"<testsuite/>\n", "app.txt": b"app\n"}
COMMAND = [sys.executable, "-m", "gitlab_jobs_async.cli"]


@frozen
class Result:
    """The exit code and the output of one call of the command."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def output_of(*arguments, code=0, **options) -> str:
    """Return the standard output of a process that exits with *code*."""
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, check=False, **options)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode()


def is_running(pid) -> bool:
    """Return whether a process exists."""
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
