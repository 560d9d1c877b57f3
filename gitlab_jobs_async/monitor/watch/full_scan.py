"""Schedule full scans: each compares a whole project with its tracked jobs.

Other scans read what is new. A full scan reads the newest jobs down to the oldest tracked one,
three pages mostly and ten at most. It also reads up to five pages of open jobs. Each project has
one a day, spread over the day, but none within 50 polls: one request in twenty at most.
"""

from math import isfinite
from typing import Self
from zlib import crc32

from attrs import define

from gitlab_jobs_async.monitor.checkpoint.progress import Progress

MAX_COMPARED = 300
"""Tracked jobs that a full scan reaches down to."""

INTERVAL = 86_400.0
_MIN_INTERVAL = 600.0
_MIN_POLLS = 50


@define
class FullScanSchedule:
    """The time of the last full scan, and the number of *polls* since.

    *is_suspicious* requests one soon: the newest jobs vanished, or a finished one seemed to run
    again. Jobs were deleted, or the server was reset.
    """

    scanned_at: float = 0.0
    polls: int = 0
    is_suspicious: bool = False

    @classmethod
    def first(cls, name: str, now: float) -> Self:
        """Schedule the first full scan within a day, at a time that depends on *name*."""
        return cls(_spread(name, now))

    @classmethod
    def restored(cls, progress: Progress | None, name: str, now: float) -> Self:
        """Continue an earlier monitor's schedule."""
        if progress is None or progress.compared_at is None or not isfinite(progress.compared_at):
            return cls.first(name, now)
        # A clock that was set back must not delay the next full scan.
        return cls(min(progress.compared_at, now), progress.scans)

    def restart(self, name: str, now: float) -> None:
        """Schedule the first full scan after another baseline."""
        self.scanned_at, self.polls, self.is_suspicious = _spread(name, now), 0, False

    def is_due(self, now: float) -> bool:
        """Return whether the poll that begins at *now* includes a full scan."""
        age = now - self.scanned_at
        # The reason may persist, and each full scan costs several requests.
        if self.is_suspicious and age >= _MIN_INTERVAL:
            return True
        return age >= INTERVAL and self.polls >= _MIN_POLLS

    def polled(self, now: float, *, is_full: bool) -> None:
        """Count a complete poll."""
        self.polls += 1
        if is_full:
            self.scanned_at, self.polls, self.is_suspicious = now, 0, False


def _spread(name: str, now: float) -> float:
    # Not hash(), which differs between processes: each restart would move the time of day.
    return now - INTERVAL / 2 * crc32(name.encode(errors="replace")) / 2**32
