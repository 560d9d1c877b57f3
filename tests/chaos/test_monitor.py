"""A monitor emits what has happened, once, while everything fails at the same time.

Each seed has fifteen projects. Their jobs start, end, and are retried, played, erased and deleted;
their pipelines trigger one another, and projects move. A tenth of all requests meets some fault,
and webhooks are lost, duplicated, late and forged. Then the changes stop. No test really sleeps.
"""

import asyncio
import random
from collections import Counter, deque
from contextlib import asynccontextmanager, suppress

import pytest
from attrs import define, evolve, field

from gitlab_jobs_async import GitLab, JobStatus, PipelineHook, parse_webhook
from gitlab_jobs_async.models import HookProject
from gitlab_jobs_async.simulator import (
    NEVER,
    Fault,
    Faults,
    JobPlan,
    PipelinePlan,
    PlannedJob,
    Simulator,
    SimulatorSettings,
    Webhook,
    World,
)
from gitlab_jobs_async.simulator.actions import ActionRefused
from tests.chaos.test_listing import SHARES
from tests.support.clocks import JumpClock
from tests.support.connections import open_connections
from tests.support.event_replay import Replay
from tests.support.tasks import in_background, others, until

SEEDS = range(1, 4)
PROJECTS = 15
QUIET_AFTER = 250
"""Requests until the changes stop."""

HOLDING = 7200.0
"""Seconds of the clock within which all events must follow after that."""

NAMES = ("lint", "unit", "e2e")
PROJECT_GONE = b'{"message":"404 Project Not Found"}'
FORBIDDEN = b'{"message":"403 Forbidden"}'


def plan_of(rng, projects, depth=0):
    """Return a pipeline of three stages, with a different plan for each job."""
    jobs = []
    for stage in ("build", "test", "deploy"):
        for name in NAMES[: rng.randint(1, 3)]:
            when = rng.choices(["on_success", "manual", "delayed", "always"], [8, 2, 1, 1])[0]
            plan = JobPlan(
                queued=rng.choice([0.0, 2.0, 40.0]),
                duration=rng.choice([0.5, 5.0, 60.0, 900.0]),
                outcome=rng.choices(["success", "failed"], [4, 1])[0],
                when=when,
                start_in=rng.choice([10.0, 400.0]) if when == "delayed" else 0.0,
                after_script=rng.choice([0.0, 20.0]),
                auto_retry=rng.choice([0, 0, 1]),
                log=b"one\ntwo\n",
            )
            jobs.append(PlannedJob(f"{stage} {name}", stage, plan))
    if depth < 2 and rng.random() < 0.4:
        below = rng.choice([None, rng.choice(projects).path])
        downstream = evolve(
            plan_of(rng, projects, depth + 1), project=below, depend=rng.random() < 0.5
        )
        jobs.append(PlannedJob("trigger", "test", downstream=downstream))
    return PipelinePlan(jobs=tuple(jobs))


def build(seed):
    """Build fifteen projects, some with many old jobs, each with one endless pipeline."""
    world = World(JumpClock().now(), seed=seed)
    projects = [world.add_project(f"group/p{number}") for number in range(PROJECTS)]
    for number, project in enumerate(projects):
        if number % 3 == 0:
            world.add_finished_jobs(project, 150, per_pipeline=7, gaps="dense")
        pipeline = world.add_pipeline(project)
        world.add_job(pipeline, "stuck", plan=JobPlan(queued=NEVER))
        world.add_job(pipeline, "ask", stage="deploy", plan=JobPlan(when="manual"))
    world.settle(world.now)
    return world


