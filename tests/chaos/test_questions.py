"""A monitor that asks about many projects at once emits each change once, whatever the answers are.

Answers fail, are late, stale, cut, incomplete or in another order. Polls by REST settle the rest.
"""

import asyncio
from collections import Counter

import pytest

from gitlab_jobs_async import GitLab, JobHook, JobStatus, RequestBudget
from gitlab_jobs_async.events import JobFinished
from gitlab_jobs_async.simulator import Fault, JobPlan, Simulator, SteppedClock, World
from gitlab_jobs_async.store.memory import MemoryStore
from tests.support.connections import open_connections
from tests.support.stepped_time import pass_time, settled
from tests.support.tasks import others

GRAPHQL = "/api/graphql"
PROJECTS = 11
MODES = ("changes", "jobs")
COMPLEX = b'{"errors":[{"message":"Query has complexity of 300, which exceeds max complexity"}]}'

FAULTS = {
    "none": [],
    "stale": [Fault(path=GRAPHQL, behind=100.0, times=None, every=2)],
    "dropped": [Fault.without_projects(every=2, times=None)],
    "reordered": [Fault.reversed_nodes(times=None)],
    "failing": [Fault(path=GRAPHQL, status=502, times=None, every=2)],
    "reset": [Fault(path=GRAPHQL, reset="unanswered", times=None, every=2)],
    "cut": [Fault(path=GRAPHQL, reset="within", times=None, every=2)],
    "limited": [Fault.throttled(path=GRAPHQL, times=3, retry_after=30)],
    "complex": [Fault(path=GRAPHQL, status=200, body=COMPLEX, times=4)],
    "off": [Fault(path=GRAPHQL, status=404, times=None)],
}


class Consumer:
    """A monitor's consumer, and the events that it got."""

    def __init__(self, gitlab, world, **how):
        self.events = []
        self.world = world
        self._gitlab, self._how = gitlab, how
        self._targets = [project.id for project in world.projects]

    async def run(self, is_last=lambda: False):
        async with self._gitlab.monitor(self._targets, **self._how) as self.monitor:
            async for event in self.monitor:
                self.events.append(event)
                if is_last():
                    break

    def jobs(self):
        return [event.job.id for event in self.events if hasattr(event, "job")]

    def ended(self):
        return Counter(e.job.id for e in self.events if isinstance(e, JobFinished))


@pytest.fixture(params=MODES, autouse=True)
def mode(request, monkeypatch):
    """Let questions show changes only, or the jobs themselves, on a common budget."""
    per_request = 0.01 if request.param == "jobs" else 10.0
    monkeypatch.setattr(
        "gitlab_jobs_async.monitor.hints.question_rate.JOBS_PER_REQUEST", per_request
    )
    return request.param


@pytest.fixture
async def server():
    """Return a simulated GitLab of projects whose jobs have ended long ago."""
    clock = SteppedClock()
    async with Simulator(World(clock.now()), clock=clock) as simulator:
        for number in range(PROJECTS):
            project = simulator.world.add_project(f"many/{number}")
            simulator.world.add_finished_jobs(project, 3)
        yield simulator


def client(server):
    budget = RequestBudget(per_minute=60)
    return GitLab(server.url, auth=server.token, clock=server.clock, budget=budget)


def questions(server):
    return [request for request in server.requests if request.path.startswith(GRAPHQL)]


def add_jobs(server, projects):
    """Add a short job to each of *projects*; return their ids."""
    world = server.world
    world.settle(server.clock.now())
    plan = JobPlan(queued=2, duration=20)
    jobs = [world.add_job(world.add_pipeline(p), "short", plan=plan) for p in projects]
    world.settle(server.clock.now())
    return {job.id for job in jobs}


@pytest.mark.parametrize("fault", FAULTS)
async def test_faulty_answers_change_no_event(server, mode, fault):
    """Each job ends once, within the intervals of polls by REST alone."""
    made = set()
    async with client(server) as gitlab:
        consumer = Consumer(gitlab, server.world)
        running = asyncio.create_task(consumer.run())
        await pass_time(gitlab, server.clock, 120)
        assert questions(server)
        server.faults.add(*FAULTS[fault])
        for step in range(2):
            made |= add_jobs(server, server.world.projects[step::2])
            await pass_time(gitlab, server.clock, 30)
        await pass_time(gitlab, server.clock, 600, lambda: set(consumer.ended()) >= made)
        assert consumer.ended() == Counter(made)
        keys = [event.key for event in consumer.events]
        assert len(keys) == len(set(keys))
        if fault == "none":
            partial = {e.job.is_partial for e in consumer.events if e.job.id in made}
            assert (True in partial) is (mode == "jobs")
        running.cancel()
        await asyncio.wait([running])


