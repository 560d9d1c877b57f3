"""Say once for an outage that logs and projects are unavailable, however many there are."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from attrs import define, field

from gitlab_jobs_async.clock import Clock

_QUIET: Final = 60.0
"""Seconds after a report in which another one belongs to the same outage."""

_logger: Final = logging.getLogger("gitlab_jobs_async")


@define(eq=False, repr=False)
class OutageReports:
    """Lets the first report of an outage pass; the outage lasts until something succeeds."""

    _clock: Clock
    _is_healthy: bool = field(default=True, init=False)
    _reported_at: float | None = field(default=None, init=False)

    def is_first(self) -> bool:
        """Return whether the outage that is reported now was not reported before."""
        now, before = self._clock.now(), self._reported_at
        is_first = self._is_healthy and (before is None or now - before >= _QUIET)
        self._is_healthy, self._reported_at = False, now
        return is_first

    def succeeded(self) -> None:
        """Note an answer of the server."""
        self._is_healthy = True

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a message of the SDK is printed."""
        return "unavailable, retrying" not in record.getMessage() or self.is_first()


@contextmanager
def one_report_an_outage(clock: Clock) -> Iterator[OutageReports]:
    """Yield the reports, by which the SDK's warnings are filtered within the block."""
    reports = OutageReports(clock)
    _logger.addFilter(reports.filter)
    try:
        yield reports
    finally:
        _logger.removeFilter(reports.filter)
