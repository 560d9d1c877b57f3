"""Measure processor time, for tests of what must be bounded."""

import time


def cpu_seconds(call, *, tries=3):
    """Return the least processor time of several calls.

    One call may also pay for a garbage collection of everything that earlier tests left.
    """
    took = []
    for _ in range(tries):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return min(took)
