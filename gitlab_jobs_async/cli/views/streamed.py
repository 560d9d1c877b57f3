"""A table that is printed while its rows arrive; the first ones decide the widths."""

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, TypeVar

from attrs import define, field
from rich.console import Console
from rich.text import Text

from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.screen import console
from gitlab_jobs_async.cli.views.tables import add_column, column_cell, empty_table

T = TypeVar("T")
_GAP = 2
_SLACK = 2
"""Columns by which later ids and durations may be longer, where the terminal has room."""


@define(eq=False, repr=False)
class StreamedTable(Generic[T]):
    """Prints rows in parts, under one header."""

    console: Console
    columns: Sequence[Column[T]]
    now: datetime
    _widths: list[int] = field(factory=list[int], init=False)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was printed."""
        return not self._widths

    def add(self, rows: Sequence[T]) -> None:
        """Print *rows*; texts are cut to the widths that the first rows have set."""
        cells = [[column_cell(column, row, self.now) for column in self.columns] for row in rows]
        is_first = not self._widths
        self._widths = self._fitting(cells)
        table = empty_table()
        table.show_header = is_first
        for column, width in zip(self.columns, self._widths, strict=True):
            add_column(table, column.title or column.name, justify=column.justify, whole=True)
            table.columns[-1].width = width
        for row in cells:
            table.add_row(*row)
        self.console.print(table)

    def _fitting(self, rows: Sequence[Sequence[Text]]) -> list[int]:
        """Return the widths so far, wider where ids and times of *rows* need it."""
        widths = self._widths or [len(column.title or column.name) for column in self.columns]
        whole = [number for number, column in enumerate(self.columns) if column.is_whole]
        widths = [
            max([width, *(row[number].cell_len for row in rows)])
            if number in whole or not self._widths
            else width
            for number, width in enumerate(widths)
        ]
        surplus = sum(widths) + _GAP * (len(widths) - 1) - self.console.width
        if not self._widths and surplus + _SLACK * len(whole) <= 0:
            return [w + _SLACK if number in whole else w for number, w in enumerate(widths)]
        flexible = [number for number in range(len(widths)) if number not in whole]
        while surplus > 0 and flexible:
            widest = max(flexible, key=lambda number: widths[number])
            if widths[widest] == 1:
                break
            widths[widest] -= 1
            surplus -= 1
        return widths


def streamed_table(columns: Sequence[Column[T]], now: datetime) -> StreamedTable[T]:
    """Return an empty table on the terminal."""
    return StreamedTable(console(), columns, now)
