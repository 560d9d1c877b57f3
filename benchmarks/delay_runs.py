"""Jobs that are followed or waited for, on a stepped clock: how late, and for how many requests."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from attrs import define, evolve, field, frozen

from benchmarks.stepping import finish
from gitlab_jobs_async import GitLab, TailedLine, TailEnded
from gitlab_jobs_async.simulator import (
    Fault,
    JobPlan,
    ServedRequest,
    Simulator,
    SimulatorSettings,
    SteppedClock,
    World,
)

LENGTHS = (5.0, 20.0, 45.0, 120.0, 300.0, 600.0)
FIRST_UPLOAD, UPLOAD_INTERVAL = 3.0, 60.0
PROJECTS = 50
FULL_LOAD = 600.0
"""Seconds for which all jobs of a crowd are followed before the first of them ends."""


@frozen
class Server:
    """A kind of server; *fault* strikes every third request."""

    name: str
    settings: Mapping[str, Any] = field(factory=dict)
    fault: Fault | None = None
    has_one_line: bool = False

    @property
    def has_ranges(self) -> bool:
        """Whether traces are read by byte ranges."""
        return "byte_ranges" not in self.settings


_EVERY_THIRD = {
    "502": Fault.bad_gateway(),
    "reset": Fault(reset="unanswered"),
    "429, Retry-After 1": Fault.throttled(retry_after=1),
    "cut": Fault(reset="truncated"),
}
_WHOLE = {"byte_ranges": False}
SERVERS = (
    Server("byte ranges"),
    Server("whole with ETag", _WHOLE),
    Server("whole without", _WHOLE | {"etags": False}),
    Server("206 once archived", _WHOLE | {"archived_ranges": True}),
    Server("one repeated line", has_one_line=True),
    *(
        Server(f"{kind}, every third: {name}", settings, fault)
        for kind, settings in (("ranges", {}), ("whole", _WHOLE))
        for name, fault in _EVERY_THIRD.items()
    ),
)


@define
class Outcome:
    """Results of one or several jobs: delays in seconds, and what the server counted.

    `busiest` is the most requests within a minute, `refused` the number of answers of 429. `bytes`
    are those of the trace, as a part of the most that the bar allows with byte ranges.
    """

    ends: list[float] = field(factory=list)
    lines: list[float] = field(factory=list)
    rates: list[float] = field(factory=list)
    busiest: int = 0
    refused: int = 0
    bytes: float = 0.0

    def add(self, other: "Outcome") -> None:
        """Add the results of other jobs."""
        self.ends += other.ends
        self.lines += other.lines
        self.rates += other.rates
        self.busiest = max(self.busiest, other.busiest)
        self.refused += other.refused
        self.bytes = max(self.bytes, other.bytes)


@frozen
class FollowedJob:
    """A job that is followed: when it starts, in unix seconds, how long it runs, and its log."""

    project: str
    pipeline_id: int
    job_id: int
    start: float
    length: float
    log: bytes

    @property
    def end(self) -> float:
        """Unix seconds."""
        return self.start + self.length

    def uploaded_at(self, offset: int) -> float:
        """When the byte before *offset* was uploaded, in unix seconds."""
        at = FIRST_UPLOAD
        while at < self.length:
            # With the server's rounding: a line may end exactly where an upload does.
            share = (self.start + at - self.start) / self.length
            if int(len(self.log) * share) >= offset:
                return self.start + at
            at += UPLOAD_INTERVAL
        return self.end


Call = Callable[[GitLab, FollowedJob], Awaitable[object]]


def log_of(length: float, *, has_one_line: bool) -> bytes:
    """Two lines a second; all alike, or numbered and with the runner's last line."""
    count = max(4, int(2 * length))
    if has_one_line:
        return b"still waiting for the deployment\n" * count
    numbered = b"".join(b"%06d gcc -O2 -c module.c -o module.o\n" % n for n in range(count))
    return numbered + b"\x1b[32;1mJob succeeded\x1b[0;m\n"


def add_job(
    world: World, project: str, queued: float, length: float, server: Server
) -> FollowedJob:
    """Add a job that starts in *queued* seconds."""
    owner = world.registry.paths.get(project) or world.add_project(project)
    log = log_of(length, has_one_line=server.has_one_line)
    plan = JobPlan(queued=queued, duration=length, log=log)
    pipeline = world.add_pipeline(owner)
    job = world.add_job(pipeline, "build", plan=plan)
    return FollowedJob(project, pipeline.id, job.id, world.now + queued, length, log)


@asynccontextmanager
async def client_of(
    world: World, server: Server, clock: SteppedClock, limit: int | None = None
) -> AsyncIterator[tuple[Simulator, GitLab]]:
    """Yield a simulator of that kind and its only client."""
    settings = SimulatorSettings(
        first_upload=FIRST_UPLOAD,
        upload_interval=UPLOAD_INTERVAL,
        api_limit=limit,
        **server.settings,
    )
    async with Simulator(world, settings, clock) as simulator:
        if server.fault is not None:
            simulator.faults.add(evolve(server.fault, every=3, times=None))
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as client:
            yield simulator, client


def busiest_minute(requests: Sequence[ServedRequest]) -> int:
    """Return the most requests within 60 seconds."""
    times, first, most = [request.at for request in requests], 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - 60:
            first += 1
        most = max(most, last - first + 1)
    return most


