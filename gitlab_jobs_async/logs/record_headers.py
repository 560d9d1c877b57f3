"""Read the headers of a log with timestamps: 32 bytes before each record.

They hold the time, the stream and a "+" if the record continues the one before:
common/buildlogger/internal/timestamper/timestamper.go of the runner.
"""

import re
from datetime import datetime
from typing import Final

HEADER_SIZE: Final = 32
STREAM_ID: Final = slice(28, 31)
_TIME = slice(27)
_TYPE = 30
_FLAG = 31
_CONTINUED = ord("+")
_STREAMS = {ord("O"): "stdout", ord("E"): "stderr"}

_HEADER = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-f]{2}[OE][ +]"
_FIRST = re.compile(_HEADER)
_NEXT = re.compile(rb"\n" + _HEADER)
_RECORDS = re.compile(rb"(?:%s.*+\n)*+" % _HEADER)


def time_of(physical: bytes) -> datetime | None:
    """Return the time in the header of a line; `None` without a header."""
    if _FIRST.match(physical) is None:
        return None
    try:
        return times_of([physical])[0]
    except ValueError:
        return None


def times_of(records: list[bytes]) -> list[datetime]:
    """Return the times in the headers of *records*.

    Raises:
        ValueError: a time is impossible, as in month 13.
    """
    parse = datetime.fromisoformat
    return [parse(record[_TIME].decode()) for record in records]


def stream_of(record: bytes) -> str:
    """Return "stdout" or "stderr"."""
    return _STREAMS[record[_TYPE]]


def streams_of(records: list[bytes]) -> list[str]:
    """Return "stdout" or "stderr" for each of *records*."""
    return [_STREAMS[record[_TYPE]] for record in records]


def texts_of(records: list[bytes]) -> list[bytes]:
    """Return the text after the header of each of *records*."""
    return [record[HEADER_SIZE:] for record in records]


def stream_ids_of(records: list[bytes]) -> list[bytes]:
    """Return the id of the stream of each of *records*."""
    return [record[STREAM_ID] for record in records]


def continuations_of(records: list[bytes]) -> list[int]:
    """Return the numbers of those *records* that continue one before."""
    return [number for number, record in enumerate(records) if record[_FLAG] == _CONTINUED]


def is_continuation(record: bytes) -> bool:
    """Return whether *record* continues the one before of its stream."""
    return record[_FLAG] == _CONTINUED


def end_of_records(whole: bytes, start: int) -> int:
    """Return where the first line from *start* on begins that has no header."""
    records = _RECORDS.match(whole, start)
    return start if records is None else records.end()


def start_of_records(whole: bytes, start: int) -> int:
    """Return where the first line after the one at *start* begins that has a header."""
    record = _NEXT.search(whole, start)
    return len(whole) if record is None else record.start() + 1
