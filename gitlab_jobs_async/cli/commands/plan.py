"""`watch --plan`: what to expect of a monitor for a user's numbers, told without any request.

What is told is reckoned in monitor/schedule/forecast.py; here it is only written.
"""

from collections.abc import Iterator
from typing import Any, Final

from attrs import asdict
from rich.table import Table
from rich.text import Text

from gitlab_jobs_async.cli.terminal import console, is_terminal, write, write_json
from gitlab_jobs_async.cli.views.rows import json_line, length, plain_line
from gitlab_jobs_async.cli.views.tables import add_column, cell, empty_table
from gitlab_jobs_async.monitor.schedule.forecast import Forecast, forecast
from gitlab_jobs_async.ratelimit.limits import JOBS_INDEX_PER_MINUTE

_DIGITS: Final = 2


def print_plan(projects: int, busy: int, per_minute: int | None, *, json: bool) -> None:
    """The plan as a table, as lines of a name, a tab and a value, or as one JSON object."""
    expected = forecast(projects, busy=busy, per_minute=per_minute)
    if is_terminal() and not json:
        limit = min(per_minute or JOBS_INDEX_PER_MINUTE, JOBS_INDEX_PER_MINUTE)
        screen = console()
        screen.print(_table(expected))
        screen.print(Text(_sums(expected, limit), "bright_black"))
        return
    numbers = _rounded(asdict(expected))
    if json:
        write_json(json_line(numbers))
    else:
        write("".join(map(plain_line, _named(numbers))))


def _rounded(numbers: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _rounded(one) if isinstance(one, dict) else round(one, _DIGITS)
        for name, one in numbers.items()
    }


def _named(numbers: dict[str, Any], prefix: str = "") -> Iterator[list[object]]:
    for name, one in numbers.items():
        if isinstance(one, dict):
            yield from _named(one, f"{prefix}{name}.")
        else:
            yield [f"{prefix}{name}", one]


def _table(expected: Forecast) -> Table:
    table = empty_table()
    add_column(table, "")
    for title in ("projects", "requests/min", "looked at every", "half seen in", "95 % in"):
        add_column(table, title, justify="right", whole=True)
    for name, kind in (("busy", expected.busy), ("idle", expected.idle)):
        if kind.projects:
            table.add_row(
                cell(name, "bold"),
                cell(f"{kind.projects:,}"),
                cell(f"{kind.requests_per_minute:,.1f}"),
                cell(length(kind.interval)),
                cell(length(kind.median)),
                cell(length(kind.most)),
            )
    return table


def _sums(expected: Forecast, limit: int) -> str:
    """What all of it costs, how long the beginning takes, and what the limit takes away."""
    lines = [
        f"{expected.requests_per_minute:,.0f} requests a minute of at most {limit:,}",
        f"each project looked at once within {length(max(1.0, expected.first_round))}",
    ]
    stretch = f"{expected.stretch:,.1f}"
    if stretch != "1.0":
        lines.append(f"{stretch} times as long between two looks as without a limit")
    return "\n".join(lines)
