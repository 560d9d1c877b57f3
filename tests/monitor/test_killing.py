"""A monitor with a checkpoint is killed at any moment, many times, and loses no event.

Each process is ended by SIGKILL. Its events are in a journal, which is compared with the history of
the simulated world.
"""

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import define, evolve, field

from gitlab_jobs_async import from_json
from gitlab_jobs_async.events import (
    JobAppeared,
    JobChanged,
    JobDeleted,
    JobErased,
    JobFinished,
    JobLogEnded,
    JobLogFailed,
    JobLogLine,
    ProjectUnreachable,
)
from gitlab_jobs_async.logs.parser import LogParser
from gitlab_jobs_async.simulator import (
    NEVER,
    AcceleratedClock,
    JobPlan,
    PipelinePlan,
    PlannedJob,
    Simulator,
    World,
)
from tests.support.monitor_processes import Errand

KILLS = 50
SECONDS = 10.0
FACTOR = 250.0
START = 1_750_000_000.0
PROJECTS = ["shop/web", "shop/api", "shop/search", "shop/pay", "infra/deploy"]
QUIET = ["quiet/archive", "quiet/docs", "quiet/legal"]
"""Projects with many jobs that emit nothing for most of the time."""

LONGEST_LIFE = 0.3

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")


@define
class Journal:
    """The events of each process; an empty line starts each one."""

    path: Path
    lives: list[list] = field(factory=list)
    seen: dict[str, object] = field(factory=dict)
    _read: int = 0

    def read(self):
        """Read the events since the last call."""
        with self.path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            if not line:
                self.lives.append([])
                continue
            event = from_json(line)
            self.lives[-1].append(event)
            self.seen.setdefault(event.key, event)
        return self

    def of(self, kind):
        return [event for event in self.seen.values() if isinstance(event, kind)]

    def jobs(self):
        """Return the state of each job by its events, without repeats."""
        jobs = {}
        for event in self.seen.values():
            match event:
                case JobAppeared(job=job) | JobChanged(job=job) | JobFinished(job=job):
                    jobs[job.id] = job.status
                case JobDeleted(job_id=job_id):
                    del jobs[job_id]
        return jobs

    def lines(self):
        """Return the log of each job by its events, without repeats."""
        logs = {}
        for event in self.of(JobLogLine):
            logs.setdefault(event.job.id, []).append((event.line.end, event.line.raw))
        return logs


