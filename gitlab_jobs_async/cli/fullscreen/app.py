"""The full screen: a textual application over a monitor's events."""

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from queue import Queue
from typing import ClassVar, Final

from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import Event, Key

from gitlab_jobs_async.cli.closed_pipe import has_hung_up
from gitlab_jobs_async.cli.errors import INTERRUPTED, OK
from gitlab_jobs_async.cli.fullscreen.list_screen import ListScreen
from gitlab_jobs_async.cli.fullscreen.session import Session
from gitlab_jobs_async.cli.fullscreen.themes import (
    DARK,
    DARK_COLOURS,
    LIGHT,
    LIGHT_COLOURS,
    THEMES,
)
from gitlab_jobs_async.cli.fullscreen.tree_screen import TreeScreen
from gitlab_jobs_async.cli.suspension import Suspension

FASTEST: Final = 0.2
"""Seconds between two drawings of changes."""

_ALWAYS: Final = frozenset({"ctrl+c", "ctrl+z"})
"""Keys that act while a line is typed, too."""


class WatchApp(App[int]):
    """The application; its return value is the exit code.

    The times of what runs are drawn every *tick* seconds.
    """

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", priority=True, show=False),
        Binding("ctrl+z", "suspend_process", priority=True, show=False),
    ]

    def __init__(
        self,
        make_session: Callable[[Callable[[], None]], Session],
        *,
        theme: str,
        filter_text: str,
        tick: float = 1.0,
    ) -> None:
        # With NO_COLOR, textual chooses here how to remove colours: its shades of grey would be
        # black on black with the colours of a terminal.
        super().__init__(ansi_color=True)
        self.set_reactive(App.ansi_color, None)
        self.animation_level = "none"
        self.session = make_session(self.changed)
        self.failure: BaseException | None = None
        self._filter_text = filter_text
        self._tick = tick
        self._is_due = False
        self._suspension: Suspension | None = None
        self._open = ExitStack()
        self.title = "gitlab-jobs"
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.ansi_theme_dark, self.ansi_theme_light = DARK_COLOURS, LIGHT_COLOURS
        self.theme = theme

    def on_mount(self) -> None:
        """Show the pipelines, and start to take events."""
        # Textual sets one that runs tasks within `create_task`; others do not expect that.
        asyncio.get_running_loop().set_task_factory(None)
        if self._driver is not None and self._driver.can_suspend:
            self._suspension = Suspension(self._driver.suspend_application_mode, self._reopen)
            self._open.enter_context(self._suspension.installed())
            # Textual's own handler would start the screen again when the terminal closes.
            signal.signal(signal.SIGCONT, signal.SIG_DFL)
        self.push_screen(TreeScreen(self.session, filter_text=self._filter_text))
        feed = self.session.start(self.session.feed.run())
        feed.add_done_callback(self._on_feed_end)
        self.session.start(self.session.listings.list_recent())
        self.set_interval(self._tick, self._draw)

    def on_unmount(self) -> None:
        """Leave the signals to others."""
        self._open.close()

    async def on_event(self, event: Event) -> None:
        """Apply a key to the line that is typed, before any other key is read."""
        if isinstance(event, Key) and event.key not in _ALWAYS:
            screen = self.screen if self.screen_stack else None
            if isinstance(screen, ListScreen) and screen.typed is not None:
                screen.type_key(event)
                return
        await super().on_event(event)

    def changed(self) -> None:
        """Draw soon: at most five times a second, however fast changes come."""
        if not self._is_due and self.is_running:
            self._is_due = True
            self.set_timer(FASTEST, self._draw)

    def action_interrupt(self) -> None:
        """Quit at once, as Ctrl-C does."""
        self.exit(INTERRUPTED)

    def action_suspend_process(self) -> None:
        """Suspend the process, as Ctrl-Z does in a shell; `fg` shows the screen again."""
        if self._suspension is not None:
            self._suspension.suspend_group()

    def _reopen(self) -> None:
        if self._driver is not None:
            self._driver.resume_application_mode()
        self.screen.refresh(layout=True)

    async def action_quit(self) -> None:
        """Quit."""
        self.exit(OK)

    def action_next_theme(self) -> None:
        """Change to the next theme."""
        names = list(THEMES)
        present = list(THEMES.values()).index(self.theme)
        chosen = names[(present + 1) % len(names)]
        self.theme = THEMES[chosen]
        if isinstance(self.screen, ListScreen):
            self.screen.list.forget()
        self.session.say(f"theme: {chosen}")

    def _draw(self) -> None:
        self._is_due = False
        if not self.is_headless and has_hung_up(sys.stdin):
            # Textual would read its end again and again.
            self.exit(INTERRUPTED)
        elif self._is_behind():
            self.changed()
        elif isinstance(self.screen, ListScreen) and self.screen.is_mounted:
            self.screen.update()

    def _is_behind(self) -> bool:
        """Return whether a slow terminal has not taken yet what was drawn before.

        Otherwise drawings would queue up, and keys would show their effect late.
        """
        output = self._output()
        return output is not None and not output.empty()

    def let_go(self) -> None:
        """Never wait for a terminal that has vanished."""
        output = self._output()
        if output is not None:
            output.maxsize = 0

    def _output(self) -> Queue[str | None] | None:
        """Return what is still to be written; textual has no public name for it."""
        writer = getattr(self._driver, "_writer_thread", None)
        return getattr(writer, "_queue", None)

    def _on_feed_end(self, feed: asyncio.Task[None]) -> None:
        if not feed.cancelled() and (error := feed.exception()) is not None:
            self.failure = error
            self.exit(OK)
