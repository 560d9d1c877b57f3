"""Results of a benchmark: rows of the one table, detail tables and charts."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeVar

from attrs import frozen

_T = TypeVar("_T")


class Size(Enum):
    """How much to measure: what the bars are for, a part of it, or as little as a test needs."""

    FULL = "full"
    QUICK = "quick"
    TINY = "tiny"

    def pick(self, full: _T, quick: _T, tiny: _T) -> _T:
        """Return the value for this size."""
        return {Size.FULL: full, Size.QUICK: quick, Size.TINY: tiny}[self]


@frozen
class Row:
    """The answer to one question; `question` identifies it.

    `cpu` is the figure by CPU time, which is judged, and `wall` the same by the wall clock. Where
    waits are simulated, or nothing is timed, `wall` may be the judged one or empty. `is_met` is
    None without a bar.
    """

    question: str
    bar: str
    cpu: str
    wall: str
    is_met: bool | None
    details: str = ""


@frozen
class Table:
    """Details below the one table; `title` identifies it."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@frozen
class Chart:
    """Lines by name, of (x, y); `name` is that of the file, `log_x` is for a logarithmic x axis."""

    name: str
    title: str
    x: str
    y: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    log_x: bool = False


@frozen
class Page:
    """Text between the markers `name` of a file of the repository."""

    file: str
    name: str
    text: str


Result = Row | Table | Chart | Page
