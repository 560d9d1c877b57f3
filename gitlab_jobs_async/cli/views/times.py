"""Times and durations: relative or local for people, ISO 8601 in UTC for programs. Pure."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from gitlab_jobs_async.models.values import UNKNOWN_TIME

_SHORT_UNITS: Final = ((60, "s"), (60, "m"), (24, "h"), (365, "d"))
_UNITS: Final = ((60, "s"), (60, "min"), (24, "h"), (365, "d"))


def utc_time(at: datetime | None) -> str:
    """Return a time to the second in UTC, such as 2026-01-02T03:04:05Z; empty for None."""
    if at is None or at == UNKNOWN_TIME:
        return ""
    with suppress(OverflowError, ValueError):  # a year out of range in UTC
        at = at.astimezone(UTC)
    return _written(at)


def local_time(at: datetime | None) -> str:
    """Return a time to the second in the local zone, with Z for UTC; empty for None."""
    if at is None or at == UNKNOWN_TIME:
        return ""
    with suppress(OverflowError, ValueError, OSError):  # a year out of range in the zone
        at = at.astimezone()
    return _written(at)


def _written(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def ago(at: datetime | None, now: datetime) -> str:
    """Return a time in relation to *now*: 12 s ago, 3 min ago, in 5 d; empty for None."""
    if at is None or at == UNKNOWN_TIME:
        return ""
    seconds = int((now - at).total_seconds())
    number, unit = _in_largest_unit(abs(seconds), _UNITS)
    if number == 0:
        return "just now"
    return f"{number} {unit} ago" if seconds > 0 else f"in {number} {unit}"


def local_and_ago(at: datetime | None, now: datetime) -> str:
    """Return both the local and the relative time: 2026-01-02T03:04:05+01:00 (3 min ago)."""
    shown = local_time(at)
    return f"{shown} ({ago(at, now)})" if shown else ""


def age(at: datetime | None, now: datetime) -> str:
    """Return the time since *at* for a narrow column: 12s, 5m, 3h, 40d, 2y; empty for None."""
    if at is None or at == UNKNOWN_TIME:
        return ""
    number, unit = _in_largest_unit(max(0, int((now - at).total_seconds())), _SHORT_UNITS)
    return f"{number}{unit}"


def _in_largest_unit(left: int, units: tuple[tuple[int, str], ...]) -> tuple[int, str]:
    for step, unit in units:
        if left < step:
            return left, unit
        left //= step
    return left, "y"


def plain_seconds(seconds: float | None) -> str:
    """Return a duration for programs: seconds with one decimal; empty for None."""
    return "" if seconds is None else f"{seconds:.1f}"


def length(seconds: float | None) -> str:
    """Return a readable duration: 7s, 3m 05s, 2h 10m; empty for None."""
    if seconds is None:
        return ""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m {rest:02d}s" if minutes < 60 else f"{minutes // 60}h {minutes % 60:02d}m"