def counted(requests: Sequence[ServedRequest], seconds: float) -> Outcome:
    """Return the requests a minute, and the most in one, within *seconds*."""
    return Outcome(
        rates=[60 * len(requests) / seconds],
        busiest=busiest_minute(requests),
        refused=sum(request.status == 429 for request in requests),
    )


def share_of_bytes(requests: Sequence[ServedRequest], log: bytes) -> float:
    """Bytes of the trace, of those that the bar allows with byte ranges."""
    traces = [request.sent for request in requests if request.path.endswith("/trace")]
    return sum(traces) / (1.05 * len(log) + 128 * len(traces))


async def tail_alone(server: Server, length: float, queued: float, **options: Any) -> Outcome:
    """Follow one job with `tail`; each line is compared."""
    clock = SteppedClock()
    world = World(clock.now())
    job = add_job(world, "group/app", queued, length, server)
    rows = job.log.splitlines(keepends=True)
    async with client_of(world, server, clock) as (simulator, client):
        delays: list[float] = []

        async def follow() -> None:
            end = 0
            async for line in client.project(job.project).tail(job.job_id, **options):
                end += len(rows[len(delays)])
                assert (line.end, line.raw.encode()) == (end, rows[len(delays)][:-1])
                delays.append(clock.now() - job.uploaded_at(end))

        await finish(follow(), client, clock)
        assert len(delays) == len(rows)
        outcome = counted(simulator.requests, clock.now() - world.root.created_at)
        outcome.ends, outcome.lines = [clock.now() - job.end], delays
        outcome.bytes = share_of_bytes(simulator.requests, job.log)
        return outcome


async def wait_alone(server: Server, length: float, queued: float, call: Call) -> Outcome:
    """Wait for one job or pipeline with *call*."""
    clock = SteppedClock()
    world = World(clock.now())
    job = add_job(world, "group/app", queued, length, server)
    async with client_of(world, server, clock) as (simulator, client):
        await finish(call(client, job), client, clock)
        outcome = counted(simulator.requests, clock.now() - world.root.created_at)
        outcome.ends = [clock.now() - job.end]
        return outcome


def wait_for_job(client: GitLab, job: FollowedJob) -> Awaitable[object]:
    """Wait for the job."""
    return client.project(job.project).wait_for_job(job.job_id)


def wait_for_pipeline(client: GitLab, job: FollowedJob) -> Awaitable[object]:
    """Wait for its pipeline, which has no other job."""
    return client.project(job.project).wait_for_pipeline(job.pipeline_id)


def crowd_of(
    world: World, server: Server, count: int, projects: int
) -> dict[tuple[str, int], FollowedJob]:
    """Add jobs of all lengths, which end within one minute, after all were followed for long."""
    jobs = {}
    for number in range(count):
        length = LENGTHS[number % len(LENGTHS)]
        # An irrational step spreads the ends evenly, whatever the count.
        queued = FULL_LOAD - length + 60 * (number * 0.6180339887 % 1)
        job = add_job(world, f"group/app-{number % projects}", queued, length, server)
        jobs[job.project, job.job_id] = job
    return jobs


async def tail_crowd(server: Server, count: int, limit: int) -> dict[float, Outcome]:
    """Follow *count* jobs at once with `tail_jobs`; return the outcomes by length of the jobs."""
    clock = SteppedClock()
    world = World(clock.now())
    jobs = crowd_of(world, server, count, PROJECTS)
    known = dict.fromkeys(jobs, 0)
    outcomes: dict[float, Outcome] = defaultdict(Outcome)
    async with client_of(world, server, clock, limit) as (simulator, client):

        async def follow() -> None:
            async with client.tail_jobs(jobs) as items:
                async for item in items:
                    key = item.project, item.job_id
                    job = jobs[key]
                    if isinstance(item, TailedLine):
                        assert item.line.end > known[key]
                        known[key] = item.line.end
                        delay = clock.now() - job.uploaded_at(item.line.end)
                        outcomes[job.length].lines.append(delay)
                    else:
                        assert isinstance(item, TailEnded), item
                        assert known[key] == len(job.log)
                        outcomes[job.length].ends.append(clock.now() - job.end)

        await finish(follow(), client, clock)
        counts = counted(simulator.requests, clock.now() - world.root.created_at)
    for outcome in outcomes.values():
        outcome.add(counts)
    return outcomes


async def wait_crowd(server: Server, count: int, projects: int, limit: int, call: Call) -> Outcome:
    """Wait for several jobs or pipelines at once with *call*."""
    clock = SteppedClock()
    world = World(clock.now())
    jobs = crowd_of(world, server, count, projects)
    ends: list[float] = []
    async with client_of(world, server, clock, limit) as (simulator, client):

        async def wait(job: FollowedJob) -> None:
            await call(client, job)
            ends.append(clock.now() - job.end)

        async def wait_for_all() -> None:
            async with asyncio.TaskGroup() as group:
                for job in jobs.values():
                    group.create_task(wait(job))

        await finish(wait_for_all(), client, clock)
        outcome = counted(simulator.requests, clock.now() - world.root.created_at)
    outcome.ends = ends
    return outcome
