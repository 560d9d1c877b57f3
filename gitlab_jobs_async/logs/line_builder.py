"""Build the lines of a log from the text between its line breaks."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from attrs import define, field

from gitlab_jobs_async.logs.ansi import last_state, lines_with_controls, readable, without_escapes
from gitlab_jobs_async.logs.sections import MOST_PENDING, SectionTracker, split_markers
from gitlab_jobs_async.logs.utf16 import text_with_nulls
from gitlab_jobs_async.models.logs import LogLine


class _Draft(LogLine):
    """A line until it is complete: to set its attributes takes a fourth of a frozen `__init__`."""

    __slots__ = ()
    __setattr__ = object.__setattr__
    __delattr__ = object.__delattr__


@define
class LineBuilder:
    """Numbers the lines of one log, and tracks its sections."""

    _sections: SectionTracker = field(factory=SectionTracker, init=False)
    _number: int = field(default=0, init=False)
    _lines: list[LogLine] = field(factory=list, init=False)

    @property
    def has_pending_markers(self) -> bool:
        """Whether a section started or ended since the last line."""
        return bool(self._sections.pending)

    def take(self) -> list[LogLine]:
        """Return the lines that were added since the last call."""
        lines, self._lines = self._lines, []
        return lines

    def add_all(
        self,
        printed: Sequence[bytes],
        offsets: Sequence[int],
        ats: Sequence[datetime | None],
        streams: Sequence[str | None],
    ) -> None:
        """Add complete lines; number n is from byte `offsets[n]` of the log to the next offset."""
        joined = b"\n".join(printed)
        if b"\r" in joined:
            printed = [line.rstrip(b"\r") for line in printed]
            joined = b"\n".join(printed)
        text, raw = without_escapes(joined.decode("utf-8", "replace"))
        texts = text.split("\n")
        raws = texts if text is raw else raw.split("\n")
        lines = zip(texts, raws, ats, streams, offsets[1:], strict=True)
        done = 0
        for number in lines_with_controls(text):
            if number > done:
                self._add_plain(islice(lines, number - done))
            _, _, at, stream, end = next(lines)
            self.add(printed[number], at, stream, offsets[number], end)
            done = number + 1
        self._add_plain(lines)

    def add(
        self,
        printed: bytes | bytearray,
        at: datetime | None,
        stream: str | None,
        start: int,
        end: int,
    ) -> None:
        """Add one line with any content; it becomes several where a section starts or ends."""
        printed = printed.rstrip(b"\r")
        text = raw = printed.decode("utf-8", "replace")
        if not text.isprintable():
            if "\0" in text:
                text = "".join(map(text_with_nulls, split_markers(bytes(printed))))
            if "\r" in text:
                self._add_parts(text, at, stream, start, end)
                return
            text, raw = readable(text)
        self._add_plain([(text, raw, at, stream, end)])

    def add_empty(self, at: datetime | None, stream: str | None, end: int) -> None:
        """Add a line without text, for the pending markers."""
        self._add_plain([("", "", at, stream, end)])

    def _add_parts(
        self, printed: str, at: datetime | None, stream: str | None, start: int, end: int
    ) -> None:
        """Add a line for each part between markers that shows any text."""
        before = len(self._lines)
        for part in self._sections.split(printed):
            text, raw = readable(last_state(part))
            if text or len(part) == len(printed):
                self._add_plain([(text, raw, at, stream, min(start, end))])
        if len(self._sections.pending) > MOST_PENDING:
            self.add_empty(at, stream, min(start, end))
        if len(self._lines) > before and not self._sections.pending:
            object.__setattr__(self._lines[-1], "end", end)  # quicker than `evolve`

    def _add_plain(
        self, lines: Iterable[tuple[str, str, datetime | None, str | None, int]]
    ) -> None:
        """Add lines, each with its text, text with colours, time, stream and end."""
        sections, number, append = self._sections, self._number, self._lines.append
        section, new = sections.path, object.__new__
        for text, raw, at, stream, end in lines:
            number += 1
            line: Any = new(_Draft)
            line.number = number
            line.text = text
            line.raw = raw
            line.at = at
            line.stream = stream
            line.section = section
            line.markers = sections.passed() if sections.pending else ()
            line.end = end
            line.__class__ = LogLine
            append(line)
        self._number = number
