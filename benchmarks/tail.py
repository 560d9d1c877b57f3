"""Requests and bytes of following a log while it grows.

A log of 10 MB in 200 uploads on each kind of server, on a stepped clock, beside a few lines of
python-gitlab that call `job.trace()` every 3 seconds, as people write it. The delays are in
`delays.py`, and many logs and a very long one in `tail_many.py`.
"""

import asyncio
from collections.abc import Iterator

import gitlab as python_gitlab
from attrs import frozen

from benchmarks.results import Row, Size, Table
from benchmarks.stepping import finish
from gitlab_jobs_async import GitLab
from gitlab_jobs_async.simulator import JobPlan, Simulator, SimulatorSettings, SteppedClock, World

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


@frozen
class Cost:
    """Costs of one follow to a server."""

    requests: int
    traces: int
    bodies: int
    received: int

    def share_of_bar(self, size: int) -> float:
        """Return the bytes as a part of those that the bar allows with byte ranges."""
        return self.received / (1.05 * size + 128 * self.traces)


def numbered(size: int) -> bytes:
    """Return *size* bytes of lines that are all different."""
    length = len(LINE % 0)
    return b"".join(LINE % number for number in range(size // length + 1))[:size]


def world_of(log: bytes, uploads: int, interval: float, now: float) -> tuple[World, int]:
    """Return a world with one job that uploads its log in *uploads* pieces."""
    world = World(now)
    pipeline = world.add_pipeline(world.add_project("group/app"))
    duration = 3.0 + interval * (uploads - 1) + 0.5
    plan = JobPlan(log=log, queued=0, first_upload=3.0, upload_interval=interval, duration=duration)
    job = world.add_job(pipeline, "build", plan=plan)
    world.settle(now)
    return world, job.id


def cost_of(simulator: Simulator) -> Cost:
    """Return what the simulator has sent."""
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


def measure(size: Size) -> Iterator[Row | Table]:
    """Follow a growing log to its end, on each kind of server and at each interval of uploads."""
    uploads = size.pick(200, 200, 20)
    intervals = size.pick((60.0, 30.0, 3.0), (60.0, 3.0), (3.0,))
    log = numbered(size.pick(10_000_000, 1_000_000, 100_000))
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
