"""How soon to look again: what has stood for t seconds changes within the next with about 1/t.

The looks that see changes soonest for a given number of requests go by the square root of the rate
of change. So a job that has just changed is looked at every few seconds, one that builds for an
hour every minute, and a project where nothing has happened for long every three: to look there
more rarely leaves little to the others, and delays the first change of each pipeline by as much.
"""

from collections.abc import Iterable
from math import sqrt

SHORTEST = 3.0
LONGEST = 180.0

_JOB = 30.0
_ARRIVAL = 60.0
_ARRIVALS_COUNT = 0.25
"""An idle project is looked at half as often as one job that has stood for as long."""


def poll_interval(stood: Iterable[float], quiet: float) -> float:
    """Seconds until the next look at a target.

    *stood* is for how many seconds each of its open jobs has been as it is, *quiet* for how many
    nothing has happened at all.
    """
    rate = _ARRIVALS_COUNT / (_ARRIVAL + max(0.0, quiet))
    rate += sum(1 / (_JOB + max(0.0, seconds)) for seconds in stood)
    return min(LONGEST, max(SHORTEST, 1 / sqrt(rate)))
