"""Join the records of a log with timestamps to complete lines, in their order.

A runner writes a line as several records if it cannot wait for its end: after 8 KiB, and after a
write with a carriage return and no newline. The next record of the same stream then has a "+"
(common/buildlogger/internal/timestamper/timestamper.go). A carriage return and newline end a
record, too, so that only the next record of the stream shows whether one is complete.
"""

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from attrs import define, evolve, field

from gitlab_jobs_async.logs.ansi import (
    carried_styles,
    last_state,
    last_state_start,
    readable,
    shows,
)
from gitlab_jobs_async.logs.record_headers import (
    HEADER_SIZE,
    continuations_of,
    is_continuation,
    stream_ids_of,
)
from gitlab_jobs_async.logs.sections import (
    LONGEST_MARKER,
    ends_within_marker,
    is_marker,
    last_marker_end,
)

_BUFFER = 8192
LONGEST_UNCUT: Final = _BUFFER - HEADER_SIZE
"""Bytes of text that the runner's buffer holds beside the header; it cuts longer lines."""

LONGEST_LINE: Final = 4 * 1024 * 1024
"""Bytes of the longest line: the default limit of a runner for a whole log."""

MOST_BETWEEN: Final = 16
"""A record is complete if none of this many next ones continues it."""

_MOST_RECORDS = 1024
"""Records kept at once, even if the first of them is continued again and again."""


@define(eq=False, repr=False)
class Record:
    """The text of a line that may still be continued, from byte *start* of the log to *end*.

    It waits for a record of its *stream_id*, `None` once it is complete. It *is_bar* if it
    overwrote another one, so that more are likely to follow. `is_at_start` is whether the cursor is
    at the start of the line, where the next text overwrites it. `number` counts the records up to
    the last one that it consists of.
    """

    data: bytes | bytearray
    start: int
    end: int
    at: datetime | None = None
    stream: str | None = None
    stream_id: bytes | None = None
    is_bar: bool = False
    is_at_start: bool = False
    number: int = 0


@define(eq=False, repr=False)
class RecordQueue:
    """Keeps *records* in order until they are complete."""

    records: deque[Record] = field(factory=deque, init=False)
    _open: dict[bytes, Record] = field(factory=dict, init=False)
    _size: int = field(default=0, init=False)
    _number: int = field(default=0, init=False)

    @property
    def start(self) -> int | None:
        """The first byte of the records; `None` without any."""
        return self.records[0].start if self.records else None

    def add(self, record: Record, *, is_continuation: bool = False) -> None:
        """Append *record*; without a `stream_id` it is complete."""
        self._number += 1
        if record.stream_id is None:
            self._append(record)
            return
        before = self._open.get(record.stream_id)
        if before is not None and self._number - before.number > MOST_BETWEEN:
            is_continuation = False  # of a record that is complete by now
        if before is not None and is_continuation:
            self._continue(before, record)
            return
        # A record of the same stream without "+" shows that the one before is complete.
        if before is not None:
            self._close(before)
        self._open_or_append(record, is_cut=may_be_continued(record.data))

    def close_stream(self, stream_id: bytes) -> None:
        """Mark the last record of a stream as complete."""
        if stream_id in self._open:
            self._close(self._open[stream_id])

    def close_before(self, following: list[bytes]) -> None:
        """Mark records as complete that the *following* ones, not yet added, do not continue."""
        ids = stream_ids_of(following[:MOST_BETWEEN])
        for stream_id in [*self._open]:
            if stream_id in ids and not is_continuation(following[ids.index(stream_id)]):
                self.close_stream(stream_id)

    def whole(self) -> Iterator[Record]:
        """Pop the first records, up to one that may be continued."""
        queue = self.records
        while queue:
            first = queue[0]
            if first.stream_id is not None:
                is_late = self._number - first.number >= MOST_BETWEEN
                is_full = self._size > LONGEST_LINE or len(queue) > _MOST_RECORDS
                if not is_late and not is_full:
                    return
                self._close(first)
            queue.popleft()
            self._size -= len(first.data)
            yield first

    def settle(self, *, is_silent: bool) -> None:
        """Mark records as complete because a poll brought nothing more.

        This concerns records that end with a carriage return, as on Windows and in terminals.
        Progress bars and records that end within a section marker stay open. If the log
        *is_silent*, for longer than a runner waits with an upload, it concerns all records.
        """
        for record in self.records:
            if record.stream_id is None:
                continue
            is_open = record.is_bar or not record.is_at_start or ends_within_marker(record.data)
            if is_open and not is_silent:
                return
            self._close(record)

    def _append(self, record: Record) -> None:
        record.number = self._number
        self.records.append(record)
        self._size += len(record.data)

    def _close(self, record: Record) -> None:
        if record.stream_id is not None:
            del self._open[record.stream_id]
            record.stream_id = None

    def _open_or_append(self, record: Record, *, is_cut: bool) -> None:
        """Append *record*; if it *is_cut*, only the text before its last marker is complete."""
        data = record.data
        if not is_cut:
            record.stream_id = None
            self._append(record)
            return
        marked = last_marker_end(data)
        if marked and _is_blank(data[marked:]):
            record.stream_id = None
            self._append(record)
            return
        if marked:
            before = evolve(record, data=data[:marked], stream_id=None)
            self._append(before)
            record.data = data = data[marked:]
        record.is_at_start = _is_at_start(data)
        self._append(record)
        if record.stream_id is not None:
            self._open[record.stream_id] = record

    def _continue(self, before: Record, record: Record) -> None:
        """Join *record* to the one *before*, or replace that by it."""
        data = record.data
        # A marker ends a line for a reader, though not for the runner.
        marked = _marker_end_across(before.data, data)
        if marked:
            self._extend(before, data[:marked], record.end)
            self._close(before)
            if marked < len(data):
                rest = evolve(record, data=data[marked:])
                self._open_or_append(rest, is_cut=may_be_continued(data))
            return
        if last_state_start(data) or (before.is_at_start and shows(data)):
            self._overwrite(before, record)
            return
        if len(before.data) + len(data) > LONGEST_LINE:
            self._close(before)
            self._open_or_append(record, is_cut=may_be_continued(data))
            return
        if before.is_at_start:  # and nothing is shown: only colours matter
            self._extend(before, _styles(data), record.end)
        else:
            self._extend(before, data, record.end)
            before.is_at_start = b"\r" in data
        if not may_be_continued(data):
            self._close(before)

    def _overwrite(self, before: Record, record: Record) -> None:
        is_next = self.records[-1] is before
        self.records.remove(before)
        self._size -= len(before.data)
        self._close(before)
        is_whole = not may_be_continued(record.data)
        # Reading may be resumed at a line between them, and then misses the colours.
        if is_next and (styles := _styles(before.data)):
            record.data = styles + record.data
            record.start = before.start
        if is_whole:
            record.stream_id = None
        elif record.stream_id is not None:
            self._open[record.stream_id] = record
            record.is_bar = True
            record.is_at_start = _is_at_start(record.data)
        self._append(record)

    def _extend(self, record: Record, data: bytes | bytearray, end: int) -> None:
        if isinstance(record.data, bytes):
            record.data = bytearray(record.data)
        record.data += data
        record.end = end
        record.number = self._number
        self._size += len(data)


