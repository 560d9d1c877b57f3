"""Styles of a log that are still open at the end of a line. Pure."""

import re
from typing import Final

from attrs import define, field

_STYLE: Final = re.compile(r"\x1b\[([0-9;:]*)m")
_MOST_STYLES: Final = 8


@define
class OpenStyles:
    """The escape sequences of styles that no line has reset, in their order."""

    _styles: list[str] = field(factory=list)

    @property
    def opened(self) -> str:
        """The sequences that open these styles again."""
        return "".join(self._styles)

    def read(self, raw: str) -> None:
        """Read the next line with its escape sequences."""
        if "\x1b" not in raw:
            return
        for style in _STYLE.finditer(raw):
            if _resets_styles(style[1]):
                self._styles.clear()
            if style[1].strip("0;:"):
                self._styles.append(style[0])
                # Bounded: a log may open a style on every line and reset none.
                del self._styles[:-_MOST_STYLES]


def _resets_styles(parameters: str) -> bool:
    """Return whether a style resets earlier ones: empty or 0."""
    return parameters.partition(";")[0].strip("0") == ""
