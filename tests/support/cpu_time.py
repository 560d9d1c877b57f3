"""Measure processor time."""

import time


def cpu_seconds(call, *, tries=3):
    """Return the least processor time of several calls, in seconds."""
    # A single call may include the garbage collection of earlier tests.
    took = []
    for _ in range(tries):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return min(took)
