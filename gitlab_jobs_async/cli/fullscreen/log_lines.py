"""Rows of a log as text: numbers, colours, search hits, and lines that are wrapped or cut. Pure."""

from bisect import bisect_right
from typing import Final

from attrs import define, field
from rich.cells import cell_len
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean, clean_log
from gitlab_jobs_async.cli.fullscreen.actions import Subject
from gitlab_jobs_async.cli.fullscreen.lines import DIM
from gitlab_jobs_async.cli.fullscreen.log_document import LogDocument, LogRow
from gitlab_jobs_async.cli.views.open_styles import OpenStyles
from gitlab_jobs_async.cli.views.rows import status_symbol
from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.models.jobs import JobBasic
from gitlab_jobs_async.models.logs import LogLine

_LONGEST: Final = 20_000
"""Characters of a line that are shown; a line may have megabytes."""

_TAB: Final = 8


@define(eq=False, repr=False)
class LogText:
    """Text of the rows of a document, one or several screen lines each.

    Screen lines are numbered from 0. Without *is_wrapped* each row is one of them.
    """

    document: LogDocument
    is_wrapped: bool = False
    left: int = 0
    query: str = ""
    failure: int | None = None
    _width: int = 80
    _styles: OpenStyles = field(factory=OpenStyles)
    _open_styles: dict[int, str] = field(factory=dict)
    _read: int = 0
    _starts: list[int] = field(factory=list)
    _version: int = -1

    @property
    def gutter(self) -> int:
        """Cells of the line numbers."""
        return max(4, len(str(len(self.document.lines)))) + 1

    def arrange(self, width: int) -> int:
        """Divide new rows into screen lines of *width* cells; return the number of all."""
        self._read_styles()
        document, room = self.document, max(8, width - self.gutter)
        if not self.is_wrapped:
            self._starts, self._width, self._version = [], room, -1
            return len(document.rows)
        if room != self._width or self._version != document.version or not self._starts:
            self._starts, self._width, self._version = [0], room, document.version
        for row in document.rows[len(self._starts) - 1 :]:
            self._starts.append(self._starts[-1] + self._height(row))
        return self._starts[-1]

    def row_at(self, line: int) -> int:
        """Return the place of the row at a screen line."""
        return bisect_right(self._starts, line) - 1 if self.is_wrapped else line

    def start_of(self, row: int) -> int:
        """Return the first screen line of a row."""
        return self._starts[row] if self.is_wrapped else row

    def text(self, line: int) -> Text:
        """Return a screen line; an empty one after the last row."""
        place = self.row_at(line)
        # A section may have folded, or the log was replaced, since the rows were arranged.
        if place >= len(self.document.rows):
            return Text()
        row = self.document.rows[place]
        part = line - self.start_of(place)
        gutter = self.gutter
        if row.is_header:
            return Text.assemble(" " * gutter, self._header(row), no_wrap=True, end="")
        number = f"{self.document.lines[row.line].number:>{gutter - 1}} "
        colour = "bold red" if row.line == self.failure else "bright_black"
        front = Text(number if part == 0 else " " * gutter, colour)
        return Text.assemble(front, self._part(row, part), no_wrap=True, end="")

    def _part(self, row: LogRow, part: int) -> Text:
        text = self._line(row)
        if not self.is_wrapped:
            return text[self.left :] if self.left else text
        pieces = fold(text.plain, self._width)
        start = sum(map(len, pieces[:part]))
        return text[start : start + len(pieces[part])] if part < len(pieces) else Text()

    def _line(self, row: LogRow) -> Text:
        line = self.document.lines[row.line]
        raw = clean_log(line.raw[:_LONGEST])
        if raw == line.text and row.line not in self._open_styles:
            text = Text(raw)
        else:
            text = Text.from_ansi(self._open_styles.get(row.line, "") + raw)
        text.expand_tabs(_TAB)
        if self.query:
            is_exact = self.query != self.query.lower()
            text.highlight_words([self.query], "reverse", case_sensitive=is_exact)
        if row.line == self.failure:
            text.stylize("bold")
        return text

    def _header(self, row: LogRow) -> Text:
        section = self.document.sections[row.section]
        marker = "▾" if self.document.is_open(row.section) else "▹"
        time = "" if section.duration is None else f"  {length(section.duration)}"
        indent = "  " * section.depth
        return Text.assemble(
            (f"{indent}{marker} {clean(section.name)}", "bold cyan"), (time, "dim")
        )

    def _height(self, row: LogRow) -> int:
        if row.is_header:
            return 1
        line = self.document.lines[row.line]
        raw = line.raw[:_LONGEST]
        # Most lines need no measuring of wide characters, which is slow.
        if raw.isascii() and "\t" not in raw and clean_log(raw) == raw == line.raw:
            return max(1, -(-len(line.text) // self._width))
        return max(1, len(fold(self._line(row).plain, self._width)))

    def _read_styles(self) -> None:
        """Note the styles that are open at the start of each new line."""
        lines = self.document.lines
        for place in range(self._read, len(lines)):
            if self._styles.opened:
                self._open_styles[place] = self._styles.opened
            self._styles.read(lines[place].raw)
        self._read = len(lines)


def fold(text: str, width: int) -> list[str]:
    """Return *text* in pieces of at most *width* cells; nothing is lost."""
    if text.isascii():
        return [text[start : start + width] for start in range(0, len(text), width)]
    pieces, start, cells = [], 0, 0
    for place, letter in enumerate(text):
        size = cell_len(letter)
        if cells + size > width:
            pieces.append(text[start:place])
            start, cells = place, 0
        cells += size
    return [*pieces, text[start:]]


def heading(line: LogLine) -> str:
    """Return the sections of a line, for the status line."""
    return " > ".join(map(clean, line.section))


def header(subject: Subject, job: JobBasic, width: int) -> Text:
    """Return where a job is and its state, in one line of *width* cells."""
    symbol, colour = status_symbol(job.status)
    parts = [clean(subject.path), f"#{subject.pipeline}", clean(job.stage), clean(job.name)]
    left = Text.assemble((" > ".join(parts), "bold"), (f"  job {job.id}", DIM))
    time = "" if job.duration is None else f" {length(job.duration)}"
    right = Text.assemble((f"{symbol} {clean(job.status)}", colour), time)
    left.truncate(max(0, width - right.cell_len - 1), overflow="ellipsis", pad=True)
    return Text.assemble(left, " ", right)
