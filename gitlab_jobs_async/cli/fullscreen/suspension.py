"""Signals of a terminal: the screen is restarted only after it was suspended, and never later."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_NAMES: Final = ("SIGTSTP", "SIGCONT", "SIGWINCH")
_NUMBERS: Final = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


@contextmanager
def restored_signals() -> Iterator[None]:
    """Restore the handlers that textual replaces."""
    saved = {number: signal.getsignal(number) for number in _NUMBERS}
    try:
        yield
    finally:
        for number, handler in saved.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def guard_suspension() -> None:
    """Let SIGCONT restart the screen only after SIGTSTP.

    A terminal that closes sends SIGHUP and SIGCONT. Textual would start to draw on it again, and
    wait for it forever.
    """
    if len(_NUMBERS) < len(_NAMES):  # Windows
        return
    suspend, restart = signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)
    if not callable(suspend) or not callable(restart):
        return
    is_suspended = False

    def on_stop(number: int, frame: FrameType | None) -> None:
        nonlocal is_suspended
        is_suspended = True
        suspend(number, frame)

    def on_continue(number: int, frame: FrameType | None) -> None:
        nonlocal is_suspended
        if is_suspended:
            is_suspended = False
            restart(number, frame)

    signal.signal(signal.SIGTSTP, on_stop)
    signal.signal(signal.SIGCONT, on_continue)