@define
class Unrest:
    """Changes of the world, one at a time."""

    simulator: Simulator
    rng: random.Random
    tally: Counter
    is_on: bool = False

    def happen(self):
        if not self.is_on:
            return
        world = self.simulator.world
        world.settle(self.simulator.clock.now())
        kinds = [self.pipeline, self.pipeline, self.retry, self.retry, self.play, self.cancel]
        kinds += [self.erase, self.delete_pipeline, self.move, self.hide]
        kind = self.rng.choice(kinds)
        with suppress(ActionRefused, IndexError):
            kind(world)
            self.tally[f"done: {kind.__name__}"] += 1

    def some(self, world, *statuses):
        jobs = [j for j in list(world.jobs.values())[-400:] if j.status in statuses]
        return self.rng.choice(jobs)

    def pipeline(self, world):
        project = self.rng.choice(world.projects)
        world.plan_pipeline(project, plan_of(self.rng, world.projects), at=world.now)

    def retry(self, world):
        world.retry(self.some(world, "failed", "failed", "canceled", "success"))

    def play(self, world):
        world.play(self.some(world, "manual", "scheduled"))

    def cancel(self, world):
        world.cancel(self.some(world, "running", "pending", "created"))

    def erase(self, world):
        world.erase(self.some(world, "success", "failed"))

    def delete_pipeline(self, world):
        pipeline = self.rng.choice(self.rng.choice(world.projects).pipelines[-3:])
        for job in list(pipeline.jobs):
            world.delete_job(job)
        pipeline.project.pipelines.remove(pipeline)
        del world.registry.pipelines[pipeline.id]

    def move(self, world):
        project = self.rng.choice(world.projects)
        world.move_project(project, f"{project.path}x")

    def hide(self, world):
        """Hide a project for some requests."""
        project = self.rng.choice(world.projects)
        status, body = self.rng.choice([(404, PROJECT_GONE), (403, FORBIDDEN)])
        times = self.rng.randint(1, 6)
        for name in (str(project.id), project.path.replace("/", "%2F")):
            self.simulator.faults.add(
                Fault(path=f"*/projects/{name}/*", status=status, body=body, times=times)
            )


@define
class Post:
    """Webhooks on their way to the monitor: lost, duplicated, late or forged."""

    hooks: list[Webhook]
    rng: random.Random
    tally: Counter
    monitor: object = None
    _late: deque = field(factory=deque)

    def deliver(self):
        if self.monitor is None:
            return
        for hook in self.hooks:
            while hook.deliveries:
                self.hand(hook.deliveries.popleft())
        if self._late and self.rng.random() < 0.2:
            self.notify(self._late.popleft())
        if self.rng.random() < 0.3:
            self.forge()

    def hand(self, delivery):
        hook = parse_webhook(delivery.headers, delivery.body)
        fate = self.rng.choice(["lost", "late", "twice", "once"])
        self.tally[f"hook: {fate}"] += 1
        if fate == "late":
            self._late.append(hook)
        for _ in range({"twice": 2, "once": 1}.get(fate, 0)):
            self.notify(hook)

    def forge(self):
        self.tally["hook: forged"] += 1
        self.notify(
            PipelineHook(
                project_id=self.rng.choice([1, 2, 3, 999, 2**63, -1]),
                pipeline_id=self.rng.choice([0, 1, 10**12]),
                status=JobStatus.SUCCESS,
                project=HookProject(
                    path_with_namespace=self.rng.choice([None, "", "group/p1", "elsewhere/x"])
                ),
            )
        )

    def notify(self, hook):
        self.monitor.notify(hook)


def is_closed(replay, job_id):
    """Return whether no event can follow; GitLab omits bridges that were retried."""
    status = replay.status.get(job_id)
    return status is None or JobStatus(status).is_finished


def is_right(replay, world, since, *, has_bridges):
    """Return whether every job after the id *since* was emitted, and each end once."""
    for job_id, job in world.jobs.items():
        if job.is_bridge and (not has_bridges or (job.retried and is_closed(replay, job_id))):
            continue
        if job_id in replay.deleted:
            return False
        is_emitted = job_id > since or job_id in replay.status
        if is_emitted and replay.status.get(job_id) != job.status:
            return False
        if job_id in replay.erased and job.erased_at is None:
            return False
    gone = replay.status.keys() - world.jobs.keys()
    return all(is_closed(replay, job_id) for job_id in gone) and have_ended_once(replay)


def have_ended_once(replay):
    """Count the ends of each new job; a skipped one that was resumed has two."""
    again = Counter(
        event.job.id
        for event in replay.events
        if getattr(event, "previous", None) == JobStatus.SKIPPED
    )
    return all(
        replay.ends.get(job_id, 0) == again[job_id] + status.is_finished
        for job_id, status in replay.status.items()
        if replay.appeared[job_id].is_new
    )


def shown(replay, world, since):
    """Return what is missing, for the message of a failure."""
    jobs = {job.id: job.status for job in world.jobs.values() if job.id > since}
    emitted = {job_id: str(status) for job_id, status in replay.status.items()}
    return sorted(jobs.items() ^ {i: s for i, s in emitted.items() if i > since}.items())


