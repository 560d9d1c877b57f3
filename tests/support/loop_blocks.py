"""Measure for how long single steps of the loop keep the others waiting."""

import asyncio
import gc
import os
import time
from contextlib import contextmanager
from pathlib import Path

_WAITS = Path("/proc/thread-self/schedstat")


class Blocks:
    """The *longest* step in seconds, without the time in which other processes had the CPU."""

    longest = 0.0
    slowest = None


@contextmanager
def loop_blocks():
    """Yield the longest step of the loop within the block; unused memory is collected before."""
    blocks, run = Blocks(), asyncio.Handle._run
    file = os.open(_WAITS, os.O_RDONLY)

    def waited():
        # The second number: nanoseconds in the queue of the scheduler.
        return int(os.pread(file, 100, 0).split()[1]) / 1e9

    def measured(handle):
        began, before = time.perf_counter(), waited()
        run(handle)
        if asyncio.Handle._run is not measured:
            return  # the block has ended within this step
        seconds = time.perf_counter() - began - (waited() - before)
        if seconds > blocks.longest:
            blocks.longest, blocks.slowest = seconds, repr(handle)

    gc.collect()
    gc.disable()
    asyncio.Handle._run = measured
    try:
        yield blocks
    finally:
        asyncio.Handle._run = run
        gc.enable()
        os.close(file)
