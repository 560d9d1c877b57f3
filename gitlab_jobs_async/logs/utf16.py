"""Decode lines in UTF-16, which programs on Windows write to pipes.

A line break has two bytes there, and a log is split at one of them. The other one remains at the
beginning (little endian) or at the end (big endian) of a line.
"""

import re
from collections.abc import Iterator

_LITTLE_ENDIAN, _BIG_ENDIAN = b"\xff\xfe", b"\xfe\xff"
"""Byte order marks."""

_UNLIKELY = re.compile("[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f-\x9f\ue000-\uf8ff\ufffe\uffff]")
"""Controls that no program prints, and unassigned characters."""


_PLAIN = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ "

_SHORTEST = 2
"""Fewest characters of UTF-16 text; a single one may be a stray byte and a NUL."""


def text_with_nulls(printed: bytes) -> str:
    """Return the text of a line that holds NULs: decoded as UTF-16, or without its NULs."""
    # Latin letters are the same in both ways. The runner replaces bytes that are invalid in UTF-8,
    # so that of other UTF-16 only a part may be left.
    narrow = printed.replace(b"\0", b"")
    text = narrow.decode(errors="replace")
    if len(narrow) == len(printed) or len(printed) < 2 * _SHORTEST:
        return text
    # Without an exception: a megabyte may hold 100,000 such lines.
    is_valid = text.count("\ufffd") == narrow.count(b"\xef\xbf\xbd")
    if is_valid and _UNLIKELY.search(text) is None:
        return text
    likely = _as_utf16(printed)
    if len(likely) > 1:
        return max(likely, key=_plain_letters)
    return likely[0] if likely else text


def _plain_letters(text: str) -> int:
    """Count ASCII letters, digits and spaces: in the wrong byte order they are other characters."""
    return sum(map(text.count, _PLAIN))


def _as_utf16(printed: bytes) -> list[str]:
    """Return the possible texts of a line, the likelier first."""
    found = []
    for data, encoding in _readings(printed):
        try:
            wide = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _UNLIKELY.search(wide) and len(wide.strip()) >= _SHORTEST:
            found.append(wide)
    return found


def _readings(printed: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield the bytes of a line without halves of line breaks, and how to decode them."""
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
