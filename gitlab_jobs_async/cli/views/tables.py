"""Tables for a terminal; ids and statuses are never cut, names are."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, TypeVar

from rich import box
from rich.style import Style
from rich.table import Table
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.columns import Column, select_columns
from gitlab_jobs_async.cli.views.job_columns import JOB_COLUMNS, JOB_DEFAULT
from gitlab_jobs_async.cli.views.links import safe_link
from gitlab_jobs_async.cli.views.rows import Listed, status_symbol

T = TypeVar("T")


def cell(value: object, style: str = "", *, link: str = "") -> Text:
    """Return a cleaned cell without markup, cut with an ellipsis."""
    # Names of a server may look like markup, which `Text` does not read.
    shown = Style.parse(style) + Style(link=safe_link(link)) if link else style
    return Text(clean(value), style=shown, no_wrap=True, overflow="ellipsis")


def status_text(status: str) -> Text:
    """Return a status with its symbol and colour."""
    symbol, colour = status_symbol(status)
    return Text(f"{symbol} {clean(status)}", style=colour, no_wrap=True, overflow="ellipsis")


def empty_table(*, header: bool = True) -> Table:
    """Return an empty table in the common style."""
    return Table(
        box=box.SIMPLE_HEAD if header else None,
        show_header=header,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        collapse_padding=True,
        header_style="bold",
    )


def add_column(
    table: Table, title: str, *, justify: Literal["left", "right"] = "left", whole: bool = False
) -> None:
    """Add a column; a *whole* one is never cut."""
    table.add_column(title, justify=justify, no_wrap=whole, overflow="ellipsis")


def jobs_table(jobs: Sequence[Listed], now: datetime) -> Table:
    """Return a table of jobs in their order, with a column for the project if there are several."""
    several = len({project for project, _ in jobs}) > 1
    columns = select_columns(None, JOB_COLUMNS, JOB_DEFAULT)
    return rows_table([one for one in columns if several or one.name != "project"], jobs, now)


def rows_table(
    columns: Sequence[Column[T]], rows: Iterable[T], now: datetime, *, links: bool = False
) -> Table:
    """Return a table of rows in their order; times are in relation to *now*.

    With *links*, cells lead to the pages of their columns.
    """
    table = empty_table()
    for column in columns:
        add_column(
            table, column.title or column.name, justify=column.justify, whole=column.is_whole
        )
    for row in rows:
        table.add_row(*(column_cell(column, row, now, links=links) for column in columns))
    return table


def column_cell(column: Column[T], row: T, now: datetime, *, links: bool = False) -> Text:
    """Return the cell of *row*, with a link to its page where the column has one."""
    value = column.value(row, now)
    if column.name == "status":
        return status_text(str(value))
    return cell(value, column.style, link=column.link(row) if links else "")


def details_table(facts: Iterable[tuple[str, object]]) -> Table:
    """Return a table of names and values; long values wrap."""
    table = empty_table(header=False)
    table.add_column(style="bright_black", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        shown = status_text(str(value)) if name == "status" else Text(clean(value))
        table.add_row(name, shown)
    return table
