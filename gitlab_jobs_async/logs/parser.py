"""Parse trace bytes, in pieces of any size, into `LogLine`s.

The format is the runner's: 32 bytes of timestamp and stream before each line
(common/buildlogger/internal/timestamper/timestamper.go), section markers within the text, and ANSI.
"""

from bisect import bisect_left
from copy import deepcopy
from datetime import datetime
from itertools import accumulate

from attrs import define, evolve, field

from gitlab_jobs_async.logs.line_builder import LineBuilder
from gitlab_jobs_async.logs.line_splitting import BLOCK, split_at
from gitlab_jobs_async.logs.record_headers import (
    HEADER_SIZE,
    STREAM_ID,
    end_of_records,
    is_continuation,
    start_of_records,
    stream_of,
    streams_of,
    texts_of,
    time_of,
    times_of,
)
from gitlab_jobs_async.logs.records import Record, RecordQueue, unfinished
from gitlab_jobs_async.models.logs import LogLine


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
    _builder: LineBuilder = field(factory=LineBuilder, init=False)

    def waiting(self) -> list[LogLine]:
        """Return the lines, as they are now, that may be continued, or follow such a line."""
        if not self._queue.records:
            return []
        # By parsing ahead: a record with only a marker makes no line.
        return deepcopy(self).flush(is_silent=True)

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
            whole = bytes(memoryview(unread)[: end + 1])
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
        return self._builder.take()

    def flush(self, *, is_silent: bool) -> list[LogLine]:
        """Return the lines that are complete because a poll brought nothing new.

        These are lines that end with a carriage return and a newline. Once the log *is_silent*, for
        longer than a runner waits with an upload, these are all lines. If one of them
        continues later, the rest becomes a separate line.
        """
        if is_silent or not self._unread:
            self._queue.settle(is_silent=is_silent)
            self._drain()
        return self._builder.take()

    def close(self) -> list[LogLine]:
        """Return the lines that the end of the trace completes; a marker alone makes one, too."""
        if self._unread.strip(b"\0"):  # half of a UTF-16 line break makes no line
            self._take(bytes(self._unread), ending=0)
            self._drain()
        self._unread.clear()
        self._queue.settle(is_silent=True)
        self._drain()
        if self._builder.has_pending_markers:
            self._builder.add_empty(None, None, self._offset)
        return self._builder.take()

    def _read(self, whole: bytes) -> None:
        """Parse complete lines of the trace, as many at once as possible."""
        lines = whole[:-1].split(b"\n")
        if self._cut is not None or (len(whole) > BLOCK and max(map(len, lines)) > BLOCK):
            self._take_each(lines)
            return
        if self._is_timestamped is None and self._offset == 0:
            self._is_timestamped = time_of(whole) is not None
        if self._is_timestamped is False:
            self._read_bare(lines)
            return
        start = 0
        while start < len(whole):
            end = end_of_records(whole, start)
            if end > start:
                self._read_records(whole[start : end - 1].split(b"\n"))
            else:
                end = start_of_records(whole, start)
                self._read_bare(whole[start : end - 1].split(b"\n"))
            start = end

    def _read_bare(self, lines: list[bytes]) -> None:
        """Parse lines without a header."""
        if self._queue.records:
            self._take_each(lines)
        else:
            nothing = [None] * len(lines)
            self._add_all(lines, lines, nothing, nothing)

    def _read_records(self, records: list[bytes]) -> None:
        """Parse lines with a header."""
        try:
            ats = times_of(records)
        except ValueError:
            self._take_each(records)
            return
        data, streams = texts_of(records), streams_of(records)
        self._queue.close_before(records)
        self._drain()
        stops = [*unfinished(records), len(records)]
        done = 0
        while done < len(records):
            stop = stops[bisect_left(stops, done)]
            if stop > done and not self._queue.records:
                some = slice(done, stop)
                self._add_all(records[some], data[some], ats[some], streams[some])
                done = stop
                continue
            physical, start = records[done], self._offset
            end = self._offset = start + len(physical) + 1
            self._queue_up(physical, start, end, ats[done])
            if stop > done and not is_continuation(physical):
                self._queue.close_stream(physical[STREAM_ID])
            self._drain()
            done += 1

    def _add_all(
        self,
        lines: list[bytes],
        printed: list[bytes],
        ats: list[datetime] | list[None],
        streams: list[str] | list[None],
    ) -> None:
        """Turn *lines*, of which *printed* is the text, into lines without the queue."""
        offsets = list(accumulate([len(line) + 1 for line in lines], initial=self._offset))
        self._offset = offsets[-1]
        self._builder.add_all(printed, offsets, ats, streams)

    def _take_each(self, lines: list[bytes]) -> None:
        """Queue lines one by one."""
        for physical in lines:
            self._take(physical)
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
            stream_id = piece[STREAM_ID]
            self._queue.close_stream(stream_id)
            self._cut = Record(b"", start, end, at, stream_of(piece), stream_id)

    def _time_of(self, physical: bytes, start: int) -> datetime | None:
        if self._is_timestamped is None and start == 0:
            self._is_timestamped = time_of(physical) is not None
        return None if self._is_timestamped is False else time_of(physical)

    def _queue_up(self, physical: bytes, start: int, end: int, at: datetime | None) -> None:
        if at is None:
            self._queue.add(Record(physical, start, end))
            return
        stream, stream_id = stream_of(physical), physical[STREAM_ID]
        record = Record(physical[HEADER_SIZE:], start, end, at, stream, stream_id)
        self._queue.add(record, is_continuation=is_continuation(physical))

    def _drain(self) -> None:
        """Turn complete records into lines."""
        # Reading may be resumed at the end of a line only where no earlier line is unfinished.
        for record in self._queue.whole():
            self._passed = max(self._passed, record.end)
            rest = self._queue.start
            end = self._passed if rest is None else min(self._passed, rest)
            self._builder.add(record.data, record.at, record.stream, record.start, end)
