"""Poll interval of a wait: a share of the time since the last change, with jitter."""

from math import inf

from attrs import define, field

from gitlab_jobs_async.intervals import PollIntervals

_SHARE = 1 / 4
"""The interval, as a part of the time since the last change."""

_JITTER = 1 / 5
"""The most that chance adds or takes away, as a part of the interval."""


@define
class WaitInterval:
    """Poll interval within *intervals*, for a wait that ends at *until*.

    The last change was at *changed_at*; both are times of the clock, in seconds.
    """

    intervals: PollIntervals
    changed_at: float
    until: float = field(default=inf)

    def delay(self, now: float, *, jitter: float) -> float:
        """Return the seconds from *now* until the next poll; *jitter* is from 0 to 1."""
        age = now - self.changed_at
        least = self.intervals.for_age(age, _SHARE * (1 - _JITTER))
        most = self.intervals.for_age(age, _SHARE * (1 + _JITTER))
        delay = least + (most - least) * jitter
        # A poll after the end is of no use; one just before it leaves time for its answer.
        left = self.until - self.intervals.shortest - now
        return left if self.intervals.shortest <= left < delay else delay
