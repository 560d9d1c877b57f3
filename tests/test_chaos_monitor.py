"""Everything goes wrong at once while a monitor watches: what it tells is what has happened, once.

For each seed fifteen projects whose jobs come, end, and are retried, played, erased and deleted,
whose pipelines lead into one another, and which move; a tenth of all requests meets some fault, and
webhooks are lost, doubled, late and forged. Then it grows quiet. Nothing really waits.
"""

import asyncio
import random
from collections import Counter, deque
from contextlib import suppress

import pytest
from attrs import define, evolve, field

from gitlab_jobs_async import GitLab, JobStatus, JobTarget, PipelineHook, PipelineTarget, read_hook
from gitlab_jobs_async.simulator import (
    Fault,
    NEVER,
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
from tests.aio.replaying import Replay
from tests.conftest import JumpClock, open_connections, others, until
from tests.test_chaos import SHARES

SEEDS = range(6)
PROJECTS = 15
QUIET_AFTER = 400
"""Requests until nothing more is done to the world."""

HOLDING = 7200.0
"""Seconds of the clock in which all must have been told, once it is quiet."""

NAMES = ("lint", "unit", "e2e")
PROJECT_GONE = b'{"message":"404 Project Not Found"}'
FORBIDDEN = b'{"message":"403 Forbidden"}'


def plan_of(rng, projects, depth=0):
    """A pipeline of three stages, each job with something of its own."""
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
    """Fifteen projects, some with much behind them, each with one pipeline that goes on."""
    world, rng = World(JumpClock().now(), seed=seed), random.Random(seed)
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
    """What is done to the world, one thing at a time."""

    simulator: Simulator
    rng: random.Random
    tally: Counter
    is_on: bool = False
    revived: set[int] = field(factory=set)

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
        """A project that is not to be had for some requests."""
        project = self.rng.choice(world.projects)
        status, body = self.rng.choice([(404, PROJECT_GONE), (403, FORBIDDEN)])
        times = self.rng.randint(1, 6)
        for name in (str(project.id), project.path.replace("/", "%2F")):
            self.simulator.faults.add(
                Fault(path=f"*/projects/{name}/*", status=status, body=body, times=times)
            )


@define
class Post:
    """Deliveries of all projects, on their way to the monitor: lost, doubled, late, forged."""

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
        hook = read_hook(delivery.headers, delivery.body)
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
                project_path=self.rng.choice([None, "", "group/p1", "elsewhere/x"]),
            )
        )

    def notify(self, hook):
        self.monitor.notify(hook)


def is_closed(replay, job_id):
    """Whether no more is to come; of a bridge that was retried, GitLab says nothing any more."""
    status = replay.status.get(job_id)
    return status is None or JobStatus(status).is_finished


def wrong(replay, world, since, first, bridges):
    """What was told that is not so, or not told; jobs by id."""
    said = {}
    for job_id, job in world.jobs.items():
        if job.is_bridge and (not bridges or (job.retried and is_closed(replay, job_id))):
            continue
        is_due = job_id > since or job_id in first
        if (is_due or job_id in replay.status) and replay.status.get(job_id) != job.status:
            said[job_id] = (replay.status.get(job_id), job.status)
    for job_id, status in replay.status.items():
        if job_id not in world.jobs and not JobStatus(status).is_finished:
            said[job_id] = (status, "deleted")
    for event in replay.erased:
        if event in world.jobs and world.jobs[event].erased_at is None:
            said[event] = ("erased", "not erased")
    for job_id in replay.deleted & world.jobs.keys():
        if not world.jobs[job_id].is_bridge:
                said[job_id] = ("deleted", world.jobs[job_id].status)
    return said


