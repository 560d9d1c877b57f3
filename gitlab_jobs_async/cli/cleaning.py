"""What a server says -> what may reach a terminal: printable text, without a single control."""

import re

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f]).*?(?:\x07|\x1b\\|\x9c|$)"  # OSC and its kin
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_INVISIBLE = re.compile(r"[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Marks that reorder or hide what stands around them, and halves of characters."""


def clean(text: object) -> str:
    """*text* on one line and harmless; what is not there is an empty string."""
    if text is None:
        return ""
    shown = _INVISIBLE.sub("", _ESCAPES.sub("", str(text)))
    return _CONTROLS.sub(" ", shown).strip()


def ellipsis(text: object, longest: int) -> str:
    """*text* cleaned and cut to *longest* characters."""
    shown = clean(text)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
