"""Parse trace bytes, in pieces of any size, into `LogLine`s.

The format is the runner's: 32 bytes of timestamp and stream before each line
(common/buildlogger/internal/timestamper/timestamper.go), section markers within the text, and ANSI.
"""

from copy import deepcopy
from datetime import datetime

from attrs import define, evolve, field

from gitlab_jobs_async.logs.ansi import last_state, readable
from gitlab_jobs_async.logs.line_splitting import BLOCK, split_at
from gitlab_jobs_async.logs.records import (
    HEADER_SIZE,
    LONGEST_UNCUT,
    MOST_BETWEEN,
    STREAMS,
    Record,
    RecordQueue,
    time_of,
)
from gitlab_jobs_async.logs.sections import MOST_PENDING, SectionTracker, split_markers
from gitlab_jobs_async.logs.utf16 import text_with_nulls
from gitlab_jobs_async.models.jobs import LogLine

_STREAM = slice(28, 31)
_STREAM_TYPE = 30
_STREAM_AND_FLAG = slice(28, 32)
_FLAG = 31
_CONTINUED = ord("+")


@define(eq=False, repr=False)
class LogParser:
    """Parses one log from byte *offset* on, where a line begins; keeps only unfinished lines.

    The first line shows whether the log has timestamps; if parsing begins later, the first line
    with a timestamp does. Lines keep the order of the log. The place of a line is that of its last
    text, which no carriage return has overwritten. A line is split after 4 MiB, and one with
    control characters after 256 KiB.
    """

    _offset: int = 0
    _unread: bytearray = field(factory=bytearray, init=False)
    _is_timestamped: bool | None = field(default=None, init=False)
    _queue: RecordQueue = field(factory=RecordQueue, init=False)
    _clear: int = field(default=0, init=False)
    _cut: Record | None = field(default=None, init=False)
    _passed: int = field(default=0, init=False)
    _sections: SectionTracker = field(factory=SectionTracker, init=False)
    _number: int = field(default=0, init=False)
    _lines: list[LogLine] = field(factory=list, init=False)

    @property
    def waiting(self) -> int:
        """The number of lines that may still be continued, or follow such a line."""
        if not self._queue.records:
            return 0
        # Counted by parsing ahead: a record with only a marker makes no line.
        return len(deepcopy(self).flush(is_silent=True))

    @property
    def position(self) -> int:
        """The offset of the next byte to feed."""
        return self._offset + len(self._unread)

    def feed(self, data: bytes) -> list[LogLine]:
        """Return the lines that *data*, the next bytes of the trace, completes."""
        unread = self._unread
        searched = len(unread)
        unread += data
        end = unread.rfind(b"\n", searched)
        if end >= 0:
            whole = bytes(memoryview(unread)[:end])
            del unread[: end + 1]
            self._read(whole)
            self._clear = 0
        while len(unread) > BLOCK:
            end, self._clear = split_at(unread, self._clear)
            if not end:
                break
            piece = bytes(memoryview(unread)[:end])
            del unread[:end]
            self._take_piece(piece)
            self._drain()
        return self._take_lines()

    def flush(self, *, is_silent: bool) -> list[LogLine]:
        """Return the lines that are complete because a poll brought nothing new.

        These are lines that end with a carriage return and a newline. Once the log *is_silent*, for
        longer than a runner waits with an upload, these are all lines. If one of them
        continues later, the rest becomes a separate line.
        """
        if is_silent or not self._unread:
            self._queue.settle(is_silent=is_silent)
            self._drain()
        return self._take_lines()

    def close(self) -> list[LogLine]:
        """Return the lines that the end of the trace completes; a marker alone makes one, too."""
        if self._unread.strip(b"\0"):  # half of a UTF-16 line break makes no line
            self._take(bytes(self._unread), ending=0)
            self._drain()
        self._unread.clear()
        self._queue.settle(is_silent=True)
        self._drain()
        if self._sections.pending:
            self._add("", "", None, None, self._offset)
        return self._take_lines()

    def _take_lines(self) -> list[LogLine]:
        lines, self._lines = self._lines, []
        return lines

    def _read(self, whole: bytes) -> None:
        """Parse complete lines of the trace, without the last LF."""
        lines = whole.split(b"\n")
        if self._cut is not None or (len(whole) > BLOCK and max(map(len, lines)) > BLOCK):
            for physical in lines:
                self._take(physical)
                self._drain()
            return
        if self._is_timestamped is None and self._offset == 0:
            self._is_timestamped = time_of(lines[0]) is not None
        if self._is_timestamped is False:
            self._read_bare(lines, has_returns=b"\r" in whole)
        else:
            self._read_timestamped(lines, has_returns=b"\r" in whole)

    def _read_bare(self, lines: list[bytes], *, has_returns: bool) -> None:
        offset = self._offset
        for physical in lines:
            start = offset
            offset += len(physical) + 1
            printed = physical.rstrip(b"\r") if has_returns else physical
            self._finish(printed, None, None, start, offset)
        self._offset = offset

    def _read_timestamped(self, lines: list[bytes], *, has_returns: bool) -> None:
        times = [time_of(physical) for physical in lines]
        queue, waiting = self._queue, self._queue.records
        for number, (physical, at) in enumerate(zip(lines, times, strict=True), start=1):
            start = self._offset
            end = self._offset = start + len(physical) + 1
            if at is None or (waiting and physical[_FLAG] == _CONTINUED):
                self._queue_up(physical, start, end, at)
                self._drain()
                continue
            data, key = physical[HEADER_SIZE:], physical[_STREAM]
            is_whole = not (has_returns and b"\r" in data) and len(data) <= LONGEST_UNCUT
            if not is_whole:
                following = lines[number][_STREAM_AND_FLAG] if number < len(lines) else b""
                # Mostly the next line is of the same stream, and shows that this one is complete.
                if following == key + b" " and times[number] is not None:
                    is_whole = True
                else:
                    is_whole = _is_whole(key, lines, times, number)
                if is_whole:
                    data = data.rstrip(b"\r")
            stream = STREAMS[physical[_STREAM_TYPE]]
            if is_whole and not waiting:
                self._finish(data, at, stream, start, end)
                continue
            queue.close_stream(key)
            queue.add(Record(data, start, end, at, stream, None if is_whole else key))
            self._drain()

    def _take(self, physical: bytes, *, ending: int = 1) -> None:
        """Queue one line of the trace without its LF; only the last line may lack one."""
        while len(physical) > BLOCK and (at := split_at(physical)[0]):
            self._take_piece(physical[:at])
            physical = physical[at:]
        start = self._offset
        end = self._offset = start + len(physical) + ending
        cut, self._cut = self._cut, None
        if cut is not None:
            self._queue.add(evolve(cut, data=physical, start=start, end=end))
            return
        self._queue_up(physical, start, end, self._time_of(physical, start))

    def _take_piece(self, piece: bytes) -> None:
        """Queue a part of an overlong line, as a separate, complete line."""
        start = self._offset
        end = self._offset = start + len(piece)
        if self._cut is not None:
            self._queue.add(evolve(self._cut, data=piece, start=start, end=end, stream_id=None))
            return
        at = self._time_of(piece, start)
        self._queue_up(piece, start, end, at)
        if at is None:
            self._cut = Record(b"", start, end)
        else:
            key = piece[_STREAM]
            self._queue.close_stream(key)
            self._cut = Record(b"", start, end, at, STREAMS[piece[_STREAM_TYPE]], key)

    def _time_of(self, physical: bytes, start: int) -> datetime | None:
        if self._is_timestamped is None and start == 0:
            self._is_timestamped = time_of(physical) is not None
        return None if self._is_timestamped is False else time_of(physical)

    def _queue_up(self, physical: bytes, start: int, end: int, at: datetime | None) -> None:
        if at is None:
            self._queue.add(Record(physical, start, end))
            return
        stream, key = STREAMS[physical[_STREAM_TYPE]], physical[_STREAM]
        record = Record(physical[HEADER_SIZE:], start, end, at, stream, key)
        self._queue.add(record, is_continuation=physical[_FLAG] == _CONTINUED)

    def _drain(self) -> None:
        """Turn complete records into lines."""
        # Reading may be resumed at the end of a line only where no earlier line is unfinished.
        for record in self._queue.whole():
            self._passed = max(self._passed, record.end)
            rest = self._queue.start
            end = self._passed if rest is None else min(self._passed, rest)
            self._finish(record.data, record.at, record.stream, record.start, end)

    def _finish(
        self,
        printed: bytes | bytearray,
        at: datetime | None,
        stream: str | None,
        start: int,
        end: int,
    ) -> None:
        text = raw = printed.decode("utf-8", "replace")
        if not text.isprintable():
            if "\0" in text:
                parts = split_markers(bytes(printed))
                text = raw = "".join(map(text_with_nulls, parts))
            if "\r" in text and ("\r" in (raw := text.rstrip("\r")) or "section_" in raw):
                self._finish_parts(text, at, stream, start, end)
                return
            text, raw = readable(raw)
        self._number = number = self._number + 1
        sections = self._sections
        passed = sections.passed() if sections.pending else ()
        self._lines.append(LogLine(number, text, raw, at, stream, sections.path, passed, end))

    def _finish_parts(
        self, printed: str, at: datetime | None, stream: str | None, start: int, end: int
    ) -> None:
        """Add a line for each part between markers that shows any text."""
        before = len(self._lines)
        for part in self._sections.split(printed):
            text, raw = readable(last_state(part))
            if text or len(part) == len(printed):
                self._add(text, raw, at, stream, min(start, end))
        if len(self._sections.pending) > MOST_PENDING:
            self._add("", "", at, stream, min(start, end))
        if len(self._lines) > before and not self._sections.pending:
            line = self._lines[-1]  # not by `evolve`, which is slow
            self._lines[-1] = LogLine(
                line.number,
                line.text,
                line.raw,
                line.at,
                line.stream,
                line.section,
                line.markers,
                end,
            )

    def _add(self, text: str, raw: str, at: datetime | None, stream: str | None, end: int) -> None:
        self._number = number = self._number + 1
        sections = self._sections
        passed = sections.passed() if sections.pending else ()
        self._lines.append(LogLine(number, text, raw, at, stream, sections.path, passed, end))


def _is_whole(
    stream_id: bytes, lines: list[bytes], times: list[datetime | None], after: int
) -> bool:
    """Return whether the lines from index *after* on show that the one before is complete."""
    last = after + MOST_BETWEEN
    for number in range(after, min(last, len(lines))):
        line = lines[number]
        if line.startswith(stream_id, _STREAM.start) and times[number] is not None:
            return line[_FLAG] != _CONTINUED
    return last <= len(lines)