@define
class History:
    """A busy world, and the events expected of it in the end."""

    world: World
    chance: random.Random
    deleted: set[int] = field(factory=set)
    erased: set[int] = field(factory=set)
    old: set[int] = field(factory=set)

    def begin(self):
        """Build the start: one job of each busy project is running.

        Each has more than a hundred jobs that ended long ago, so that a baseline takes two
        requests, and a process may be killed between them.
        """
        for path in [*PROJECTS, *QUIET]:
            count = self.chance.choice([101, 150, 230])
            self.world.add_finished_jobs(self.world.add_project(path), count, gaps="dense")
        self.old = set(self.world.jobs)
        for path in PROJECTS:
            pipeline = self.world.add_pipeline(self.world.project(path))
            self.world.add_job(pipeline, "watchman", plan=JobPlan(queued=0, duration=NEVER))
        self.world.add_project("group/lib")
        self.world.add_project("group/tools")

    def plan(self, at, seconds):
        """Plan many changes from *at* on."""
        for number in range(60):
            when = at + seconds * number / 60
            path = self.chance.choice(PROJECTS)
            plan = self.chance.choice([self.usual, self.forked, self.failing])(number)
            self.world.plan_pipeline(self.world.project(path), plan, at=when)

    def job(self, name, stage="test", **plan):
        queued, duration = self.chance.uniform(0, 10), self.chance.uniform(0, 60)
        log = self.chance.choice([numbered(name, self.chance.randint(1, 9)), STREAMS])
        plan = {"queued": queued, "duration": duration, "log": log} | plan
        return PlannedJob(name, stage, JobPlan(upload_interval=5.0, **plan))

    def usual(self, number):
        jobs = (
            self.job("compile", "build"),
            self.job("unit"),
            self.job("flaky", outcome="failed", auto_retry=1, attempts=(JobPlan(log=b"ok\n"),)),
            self.job("stuck", duration=NEVER),
            self.job("ship", "deploy", when="manual", duration=1.0),
        )
        return PipelinePlan(jobs=jobs, stages=("build", "test", "deploy"), name=f"usual {number}")

    def failing(self, number):
        jobs = (
            self.job("compile", "build", outcome="failed", attempts=(JobPlan(log=b"ok\n"),)),
            self.job("unit"),
            self.job("ship", "deploy"),
        )
        return PipelinePlan(jobs=jobs, stages=("build", "test", "deploy"), name=f"fails {number}")

    def forked(self, number):
        tools = PipelinePlan(jobs=(self.job("drill"), self.job("saw")), project="group/tools")
        lib = PipelinePlan(
            jobs=(self.job("wheel"), PlannedJob("tools", "test", downstream=tools)),
            project="group/lib",
            depend=self.chance.random() < 0.5,
        )
        child = PipelinePlan(jobs=(self.job("docs"),))
        jobs = (
            self.job("compile", "build"),
            PlannedJob("lib", "test", JobPlan(queued=0.1, duration=0.1), lib),
            PlannedJob("child", "test", downstream=child),
        )
        return PipelinePlan(jobs=jobs, stages=("build", "test"), name=f"forks {number}")

    def meddle(self):
        """Change the world while no monitor runs."""
        if self.chance.random() < 0.2:
            rare = self.world.add_pipeline(self.world.project(self.chance.choice(QUIET)))
            for name in ("rare", "bird"):
                self.world.add_job(rare, name, plan=JobPlan(queued=0.1, duration=0.1, log=b"\n"))
        project = self.world.project(self.chance.choice(PROJECTS))
        flash = self.world.add_pipeline(project)
        self.world.add_job(flash, "flash", plan=JobPlan(queued=0.1, duration=0.1, log=b"zip\n"))
        recently = self.world.now - 200
        jobs = [j for j in self.world.jobs.values() if j.created_at > recently and j.name != "rare"]
        # The log of an older job may be erased without an event.
        recent = [
            job for job in jobs if job.name == "unit" and job.created_at > self.world.now - 100
        ]
        self.chance.shuffle(jobs)
        for job in jobs[:10]:
            if job.name == "compile" and job.status == "failed" and not job.retried:
                self.world.retry(job)
            elif job.name == "ship" and job.status == "manual" and job.project.path in PROJECTS:
                self.world.play(job)
            elif job.name == "stuck" and job.status == "running":
                self.deleted.add(job.id)
                self.world.delete_job(job)
            elif job in recent and job.complete and job.started_at and not job.erased_at:
                self.erased.add(job.id)
                self.world.erase(job)
        for job in jobs[10:]:
            if job.name == "stuck" and job.status == "running":
                self.world.cancel(job)

    def settle(self, now):
        """Advance the world to *now*."""
        self.world.settle(now)

    def finish(self, now):
        """Return whether no change is planned."""
        self.settle(now)
        for job in tuple(self.world.jobs.values()):
            if job.status == "running" and job.plan.duration == NEVER:
                self.world.cancel(job)

    def jobs(self):
        return {i: job.status for i, job in self.world.jobs.items() if i not in self.old}

    def ended(self):
        return {i for i, job in self.world.jobs.items() if job.complete and i not in self.old}

    def lines(self):
        """Return the log of each job that still has one."""
        logs = {}
        for job in (job for i, job in self.world.jobs.items() if i not in self.old):
            size = job.log_at(self.world.now) if job.erased_at is None and not job.is_bridge else 0
            parser = LogParser()
            data = b"".join(job.log.read(0, size)) if size else b""
            if lines := [*parser.feed(data), *parser.close()]:
                logs[job.id] = [(line.end, line.raw) for line in lines]
        return logs


STREAMS = b"".join(
    b"2025-06-15T15:06:40.%06dZ %s%s\n" % (number, stream, text)
    for number, (stream, text) in enumerate(
        [
            (b"00O ", b"half a line"),
            (b"00E ", b"a warning"),
            (b"00E ", b"another"),
            (b"00O+", b" and its rest"),
            (b"00O ", b"done"),
        ]
    )
)
"""A log with timestamps and two interleaved streams."""


def numbered(name, lines):
    return b"".join(b"%s says %d\n" % (name.encode(), number) for number in range(lines))


@define
class Watchers:
    """The processes, one at a time."""

    forks: asyncio.subprocess.Process
    living: int = 0

    async def begin(self, *, pause=0.0):
        self.forks.stdin.write(f"{pause}\n".encode())
        self.living = int(await self.forks.stdout.readline())

    async def kill(self):
        living, self.living = self.living, 0
        os.kill(living, signal.SIGKILL)
        assert int(await self.forks.stdout.readline()) == -signal.SIGKILL, "it ended by itself"


