"""Filter ANSI out of a line: keep its colours, and nothing else that could drive a terminal.

As in GitLab's web page (lib/gitlab/ci/ansi2json/converter.rb), only colours and styles (CSI … m)
count, and a carriage return starts the line over. Unlike there, a carriage return erases nothing
until something is printed or erased after it, and a backspace is obeyed.
"""

import re
from collections.abc import Iterator

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_CLEAR = "\x1b[0K"
"""Clears the rest of the line; a runner writes it before each of its own lines."""

_COLOUR_OR_CLEAR = re.compile(r"\x1b\[(?:[0-9;:]*m|0K)")
_COLOUR_KEPT = re.compile(r"(\x1b\[[0-9;:]*m)")
_ESCAPE_SEQUENCE = (
    r"(?!\[[0-9;:]*m)(?:"
    r"\[[0-?]*[ -/]*[@-~]?"  # CSI: cursor movement, erasing
    r"|[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS, SOS, PM, APC: titles, links, clipboard
    r"|[ -/]*[0-~]?)"
)
_UNWANTED = re.compile(
    rf"[\x00-\x08\x0a-\x1f\x7f-\x9f](?:(?<!\x1b)|{_ESCAPE_SEQUENCE})",  # C1 controls among them
    re.DOTALL,
)
_UNWANTED_BUT_BACKSPACE = re.compile(
    rf"[\x00-\x07\x0a-\x1f\x7f-\x9f](?:(?<!\x1b)|{_ESCAPE_SEQUENCE})", re.DOTALL
)

_ERASES = r"\x1b\[(?:[02]?K|[023]?J)"
_PRINTS_NOTHING = (
    rf"(?:(?!{_ERASES})\x1b(?:"
    r"\[[0-?]*[ -/]*[@-~]?"
    r"|[\]PX^_][^\r]*?(?:\x07|\x1b\\|\x9c|(?=\r)|$)"
    r"|[ -/]*[0-~]?)"
    r"|[\x00-\x0c\x0e-\x1a\x1c-\x1f\x7f%s])*+"
)
_SHOWS = rf"{_PRINTS_NOTHING}(?:{_ERASES}|[^\r\x1b\x00-\x1f\x7f%s])"
_LAST_STATE = re.compile(rf"(?s:.*)\r(?={_SHOWS})" % ((r"\x80-\x9f",) * 2))
_SHOWS_BYTES = re.compile((_SHOWS % ("", "")).encode())
_LAST_STATE_BYTES = re.compile((rf"(?s:.*)\r(?={_SHOWS})" % ("", "")).encode())

_CONTROL = b"\x00"
_CONTROLS = bytes(
    0 if (code < 0x20 and code not in b"\t\n") or code in b"\x7f\xc2" else code
    for code in range(256)
)
"""Table that maps control characters to one; in UTF-8, C1 controls begin with the byte C2."""

_MOST_STYLES = 8
_STYLES_WITHIN = 4096
"""Characters before a carriage return that are searched for colours still in effect."""

_LONGEST_OVERSTRUCK = 64 * 1024
"""Characters of the longest line whose backspaces are obeyed; in a longer one they are dropped."""


def last_state(printed: str) -> str:
    """Return the last state of a line that carriage returns overwrote, as in progress bars.

    It begins with the colours that the overwritten text had set.
    """
    wiped = _LAST_STATE.match(printed)
    if wiped is None:
        return printed
    return carried_styles(printed[: wiped.end()]) + printed[wiped.end() :]


def last_state_start(printed: bytes | bytearray) -> int:
    """Return where in *printed* its last state begins."""
    if printed.find(b"\r", 0, -1) < 0:  # nothing can be shown after the last byte
        return 0
    wiped = _LAST_STATE_BYTES.match(printed)
    return 0 if wiped is None else wiped.end()


def shows(printed: bytes | bytearray, start: int = 0) -> bool:
    """Return whether anything is printed or erased from *start* to the next carriage return."""
    return _SHOWS_BYTES.match(printed, start) is not None


def carried_styles(wiped: str) -> str:
    """Return the last colours that *wiped* set and did not reset, a few at most."""
    styles: list[str] = []
    if "\x1b" in wiped:
        for style in _COLOUR.findall(wiped[-_STYLES_WITHIN:]):
            if style[2:-1].partition(";")[0].strip("0") == "":
                styles.clear()
            styles.append(style)
    return "".join(styles[-_MOST_STYLES:])


def lines_with_controls(text: str) -> Iterator[int]:
    """Yield the numbers of the lines that may contain control characters other than tabs."""
    codes = text.encode().translate(_CONTROLS)
    number = start = 0
    while (at := codes.find(_CONTROL, start)) >= 0:
        number += codes.count(b"\n", start, at)
        yield number
        start = codes.find(b"\n", at)
        if start < 0:
            return


def without_escapes(printed: str) -> tuple[str, str]:
    """Return *printed* without the escape sequences of most lines, and the same with its colours.

    Any other ones remain in both.
    """
    if "\x1b" not in printed:
        return printed, printed
    # Splitting is quicker than replacing.
    text = "".join(_COLOUR_OR_CLEAR.split(printed))
    return text, printed.replace(_CLEAR, "")


def _without_colours(printed: str) -> str:
    return "".join(_COLOUR.split(printed)) if "\x1b" in printed else printed


def readable(printed: str) -> tuple[str, str]:
    """Return the text without any escape sequence, and the same with its colours."""
    text = _without_colours(printed)
    if text.isprintable():  # then only colours were removed
        return text, printed
    if "\b" in printed and len(printed) <= _LONGEST_OVERSTRUCK:
        printed = _overstruck(_UNWANTED_BUT_BACKSPACE.sub("", printed))
    raw = _UNWANTED.sub("", printed)
    return _without_colours(raw), raw


def _overstruck(printed: str) -> str:
    """Return *printed* after its backspaces, each of which moves one character back."""
    cells: list[tuple[str, str]] = []  # the colours and the character
    style, at = "", 0
    for number, piece in enumerate(_COLOUR_KEPT.split(printed)):
        if number % 2:
            style = carried_styles(style + piece)
            continue
        for character in piece:
            if character == "\b":
                at = max(0, at - 1)
            else:
                cells[at : at + 1] = [(style, character)]
                at += 1
    cells.append((style, ""))
    return "".join(_styled(cells))


def _styled(cells: list[tuple[str, str]]) -> Iterator[str]:
    before = ""
    for style, character in cells:
        if style != before:
            yield style[len(before) :] if style.startswith(before) else f"\x1b[0m{style}"
            before = style
        yield character