async def question_in_flight(server, gitlab):
    """Return while the server holds a question."""
    await pass_time(gitlab, server.clock, 120)
    held = []
    server.faults.add(Fault(path=GRAPHQL, latency=500.0, effect=lambda: held.append(True)))
    while not held:
        await settled_but_held(gitlab, held)
        if not held:
            server.clock.advance(max(0.0, server.clock.next_wake - server.clock.now()))


async def settled_but_held(gitlab, held):
    """Return when no request is in flight, except one that is *held*."""
    quiet = 0
    while quiet < 25 and not held:
        quiet = 0 if gitlab.budget.snapshot().in_flight else quiet + 1
        await asyncio.sleep(0 if quiet else 0.0005)


def notify(consumer, job_id):
    """Tell the monitor of a job by a webhook."""
    job = consumer.world.jobs[job_id]
    hook = JobHook(
        project_id=job.pipeline.project.id,
        job_id=job.id,
        pipeline_id=job.pipeline.id,
        name=job.name,
        stage=job.stage,
        status=JobStatus.PENDING,
    )
    assert consumer.monitor.notify(hook)


async def until_while_held(server, condition):
    """Advance the clock by at most a minute until *condition*, while a question is held."""
    for _ in range(240):
        for _ in range(20):
            if condition():
                return
            await asyncio.sleep(0.0005)
        server.clock.advance(0.25)
    raise AssertionError("nothing happened within a minute")


async def test_cancelled_question_leaves_nothing(server):
    async with client(server) as gitlab:
        before = await others()
        running = asyncio.create_task(Consumer(gitlab, server.world).run())
        await question_in_flight(server, gitlab)
        assert gitlab.budget.snapshot().in_flight == 1
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await others() == before
        assert open_connections(gitlab) == 0
        assert gitlab.budget.snapshot().in_flight == 0
        server.clock.advance(600)


async def test_webhook_is_polled_during_a_question(server):
    """Its event does not wait for the answer, and a loop that it ends leaves nothing."""
    async with client(server) as gitlab:
        before = await others()
        consumer = Consumer(gitlab, server.world)
        running = asyncio.create_task(consumer.run(consumer.jobs))
        await question_in_flight(server, gitlab)
        (job_id,) = add_jobs(server, server.world.projects[:1])
        notify(consumer, job_id)
        await until_while_held(server, running.done)
        await running
        assert consumer.jobs() == [job_id]
        assert await others() == before
        assert open_connections(gitlab) == 0
        server.clock.advance(600)


async def test_next_monitor_emits_what_was_left(server):
    """Both together emit each end once, although the first ends during a question."""
    checkpoint = MemoryStore()
    async with client(server) as gitlab:
        first = Consumer(gitlab, server.world, checkpoint=checkpoint)
        running = asyncio.create_task(first.run())
        await pass_time(gitlab, server.clock, 120)
        made = add_jobs(server, server.world.projects[::2])
        await question_in_flight(server, gitlab)
        made |= add_jobs(server, server.world.projects[1::2])
        running.cancel()
        await asyncio.wait([running])
        server.clock.advance(600)
        second = Consumer(gitlab, server.world, checkpoint=checkpoint)
        running = asyncio.create_task(second.run())
        await pass_time(gitlab, server.clock, 600, lambda: is_over(made, first, second))
        emitted = first.events + second.events
        keys = {event.key: event for event in emitted}
        # Only the last event before the end was not acknowledged, and may come again.
        assert len(emitted) - len(keys) <= 1
        ends = Counter(e.job.id for e in keys.values() if isinstance(e, JobFinished))
        assert ends == Counter(made)
        running.cancel()
        await asyncio.wait([running])


def is_over(made, *consumers):
    return made <= {job_id for consumer in consumers for job_id in consumer.ended()}


async def test_target_removed_during_a_question(server):
    """The answer about it is dropped, and the others go on."""
    async with client(server) as gitlab:
        consumer = Consumer(gitlab, server.world)
        running = asyncio.create_task(consumer.run())
        await question_in_flight(server, gitlab)
        gone, *rest = server.world.projects
        consumer.monitor.remove(gone.id)
        made, unseen = add_jobs(server, rest), add_jobs(server, [gone])
        server.clock.advance(500)
        await settled(gitlab)
        await pass_time(gitlab, server.clock, 300, lambda: set(consumer.ended()) >= made)
        assert consumer.ended() == Counter(made)
        assert not unseen & set(consumer.jobs())
        consumer.monitor.add(gone.id)
        later = add_jobs(server, [gone])
        await pass_time(gitlab, server.clock, 300, lambda: set(consumer.ended()) >= later)
        assert later <= set(consumer.ended())
        running.cancel()
        await asyncio.wait([running])
