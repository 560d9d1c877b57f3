"""Derive a poll interval from how recently a target changed.

A state that has lasted t seconds changes next at a rate of about 1/t. For a given number of
requests, polling in proportion to the square root of that rate detects changes soonest.
"""

from collections.abc import Iterable
from math import sqrt

MIN_INTERVAL = 3.0
MAX_INTERVAL = 180.0
# Longer intervals save little and delay the first change of each pipeline by as much.

_JOB_AGE = 30.0
_QUIET_AGE = 60.0
_IDLE_WEIGHT = 0.25
"""Rate of new pipelines in a quiet project, relative to changes of one job of the same age."""


def poll_interval(ages: Iterable[float], quiet: float) -> float:
    """Return the seconds until the next poll of a target.

    *ages* are the seconds since each open job's last change, *quiet* those since any event.
    """
    rate = _IDLE_WEIGHT / (_QUIET_AGE + max(0.0, quiet))
    rate += sum(1 / (_JOB_AGE + max(0.0, age)) for age in ages)
    return min(MAX_INTERVAL, max(MIN_INTERVAL, 1 / sqrt(rate)))
