"""Tables for a terminal; ids and statuses are never cut, names are."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from rich import box
from rich.table import Table
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.rows import Listed, age, length, pipeline_of, status_symbol
from gitlab_jobs_async.models.jobs import JobBasic


def cell(value: object, style: str = "") -> Text:
    """Return a cleaned cell without markup, cut with an ellipsis."""
    # Names of a server may look like markup, which `Text` does not read.
    return Text(clean(value), style=style, no_wrap=True, overflow="ellipsis")


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
    table = empty_table()
    add_column(table, "job", justify="right", whole=True)
    if several:
        add_column(table, "project")
    add_column(table, "pipeline", justify="right", whole=True)
    for title in ("stage", "name"):
        add_column(table, title)
    add_column(table, "status", whole=True)
    add_column(table, "time", justify="right", whole=True)
    add_column(table, "age", justify="right", whole=True)
    add_column(table, "ref")
    for project, job in jobs:
        front = [cell(job.id), cell(project)] if several else [cell(job.id)]
        table.add_row(*front, *_job_cells(job, now))
    return table


def _job_cells(job: JobBasic, now: datetime) -> list[Text]:
    return [
        cell(pipeline_of(job)),
        cell(job.stage),
        cell(job.name, "bold"),
        status_text(job.status),
        cell(length(job.duration)),
        cell(age(job.created_at, now)),
        cell(job.ref, "bright_black"),
    ]


def details_table(facts: Iterable[tuple[str, object]]) -> Table:
    """Return a table of names and values; long values wrap."""
    table = empty_table(header=False)
    table.add_column(style="bright_black", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        shown = status_text(str(value)) if name == "status" else Text(clean(value))
        table.add_row(name, shown)
    return table
