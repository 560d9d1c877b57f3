"""Trace bytes -> LogLines, however the bytes are cut; nothing but colours survives in a line.

The format is the runner's: 32 bytes of timestamp and stream before each line
(common/buildlogger/internal/timestamper), section markers among the text, and ANSI.
"""

import re
from datetime import datetime

from attrs import define, evolve, field

from gitlab_jobs_async.models import LogLine
from gitlab_jobs_async.sansio.ansi import last_state, readable
from gitlab_jobs_async.sansio.sections import SectionTracker, last_marker_end

_HEADER = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-f]{2}[OE][ +]")
_HEADER_SIZE = 32
_TIMESTAMP_SIZE = 27
_STREAM = slice(28, 31)
_FLAG = slice(31, 32)
_STREAMS = {b"O": "stdout", b"E": "stderr"}

_LONGEST_UNCUT = 8192 - _HEADER_SIZE
"""Bytes of text that the runner's buffer holds beside the header; it cuts what is longer."""


@define
class _Held:
    """A line that the runner may continue: where it begins, and the pieces that have come."""

    start: int
    at: datetime | None
    stream: str
    pieces: list[bytes] = field(factory=list)


@define
class LogParser:
    """Reads one log from its byte *offset* on; keeps only what may still grow or be continued.

    Begin where a line does. Whether the log has timestamps is decided by its first line; where that
    is not read, by the first line that has one.
    """

    _offset: int = 0
    _unread: bytearray = field(factory=bytearray, init=False)
    _is_timestamped: bool | None = field(default=None, init=False)
    _held: dict[bytes, _Held] = field(factory=dict, init=False)
    _sections: SectionTracker = field(factory=SectionTracker, init=False)
    _number: int = field(default=0, init=False)
    _lines: list[LogLine] = field(factory=list, init=False)

    def feed(self, data: bytes) -> list[LogLine]:
        """The lines that *data*, the next bytes of the trace, completes."""
        searched = len(self._unread)
        self._unread += data
        end = self._unread.rfind(b"\n", searched)
        if end < 0:
            return []
        whole = bytes(memoryview(self._unread)[:end])
        del self._unread[: end + 1]
        for physical in whole.split(b"\n"):
            self._take(physical)
        return self._told()

    def close(self) -> list[LogLine]:
        """The lines that the end of the trace completes; a marker at the very end gets its own."""
        if self._unread:
            self._take(bytes(self._unread), ending=0)
            self._unread.clear()
        for stream in tuple(self._held):
            self._release(stream, self._offset)
        if self._sections.pending:
            self._add("", "", None, None, self._offset)
        return self._told()

    def _told(self) -> list[LogLine]:
        lines, self._lines = self._lines, []
        return lines

    def _take(self, physical: bytes, *, ending: int = 1) -> None:
        """One line of the trace without its LF; only the last line may have none."""
        start = self._offset
        self._offset = end = start + len(physical) + ending
        at = None if self._is_timestamped is False else _time_of(physical)
        if self._is_timestamped is None and (at is not None or start == 0):
            self._is_timestamped = at is not None
        if at is None:
            self._finish(physical, start, end)
            return
        key, data = physical[_STREAM], physical[_HEADER_SIZE:]
        stream = _STREAMS[key[2:]]
        if key in self._held and physical[_FLAG] == b" ":
            self._release(key, start)
        if b"\r" in data or len(data) > _LONGEST_UNCUT:
            self._hold(key, _Held(start, at, stream), data)
        elif key in self._held:
            self._held[key].pieces.append(data)
            self._release(key, end)
        else:
            self._finish(data, start, end, at, stream)

    def _hold(self, key: bytes, new: _Held, data: bytes) -> None:
        """Keep a line that the runner may continue: one that it cut, or flushed for its CR.

        What stands before a marker is whole, and the marker counts from here on for all streams.
        """
        held = self._held.setdefault(key, new)
        rest = last_marker_end(data)
        held.pieces.append(data[:rest] if rest else data)
        if rest:
            self._release(key, self._offset if rest == len(data) else new.start)
            if rest < len(data):
                self._held[key] = _Held(new.start, new.at, new.stream, [data[rest:]])

    def _release(self, key: bytes, end: int) -> None:
        held = self._held.pop(key)
        self._finish(b"".join(held.pieces), held.start, end, held.at, held.stream)

    def _finish(
        self,
        printed: bytes,
        start: int,
        end: int,
        at: datetime | None = None,
        stream: str | None = None,
    ) -> None:
        if self._held:
            end = min(end, *(held.start for held in self._held.values()))
        text = raw = printed.decode("utf-8", "replace")
        if not text.isprintable():
            if "\r" in text:
                self._finish_parts(text, start, end, at, stream)
                return
            text, raw = readable(text)
        self._add(text, raw, at, stream, end)

    def _finish_parts(
        self, printed: str, start: int, end: int, at: datetime | None, stream: str | None
    ) -> None:
        """Each part between markers is a line, except those in which nothing is said."""
        before = len(self._lines)
        for part in self._sections.split(printed):
            text, raw = readable(last_state(part))
            if text or len(part) == len(printed):
                self._add(text, raw, at, stream, min(start, end))
        if len(self._lines) > before and not self._sections.pending:
            self._lines[-1] = evolve(self._lines[-1], end=end)

    def _add(self, text: str, raw: str, at: datetime | None, stream: str | None, end: int) -> None:
        self._number += 1
        sections = self._sections
        passed = sections.passed() if sections.pending else ()
        line = LogLine(self._number, text, raw, at, stream, sections.path, passed, end)
        self._lines.append(line)


def _time_of(physical: bytes) -> datetime | None:
    """What the header of a line says, if it has one."""
    if _HEADER.match(physical) is None:
        return None
    try:
        return datetime.fromisoformat(physical[:_TIMESTAMP_SIZE].decode())
    except ValueError:
        return None
