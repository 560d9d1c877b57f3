"""A list of lines with a cursor, of which only the visible ones are made and drawn."""

from collections.abc import Callable
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.events import Click, MouseScrollDown, MouseScrollUp, Resize
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

_WHEEL: Final = 3
_BAR: Final = ("┃", "│")
_CURSOR: Final = Style(reverse=True)
_DIM: Final = Style(color="bright_black")


class LineList(Widget, can_focus=True):
    """Lines by number; *line* returns the text of one for a width.

    *moved* is called after the user has moved the cursor.

    A line is drawn again only if its text has changed, so that little is written over a slow
    connection. `cursor` is the selected line, `top` the first visible one. An empty list shows
    *placeholder*.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"line-list--cursor", "line-list--bar"}
    DEFAULT_CSS = """
    LineList { height: 1fr; width: 1fr; }
    LineList > .line-list--cursor { background: $primary 35%; text-style: bold; }
    LineList > .line-list--bar { color: $foreground 40%; }
    """

    class Opened(Message):
        """The user has clicked twice on the line under the cursor."""

    def __init__(
        self,
        line: Callable[[int, int], Text],
        moved: Callable[[], None],
        *,
        placeholder: str = "",
    ) -> None:
        super().__init__()
        self._moved = moved
        self.placeholder = placeholder
        self.count = 0
        self.cursor = 0
        self.top = 0
        self._line = line
        self._drawn: dict[int, tuple[Text, bool]] = {}

    @property
    def page(self) -> int:
        """Number of visible lines."""
        return max(1, self.size.height)

    @property
    def line_width(self) -> int:
        """Cells of a line, without the scroll bar."""
        return max(1, self.size.width - 1)

    def show(self, count: int, cursor: int) -> None:
        """Show changed lines with the cursor on one of them."""
        if count != self.count:
            self.count = count
            self.refresh(Region(self.size.width - 1, 0, 1, self.size.height))
        self._place(cursor)
        self.refresh_changed()

    def move_to(self, line: int) -> None:
        """Move the cursor."""
        before = self.cursor
        self._place(line)
        if self.cursor != before:
            self.refresh_changed()
            self._moved()

    def center(self) -> None:
        """Scroll so that the cursor's line is above the middle, with what follows below it."""
        self._show_from(self.cursor - self.page // 3)

    def refresh_changed(self) -> None:
        """Draw the visible lines again that have changed."""
        for y in range(self.size.height):
            if self._drawn.get(y) != self._wanted(y):
                self.refresh(Region(0, y, self.size.width, 1))

    def forget(self) -> None:
        """Draw all lines again."""
        self._drawn.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return a visible line; textual calls it."""
        text, is_selected = self._drawn[y] = self._wanted(y)
        style = self.rich_style
        if is_selected:
            style = self._cursor_style(style)
        width = self.line_width
        segments = [
            Segment(part.text, style + (part.style or Style()) if not is_selected else
                    self._selected(style, part.style))
            for part in text.render(self.app.console)
        ]  # fmt: skip
        strip = Strip(segments).adjust_cell_length(width, style)
        return Strip([*strip, self._bar(y)])

    def on_resize(self, _event: Resize) -> None:
        """Keep the cursor visible."""
        self._drawn.clear()
        self._place(self.cursor)
        self.refresh()

    def on_click(self, event: Click) -> None:
        """Select the line, or scroll by a click on the bar."""
        if event.x >= self.line_width:
            self._show_from(event.y * self.count // self.page - self.page // 2)
            return
        if self.top + event.y < self.count:
            self.move_to(self.top + event.y)
            if event.chain == 2:
                self.post_message(self.Opened())

    def on_mouse_scroll_down(self, _event: MouseScrollDown) -> None:
        """Scroll down; the cursor stays visible."""
        self._scroll_by(_WHEEL)

    def on_mouse_scroll_up(self, _event: MouseScrollUp) -> None:
        """Scroll up; the cursor stays visible."""
        self._scroll_by(-_WHEEL)

    def _scroll_by(self, lines: int) -> None:
        self._show_from(self.top + lines)
        self.move_to(max(self.top, min(self.cursor, self.top + self.page - 1)))

    def _place(self, line: int) -> None:
        self.cursor = max(0, min(line, self.count - 1))
        top = min(self.top, self.cursor)
        self._show_from(max(top, self.cursor - self.page + 1))

    def _show_from(self, top: int) -> None:
        top = max(0, min(top, self.count - self.page))
        if top != self.top:
            self.top = top
            self.refresh()

    def _wanted(self, y: int) -> tuple[Text, bool]:
        number = self.top + y
        if number >= self.count:
            words = "" if self.count or y else self.placeholder
            return Text(f"  {words}", "bright_black"), False
        return self._line(number, self.line_width), number == self.cursor

    def _cursor_style(self, style: Style) -> Style:
        # The colours of a terminal's own theme are unknown: only their exchange is always legible.
        if self.app.native_ansi_color or self.app.no_color:
            return style + _CURSOR
        return style + self.get_component_rich_style("line-list--cursor")

    def _selected(self, cursor: Style, style: Style | None) -> Style:
        if style is None or cursor.reverse or style.color == _DIM.color:
            return cursor
        return cursor + style + Style(bgcolor=cursor.bgcolor)

    def _bar(self, y: int) -> Segment:
        if self.count <= self.page:
            return Segment(" ", self.rich_style)
        first = self.top * self.page // self.count
        length = max(1, self.page * self.page // self.count)
        symbol = _BAR[0] if first <= y < first + length else _BAR[1]
        return Segment(symbol, self.rich_style + self.get_component_rich_style("line-list--bar"))


class Bar(Widget):
    """One line of text, drawn again only if it has changed."""

    DEFAULT_CSS = "Bar { height: 1; width: 1fr; }"

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self._text = Text()
        # Keys can be clicked without a line below them.
        self.auto_links = False

    def show(self, text: Text) -> None:
        """Show a text, cut to the width."""
        if text != self._text:
            self._text = text
            self.refresh()

    def render(self) -> Text:
        """Return the text; textual calls it."""
        # Textual ignores the style of a whole text.
        text = Text.assemble(self._text)
        text.truncate(self.size.width, overflow="ellipsis")
        return text
