"""When to compare a whole project with what was told of it: rarely, and sooner when in doubt.

Scans read what is new. A full comparison reads the newest jobs again as far as they are remembered,
three pages mostly and ten at most, and up to five pages of those that are open. Each project has
one a day, spread over the day, but none within 50 scans: where the budget is short it takes one
request in twenty at most.
"""

from math import isfinite
from typing import Self
from zlib import crc32

from attrs import define

from gitlab_jobs_async.monitor.checkpoint.progress import Progress

MOST_COMPARED = 300
"""Remembered jobs that a comparison reaches down to."""

EVERY = 86_400.0
_SOONEST = 600.0
_SCANS = 50


@define
class FullScanSchedule:
    """When a project was compared, with so many *scans* since; *is_suspicious* asks for the next.

    That is so when its newest jobs were gone, or one seemed to run again: deleted, or a reset.
    """

    compared_at: float = 0.0
    scans: int = 0
    is_suspicious: bool = False

    @classmethod
    def begun(cls, name: str, now: float) -> Self:
        """The first comparison comes within a day, at a time that depends on the name."""
        return cls(now - EVERY / 2 * crc32(name.encode(errors="replace")) / 2**32)

    @classmethod
    def restored(cls, progress: Progress | None, name: str, now: float) -> Self:
        """Go on with an earlier monitor's schedule."""
        if progress is None or progress.compared_at is None or not isfinite(progress.compared_at):
            return cls.begun(name, now)
        return cls(min(progress.compared_at, now), progress.scans)

    def is_due(self, now: float) -> bool:
        """Whether the scan that begins at *now* is to compare everything."""
        waited = now - self.compared_at
        if self.is_suspicious and waited >= _SOONEST:
            return True
        return waited >= EVERY and self.scans >= _SCANS

    def scanned(self, now: float, *, compared: bool) -> None:
        """A scan is complete."""
        self.scans += 1
        if compared:
            self.compared_at, self.scans, self.is_suspicious = now, 0, False
