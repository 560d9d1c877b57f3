"""A question before an action, the list of all keys, and that of the warnings."""

import textwrap
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from gitlab_jobs_async.cli.fullscreen.keys import Key
from gitlab_jobs_async.cli.fullscreen.line_list import Bar, LineList
from gitlab_jobs_async.cli.fullscreen.messages import Message

_KEYS_WIDTH = 14


class Question(ModalScreen[bool]):
    """A question that only `y` answers with yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes", priority=True),
        Binding("n,q,escape,enter", "answer(False)", "no", priority=True),
    ]
    DEFAULT_CSS = """
    Question { align: center middle; background: transparent; }
    Question > Vertical {
        width: auto; max-width: 90%; min-width: 30; height: 4; padding: 0 1;
        border: round $warning; background: $surface;
    }
    Question Bar { width: auto; }
    """

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def compose(self) -> ComposeResult:
        """Yield the question and its answers."""
        with Vertical() as box:
            question, answers = Bar(id="question"), Bar(id="answers")
            box.styles.width = min(len(self._words) + 4, self.app.size.width - 4)
            question.show(Text(self._words, "bold"))
            answers.show(Text.assemble(("y", "bold"), " yes   ", ("n", "bold"), " no"))
            yield question
            yield answers

    def action_answer(self, answer: bool) -> None:  # noqa: FBT001 - called by textual
        """Close the question with this answer."""
        self.dismiss(answer)


class Sheet(ModalScreen[None]):
    """A list of lines over the screen, until it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,question_mark,enter,m", "close_sheet", "close", priority=True),
        Binding("j,down", "move(1)", priority=True),
        Binding("k,up", "move(-1)", priority=True),
        Binding("pagedown,space", "move(10)", priority=True),
        Binding("pageup", "move(-10)", priority=True),
    ]
    DEFAULT_CSS = """
    Sheet { align: center middle; background: transparent; }
    Sheet > Vertical {
        width: 72; max-width: 96%; height: auto; max-height: 96%; padding: 0 1;
        border: round $primary; background: $surface;
    }
    """

    def __init__(self, title: str, lines: Sequence[Text], width: int) -> None:
        super().__init__()
        self._title, self._lines, self._width = title, lines, width
        self._list = LineList(lambda number, _width: lines[number], lambda: None)

    def compose(self) -> ComposeResult:
        """Yield the list."""
        with Vertical() as box:
            box.border_title = self._title
            box.border_subtitle = "Esc closes"
            box.styles.width = self._width
            self._list.styles.height = min(len(self._lines), max(3, self.app.size.height - 4))
            yield self._list

    def on_mount(self) -> None:
        """Show the first lines."""
        self._list.show(len(self._lines), 0)
        self._list.focus()

    def action_move(self, lines: int) -> None:
        """Move the cursor by *lines*."""
        self._list.move_to(self._list.cursor + lines)

    def action_close_sheet(self) -> None:
        """Close the list."""
        self.dismiss()


class Help(Sheet):
    """All keys with their effects."""

    def __init__(self, keys: Sequence[Key]) -> None:
        lines = [
            Text.assemble((f"{key.shown:<{_KEYS_WIDTH}}", "bold cyan"), key.words) for key in keys
        ]
        super().__init__("keys", lines, 72)


class MessageList(Sheet):
    """Messages with their times, wrapped to *width* cells."""

    def __init__(self, messages: Sequence[Message], width: int) -> None:
        lines: list[Text] = []
        for message in messages:
            time = message.at.astimezone().strftime("%H:%M:%S ")
            times = f" ({message.count} times)" if message.count > 1 else ""
            wrapped = textwrap.wrap(message.words + times, max(10, width - len(time) - 6))
            lines.append(Text.assemble((time, "bold cyan"), *wrapped[:1]))
            lines += [Text(" " * len(time) + part) for part in wrapped[1:]]
        super().__init__("warnings", lines, width)
