"""A question before an action, and the list of all keys."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from gitlab_jobs_async.cli.fullscreen.keys import Key
from gitlab_jobs_async.cli.fullscreen.line_list import Bar, LineList

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


class Help(ModalScreen[None]):
    """All keys with their effects."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,question_mark,enter", "close_help", "close", priority=True),
        Binding("j,down", "move(1)", priority=True),
        Binding("k,up", "move(-1)", priority=True),
        Binding("pagedown,space", "move(10)", priority=True),
        Binding("pageup", "move(-10)", priority=True),
    ]
    DEFAULT_CSS = """
    Help { align: center middle; background: transparent; }
    Help > Vertical {
        width: 72; max-width: 96%; height: auto; max-height: 96%; padding: 0 1;
        border: round $primary; background: $surface;
    }
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        super().__init__()
        self._keys = keys
        self._list = LineList(self._line, lambda: None)

    def compose(self) -> ComposeResult:
        """Yield the list of keys."""
        with Vertical() as box:
            box.border_title = "keys"
            box.border_subtitle = "Esc closes"
            self._list.styles.height = min(len(self._keys), max(3, self.app.size.height - 4))
            yield self._list

    def on_mount(self) -> None:
        """Show the first keys."""
        self._list.show(len(self._keys), 0)
        self._list.focus()

    def action_move(self, lines: int) -> None:
        """Move the cursor by *lines*."""
        self._list.move_to(self._list.cursor + lines)

    def action_close_help(self) -> None:
        """Close the help."""
        self.dismiss()

    def _line(self, number: int, _width: int) -> Text:
        key = self._keys[number]
        return Text.assemble((f"{key.shown:<{_KEYS_WIDTH}}", "bold cyan"), key.words)
