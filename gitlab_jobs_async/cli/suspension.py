"""Suspend a screen as a shell expects it: by Ctrl-Z, until `fg`."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final

from attrs import define
from rich.console import Console

_STDIN: Final = 0


@define(eq=False, repr=False)
class Suspension:
    """Calls *leave* before SIGTSTP stops the process, and *enter* once it is in front again."""

    leave: Callable[[], None]
    enter: Callable[[], None]
    _is_left: bool = False

    @contextmanager
    def installed(self) -> Iterator["Suspension"]:
        """Handle the signal in the running loop."""
        try:
            self._install()
        except (AttributeError, NotImplementedError):  # Windows
            yield self
            return
        try:
            yield self
        finally:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTSTP)

    def _install(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTSTP, self.suspend)

    def suspend_group(self) -> None:
        """Suspend this process and the others of its group, as a terminal does at Ctrl-Z."""
        # First: once another process has stopped, the shell may take the terminal.
        self._leave()
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        os.kill(0, signal.SIGTSTP)
        self.suspend()

    def suspend(self) -> None:
        """Suspend this process; return once it is continued in the foreground.

        The system ignores the signal where no shell could continue the process.
        """
        self._leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)
        with suppress(OSError):  # the terminal has closed, and SIGHUP ends the command
            while os.tcgetpgrp(_STDIN) != os.getpgrp():
                # After `bg`: until `fg` continues it once more.
                signal.raise_signal(signal.SIGSTOP)
            self._is_left = False
            self.enter()
        self._install()

    def _leave(self) -> None:
        if not self._is_left:
            self._is_left = True
            self.leave()


def suspendable(screen: Console, redraw: Callable[[], None]) -> AbstractContextManager[Suspension]:
    """Give the terminal back to the shell at Ctrl-Z; *redraw* what filled the screen after `fg`."""

    def leave() -> None:
        screen.set_alt_screen(enable=False)
        screen.show_cursor(show=True)

    def enter() -> None:
        screen.set_alt_screen(enable=True)
        screen.show_cursor(show=False)
        redraw()

    return Suspension(leave, enter).installed()
