"""The line of a slow command: a bar, what is done, the rate, and the time left. Pure."""

from typing import Final

from attrs import frozen

from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.cli.views.rows import size
from gitlab_jobs_async.cli.views.times import length

_BAR: Final = 20
"""Columns of the bar."""

_ROOM: Final = 60
"""Columns of the narrowest terminal with a bar."""


@frozen
class Done:
    """Amount that a command has *done* after *seconds*, of *total* if that is known.

    *unit* is "byte", or the singular of what is counted, such as "page".
    """

    words: str
    unit: str
    done: int
    total: int | None
    seconds: float


def progress_line(state: Done, columns: int = 80, *, is_ascii: bool = False) -> str:
    """Return a line such as `jobs: █████░░░░░ 12 of 40 pages, 6.2/s, 5s left`."""
    if not state.done:
        line = f"{state.words}: waiting for the server, {length(state.seconds)}"
    else:
        # With all that was announced, what still comes is unknown: another list, or new rows.
        total = state.total if state.total is not None and state.done < state.total else None
        bar = "" if total is None or columns < _ROOM else _bar(state.done / total, is_ascii)
        left = "" if total is None else f", {_left(state, total)} left"
        line = f"{state.words}: {bar}{_amount(state, total)}, {_rate(state)}/s{left}"
    # A line that wraps cannot be cleared.
    return line[: max(0, columns - 1)]


def _bar(share: float, is_ascii: bool) -> str:  # noqa: FBT001 - of one call
    full, empty = ("#", ".") if is_ascii else ("█", "░")
    filled = int(share * _BAR)
    return full * filled + empty * (_BAR - filled) + " "


def _amount(state: Done, total: int | None) -> str:
    if state.unit == "byte":
        return size(state.done) if total is None else f"{size(state.done)} of {size(total)}"
    if total is None:
        return counted(state.done, state.unit)
    return f"{state.done:,} of {counted(total, state.unit)}"


def _rate(state: Done) -> str:
    rate = state.done / state.seconds
    return size(int(rate)) if state.unit == "byte" else f"{rate:.1f}"


def _left(state: Done, total: int) -> str:
    return length((total - state.done) * state.seconds / state.done)
