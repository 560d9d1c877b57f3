"""Trace bytes -> LogLines, however the bytes are cut; nothing but colours survives in a line.

The format is the runner's: 32 bytes of timestamp and stream before each line
(common/buildlogger/internal/timestamper), section markers among the text, and ANSI.
"""

import re
from datetime import datetime

from attrs import define, evolve, field, frozen

from gitlab_jobs_async.models import LogLine
from gitlab_jobs_async.sansio.ansi import readable
from gitlab_jobs_async.sansio.sections import SectionTracker, last_marker_end, may_hold_marker

_HEADER = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-f]{2}[OE][ +]")
_HEADER_SIZE = 32
_TIMESTAMP_SIZE = 27
_STREAM = slice(28, 31)
_FLAG = slice(31, 32)
_STREAMS = {b"O": "stdout", b"E": "stderr"}

_LONGEST_UNCUT = 8192 - _HEADER_SIZE
"""Bytes of text that the runner's buffer holds beside the header; it cuts what is longer."""


@frozen
class _Origin:
    """Where in the trace a line begins, and what its header says."""

    offset: int
    at: datetime | None = None
    stream: str | None = None


@define
class _Held:
    """A line that the runner may continue, in the pieces that have come so far."""

    origin: _Origin
    pieces: list[bytes] = field(factory=list)


@define
class LogParser:
    """Reads one log from its byte *offset* on; keeps only what may still grow or be continued.

    Begin where a line does: whether the log has timestamps is decided by the first line read.
    """

    _offset: int = 0
    _unread: bytearray = field(factory=bytearray, init=False)
    _is_timestamped: bool | None = field(default=None, init=False)
    _held: dict[bytes, _Held] = field(factory=dict, init=False)
    _sections: SectionTracker = field(factory=SectionTracker, init=False)
    _number: int = field(default=0, init=False)

    def feed(self, data: bytes) -> list[LogLine]:
        """The lines that *data*, the next bytes of the trace, completes."""
        searched = len(self._unread)
        self._unread += data
        end = self._unread.rfind(b"\n", searched)
        if end < 0:
            return []
        whole = bytes(memoryview(self._unread)[:end])
        del self._unread[: end + 1]
        lines: list[LogLine] = []
        for physical in whole.split(b"\n"):
            self._take(physical, lines)
        return lines

    def close(self) -> list[LogLine]:
        """The lines that the end of the trace completes; a marker at the very end gets its own."""
        lines: list[LogLine] = []
        if self._unread:
            self._take(bytes(self._unread), lines)
            self._unread.clear()
        for stream in tuple(self._held):
            self._release(stream, self._offset, lines)
        if self._sections.has_passed:
            self._add("", "", _Origin(self._offset), self._offset, lines)
        return lines

    def _take(self, physical: bytes, lines: list[LogLine]) -> None:
        """One line of the trace, without its LF."""
        start = self._offset
        self._offset = start + len(physical) + 1
        at = None if self._is_timestamped is False else _time_of(physical)
        if self._is_timestamped is None:
            self._is_timestamped = at is not None
        if at is None:
            self._finish(physical, _Origin(start), self._offset, lines)
            return
        stream = physical[_STREAM]
        if stream in self._held and physical[_FLAG] == b" ":
            self._release(stream, start, lines)
        origin = _Origin(start, at, _STREAMS[stream[2:]])
        data = physical[_HEADER_SIZE:]
        if b"\r" in data or len(data) > _LONGEST_UNCUT:
            self._hold(stream, data, origin, lines)
        elif stream in self._held:
            self._held[stream].pieces.append(data)
            self._release(stream, self._offset, lines)
        else:
            self._finish(data, origin, self._offset, lines)

    def _hold(self, stream: bytes, data: bytes, origin: _Origin, lines: list[LogLine]) -> None:
        """Keep a line that the runner may continue: one that it cut, or flushed for its CR.

        What stands before a marker is whole, and the marker counts from here on for all streams.
        """
        held = self._held.setdefault(stream, _Held(origin))
        held.pieces.append(data)
        rest = last_marker_end(data)
        if not rest:
            return
        del self._held[stream]
        if rest < len(data):
            self._held[stream] = _Held(origin, [data[rest:]])
        held.pieces[-1] = data[:rest]
        self._finish(b"".join(held.pieces), held.origin, self._offset, lines)

    def _release(self, stream: bytes, end: int, lines: list[LogLine]) -> None:
        held = self._held.pop(stream)
        self._finish(b"".join(held.pieces), held.origin, end, lines)

    def _finish(self, printed: bytes, origin: _Origin, end: int, lines: list[LogLine]) -> None:
        if self._held:
            end = min(end, *(held.origin.offset for held in self._held.values()))
        text = printed.decode(errors="replace")
        if text.isprintable():
            self._add(text, text, origin, end, lines)
        elif may_hold_marker(printed):
            self._finish_parts(printed, origin, end, lines)
        else:
            self._add(*readable(text), origin, end, lines)

    def _finish_parts(
        self, printed: bytes, origin: _Origin, end: int, lines: list[LogLine]
    ) -> None:
        """Each part between markers is a line, except those in which nothing is said."""
        before = len(lines)
        for part in self._sections.split(printed):
            text, raw = readable(part.decode(errors="replace"))
            if text or len(part) == len(printed):
                self._add(text, raw, origin, origin.offset, lines)
        if len(lines) > before:
            lines[-1] = evolve(lines[-1], end=end)

    def _add(self, text: str, raw: str, origin: _Origin, end: int, lines: list[LogLine]) -> None:
        self._number += 1
        sections = self._sections
        passed = sections.passed() if sections.has_passed else ()
        lines.append(
            LogLine(
                self._number, text, raw, origin.at, origin.stream, sections.path, passed, end
            )
        )


def _time_of(physical: bytes) -> datetime | None:
    """What the header of a line says, if it has one."""
    if _HEADER.match(physical) is None:
        return None
    try:
        return datetime.fromisoformat(physical[:_TIMESTAMP_SIZE].decode())
    except ValueError:
        return None
