"""The terminal as a console of rich's."""

import shutil
import sys
from typing import Any, Final

from rich.console import Console


class Screen(Console):
    """A console that raises on a closed pipe, where rich's own would exit."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.width < 1:  # COLUMNS=0: unknown, but rich believes it
            self.width = shutil.get_terminal_size().columns

    def on_broken_pipe(self) -> None:
        """Raise the error that rich has caught."""
        raise BrokenPipeError


HELP_WIDTH: Final = 100
"""Columns at most: longer lines are hard to read."""


def help_screen() -> Screen:
    """Return a console for the help, at most as wide as a page of text."""
    screen = Screen(markup=False, emoji=False, highlight=False)
    screen.width = min(screen.width, HELP_WIDTH)
    return screen


def console(*, color: bool = True) -> Screen:
    """Return a console on stdout without markup; plain if stdout is not a terminal."""
    person = sys.stdout.isatty()
    return Screen(
        file=sys.stdout,
        force_terminal=person,
        force_interactive=person,
        no_color=None if color else True,
        color_system="auto" if person and color else None,
        # Names of a server may look like rich's markup.
        markup=False,
        emoji=False,
        highlight=False,
    )
