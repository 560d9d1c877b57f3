"""The common part of the screens: a list of lines, a line to type in, keys for jobs."""

import re
from abc import abstractmethod
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Key, Paste

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.fullscreen.acting_screen import ActingScreen
from gitlab_jobs_async.cli.fullscreen.dialogs import Help, MessageList
from gitlab_jobs_async.cli.fullscreen.keys import Key as TableKey
from gitlab_jobs_async.cli.fullscreen.keys import footer_keys
from gitlab_jobs_async.cli.fullscreen.line_list import Bar, LineList
from gitlab_jobs_async.cli.fullscreen.session import Session
from gitlab_jobs_async.cli.fullscreen.status_words import unread_words

_ERASERS: Final = {
    "backspace": re.compile(r".$", re.DOTALL),
    "ctrl+w": re.compile(r"\S*\s*$"),
    "ctrl+u": re.compile(r".*", re.DOTALL),
}


def bindings_of(keys: tuple[TableKey, ...]) -> list[BindingType]:
    """Return textual's bindings for a table of keys."""
    # With priority a key acts before the next one is read: an answer that is typed fast must reach
    # the question.
    return [Binding(key.keys, key.action, key.words, show=False, priority=True) for key in keys]


class ListScreen(ActingScreen):
    """A list between a line of titles and a line of keys; `/` opens a line to type in."""

    KEYS: ClassVar[tuple[TableKey, ...]] = ()
    EMPTY: ClassVar[str] = ""
    ALLOW_SELECT = False
    DEFAULT_CSS = """
    ListScreen { layout: vertical; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.list = LineList(self.line, self.on_move, placeholder=self.EMPTY)
        self.typed: str | None = None
        self.bars = {name: Bar(id=name) for name in ("header", "titles", "status", "keys")}

    def compose(self) -> ComposeResult:
        """Yield the lines of the screen from top to bottom."""
        yield self.bars["header"]
        yield self.bars["titles"]
        yield self.list
        yield self.bars["status"]
        yield self.bars["keys"]

    def on_mount(self) -> None:
        """Show the present state."""
        self.list.focus()
        self.update()

    def on_screen_resume(self) -> None:
        """Show what has changed while another screen was shown."""
        self.update()

    def on_resize(self) -> None:
        """Fit the lines to the new size."""
        self.call_after_refresh(self.update)

    @abstractmethod
    def line(self, number: int, width: int) -> Text:
        """Return the text of a line of the list."""

    @abstractmethod
    def update(self) -> None:
        """Show the present state; lines that have not changed are not drawn."""

    @abstractmethod
    def on_move(self) -> None:
        """React to a move of the cursor."""

    @abstractmethod
    def on_typed(self, text: str, *, is_complete: bool) -> None:
        """Apply what is typed after `/`."""

    def show_footer(self, words: Text) -> None:
        """Show an outage, the result of the last action, else *words*, and the keys."""
        if self.typed is not None:
            self.bars["status"].show(
                Text.assemble(("/", "bold cyan"), self.typed, (" ", "reverse"))
            )
            self._show_keys()
            return
        notice, outage = self.session.notice, self.session.connection.words()
        urgent = (outage, unread_words(self.session.messages.unread))
        front = "".join(f"{part} · " for part in urgent if part)
        self.bars["status"].show(
            Text.assemble((front, "bold yellow"), words if notice is None else notice)
        )
        self._show_keys()

    def _show_keys(self) -> None:
        shown = Text()
        for key in footer_keys(self.KEYS, self.size.width):
            action = key.action if "." in key.action else f"screen.{key.action}"
            part = Text(f" {key.shown.partition(' ')[0]}", "bold cyan").append(
                f" {key.short} ", "not bold default"
            )
            part.apply_meta({"@click": action})
            shown.append_text(part)
        self.bars["keys"].show(shown)

    def action_move(self, lines: int) -> None:
        """Move the cursor by *lines*."""
        self.list.move_to(self.list.cursor + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor by *pages*."""
        self.list.move_to(self.list.cursor + pages * max(1, self.list.page - 1))

    def action_first(self) -> None:
        """Move the cursor to the first line."""
        self.list.move_to(0)

    def action_last(self) -> None:
        """Move the cursor to the last line."""
        self.list.move_to(self.list.count - 1)

    def action_find(self) -> None:
        """Open the line to type in."""
        self.typed = ""
        self.update()

    def type_key(self, event: Key) -> None:
        """Apply a key to the line that is typed."""
        typed = self.typed or ""
        if event.key == "escape":
            self.typed = None
            self.on_typed("", is_complete=True)
        elif event.key == "enter":
            self.typed = None
            self.on_typed(typed, is_complete=True)
        elif event.key in _ERASERS:
            self.typed = _ERASERS[event.key].sub("", typed)
            self.on_typed(self.typed, is_complete=False)
        elif event.character is not None and event.is_printable:
            self.typed = typed + event.character
            self.on_typed(self.typed, is_complete=False)
        self.update()

    def on_paste(self, event: Paste) -> None:
        """Add the first line of what is pasted."""
        if self.typed is not None:
            self.typed += clean(event.text.partition("\n")[0])
            self.on_typed(self.typed, is_complete=False)
            self.update()

    def action_help(self) -> None:
        """Show all keys."""
        self.app.push_screen(Help(self.KEYS))

    def action_messages(self) -> None:
        """Show the warnings so far."""
        messages = self.session.messages
        if messages.newest:
            messages.unread = 0
            self.app.push_screen(MessageList(messages.newest, self.size.width - 4))
        else:
            self.session.say("no warnings so far")

    def action_redraw(self) -> None:
        """Draw the whole screen again, such as after another program has written to it."""
        self.list.forget()
        self.refresh(layout=True)