@asynccontextmanager
async def consuming(events, replay):
    """Run a consumer beside the test, and raise its error here."""

    async def consume():
        async for event in events:
            replay.hear(event)

    async with in_background(consume()) as consumer:
        yield consumer


async def monitored_under_faults(seed, simulator, gitlab, how, tally):
    """Change the world for a number of requests, then wait for all events."""
    world, rng, clock = simulator.world, random.Random(seed), simulator.clock
    unrest, replay = Unrest(simulator, rng, tally), Replay()
    post = Post([Webhook(world, p, "") for p in world.projects], rng, tally)
    faults = [evolve(fault, probability=share, times=None) for share, fault in SHARES]
    simulator.faults = Faults(seed)
    simulator.faults.add(
        Fault(effect=unrest.happen, probability=0.3, times=None),
        Fault(effect=post.deliver, times=None),
        *faults,
    )
    paths = [p.id if p.id % 2 else p.path for p in world.projects]
    since = max(world.jobs)
    async with gitlab.monitor(paths, **how) as events, consuming(events, replay) as consumer:
        post.monitor = events
        await until(lambda: consumer.done() or len(replay.appeared) >= 2 * PROJECTS)
        unrest.is_on = True
        await until(lambda: consumer.done() or len(simulator.requests) > QUIET_AFTER)
        unrest.is_on, post.monitor = False, None
        tally["struck"] += sum(simulator.faults.count(fault) for fault in faults)
        tally["requests with faults"] += len(simulator.requests)
        simulator.faults.clear()
        latest, right = clock.now() + HOLDING, False
        while not right and not consumer.done() and clock.now() < latest:
            await asyncio.sleep(0.005)
            right = not replay.unreachable and is_right(
                replay, world, since, has_bridges=how["downstream"]
            )
    tally["requests"] += len(simulator.requests)
    tally["events"] += len(replay.events)
    assert right, shown(replay, world, since)
    return replay


@pytest.mark.parametrize("seed", SEEDS)
async def test_chaos_loses_and_repeats_no_event(seed, tmp_path):
    tally, clock, before = Counter(), JumpClock(), await others()
    settings = SimulatorSettings(keyset=seed % 3 != 2, api_limit=300 if seed == 3 else None)
    how = {"logs": seed % 2 == 0, "downstream": seed != 1}
    if seed:
        how["checkpoint"] = tmp_path / "ci.db"
    async with Simulator(build(seed), settings, clock.stepped) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            replay = await monitored_under_faults(seed, simulator, gitlab, how, tally)
            assert open_connections(gitlab) == 0
    assert await others() == before
    assert not replay.unreachable
    assert tally["struck"] > 10


async def watched_for_five_minutes(seed, forge):
    """Return the events, and the number of polls of each project."""
    clock, world, rng = JumpClock(), build(seed), random.Random(seed)
    for number, project in enumerate(world.projects):
        world.plan_pipeline(project, plan_of(rng, world.projects), at=world.now + 5 * number)
    hooks, until_then = [Webhook(world, p, "") for p in world.projects], world.now + 300
    replay = Replay()
    async with Simulator(world, clock=clock.stepped) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            async with gitlab.monitor([p.path for p in world.projects[:4]]) as events:
                post = Post(hooks, rng, Counter(), events)

                def deliver():
                    for _ in range(5 * forge):
                        post.forge()
                        post.deliver()

                simulator.faults.add(Fault(effect=deliver, times=None))
                async with consuming(events, replay) as consumer:
                    await until(lambda: consumer.done() or clock.now() > until_then)
        asked = [r for r in simulator.requests if r.path.endswith("/jobs") and r.query]
    polls = Counter(r.path for r in asked if not any(name == "scope[]" for name, _ in r.query))
    return replay, polls, clock.now() - JumpClock().now()


async def test_duplicate_webhooks_do_not_change_events():
    plain, _, _ = await watched_for_five_minutes(1, forge=False)
    forged, polls, seconds = await watched_for_five_minutes(1, forge=True)
    settled = [i for i, status in plain.status.items() if status.is_finished]
    assert len(settled) > 5
    assert {i: forged.status.get(i) for i in settled} == {i: plain.status[i] for i in settled}
    assert max(polls.values()) <= seconds / 3 + 1
