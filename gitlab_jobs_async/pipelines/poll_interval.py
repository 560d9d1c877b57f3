"""Times of the polls of a wait."""

_MIN_REST = 1 / 2
"""Part of the interval for which nothing is sent after a response, however slow it was."""

_LAST_POLL = 2.0
"""Seconds before the timeout of a wait at which it is polled for the last time."""


def answered_each(interval: float, began: float, now: float) -> float:
    """Return when to poll so that an answer comes each *interval* seconds.

    The last request was sent at *began*, and answered at *now*.
    """
    return max(began + interval - (now - began), now + interval * _MIN_REST)


def next_poll_at(at: float, now: float, until: float) -> float:
    """Return the time of the poll that is due *at* a time, in a wait that ends at *until*."""
    # A poll after the end is of no use; one just before it leaves time for its answer.
    last = until - _LAST_POLL
    return last if now < last < at else at
