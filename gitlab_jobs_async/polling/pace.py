"""Divide the request rate of one client among all that poll: logs, waits, and monitors.

Each one that polls joins with the requests a second that it would like to send. If the budget has
no room for all of them, their intervals stretch in proportion. Monitors take what the others leave,
but at least half of the rate: their polls could use any amount.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

from attrs import define, field

from gitlab_jobs_async.polling.policy import PollPolicy

_MONITOR_SHARE = 0.5
"""Part of the rate that monitors may use while logs and waits would use all of it."""


@define(eq=False, repr=False)
class PollPace:
    """The polls of one client; *rate* returns the requests a second that polls may use.

    *monitors* returns the requests a second that monitors ask for. Both may be infinite.
    """

    _rate: Callable[[], float]
    _monitors: Callable[[], float] = lambda: 0.0
    demand: float = field(default=0.0, init=False)
    """Requests a second that all members would send with an unlimited budget."""
    _members: int = field(default=0, init=False)

    @contextmanager
    def join(self, policy: PollPolicy, requests: float = 1.0) -> Iterator["PaceShare"]:
        """Yield the share of one member, which sends *requests* an interval of *policy*."""
        share = PaceShare(self, policy)
        share.claim(requests)
        self._members += 1
        try:
            yield share
        finally:
            self._members -= 1
            share.claim(0.0)
            if not self._members:
                # Exactly 0 at the end, without the rounding errors of many subtractions.
                self.demand = 0.0

    @property
    def stretch(self) -> float:
        """Factor of all intervals: 1 while the budget has room for all members."""
        rate = self._rate()
        if rate == inf or not self.demand:
            return 1.0
        left = max(rate - self._monitors(), rate * (1 - _MONITOR_SHARE))
        return max(1.0, self.demand / left) if left > 0 else inf

    @property
    def used(self) -> float:
        """Requests a second that the members send now."""
        return self.demand / self.stretch

    @property
    def left(self) -> float:
        """Requests a second that the members leave to monitors."""
        rate = self._rate()
        return max(rate - self.used, rate * _MONITOR_SHARE)


@define(eq=False, repr=False)
class PaceShare:
    """The share of one member of a `PollPace`."""

    _pace: PollPace
    _policy: PollPolicy
    _claimed: float = field(default=0.0, init=False)

    def claim(self, requests: float) -> None:
        """Announce how many *requests* an interval this member sends from now on."""
        wanted = requests / self._policy.interval
        self._pace.demand = max(0.0, self._pace.demand + wanted - self._claimed)
        self._claimed = wanted

    @property
    def interval(self) -> float:
        """Seconds between two requests of this member at present."""
        return self._policy.stretched(self._pace.stretch)

    @property
    def is_stretched(self) -> bool:
        """Whether the budget has no room for all members."""
        return self._pace.stretch > 1
