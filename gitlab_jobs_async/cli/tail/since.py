"""Show only lines from a time on. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import define, field

from gitlab_jobs_async.cli.errors import usage_error
from gitlab_jobs_async.logs.items import TailedLine

_SPAN: Final = re.compile(
    r"(?=[0-9])(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?"
)
_UNITS: Final = ("days", "hours", "minutes", "seconds")


def parse_since(text: str, now: datetime) -> datetime:
    """Return the time that is *text* before *now*, or that *text* itself is.

    A time without a zone is local.

    Raises:
        CommandError: *text* is neither, or lies in the future.
    """
    span = _SPAN.fullmatch(text)
    try:
        if span:
            parts = dict(zip(_UNITS, map(int, span.groups("0")), strict=True))
            return now - timedelta(**parts)
        at = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        at = None
    if at is None or at > now:
        raise usage_error(
            f"--since {text!r}: expected a span such as 90s, 10m, 1h30m or 2d, or a past time such "
            "as 2026-01-31T10:00"
        )
    return at


@define
class LinesSince:
    """Filter of the lines from *start* on, by the times that the runner writes into logs.

    A line without one counts as written at the time of the line before it. In a log without times,
    these are the new lines, and all if the job has started later.
    """

    start: datetime
    _stamped: dict[int, datetime] = field(factory=dict, init=False)

    def has(self, item: TailedLine, started_at: datetime | None) -> bool:
        """Return whether the line was written since; *started_at* is when its job started."""
        if item.line.at is not None:
            self._stamped[item.job_id] = item.line.at
        at = self._stamped.get(item.job_id)
        if at is not None:
            return at >= self.start
        return item.is_new or (started_at is not None and started_at >= self.start)

    def forget(self, job_id: int) -> None:
        """Forget a log that has ended."""
        self._stamped.pop(job_id, None)
