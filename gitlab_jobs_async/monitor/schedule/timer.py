"""Time the polls of one target: by its interval, sooner on a hint, later after an error."""

from collections.abc import Iterable
from math import isfinite, sqrt
from typing import Self

from attrs import define

from gitlab_jobs_async.errors import GitLabError, ResponseError
from gitlab_jobs_async.events import ProjectUnreachable
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.retry.backoff import LONGEST_PAUSE, PROBES

MIN_INTERVAL = 3.0
MAX_INTERVAL = 180.0
# Longer intervals save little and delay the first change of each pipeline by as much.


@define
class PollTimer:
    """The poll times of one target in unix seconds; *active_at* is the time of its last event.

    A scan last succeeded at *scanned_at*, 0 before the first; *polled_at* counts failed ones, too.

    After a successful poll, the next one comes after *fixed_interval* seconds if that is set.
    """

    next_at: float = 0.0
    polled_at: float = 0.0
    active_at: float | None = None
    fixed_interval: float | None = None
    scanned_at: float = 0.0
    _excessive_waits: int = 0

    @classmethod
    def restored(cls, progress: Progress | None, now: float) -> Self:
        """Resume the schedule of an earlier monitor."""
        if progress is None:
            return cls()
        # A clock that was set back, or a damaged value, must not delay the next poll.
        polled_at = min(progress.polled_at, now) if isfinite(progress.polled_at) else 0.0
        wait = progress.interval if 0.0 <= progress.interval <= LONGEST_PAUSE else 0.0
        active_at = progress.active_at
        if active_at is not None:
            active_at = min(active_at, now) if isfinite(active_at) else None
        scanned_at = 0.0 if progress.failures else polled_at
        return cls(polled_at + wait, polled_at, active_at, scanned_at=scanned_at)

    @property
    def interval(self) -> float:
        """Seconds between the last poll and the next."""
        return max(0.0, self.next_at - self.polled_at)

    def progress(self, failures: int) -> Progress:
        """Return the values that `restored` resumes from."""
        return Progress(self.polled_at, self.interval, self.active_at, failures)

    def fix_interval(self, seconds: float) -> None:
        """Poll each *seconds* from now on, however long nothing has changed."""
        self.fixed_interval = seconds
        self.next_at = min(self.next_at, self.polled_at + seconds)

    def poll_now(self, now: float) -> None:
        """Move the next poll to *now*, but keep the minimum interval since the last poll."""
        self.next_at = min(self.next_at, max(now, self.polled_at + MIN_INTERVAL))

    def on_success(self, now: float, ages: Iterable[float]) -> None:
        """Schedule the poll after one that ended at *now*; see `poll_interval` for *ages*."""
        if self.active_at is None:
            # The age of a target is unknown at first: poll it as if it had just changed.
            self.active_at = now
        self.polled_at = self.scanned_at = now
        self._excessive_waits = 0
        self.next_at = now + (self.fixed_interval or poll_interval(ages, now - self.active_at))

    def on_error(
        self, now: float, error: GitLabError, availability: TargetAvailability
    ) -> list[ProjectUnreachable]:
        """Schedule the poll after a failed one, and return what *availability* reports."""
        events = availability.on_error(error)
        retry_after = error.retry_after if isinstance(error, ResponseError) else None
        self.polled_at = now
        self.next_at = now + max(availability.retry_delay(), self._bounded(retry_after or 0.0))
        return events

    def _bounded(self, retry_after: float) -> float:
        """Return *retry_after*, or a growing probe delay of up to an hour where it is longer."""
        if retry_after <= LONGEST_PAUSE:
            self._excessive_waits = 0
            return retry_after
        # A proxy may ask for days by mistake: a probe finds out sooner.
        self._excessive_waits += 1
        return PROBES.delay(self._excessive_waits - 1)


_JOB_AGE = 30.0
_QUIET_AGE = 60.0
_IDLE_WEIGHT = 0.25
"""Rate of new pipelines in a quiet project, relative to changes of one job of the same age."""


def poll_interval(ages: Iterable[float], quiet: float) -> float:
    """Return the seconds until the next poll of a target.

    *ages* are the seconds since each open job's last change, *quiet* those since any event.
    """
    # A state that has lasted t seconds changes next at a rate of about 1/t. For a given number of
    # requests, polls in proportion to the square root of that rate detect changes soonest.
    rate = _IDLE_WEIGHT / (_QUIET_AGE + max(0.0, quiet))
    rate += sum(1 / (_JOB_AGE + max(0.0, age)) for age in ages)
    return min(MAX_INTERVAL, max(MIN_INTERVAL, 1 / sqrt(rate)))
