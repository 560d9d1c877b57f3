"""Memory and time of following 10, 100 and 1,000 logs at once, and one of 1 GiB into a file.

The server is another process, on an accelerated clock.
"""

import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

from attrs import frozen

from benchmarks.measuring import apart, resident
from benchmarks.results import Chart, Row, Size
from benchmarks.tail import KINDS, LINE, WHOLE, numbered
from gitlab_jobs_async import GitLab, TailedLine, TailEnded
from gitlab_jobs_async.simulator import (
    AcceleratedClock,
    JobPlan,
    RepeatedLog,
    Simulator,
    SimulatorSettings,
    World,
)

PROJECTS, LIMIT = 50, 2000
"""Projects of the many logs, and requests a minute that their server allows."""
DURATION = 900.0
"""Seconds that each of the many jobs runs."""


def serve(pipe: Connection, logs: list[RepeatedLog | bytes], factor: float, kind: str) -> None:
    """Be the server of another process until it says so, on a clock *factor* times as fast."""

    async def run() -> None:
        origin, start = pipe.recv()
        clock = AcceleratedClock(factor, start=start + (time.time() - origin) * factor)
        now = clock.now()
        world = World(now)
        count = min(PROJECTS, len(logs))
        pipelines = [world.add_pipeline(world.add_project(f"group/app-{n}")) for n in range(count)]
        duration = 0.0 if len(logs) == 1 else DURATION
        plans = [JobPlan(log=log, queued=0, duration=duration) for log in logs]
        jobs = [
            world.add_job(pipelines[n % count], f"job {n}", plan=plan)
            for n, plan in enumerate(plans)
        ]
        limit = None if len(logs) == 1 else LIMIT
        settings = SimulatorSettings(kept_requests=0, api_limit=limit, **KINDS[kind])
        async with Simulator(world, settings, clock) as simulator:
            pipe.send((simulator.url, simulator.token, [job.id for job in jobs], now))
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


@contextmanager
def server_of(
    logs: list[RepeatedLog | bytes], factor: float, kind: str = "byte ranges"
) -> Iterator[tuple[str, str, list[int], float, AcceleratedClock]]:
    """Serve from another process; yield URL, token, ids, the start of the jobs, and the clock."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(there, logs, factor, kind))
    process.start()
    there.close()  # so that the end of the process ends the wait for it
    origin, start = time.time(), 1_750_000_000.0
    here.send((origin, start))
    try:
        yield *here.recv(), AcceleratedClock(factor, start=start + (time.time() - origin) * factor)
    finally:
        with suppress(BrokenPipeError):
            here.send("end")
        process.join()


@frozen
class Crowd:
    """Cost of many logs in one process: KiB a log, CPU seconds, and how late lines came, in s."""

    memory: float
    cpu: float
    delay: float
    slow: float


def followed_many(count: int, size: int, factor: float) -> Crowd:
    """Follow *count* logs of jobs that run for 15 minutes, each line compared."""
    return asyncio.run(many(count, size, factor))


async def many(count: int, size: int, factor: float) -> Crowd:
    """See `followed_many`."""
    log = numbered(size)
    with server_of([log] * count, factor) as (url, token, ids, began, clock):
        async with GitLab(url, auth=token, clock=clock) as client:
            await client.project(1).get_job(ids[0])
            base, peak, cpu = resident(), 0, time.process_time()
            known, delays, ended, rows = dict.fromkeys(ids, 0), [], 0, log.decode().splitlines()
            targets = [(1 + n % PROJECTS, job_id) for n, job_id in enumerate(ids)]
            async with client.tail_jobs(targets) as lines:
                async for item in lines:
                    if isinstance(item, TailedLine):
                        assert item.line.text == rows[known[item.job_id]]
                        known[item.job_id] += 1
                        if known[item.job_id] % 50 == 0:
                            written = DURATION * known[item.job_id] / len(rows)
                            upload = min(3.0 + 60.0 * max(0, -((3 - written) // 60)), DURATION)
                            delays.append(clock.now() - began - upload)
                            peak = max(peak, resident())
                    else:
                        ended += isinstance(item, TailEnded)
            cpu = time.process_time() - cpu
    assert ended == count
    assert set(known.values()) == {len(rows)}
    slow = statistics.quantiles(delays, n=20)[-1]
    return Crowd((peak - base) / count / 1024, cpu, statistics.median(delays), slow)


def followed_huge(size: int, kind: str) -> float:
    """Follow a log of that size into a file; return the MiB of memory above the base."""
    return asyncio.run(huge(size, kind))


async def huge(size: int, kind: str) -> float:
    """See `followed_huge`."""
    line = LINE % 7
    with server_of([RepeatedLog(line, size)], 1.0, kind) as (url, token, ids, _began, clock):
        async with GitLab(url, auth=token, clock=clock) as client:
            await client.project(1).get_job(ids[0])
            base, peak = resident(), 0
            with tempfile.TemporaryFile() as file:
                async for chunk in client.project(1).follow_trace(ids[0]):
                    file.write(chunk.data)
                    peak = max(peak, resident())
                assert file.tell() == size
                file.seek(size - size % len(line) - len(line))
                assert file.read(len(line)) == line
    return (peak - base) / 2**20


def measure(size: Size) -> Iterator[Row | Chart]:
    """Follow many logs, then a long one."""
    counts, factor = size.pick((10, 100, 1000), (10, 100), (5,)), size.pick(10.0, 10.0, 900.0)
    # Each in a process of its own: memory that others have left free would not count.
    crowds = [apart(followed_many, count, 20_000, factor) for count in counts]
    crowd = crowds[-1]
    yield Row(
        "follow many logs of 20 kB for 15 minutes in one process",
        "at most 64 KiB each, one core",
        f"{crowd.memory:.1f} KiB each, {crowd.cpu / DURATION:.1%} of a core",
        f"a line {crowd.delay:.1f} s after its upload, 95 % {crowd.slow:.1f} s",
        crowd.memory <= 64 and crowd.cpu <= DURATION,
        f"{counts[-1]:,} logs of {PROJECTS} projects on {LIMIT} requests/min, every line compared;"
        f" {factor:g} times the speed",
    )
    points = [(float(n), of.memory) for n, of in zip(counts, crowds, strict=True)]
    title = "Following logs: memory of one"
    yield Chart("growth-follow", title, "logs", "KiB", {"memory, KiB": points}, log_x=True)
    length = size.pick(2**30, 2**27, 2**22)
    above = {kind: apart(followed_huge, length, kind) for kind in ("byte ranges", WHOLE)}
    yield Row(
        "follow a very long log into a file",
        "at most 10 MiB above the base",
        ", ".join(f"{kind} {mebibytes:.1f} MiB" for kind, mebibytes in above.items()),
        "",
        max(above.values()) <= 10,
        f"a log of {length / 2**20:g} MiB",
    )
