"""The lines below a live table: what was told, what is watched, what it costs. Pure."""

from collections.abc import Mapping
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.events import short_reason
from gitlab_jobs_async.ratelimit.snapshot import BudgetSnapshot

_SEPARATOR: Final = " · "
_TROUBLES: Final = 3


def trouble_lines(unreachable: Mapping[str, str], width: int) -> list[Text]:
    """Return which projects cannot be watched now, and why: a line each for the first few."""
    lines = [
        Text.assemble(("✗ ", "red"), (clean(project), "bold"), f" {clean(short_reason(reason))}")
        for project, reason in list(unreachable.items())[:_TROUBLES]
    ]
    if len(unreachable) > _TROUBLES:
        lines[-1] = Text(f"✗ … and {len(unreachable) - _TROUBLES + 1} more unreachable", "red")
    for line in lines:
        line.truncate(width, overflow="ellipsis", pad=True)
    return lines


def footer_lines(
    events: int, targets: int, unreachable: int, budget: BudgetSnapshot, width: int
) -> list[Text]:
    """Return how things stand, in one line or two."""
    parts = [f"{events:,} {_plural('event', events)}", f"{targets:,} {_plural('target', targets)}"]
    if unreachable:
        parts.append(f"{unreachable:,} unreachable")
    parts.append(f"{budget.used:,} {_plural('request', budget.used)} a minute")
    if budget.limit is not None:
        parts.append(f"limit {budget.limit:,}")
    if budget.remaining is not None:
        parts.append(f"{budget.remaining:,} left")
    if budget.waiting:
        parts.append(f"{budget.waiting:,} waiting")
    lines = [parts[0]]
    for part in parts[1:]:
        if cell_len(lines[-1] + _SEPARATOR + part) <= width:
            lines[-1] += _SEPARATOR + part
        else:
            lines.append(part)
    texts = [Text(line, "bright_black", no_wrap=True) for line in lines]
    for text in texts:
        text.truncate(width, overflow="ellipsis", pad=True)
    return texts


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
