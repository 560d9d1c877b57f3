"""Unit test of the system clock."""

import time

from gitlab_jobs_async import SystemClock


async def test_system_clock_never_runs_backwards():
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0)
    assert before <= clock.now()
    assert abs(clock.now() - time.time()) < 60
