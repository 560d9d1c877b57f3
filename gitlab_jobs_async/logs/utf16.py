"""Bytes of a line -> text, where they are UTF-16, as programs on Windows write it to a pipe.

A line break is two bytes there, of which a log's lines end with one: the other is left at the
beginning (little endian) or at the end (big endian) of a line.
"""

import re
from collections.abc import Iterator
from contextlib import suppress

_LITTLE_ENDIAN, _BIG_ENDIAN = b"\xff\xfe", b"\xfe\xff"
"""The marks that text in UTF-16 may begin with."""

_UNLIKELY = re.compile("[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f-\x9f\ue000-\uf8ff\ufffe\uffff]")
"""Controls that no program prints, and characters that stand for nothing."""


_PLAIN = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ "

_SHORTEST = 2
"""Characters of text in UTF-16; a single one may as well be a stray byte and a NUL."""


def text_with_nulls(printed: bytes) -> str:
    """The text of a line that holds NULs: as UTF-16 if it is that, else without its NULs.

    Text in Latin letters reads the same in both ways; the runner replaces what is no UTF-8, so
    that of other UTF-16 only a part may be left.
    """
    narrow = printed.replace(b"\0", b"")
    if len(narrow) == len(printed):
        return narrow.decode(errors="replace")
    try:
        text = narrow.decode()
    except UnicodeDecodeError:
        text = "\0"
    if _UNLIKELY.search(text) is None:
        return text
    likely = [wide for wide in _as_utf16(printed) if _UNLIKELY.search(wide) is None]
    return max(likely, key=_plain_letters, default=narrow.decode(errors="replace"))


def _plain_letters(text: str) -> int:
    """How many ASCII letters, digits and spaces: the wrong order of bytes makes others of them."""
    return sum(map(text.count, _PLAIN))


def _as_utf16(printed: bytes) -> Iterator[str]:
    """The text that a line may be, the likelier first."""
    for data, encoding in _readings(printed):
        with suppress(UnicodeDecodeError):
            wide = data.decode(encoding)
            if len(wide.strip()) >= _SHORTEST:
                yield wide


def _readings(printed: bytes) -> Iterator[tuple[bytes, str]]:
    """The ways to read a line, the likelier first: its bytes without halves of line breaks."""
    start = printed[1:] if printed[:1] == b"\0" and len(printed) % 2 else printed
    if start.startswith(_LITTLE_ENDIAN):
        yield start[2:], "utf-16-le"
    if printed.startswith(_BIG_ENDIAN):
        yield (printed[2:-1] if len(printed) % 2 else printed[2:]), "utf-16-be"
    if len(start) % 2 == 0:
        yield start, "utf-16-le"
    if len(printed) % 2 == 0:
        yield printed, "utf-16-be"
    elif printed[-1:] == b"\0":
        yield printed[:-1], "utf-16-be"