def unfinished(records: list[bytes]) -> list[int]:
    """Return the numbers of those *records* that the next ones do not show to be complete."""
    if b"\r" not in b"".join(records) and max(map(len, records)) <= _BUFFER:
        return []
    ids = stream_ids_of(records)
    newest = max(0, len(ids) - MOST_BETWEEN)
    # The last one of each stream, and each that a later one continues.
    found = set({stream: number for number, stream in enumerate(ids[newest:], newest)}.values())
    for number in continuations_of(records):
        if number and ids[number - 1] == ids[number]:
            found.add(number - 1)
            continue
        before = ids[max(0, number - MOST_BETWEEN) : number][::-1]
        if ids[number] in before:
            found.add(number - 1 - before.index(ids[number]))
    return sorted(number for number in found if _is_cut(records[number]))


def _is_cut(record: bytes) -> bool:
    """Return whether a runner may have cut *record* from a longer line; not after a marker."""
    data = record[HEADER_SIZE:]
    return may_be_continued(data) and not is_marker(data)


def may_be_continued(data: bytes | bytearray) -> bool:
    """Return whether a runner may have cut a record with this text from a longer line."""
    return b"\r" in data or len(data) > LONGEST_UNCUT


def _is_at_start(data: bytes | bytearray) -> bool:
    last = data.rfind(b"\r")
    return last >= 0 and not shows(data, last + 1)


def _is_blank(printed: bytes | bytearray) -> bool:
    return not readable(last_state(printed.decode("utf-8", "replace")))[0]


def _styles(printed: bytes | bytearray) -> bytes:
    """Return the colours that *printed* leaves set."""
    return carried_styles(printed.decode("latin-1")).encode("latin-1")


def _marker_end_across(before: bytes | bytearray, data: bytes | bytearray) -> int:
    """Return the end in *data* of the last section marker, which may begin *before* it; or 0."""
    if b"0K" not in data and not data.startswith(b"K"):  # the last characters of a marker
        return 0
    joined = before[-LONGEST_MARKER:] + data
    return max(0, last_marker_end(joined) - (len(joined) - len(data)))
