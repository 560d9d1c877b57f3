"""Long output on a terminal through a pager, which starts once a screen is full."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO, cast

from attrs import define, field

from gitlab_jobs_async.cli.errors import usage_error
from gitlab_jobs_async.cli.terminal import is_terminal

_VARIABLE: Final = "GITLAB_JOBS_PAGER"
# Colours as they are, and the text stays on the screen; as git sets it.
_LESS: Final = "FRX"


@contextmanager
def paged(*, is_wanted: bool = True, starting: Callable[[], object] = str) -> Iterator[None]:
    """Show the output of the block in a pager, if it is longer than the terminal.

    A pager that is quit early ends the block without an error. Without a terminal or a pager the
    output is written as it comes. *starting* is called before the first of it is shown.

    Raises:
        CommandError: the pager of GITLAB_JOBS_PAGER does not exist.
    """
    command = pager_command() if is_wanted and is_terminal() else []
    if not command:
        starting()
        yield
        return
    terminal = sys.stdout
    output = _PagedOutput(command, terminal, shutil.get_terminal_size().lines, starting)
    sys.stdout = cast("TextIO", output)
    try:
        with suppress(BrokenPipeError):
            yield
    finally:
        sys.stdout = terminal
        output.finish()


def pager_command() -> list[str]:
    """Return the pager with its arguments; empty for none, or for `cat`.

    It is GITLAB_JOBS_PAGER, else PAGER, else less. No shell reads it.
    """
    own = os.environ.get(_VARIABLE)
    text = os.environ.get("PAGER", "less") if own is None else own
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise usage_error(f"pager {text!r}: {error}") from error
    if not words or words == ["cat"] or os.environ.get("TERM") == "dumb":
        return []
    if (program := shutil.which(words[0])) is None:
        if own is not None:
            raise usage_error(f"{_VARIABLE}: program {words[0]!r} not found")
        return []
    return [program, *words[1:]]


@define(eq=False, repr=False)
class _PagedOutput:
    """A text file that keeps its text until it is longer than a screen, then starts the pager."""

    command: list[str]
    terminal: TextIO
    height: int
    starting: Callable[[], object]
    _kept: list[str] = field(factory=list[str], init=False)
    _lines: int = field(default=0, init=False)
    _process: "subprocess.Popen[str] | None" = field(default=None, init=False)

    def __getattr__(self, name: str) -> Any:
        # Width, encoding and colours are those of the terminal.
        return getattr(self.terminal, name)

    def write(self, text: str) -> int:
        if self._process is not None and self._process.stdin is not None:
            return self._process.stdin.write(text)
        self._kept.append(text)
        self._lines += text.count("\n")
        if self._lines >= self.height:
            self._start()
        return len(text)

    def flush(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.flush()

    @property
    def is_paged(self) -> bool:
        """True: links, which older pagers garble, are left out."""
        return True

    def _start(self) -> None:
        text = "".join(self._kept)
        self._kept.clear()
        self.starting()
        self.terminal.flush()
        self._process = subprocess.Popen(  # noqa: S603 - the user's own program, without a shell
            self.command,
            stdin=subprocess.PIPE,
            env={"LESS": _LESS, "LV": "-c"} | os.environ,
            text=True,
            encoding=self.terminal.encoding,
            errors="replace",
        )
        self.write(text)
        self.flush()

    def finish(self) -> None:
        """Write what is kept, or wait until the user has quit the pager."""
        if self._process is None:
            self.starting()
            self.terminal.write("".join(self._kept))
            self.terminal.flush()
            return
        with _ignored_interrupts():
            with suppress(BrokenPipeError):
                if self._process.stdin is not None:
                    self._process.stdin.close()
            self._process.wait()


@contextmanager
def _ignored_interrupts() -> Iterator[None]:
    # Ctrl-C belongs to the pager, which gets it, too.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
