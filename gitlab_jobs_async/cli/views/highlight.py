"""Mark parts of a line that has colours of its own. Pure."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

_STYLE: Final = re.compile(r"(\x1b\[[0-9;:]*m)")
# Reverse video is readable on any background, and its end leaves the other styles as they are.
_BEGIN: Final = "\x1b[7m"
_END: Final = "\x1b[27m"


def highlight(raw: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return *raw*, a line with colours, with *spans* of its text in reverse video."""
    edges = list(chain.from_iterable(_joined(spans)))
    return "".join(_pieces(raw, edges)) if edges else raw


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the union of *spans*, in order."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def _pieces(raw: str, edges: list[int]) -> Iterator[str]:
    """Yield the pieces of a line; *edges* are where marks begin and end in turn."""
    at = passed = 0
    for number, piece in enumerate(_STYLE.split(raw)):
        if number % 2:
            # It may have reset the mark.
            yield piece + (_BEGIN if passed % 2 else "")
            continue
        start, end = 0, len(piece)
        # A mark that begins at the end of a piece begins in the next one.
        while passed < len(edges) and edges[passed] - passed % 2 < at + end:
            edge = edges[passed] - at
            yield piece[start:edge] + (_END if passed % 2 else _BEGIN)
            start = edge
            passed += 1
        yield piece[start:]
        at += end
