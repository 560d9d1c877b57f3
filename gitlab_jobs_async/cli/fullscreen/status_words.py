"""Words of the status line: the server's answers, the request budget, and counts. Pure."""

from typing import Final

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.ratelimit.snapshot import BudgetSnapshot

_SEPARATOR: Final = " · "


def budget_words(budget: BudgetSnapshot, now: float) -> str:
    """Return the use of the request budget, or the pause that the server has asked for."""
    if budget.paused_until is not None:
        reason = f": {clean(budget.pause_reason)}" if budget.pause_reason else ""
        return f"paused for {length(max(0.0, budget.paused_until - now))}{reason}"
    # In steps, so that an idle screen is not drawn again for each request.
    words = f"{_rounded(budget.used)} requests/min"
    if budget.limit:
        words = f"{_rounded(budget.used)}/{budget.limit:,} requests/min"
    return f"{words}, {budget.waiting:,} waiting" if budget.waiting else words


def scan_words(scan: tuple[int, int] | None, pages: int) -> str:
    """Return the progress of the first scan of all targets."""
    if scan is None:
        return ""
    scanned, targets = scan
    read = "1 page read" if pages == 1 else f"{pages:,} pages read"
    return f"first scan: {scanned:,} of {targets:,}, {read}" if targets else f"reading, {read}"


def unread_words(count: int) -> str:
    """Return how many warnings have not been read, and the key for them."""
    if not count:
        return ""
    return "m: 1 warning" if count == 1 else f"m: {count:,} warnings"


def _rounded(count: int) -> str:
    if count <= 10:
        return "≤10"
    step = 10 ** (len(str(count)) - 1)
    return f"≤{-(-count // step) * step:,}"


def joined(*parts: str) -> str:
    """Return the parts that are not empty, in one line."""
    return _SEPARATOR.join(part for part in parts if part)
