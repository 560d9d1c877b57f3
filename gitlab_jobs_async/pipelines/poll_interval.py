"""When to look again at what is waited for: the longer it has stood still, the later.

A change is seen late by a share of the time since the change before it, so that many short steps
are told soon and one long step costs few requests.
"""

from math import inf

from attrs import define, field

from gitlab_jobs_async.logs.poll_schedule import PollIntervals

_SHARE = 1 / 4
"""How long a wait is, in parts of the time since the last change."""

_SPREAD = 1 / 5
"""By how much chance makes it shorter or longer, so that many who wait do not look at once."""


@define
class WaitInterval:
    """The pace of looks within *intervals*, since a time of the clock (seconds)."""

    intervals: PollIntervals
    _since: float
    _until: float = field(default=inf)

    def changed(self, now: float) -> None:
        """The look at *now* has shown something new."""
        self._since = now

    def wait(self, now: float, *, jitter: float) -> float:
        """Seconds until the next look; *jitter* is a random number from 0 to 1.

        It is never outside the intervals. Where the next look would come after the end of all
        waiting, it comes the shortest interval before that: time enough for its answer.
        """
        shortest, longest = self.intervals.shortest, self.intervals.longest
        middle = (now - self._since) * _SHARE
        least = min(max(middle * (1 - _SPREAD), shortest), longest)
        most = min(max(middle * (1 + _SPREAD), shortest), longest)
        wait = least + (most - least) * jitter
        last = self._until - shortest
        return last - now if shortest <= last - now < wait else wait
