"""Measure for how long single steps of the loop keep the others waiting."""

import asyncio
import gc
import threading
import time
from contextlib import contextmanager
from pathlib import Path

_TICK = 0.005


class Blocks:
    """The *longest* step in seconds: its work and its waits, without the time others had the CPU.

    *slowest* is the step. Work is the CPU time of the loop's thread. Waits are seen by a thread
    beside it, of which each tick counts that finds the step where it was, without the time in the
    scheduler's queue. So neither another process nor a thread that holds the interpreter makes a
    step longer, however busy the machine.
    """

    def __init__(self):
        self.longest, self.slowest = 0.0, None
        self.steps, self.waited, self._queued = 0, None, 0.0
        self._cpu_clock = time.pthread_getcpuclockid(threading.get_ident())
        self._schedule = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")

    def run(self, handle, run):
        """Run one step, and measure it."""
        self.steps, self.waited = self.steps + 1, 0.0
        began = time.thread_time()
        run(handle)
        worked, waited, self.waited = time.thread_time() - began, self.waited, None
        if waited:
            # The kernel counts the time in the queue when it ends: a tick within sees none.
            waited = max(0.0, waited - (self._seconds_queued() - self._queued))
        if worked + waited > self.longest:
            self.longest = worked + waited
            self.slowest = f"{worked} s of work, {waited} s of waits: {handle!r}"

    def watch(self, is_over):
        """Count the ticks within which a step has neither worked nor ended."""
        before = self._progress()
        while not is_over.wait(_TICK):
            (steps, worked, queued), now = before, self._progress()
            is_still = now[0] == steps and self.waited is not None and now[1] - worked < _TICK / 5
            if is_still:
                if not self.waited:
                    self._queued = queued
                self.waited += _TICK
            before = now

    def _progress(self):
        """Return the number of steps, and the seconds at work and in the scheduler's queue."""
        return self.steps, time.clock_gettime(self._cpu_clock), self._seconds_queued()

    def _seconds_queued(self):
        return int(self._schedule.read_text().split()[1]) / 1e9


@contextmanager
def loop_blocks():
    """Yield the longest step of the loop within the block; unused memory is collected before."""
    blocks, run, is_over = Blocks(), asyncio.Handle._run, threading.Event()
    watcher = threading.Thread(target=blocks.watch, args=[is_over])
    gc.collect()
    gc.disable()
    watcher.start()
    asyncio.Handle._run = lambda handle: blocks.run(handle, run)
    try:
        yield blocks
    finally:
        asyncio.Handle._run = run
        gc.enable()
        is_over.set()
        watcher.join()
