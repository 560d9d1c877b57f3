"""`watch --plan`: what to expect of a monitor for a user's numbers, told without any request.

A monitor looks at each project after an interval of its own (sansio/pace.py); where the budget does
not suffice, all intervals stretch alike (sansio/rota.py). A change is seen at the next look.
"""

from collections.abc import Sequence
from typing import Final

from attrs import asdict, frozen
from rich.table import Table
from rich.text import Text

from gitlab_jobs_async.cli.rows import json_line, length, plain_line
from gitlab_jobs_async.cli.tables import add_column, cell, empty_table
from gitlab_jobs_async.cli.terminal import console, is_terminal, write
from gitlab_jobs_async.sansio.pace import interval

JOBS_INDEX: Final = 600
"""Listings of jobs a minute and user that GitLab allows, if its administrator changed nothing."""

_SHARE: Final = 0.9
"""Of a budget: a tenth is kept for what a caller asks himself."""

_JITTER: Final = 1.1
_RUNNING: Final = (20.0, 60.0, 180.0)
"""For how many seconds the open jobs of a busy project have been as they are, typically."""

_DAY: Final = 86_400.0


@frozen
class Expected:
    """What some projects cost, and how soon their changes are seen; times in seconds.

    `median` is what half of the changes are seen within, `most` 95 % of them.
    """

    kind: str
    projects: int
    requests_per_minute: float
    looked_at_every: float
    median: float
    most: float


def expected(projects: int, busy: int, per_minute: int | None) -> list[Expected]:
    """For the busy projects, where some jobs run, and the others, idle for a day."""
    budget = _SHARE * min(per_minute or JOBS_INDEX, JOBS_INDEX)
    kinds = [
        ("busy", busy, _JITTER * interval(_RUNNING, min(_RUNNING))),
        ("idle", projects - busy, _JITTER * interval((), _DAY)),
    ]
    wanted = sum(60.0 * count / every for _, count, every in kinds)
    stretch = max(1.0, wanted / budget)
    return [_expected(kind, count, every * stretch) for kind, count, every in kinds if count]


def _expected(kind: str, projects: int, every: float) -> Expected:
    """A change comes at any time between two looks."""
    per_minute = round(60.0 * projects / every, 1)
    return Expected(
        kind, projects, per_minute, round(every, 1), round(every / 2, 1), round(every * 0.95, 1)
    )


def print_plan(projects: int, busy: int, per_minute: int | None, *, json: bool) -> None:
    """The plan as a table, as tab-separated lines, or as JSON."""
    rows = expected(projects, busy, per_minute)
    if json:
        write("".join(json_line(row) for row in rows))
    elif is_terminal():
        screen = console()
        screen.print(_table(rows))
        asked = sum(row.requests_per_minute for row in rows)
        limit = min(per_minute or JOBS_INDEX, JOBS_INDEX)
        screen.print(Text(f"{asked:,.0f} requests a minute of at most {limit:,}", "bright_black"))
    else:
        write("".join(plain_line([*asdict(row).values()]) for row in rows))


def _table(rows: Sequence[Expected]) -> Table:
    table = empty_table()
    add_column(table, "")
    for title in ("projects", "requests/min", "looked at every", "half seen in", "95 % in"):
        add_column(table, title, justify="right", whole=True)
    for row in rows:
        table.add_row(
            cell(row.kind, "bold"),
            cell(f"{row.projects:,}"),
            cell(f"{row.requests_per_minute:,.0f}"),
            cell(length(row.looked_at_every)),
            cell(length(row.median)),
            cell(length(row.most)),
        )
    return table
