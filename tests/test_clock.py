"""The machine's clock."""

import time

from gitlab_jobs_async import SystemClock


async def test_the_system_clock_tells_unix_seconds_and_never_runs_backwards():
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0)
    assert before <= clock.now()
    assert abs(clock.now() - time.time()) < 60
