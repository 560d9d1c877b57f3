"""Several monitors on one simulated GitLab, each as one process of many would run it."""

import asyncio
from contextlib import asynccontextmanager

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.events import JobFinished, JobLogLine, ProjectUnreachable
from gitlab_jobs_async.simulator import AcceleratedClock, JobPlan, Simulator, World

PROJECTS = [f"shop/p{number}" for number in range(8)]


@asynccontextmanager
async def serving(factor=240):
    """Yield a GitLab with the projects, whose time passes *factor* times as fast."""
    clock = AcceleratedClock(factor)
    world = World(clock.now() - 10_000)
    for path in PROJECTS:
        world.add_finished_jobs(world.add_project(path), 120)
    async with Simulator(world, clock=clock) as simulator:
        yield simulator


def add_jobs(simulator, *, count=1):
    jobs = []
    for path in PROJECTS:
        pipeline = simulator.world.add_pipeline(simulator.world.project(path))
        jobs += [
            simulator.world.add_job(pipeline, f"job {number}", plan=JobPlan(duration=15.0))
            for number in range(count)
        ]
    return {job.id for job in jobs}


class Node:
    """One process: a monitor, and what its consumer has got."""

    def __init__(self, simulator, store, shards=1, targets=PROJECTS, **options):
        self.simulator, self.store, self.targets = simulator, store, targets
        self.options = options | {"shards": shards, "checkpoint": store}
        self.ended, self.unreachable, self.lines = [], [], []
        self.monitor = self.task = None

    @asynccontextmanager
    async def running(self):
        async with (
            GitLab(
                self.simulator.url, auth=self.simulator.token, clock=self.simulator.clock
            ) as gitlab,
            gitlab.monitor(self.targets, **self.options) as events,
        ):
            self.monitor = events
            self.task = asyncio.create_task(self._consume(events))
            try:
                yield self
            finally:
                self.task.cancel()
                await asyncio.wait([self.task])

    async def _consume(self, events):
        async for event in events:
            if isinstance(event, JobFinished) and event.is_new:
                self.ended.append(event.job.id)
            elif isinstance(event, JobLogLine):
                self.lines.append((event.job.id, event.line.text))
            elif isinstance(event, ProjectUnreachable):
                self.unreachable.append(event)

    @property
    def is_over(self):
        """Whether the iteration has ended."""
        return self.task.done()

    @property
    def held(self):
        return self.monitor.shards

    @property
    def has_scanned(self):
        """Whether it knows the jobs of its projects, so that later ones are new."""
        status = self.monitor.status()
        return status.targets > 0 and status.unscanned == 0


async def until(condition, seconds=15.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what changes is in a file
            await asyncio.sleep(0.02)
