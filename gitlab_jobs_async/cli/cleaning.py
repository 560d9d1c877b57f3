"""Removal of control and invisible characters from a server's text.

All text passes through here, also for a pipe, since a terminal may show it later. Bytes (`trace`
and `artifacts` into a pipe or file, `tail --raw`) are not changed. JSON escapes hidden characters,
so that none is lost.
"""

import re
from typing import Final

_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]).*?(?:\x07|\x1b\\|\x9c|$)"  # OSC and its kin
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
_SEPARATORS: Final = r"\u2028\u2029"
_INVISIBLE: Final = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff"
)
"""Characters that reorder text or show nothing: bidirectional controls, fillers, tags; all that
Unicode calls ignorable except joiners and the variation selectors of emoji."""

_HIDDEN: Final = re.compile(rf"[\x7f-\x9f{_SEPARATORS}{_INVISIBLE}]")
_NON_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_NEVER_SEEN: Final = re.compile(rf"[{_INVISIBLE}\ud800-\udfff]")
_IDLE: Final = re.compile(
    r"(?<![^\x00-\x7f\s])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\x7f\s])"
    r"|(?<=[\u200c\u200d])[\u200c\u200d]+|(?<=[\ufe00-\ufe0f])[\ufe00-\ufe0f]+"
)
"""Joiners that join nothing, and repeated selectors; emoji use each once."""

_CONTROLS: Final = re.compile(rf"[\x00-\x1f\x7f-\x9f{_SEPARATORS}]+")
_LOG_CONTROLS: Final = re.compile(
    rf"[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f{_SEPARATORS}]|\x1b(?!\[[0-9;:]*m)"
)


def clean(text: object) -> str:
    """Return *text* on one line without controls; an empty string for None."""
    if text is None:
        return ""
    shown = _NEVER_SEEN.sub("", _ESCAPES.sub("", str(text)))
    return _IDLE.sub("", _CONTROLS.sub(" ", shown)).strip()


def clean_log(line: str) -> str:
    """Return a line of a log with colours and tabs as its only controls."""
    # Most lines are plain; the expressions below are slow.
    if line.isascii() and line.isprintable():
        return line
    return _IDLE.sub("", _LOG_CONTROLS.sub(" ", _NEVER_SEEN.sub("", line)))


def escape_hidden(json: str) -> str:
    """Return the same JSON with hidden characters escaped."""
    if json.isascii() and "\x7f" not in json:
        return json
    return _HIDDEN.sub(_escape, json)


def escape_non_ascii(json: str) -> str:
    """Return the same JSON in ASCII, which is valid in every encoding of a pipe."""
    return json if json.isascii() else _NON_ASCII.sub(_escape, json)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def ellipsis(text: object, longest: int) -> str:
    """Return *text* cleaned and cut to *longest* characters."""
    shown = clean(text)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