@asynccontextmanager
async def watchers(errand: Errand):
    forks = await asyncio.create_subprocess_exec(
        sys.executable,
        Path(__file__).parents[1] / "support" / "monitor_processes.py",
        str(errand),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    here = Watchers(forks)
    try:
        yield here
    finally:
        if here.living:
            await here.kill()
        forks.stdin.close()
        await forks.wait()


async def eventually(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.02)


def is_complete(journal, history):
    journal.read()
    emitted = {event.job.id for event in journal.of(JobLogEnded)}
    ended = {event.job.id for event in journal.of(JobFinished)}
    return (
        journal.jobs() == history.jobs()
        and ended >= history.ended()
        and emitted >= history.lines().keys()
    )


def is_begun(simulator, asked):
    """Return whether the baseline of each quiet project is complete, which emits no event.

    Since *asked* requests each was scanned twice from its newest jobs on.
    """
    newest = Counter(
        request.path.split("/")[4]
        for request in simulator.requests[asked:]
        if request.path.endswith("/jobs") and "scope[]" not in dict(request.query)
    )
    return all(newest[str(simulator.world.project(path).id)] >= 2 for path in QUIET)


async def killed_again_and_again(processes, simulator, history, journal, chance):
    """Kill processes during the baseline, then during many changes, and let the last one finish.

    Nothing ends during the baseline, so that no job is gone before it is seen.
    """
    first_kills = KILLS // 10
    for _ in range(first_kills):
        await processes.begin()
        await asyncio.sleep(chance.uniform(0, LONGEST_LIFE / 5))
        await processes.kill()
    await processes.begin()
    await eventually(lambda: len(journal.read().jobs()) == len(PROJECTS))
    asked = len(simulator.requests)
    await eventually(lambda: is_begun(simulator, asked))
    history.plan(simulator.world.now, SECONDS * FACTOR)
    ends = time.monotonic() + SECONDS
    for _ in range(KILLS - first_kills):
        await asyncio.sleep(chance.uniform(0, LONGEST_LIFE))
        await processes.kill()
        history.settle(simulator.clock.now())
        history.meddle()
        await asyncio.sleep(chance.uniform(0, LONGEST_LIFE / 5))
        await processes.begin(pause=chance.choice([0.0, 0.0, 0.002]))
    await asyncio.sleep(ends - time.monotonic())
    await eventually(lambda: simulator.world.next_event() is None)
    await processes.kill()
    history.finish(simulator.world.now)
    await processes.begin()
    await eventually(lambda: is_complete(journal, history))


@pytest.mark.timeout(120)  # kills processes for 10 s, then waits until they have caught up
@pytest.mark.no_cover("kills what it would measure")
async def test_kills_at_any_moment_lose_no_event(tmp_path):
    chance = random.Random(7)
    clock = AcceleratedClock(FACTOR, start=START)
    origin = time.monotonic()
    history = History(World(START), chance)
    history.begin()
    journal = Journal(tmp_path / "journal")
    async with Simulator(history.world, clock=clock) as simulator:
        errand = Errand(
            url=simulator.url,
            token=simulator.token,
            projects=[*PROJECTS, *QUIET],
            checkpoint=str(tmp_path / "checkpoint.db"),
            journal=str(journal.path),
            factor=FACTOR,
            start=START,
            origin=origin,
        )
        async with watchers(errand) as processes:
            await killed_again_and_again(processes, simulator, history, journal, chance)
    journal.read()
    check_jobs(journal, history)
    check_logs(journal, history)
    check_repeats(journal)


def check_jobs(journal, history):
    appeared = {event.job.id for event in journal.of(JobAppeared)}
    assert journal.jobs() == history.jobs()
    assert appeared >= history.jobs().keys()
    assert {event.job.id for event in journal.of(JobFinished)} >= history.ended()
    assert {event.job_id for event in journal.of(JobDeleted)} == appeared & history.deleted
    assert {event.job.id for event in journal.of(JobErased)} == history.erased
    assert not journal.of(ProjectUnreachable)


def check_logs(journal, history):
    emitted, written = journal.lines(), history.lines()
    for job_id, lines in written.items():
        assert sorted(emitted[job_id]) == sorted(lines)
    assert not [event for event in journal.of(JobLogFailed) if event.job.id in written]


def check_repeats(journal):
    """Assert that only the last event of a process is repeated, which was not acknowledged."""
    times = Counter(event.key for life in journal.lives for event in life)
    last = Counter(life[-1].key for life in journal.lives if life)
    for life in journal.lives:
        assert len({event.key for event in life}) == len(life)
        for event in life:
            assert times[event.key] <= 1 + last[event.key]
            assert content(event) == content(journal.seen[event.key])


def content(event):
    """Return an event without numbers, sections and request ids, which a restart changes."""
    match event:
        case JobLogLine(line=line):
            return evolve(event, line=evolve(line, number=0, section=(), markers=()))
        case JobLogFailed():
            return evolve(event, reason="")
    return event
