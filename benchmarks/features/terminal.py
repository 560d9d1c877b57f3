"""Programs that take a whole terminal, driven by keys."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.features.answers import Step

ROWS, COLUMNS = 24, 120

_STYLE = re.compile(rb"\x1b\[[0-9;:]*m|\x0f|\x1b\(B")
_CONTROL = re.compile(rb"\x1b\[[0-9;?<>=!]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.")


def press(
    command: Sequence[str],
    steps: Sequence[Step],
    *,
    folder: Path,
    environment: Mapping[str, str],
    seconds: float,
) -> tuple[bool, str]:
    """Press the keys of *steps*; return whether all texts were shown, and what was drawn.

    Each text has *seconds* to be drawn after the keys before it. Then the program is killed.
    """
    screen, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        # The program may open /dev/tty.
        ["setsid", "--ctty", *command],
        cwd=folder,
        env={**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        stdin=side,
        stdout=side,
        stderr=side,
    )
    os.close(side)
    drawn = b""
    try:
        for step in steps:
            shown = b""
            end = time.monotonic() + seconds
            while not re.search(step.waits_for, readable(shown)):
                if time.monotonic() > end or (piece := _piece(screen)) is None:
                    return False, drawn.decode(errors="replace")
                shown += piece
                drawn += piece
            for key in step.pressed:
                os.write(screen, key.encode())
                time.sleep(0.05)
        return True, drawn.decode(errors="replace")
    finally:
        process.kill()
        process.wait()
        os.close(screen)


def readable(drawn: bytes) -> str:
    """Return the text that was drawn, without styles and movements."""
    return _CONTROL.sub(b" ", _STYLE.sub(b"", drawn)).decode(errors="replace")


def _piece(screen: int) -> bytes | None:
    if not select.select([screen], [], [], 0.1)[0]:
        return b""
    try:
        return os.read(screen, 65_536)
    except OSError:  # the program has ended
        return None
