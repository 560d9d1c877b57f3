"""What following a log costs: requests, bytes, memory and delay, beside a poll of the whole log.

A 10 MB log of 200 uploads, on each kind of server, to the job's end; the poll is python-gitlab's
`job.trace()` every 3 seconds, as people write it. Then 1,000 logs in one process, and one of 1 GiB
into a file. Clocks are stepped or accelerated; the server of the last two is another process.

Bars: bytes at most 1.05 x the log and 128 a poll with byte ranges, at most 15 requests a minute,
64 KiB a log, one core, 10 MiB above the base for 1 GiB. The delays are in `delays.py`.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import gitlab as python_gitlab
from attrs import frozen
from stepping import finish

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

KINDS = {
    "byte ranges": {},
    "byte ranges, gzip": {"gzip": True},
    "whole with ETag": {"byte_ranges": False},
    "whole with ETag, 206 once archived": {"byte_ranges": False, "archived_ranges": True},
    "whole without": {"byte_ranges": False, "etags": False},
}
RANGED = ("byte ranges", "byte ranges, gzip")
LINE = b"%08d gcc -O2 -c module.c -o build/module.o # nothing to see here\n"


PROJECTS, LIMIT = 50, 2000
"""Projects of the many logs, and requests a minute that their server allows."""


@frozen
class Cost:
    """What one follow took of a server."""

    requests: int
    traces: int
    bodies: int
    received: int


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


def print_cost(name: str, cost: Cost, size: int, seconds: float) -> None:
    """One row; the bar of the bytes is that of byte ranges."""
    allowed = 1.05 * size + 128 * cost.traces
    share = f", {cost.received / allowed:.3f} of the bar" if name in RANGED else ""
    print(
        f"  {name:36}{cost.requests:7} requests, {60 * cost.requests / seconds:5.1f} a minute,"
        f"{cost.bodies:6} bodies,{cost.received / size:9.3f} x the log{share}"
    )


def serve(pipe: Connection, logs: list[RepeatedLog | bytes], factor: float, kind: str) -> None:
    """Be the server of another process until it says so, on a clock *factor* times as fast."""

    async def run() -> None:
        origin, start = pipe.recv()
        clock = AcceleratedClock(factor, start=start + (time.time() - origin) * factor)
        now = clock.now()
        world = World(now)
        count = min(PROJECTS, len(logs))
        pipelines = [world.add_pipeline(world.add_project(f"group/app-{n}")) for n in range(count)]
        plans = [JobPlan(log=log, queued=0, duration=0 if len(logs) == 1 else 900) for log in logs]
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


def resident() -> int:
    """Bytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def many(count: int, size: int, factor: float) -> None:
    """Follow so many logs of jobs that run for 15 minutes, each line compared."""
    log = numbered(size)
    with server_of([log] * count, factor) as (url, token, ids, began, clock):
        async with GitLab(url, auth=token, clock=clock) as client:
            await client.project(1).get_job(ids[0])
            base, peak, cpu, wall = resident(), 0, time.process_time(), time.perf_counter()
            known, lags, ended, rows = dict.fromkeys(ids, 0), [], 0, log.decode().splitlines()
            targets = [(1 + n % PROJECTS, job_id) for n, job_id in enumerate(ids)]
            async with client.tail_jobs(targets) as lines:
                async for item in lines:
                    if isinstance(item, TailedLine):
                        assert item.line.text == rows[known[item.job_id]]
                        known[item.job_id] += 1
                        if known[item.job_id] % 50 == 0:
                            written = 900.0 * known[item.job_id] / len(rows)
                            upload = min(3.0 + 60.0 * max(0, -((3 - written) // 60)), 900.0)
                            lags.append(clock.now() - began - upload)
                            peak = max(peak, resident())
                    else:
                        ended += isinstance(item, TailEnded)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    assert ended == count
    assert set(known.values()) == {len(rows)}
    print(f"  {count} logs of {size / 1000:.0f} kB, {sum(known.values())} lines, every one right,")
    print(f"    of {PROJECTS} projects, on {LIMIT} requests a minute")
    print(f"  memory {(peak - base) / count / 1024:.1f} KiB a log (bar: 64)")
    print(f"  CPU {cpu:.1f} s for 15 minutes of jobs, {cpu / 9:.1f} % of a core (bar: one core)")
    print(f"    ({wall:.0f} s at {factor:g} times the speed; the server has a process of its own)")
    usual, slow = statistics.median(lags), statistics.quantiles(lags, n=20)[-1]
    print(f"  a line comes {usual:.1f} s after its upload (median), 95 %: {slow:.1f} s")


async def huge(size: int, kind: str) -> None:
    """A log of that size into a file."""
    line = LINE % 7
    with server_of([RepeatedLog(line, size)], 1.0, kind) as (url, token, ids, _began, clock):
        async with GitLab(url, auth=token, clock=clock) as client:
            await client.project(1).get_job(ids[0])
            base, peak, begun = resident(), 0, time.perf_counter()
            with tempfile.TemporaryFile() as file:
                async for chunk in client.project(1).follow_trace(ids[0]):
                    file.write(chunk.data)
                    peak = max(peak, resident())
                taken = time.perf_counter() - begun
                assert file.tell() == size
                file.seek(size - size % len(line) - len(line))
                assert file.read(len(line)) == line
    above = (peak - base) / 2**20
    print(f"  {kind:42}{size / 2**20:6.0f} MiB in {taken:5.1f} s, {above:5.1f} MiB above the base")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    part = 10 if parser.parse_args().quick else 1
    size, uploads = 10_000_000 // part, 200
    log = numbered(size)
    for interval in (60.0, 30.0, 3.0):
        print(f"{size / 1e6:g} MB in {uploads} uploads, one every {interval:g} s")
        for kind, settings in KINDS.items():
            cost = asyncio.run(ours(log, uploads, interval, settings))
            print_cost(kind, cost, size, uploads * interval)
        if interval != 30.0:
            cost = polled(log, uploads, interval, {})
            print_cost("python-gitlab every 3 s", cost, size, uploads * interval)
    print("many logs at once")
    asyncio.run(many(1000 // part, 20_000, 10.0))
    print("into a file")
    for kind in ("byte ranges", "whole with ETag"):
        asyncio.run(huge(2**30 // part, kind))


if __name__ == "__main__":
    main()
