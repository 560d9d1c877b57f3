"""When one target is looked at again: by its pace, sooner when told to, later after a failure."""

from collections.abc import Iterable
from math import isfinite
from typing import Self

from attrs import define

from gitlab_jobs_async.errors import GitLabError, ResponseError
from gitlab_jobs_async.events import ProjectUnreachable
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.schedule.interval import SHORTEST, poll_interval
from gitlab_jobs_async.retry.backoff import LONGEST_PAUSE, PROBES


@define
class PollTimer:
    """The looks at one target; times are unix seconds, *active_at* that of its last event."""

    next_at: float = 0.0
    looked_at: float = 0.0
    active_at: float | None = None
    _absurd: int = 0

    @classmethod
    def restored(cls, progress: Progress | None, now: float) -> Self:
        """Go on with the schedule of an earlier monitor; a clock set back makes no wait longer."""
        if progress is None:
            return cls()
        looked_at = min(progress.looked_at, now) if isfinite(progress.looked_at) else 0.0
        wait = progress.interval if 0.0 <= progress.interval <= LONGEST_PAUSE else 0.0
        active_at = progress.active_at
        if active_at is not None:
            active_at = min(active_at, now) if isfinite(active_at) else None
        return cls(looked_at + wait, looked_at, active_at)

    @property
    def interval(self) -> float:
        """Seconds between the last poll and the next."""
        return max(0.0, self.next_at - self.looked_at)

    def progress(self, failures: int) -> Progress:
        """Return what `restored` goes on from."""
        return Progress(self.looked_at, self.interval, self.active_at, failures)

    def hasten(self, now: float) -> None:
        """Look again at *now*, or as soon after the last look as it ever would."""
        self.next_at = min(self.next_at, max(now, self.looked_at + SHORTEST))

    def looked(self, now: float, stood: Iterable[float]) -> None:
        """A look is over; *stood* is for how many seconds each open job has been as it is."""
        if self.active_at is None:
            self.active_at = now
        self.looked_at = now
        self._absurd = 0
        self.next_at = now + poll_interval(stood, now - self.active_at)

    def failed(
        self, now: float, error: GitLabError, reachability: TargetAvailability
    ) -> list[ProjectUnreachable]:
        """A look came to nothing."""
        events = reachability.failed(error)
        asked = error.retry_after if isinstance(error, ResponseError) else None
        self.looked_at = now
        self.next_at = now + max(reachability.wait(), self._obeyed(asked or 0.0))
        return events

    def _obeyed(self, asked: float) -> float:
        """The seconds of a `Retry-After` to wait: more than an hour is tested ever more rarely."""
        if asked <= LONGEST_PAUSE:
            self._absurd = 0
            return asked
        self._absurd += 1
        return PROBES.delay(self._absurd - 1)