def check_ends(replay, since):
    """Each end was told once, but for skipped jobs that were taken up again."""
    again = Counter(
        event.job.id
        for event in replay.events
        if getattr(event, "previous", None) == JobStatus.SKIPPED
    )
    for job_id, status in replay.status.items():
        is_over = JobStatus(status).is_finished
        was_seen = replay.appeared[job_id].is_new or replay.ends.get(job_id)
        if was_seen:
            begun_skipped = not replay.appeared[job_id].is_new and (
                replay.appeared[job_id].job.status == JobStatus.SKIPPED
            )
            wanted = is_over + again[job_id] - begun_skipped
            ended_again = status == JobStatus.SKIPPED or is_over
            assert replay.ends.get(job_id, 0) == (wanted if ended_again else again[job_id] - begun_skipped), job_id


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_is_told_in_all_that_trouble_is_what_has_happened(seed, tmp_path, request):
    tally, rng = Counter(), random.Random(seed)
    clock, world, before = JumpClock(), build(seed), await others()
    first = {job.id for job in world.jobs.values() if not job.complete}
    since = max(world.jobs)
    settings = SimulatorSettings(keyset=seed % 3 != 2, api_limit=300 if seed == 4 else None)
    replay = Replay()
    async with Simulator(world, settings, clock.stepped) as simulator:
        unrest = Unrest(simulator, rng, tally)
        post = Post([Webhook(world, p, "") for p in world.projects], rng, tally)
        simulator.faults = Faults(seed)
        faults = [evolve(fault, probability=share, times=None) for share, fault in SHARES]
        simulator.faults.add(
            Fault(effect=unrest.happen, probability=0.3, times=None),
            Fault(effect=post.deliver, times=None),
            *faults,
        )
        paths = [p.id if p.id % 2 else p.path for p in world.projects]
        how = {"logs": seed % 2 == 0, "downstream": seed != 1}
        if seed >= 2:
            how["checkpoint"] = tmp_path / "ci.db"
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            async with gitlab.monitor(paths, **how) as events:
                post.monitor = events

                async def consume():
                    async for event in events:
                        replay.hear(event)

                consumer = asyncio.ensure_future(consume())
                await until(lambda: consumer.done() or len(replay.appeared) >= 2 * PROJECTS)
                since = max(world.jobs)
                unrest.is_on = True
                await until(lambda: consumer.done() or len(simulator.requests) > QUIET_AFTER)
                unrest.is_on = False
                struck = sum(simulator.faults.count(fault) for fault in faults)
                tally["struck"] = struck
                tally["until quiet"] = len(simulator.requests)
                post.monitor = None
                simulator.faults.clear()
                world.settle(clock.now())
                limit = clock.now() + HOLDING

                last = {}
                def is_settled():
                    return clock.now() > limit or consumer.done() or (clock.now() > limit - 6000 and not (last.update(w=wrong(replay, world, since, first, seed != 1)) or last["w"]))

                await until(is_settled)
                if consumer.done():
                    consumer.result()
                consumer.cancel()
                await asyncio.wait([consumer])
            assert open_connections(gitlab) == 0
        tally["requests"] = len(simulator.requests)
    tally["events"] = len(replay.events)
    tally["seconds"] = int(clock.now() - JumpClock().now())
    print(seed, dict(tally))
    assert await others() == before
    w = last["w"]
    if w: print("WRONG", len(w), replay.unreachable)
    if w:
        j = world.jobs.get(min(w))
        for name, watch in events._rounds._watches.items():
            if j and watch.known.number == j.project.id:
                print(name, watch.known.reach, watch.timing, clock.now(), watch.reachability, watch._queue, watch._look and len(watch._look.ids), {t.id: t.status for t in watch.known.ledger.jobs.values()}, name in events._rounds._rota)
        for r in simulator.requests:
            if j and f"/{j.project.id}/" in r.path or j and j.project.path.rstrip("x").replace("/","%2F") in r.path: print(r)
    for i, x in list(w.items())[:6]:
        j = world.jobs.get(i)
        print("  ", i, x, j and (j.name, j.is_bridge, j.pipeline.id, j.project.path, j.retried, j.created_at - JumpClock().now(), (j.finished_at or 0) - JumpClock().now(), [(b.id, b.status, b.pipeline.id, b.project.path) for b in ([j.pipeline.upstream] if j.pipeline.upstream else [])]), [e.key for e in replay.events if f"job/{i}/" in e.key])
    assert not w
    assert not w, {i: (x, [e.key for e in replay.events if f"job/{i}/" in e.key]) for i, x in list(w.items())[:5]}
    assert not replay.unreachable
    check_ends(replay, since)
