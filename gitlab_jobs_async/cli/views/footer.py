"""The lines below a live table: events, targets and requests. Pure."""

from collections.abc import Mapping
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.cli.views.events import short_reason
from gitlab_jobs_async.ratelimit.snapshot import BudgetSnapshot

_SEPARATOR: Final = " · "
_MOST_PROBLEMS: Final = 3


def problem_lines(unreachable: Mapping[str, str], width: int) -> list[Text]:
    """Return a line with the reason for each of the first unreachable projects."""
    lines = [
        Text.assemble(("✗ ", "red"), (clean(project), "bold"), f" {clean(short_reason(reason))}")
        for project, reason in list(unreachable.items())[:_MOST_PROBLEMS]
    ]
    if len(unreachable) > _MOST_PROBLEMS:
        lines[-1] = Text(f"✗ … and {len(unreachable) - _MOST_PROBLEMS + 1} more unreachable", "red")
    for line in lines:
        line.truncate(width, overflow="ellipsis", pad=True)
    return lines


def footer_lines(
    events: int, targets: int, unreachable: int, budget: BudgetSnapshot, width: int
) -> list[Text]:
    """Return counts and the request budget in one or two lines."""
    parts = [counted(events, "event"), counted(targets, "target")]
    if unreachable:
        parts.append(f"{unreachable:,} unreachable")
    parts.append(f"{counted(budget.used, 'request')} a minute")
    if budget.limit is not None:
        parts.append(f"limit {budget.limit:,}")
    if budget.remaining is not None:
        parts.append(f"{budget.remaining:,} left")
    if budget.waiting:
        parts.append(f"{budget.waiting:,} waiting")
    lines = [parts[0]]
    for part in parts[1:]:
        # Measured in cells: a wide character takes two.
        if cell_len(lines[-1] + _SEPARATOR + part) <= width:
            lines[-1] += _SEPARATOR + part
        else:
            lines.append(part)
    texts = [Text(line, "bright_black", no_wrap=True) for line in lines]
    for text in texts:
        text.truncate(width, overflow="ellipsis", pad=True)
    return texts
