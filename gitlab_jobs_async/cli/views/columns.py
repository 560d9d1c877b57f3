"""Columns that a user selects with `--columns`, for tables and for plain lines. Pure."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, Literal, TypeVar

from attrs import frozen

from gitlab_jobs_async.cli.errors import usage_error

T = TypeVar("T")


@frozen(kw_only=True, eq=False, repr=False)
class Column(Generic[T]):
    """A column of rows of type *T*."""

    name: str
    """Its name in `--columns`: where there is one, GitLab's field name, as in JSON."""

    plain: Callable[[T], object]
    """The value for programs; times are in UTC, durations in seconds."""

    shown: Callable[[T, datetime], object] | None = None
    """The value for people at a time; that for programs if None."""

    title: str = ""
    justify: Literal["left", "right"] = "left"
    is_whole: bool = False
    """Whether a table never cuts it."""

    style: str = ""
    link: Callable[[T], str] = lambda _row: ""
    """The web page of the value, or an empty string."""

    def value(self, row: T, now: datetime) -> object:
        """Return the value for people."""
        return self.plain(row) if self.shown is None else self.shown(row, now)


def select_columns(
    names: str | None, known: Sequence[Column[T]], default: Sequence[str]
) -> list[Column[T]]:
    """Return the columns of *names*, which are separated by commas; the *default* ones for None.

    Raises:
        CommandError: an unknown or repeated name.
    """
    wanted = default if names is None else [name.strip() for name in names.split(",")]
    by_name = {column.name: column for column in known}
    for number, name in enumerate(wanted):
        if name not in by_name:
            raise usage_error(
                f"--columns: unknown column {name!r}: expected some of {', '.join(by_name)}"
            )
        if name in wanted[:number]:
            raise usage_error(f"--columns: {name!r}: expected only once")
    return [by_name[name] for name in wanted]
