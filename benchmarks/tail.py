"""What it costs to follow a log: requests and bytes while it grows, memory and CPU for many.

A log of 10 MB in 200 uploads on each kind of server, beside a few lines of python-gitlab that call
`job.trace()` every 3 seconds, as people write it. Then 1,000 logs in one process, and one of 1 GiB
into a file. Clocks are stepped or accelerated; the server of the last two is another process.

Bars: bytes at most 1.05 x the log and 128 a poll with byte ranges, at most 15 requests a minute,
64 KiB a log, one core, 10 MiB above the base for 1 GiB. The delays are in `delays.py`.
"""

import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import gitlab as python_gitlab
from attrs import frozen

from benchmarks.measuring import apart, resident
from benchmarks.results import Chart, Row, Size, Table
from benchmarks.stepping import finish
from gitlab_jobs_async import GitLab, TailedLine, TailEnded
from gitlab_jobs_async.simulator import (
    AcceleratedClock,
    JobPlan,
    RepeatedLog,
    Simulator,
    SimulatorSettings,
    SteppedClock,
    World,
)

WHOLE = "whole with ETag"
KINDS = {
    "byte ranges": {},
    "byte ranges, gzip": {"gzip": True},
    WHOLE: {"byte_ranges": False},
    "whole with ETag, 206 once archived": {"byte_ranges": False, "archived_ranges": True},
    "whole without": {"byte_ranges": False, "etags": False},
}
RANGED = ("byte ranges", "byte ranges, gzip")
LINE = b"%08d gcc -O2 -c module.c -o build/module.o # nothing to see here\n"


PROJECTS, LIMIT = 50, 2000
"""Projects of the many logs, and requests a minute that their server allows."""
DURATION = 900.0
"""Seconds that each of the many jobs runs."""


@frozen
class Cost:
    """What one follow took of a server."""

    requests: int
    traces: int
    bodies: int
    received: int

    def share_of_bar(self, size: int) -> float:
        """Return the bytes as a part of those that the bar allows with byte ranges."""
        return self.received / (1.05 * size + 128 * self.traces)


def numbered(size: int) -> bytes:
    """So many bytes of lines that are all different."""
    length = len(LINE % 0)
    return b"".join(LINE % number for number in range(size // length + 1))[:size]


def world_of(log: bytes, uploads: int, interval: float, now: float) -> tuple[World, int]:
    """A world with one job that uploads its log in so many pieces."""
    world = World(now)
    pipeline = world.add_pipeline(world.add_project("group/app"))
    duration = 3.0 + interval * (uploads - 1) + 0.5
    plan = JobPlan(log=log, queued=0, first_upload=3.0, upload_interval=interval, duration=duration)
    job = world.add_job(pipeline, "build", plan=plan)
    world.settle(now)
    return world, job.id


def cost_of(simulator: Simulator) -> Cost:
    """What the simulator has sent."""
    traces = [request for request in simulator.requests if request.path.endswith("/trace")]
    bodies = sum(request.sent > 0 for request in traces)
    received = sum(request.sent for request in traces)
    return Cost(len(simulator.requests), len(traces), bodies, received)


async def ours(log: bytes, uploads: int, interval: float, settings: dict[str, bool]) -> Cost:
    """Follow it with `follow_trace`; every byte is compared."""
    clock = SteppedClock()
    world, job_id = world_of(log, uploads, interval, clock.now())
    async with Simulator(world, SimulatorSettings(**settings), clock) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as client:

            async def follow() -> None:
                end = 0
                async for chunk in client.project(1).follow_trace(job_id):
                    assert (chunk.offset, chunk.data) == (end, log[end : chunk.end])
                    end = chunk.end
                assert end == len(log)

            await finish(follow(), client, clock)
        return cost_of(simulator)


def polled(log: bytes, uploads: int, interval: float, settings: dict[str, bool]) -> Cost:
    """Follow it with python-gitlab, as a few lines do: status, whole log, 3 seconds of sleep."""
    clock = SteppedClock()
    world, job_id = world_of(log, uploads, interval, clock.now())
    with Simulator(world, SimulatorSettings(**settings), clock) as simulator:
        server = python_gitlab.Gitlab(simulator.url, private_token=simulator.token)
        job, seen = server.projects.get(1, lazy=True).jobs.get(job_id), 0
        while True:
            is_over = job.status in {"success", "failed", "canceled"}
            trace = job.trace()
            assert trace[seen:] == log[seen : len(trace)]
            seen = len(trace)
            if is_over:
                break
            clock.advance(3.0)
            job.refresh()
        assert seen == len(log)
        return cost_of(simulator)


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
    """A simulator in another process: URL, token, ids, when jobs began, and the clock it is on."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(there, logs, factor, kind))
    process.start()
    origin, start = time.time(), 1_750_000_000.0
    here.send((origin, start))
    try:
        yield *here.recv(), AcceleratedClock(factor, start=start + (time.time() - origin) * factor)
    finally:
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


def measure(size: Size) -> Iterator[Row | Table | Chart]:
    """Follow a growing log on each kind of server, then many, then a long one."""
    bytes_, uploads = size.pick(10_000_000, 1_000_000, 100_000), size.pick(200, 200, 20)
    yield from growing(numbered(bytes_), uploads, size.pick((60.0, 30.0, 3.0), (60.0, 3.0), (3.0,)))
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


def growing(log: bytes, uploads: int, intervals: tuple[float, ...]) -> Iterator[Row | Table]:
    """Follow *log* to its end, in each way and at each interval of uploads."""
    rows, shares, rates = [], [], []
    for interval in intervals:
        costs = {
            kind: asyncio.run(ours(log, uploads, interval, settings))
            for kind, settings in KINDS.items()
        }
        shares += [costs[kind].share_of_bar(len(log)) for kind in RANGED]
        rates += [60 * cost.requests / (uploads * interval) for cost in costs.values()]
        if interval != 30.0:
            costs["python-gitlab every 3 s"] = polled(log, uploads, interval, {})
        for kind, cost in costs.items():
            share = f"{cost.share_of_bar(len(log)):.3f}" if kind in RANGED else ""
            rate, bodies = 60 * cost.requests / (uploads * interval), str(cost.bodies)
            times = f"{cost.received / len(log):.3f}"
            rows.append((f"{interval:g} s", kind, f"{rate:.1f}", bodies, times, share))
    yield Row(
        "follow a growing log: bytes by byte ranges",
        "at most 1.05 x the log and 128 bytes a poll",
        f"{max(shares):.3f} of that",
        "",
        max(shares) <= 1,
        f"{len(log) / 1e6:g} MB in {uploads} uploads",
    )
    yield Row(
        "follow a growing log: requests, on any server",
        "at most 15 a minute",
        f"{max(rates):.1f}",
        "",
        max(rates) <= 15,
    )
    heads = ("uploads every", "server", "requests/min", "bodies", "bytes, x the log", "of the bar")
    yield Table("a growing log, followed to its end", heads, rows)
