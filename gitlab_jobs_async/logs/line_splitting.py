"""Split overlong lines, so that none takes much memory or time.

The rule depends only on the bytes before the split, so that the pieces in which a line arrives do
not matter.
"""

import re
from typing import Final

from gitlab_jobs_async.logs.records import LONGEST_LINE
from gitlab_jobs_async.logs.sections import LONGEST_MARKER

BLOCK: Final = 256 * 1024
"""Bytes after which a line with control characters, which are slow to parse, is split."""

_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_C1 = re.compile(rb"\xc2[\x80-\x9f]")
_LONGEST_ESCAPE = 64


def split_at(line: bytes | bytearray, clear: int = 0) -> tuple[int, int]:
    """Return where to split *line*, or 0; and how many of its first bytes are free of controls.

    The first *clear* bytes, which are whole blocks, are known to be free of them.
    """
    for end in range(clear + BLOCK, min(len(line) - 1, LONGEST_LINE) + 1, BLOCK):
        if end == LONGEST_LINE or _is_laden(line, end - BLOCK, end):
            return _boundary(line, end), 0
        clear = end
    return 0, clear


def _is_laden(line: bytes | bytearray, start: int, end: int) -> bool:
    return bool(_CONTROL.search(line, start, end) or _C1.search(line, start, end))


def _boundary(line: bytes | bytearray, end: int) -> int:
    """Return *end*, or less: not within a section marker, escape sequence or UTF-8 character."""
    # Half of a marker or an escape sequence would be shown as text.
    for token, longest in ((b"\x1b", _LONGEST_ESCAPE), (b"section_", LONGEST_MARKER)):
        start = line.rfind(token, end - longest, end)
        if start > 0:
            end = start
    for before in range(end, end - 4, -1):
        if line[before] & 0xC0 != 0x80:
            return before
    return end
