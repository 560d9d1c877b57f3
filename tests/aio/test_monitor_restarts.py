"""A monitor begun again on its checkpoint goes on exactly, at whatever write the one before ended."""

import asyncio

import pytest
from attrs import define, evolve, field

from gitlab_jobs_async import (
    CheckpointError,
    GitLab,
    JobAppeared,
    JobFinished,
    JobLogEnded,
    JobLogGrew,
    JobTarget,
    PipelineTarget,
    ProjectRecovered,
    ProjectUnreachable,
)
from gitlab_jobs_async.aio.checkpoints import MemoryCheckpoint
from gitlab_jobs_async.aio.monitored_logs import FollowedLog, FollowedLogs
from gitlab_jobs_async.models import Job
from gitlab_jobs_async.sansio.recording import read, record
from gitlab_jobs_async.sansio.watching import ProjectState, ProjectWatch
from gitlab_jobs_async.simulator import (
    JobPlan,
    PipelinePlan,
    PlannedJob,
    Simulator,
    SteppedClock,
)
from gitlab_jobs_async.statuses import JobStatus
from tests.aio.replaying import Replay
from tests.conftest import JumpClock

APP = "group/app"
LIB = "group/lib"
WRITES = {"record", "told", "forget", "record_log_offset", "forget_log"}


@define
class MortalCheckpoint:
    """One that lets only so many writes through; the next one ends the monitor."""

    kept: MemoryCheckpoint = field(factory=MemoryCheckpoint)
    left: int | None = None

    def __getattr__(self, name):
        if name in WRITES and self.left is not None:
            if self.left == 0:
                raise CheckpointError("here", "killed")
            self.left -= 1
        return getattr(self.kept, name)


@define
class Consumer:
    """What was told by one monitor after the other, repeats left out."""

    gitlab: GitLab
    checkpoint: object = field(factory=MortalCheckpoint)
    replay: Replay = field(factory=Replay)
    lives: list[list] = field(factory=list)

    async def live(self, is_enough, targets=(APP,), **how):
        """Until it is enough, or the monitor ends."""
        self.lives.append([])
        how = {"checkpoint": self.checkpoint} | how
        async with self.gitlab.monitor(targets, **how) as events:
            async for event in events:
                self.lives[-1].append(event)
                if event.key not in self.replay.keys:
                    self.replay.hear(event)
                if is_enough(self.replay):
                    return

    def repeats(self):
        told = [event.key for life in self.lives for event in life]
        return len(told) - len(set(told))


def add_pipeline(simulator, *names, project=APP, **plan):
    world = simulator.world
    pipeline = world.add_pipeline(world.project(project))
    jobs = [world.add_job(pipeline, name, plan=JobPlan(**plan)) for name in names]
    world.settle(simulator.clock.now())
    return jobs


def much_happens(simulator):
    """Pipelines that fork into two projects, one that fails and is retried, and a log."""
    world, now = simulator.world, simulator.clock.now()
    tools = PipelinePlan(jobs=(PlannedJob("saw", plan=JobPlan(log=b"zzz\n")),), project="group/tools")
    lib = PipelinePlan(
        jobs=(PlannedJob("wheel", plan=JobPlan(log=b"a\nb\n")), PlannedJob("on", downstream=tools)),
        project=LIB,
    )
    for number in range(3):
        fork = PipelinePlan(jobs=(PlannedJob("fork", downstream=lib),))
        world.plan_pipeline(world.project(APP), fork, at=now + 1 + 400 * number)
    add_pipeline(simulator, "lint", queued=1.0, duration=5.0, log=b"1\n2\n3\n")
    simulator.clock.advance(1500.0)
    flaky = next(job for job in simulator.world.jobs.values() if job.name == "flaky")
    simulator.world.retry(flaky)


def is_all_told(simulator):
    def is_enough(replay):
        jobs = {i: job for i, job in simulator.world.jobs.items() if job.id > 1 or i in replay.status}
        return (
            replay.status == {i: job.status for i, job in jobs.items()}
            and all(replay.ends.get(i) for i, job in jobs.items() if job.id > 4 and job.complete)
            and sum(map(len, replay.lines.values())) >= 3 + 3 * 3
            and simulator.world.next_event() is None
        )

    return is_enough


@pytest.mark.parametrize("first", range(8))
async def test_at_whatever_write_it_ends_the_next_goes_on(first):
    """The first life sees what is there, the second is killed at a write, the third hears the rest."""
    for writes in range(first, 1000, 8):
        clock = JumpClock(SteppedClock())
        async with Simulator(clock=clock.stepped) as simulator:
            simulator.world.add_project(LIB)
            simulator.world.add_project("group/tools")
            async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
                consumer = Consumer(gitlab)
                how = {"logs": True, "downstream": True}
                await consumer.live(lambda replay: len(replay.appeared) == 4, **how)
                much_happens(simulator)
                consumer.checkpoint.left = writes
                is_enough, was_killed = is_all_told(simulator), False
                try:
                    await consumer.live(is_enough, **how)
                except CheckpointError:
                    was_killed = True
                    consumer.checkpoint.left = None
                    async with asyncio.timeout(10):
                        await consumer.live(is_enough, **how)
        assert is_enough(consumer.replay)
        assert consumer.repeats() <= 2
        if not was_killed:
            assert writes > 50
            return
