"""A monitor resumes exactly from its checkpoint, after whatever write the last one ended."""

import asyncio
from datetime import UTC, datetime

import pytest
from attrs import define, evolve, field

from gitlab_jobs_async import (
    GitLab,
    JobTarget,
    MemoryStore,
    PipelineTarget,
    ServerError,
    StoreError,
)
from gitlab_jobs_async.events import (
    JobAppeared,
    JobFinished,
    JobLogEnded,
    JobLogLine,
    ProjectRecovered,
    ProjectUnreachable,
)
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.logs import LogLine
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.checkpoint.serialization import dumps, loads
from gitlab_jobs_async.monitor.tracked_logs import TrackedLog, TrackedLogs
from gitlab_jobs_async.monitor.watch.base import TargetState
from gitlab_jobs_async.monitor.watch.downstream import DownstreamState, DownstreamTracker
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.monitor.watch.project_state import ProjectState
from gitlab_jobs_async.monitor.watch.queries import QueryKind, QueryResult
from gitlab_jobs_async.monitor.watch.tracked_job import TrackedJob
from gitlab_jobs_async.simulator import (
    JobPlan,
    PipelinePlan,
    PlannedJob,
    Simulator,
    SteppedClock,
)
from tests.support.clocks import JumpClock
from tests.support.coverage import measured_once
from tests.support.event_replay import Replay
from tests.support.stores import MortalStore, content, fill, outbox_of
from tests.support.tasks import others, until

APP = "group/app"
LIB = "group/lib"
LINE = LogLine(number=1, text="", raw="", end=5)
UNIT = Job(id=7, status=JobStatus.RUNNING, stage="test", name="unit")


@define
class Consumer:
    """Events of consecutive monitors, without repeats."""

    gitlab: GitLab
    checkpoint: object = field(factory=MortalStore)
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
        emitted = [event.key for life in self.lives for event in life]
        return len(emitted) - len(set(emitted))


def add_pipeline(simulator, *names, project=APP, **plan):
    world = simulator.world
    pipeline = world.add_pipeline(world.project(project))
    jobs = [world.add_job(pipeline, name, plan=JobPlan(**plan)) for name in names]
    world.settle(simulator.clock.now())
    return jobs


def much_happens(simulator):
    """Pipelines that trigger two projects, a failed one that is retried, and a log."""
    world, now = simulator.world, simulator.clock.now()
    tools = PipelinePlan(
        jobs=(PlannedJob("saw", plan=JobPlan(log=b"zzz\n")),), project="group/tools"
    )
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
        jobs = {
            i: job for i, job in simulator.world.jobs.items() if job.id > 1 or i in replay.status
        }
        return (
            replay.status == {i: job.status for i, job in jobs.items()}
            and all(replay.ends.get(i) for i, job in jobs.items() if job.id > 4 and job.complete)
            and sum(map(len, replay.lines.values())) >= 3 + 3 * 3
            and simulator.world.next_event() is None
        )

    return is_enough


@pytest.mark.parametrize("first", measured_once(range(8)))
async def test_restart_after_any_write_loses_no_event(first):
    """Complete a baseline, end the next monitor at a write, and collect the rest with a third."""
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
                except StoreError:
                    was_killed = True
                    consumer.checkpoint.left = None
                    async with asyncio.timeout(10):
                        await consumer.live(is_enough, **how)
        assert is_enough(consumer.replay)
        assert consumer.repeats() <= 2
        if not was_killed:
            assert writes > 50
            return


@pytest.fixture
def consumer(gitlab):
    return Consumer(gitlab)


def counts(number):
    """Return a condition: *number* events were emitted, without repeats."""
    return lambda replay: len(replay.events) == number


async def test_only_an_unacknowledged_event_is_repeated(simulator, consumer):
    new = add_pipeline(simulator, "lint", "unit")
    for number in range(1, 7):
        await consumer.live(counts(number))
    await consumer.live(lambda replay: all(replay.ends.get(job.id) for job in new))
    for before, after in zip(consumer.lives, consumer.lives[1:], strict=False):
        assert before[-1] == after[0]
    assert consumer.repeats() == len(consumer.lives) - 1


async def test_job_between_monitors_is_emitted_whole(simulator, consumer):
    await consumer.live(counts(4))
    gone = add_pipeline(simulator, "gone", queued=0.1, duration=1.0, log=b"here\n")[0]
    simulator.clock.advance(86_400.0)
    await consumer.live(lambda replay: gone.id in replay.lines, logs=True)
    assert consumer.replay.ends[gone.id] == 1


async def test_unreachable_project_is_restored(simulator, consumer):
    await consumer.live(counts(1), ["group/later"])
    await consumer.live(lambda _: True, ["group/later"])
    simulator.world.add_project("group/later")
    add_pipeline(simulator, "first", project="group/later")
    await consumer.live(lambda replay: replay.appeared, ["group/later"])
    emitted = [type(event) for event in consumer.lives[-1]]
    assert emitted[:2] == [ProjectUnreachable, ProjectRecovered]
    assert {event.key.split("/")[-1] for event in consumer.lives[1]} == {"unreachable"}


async def test_other_targets_keep_the_first_state(simulator, consumer):
    simulator.world.add_project(LIB)
    await consumer.live(counts(4))
    new = add_pipeline(simulator, "meanwhile", duration=1.0)[0]
    other = add_pipeline(simulator, "other", project=LIB, duration=1.0)[0]
    await consumer.live(lambda replay: replay.appeared.get(other.id), [LIB])
    assert new.id not in consumer.replay.appeared
    await consumer.live(lambda replay: replay.ends.get(new.id), [APP])
    assert consumer.replay.appeared[new.id].is_new


async def test_logs_and_downstream_can_be_enabled_later(simulator, consumer):
    world = simulator.world
    world.add_project(LIB)
    await consumer.live(counts(4))
    job = add_pipeline(simulator, "talks", duration=60.0, log=b"1\n2\n")[0]
    await consumer.live(lambda replay: replay.status.get(job.id) == "running")
    below = PipelinePlan(jobs=(PlannedJob("wheel"),), project=LIB)
    pipeline = world.add_pipeline(world.project(APP))
    world.add_bridge(pipeline, "fork", downstream=below)
    world.settle(simulator.clock.now())
    wheel = lambda: [j.id for j in world.jobs.values() if j.name == "wheel"]  # noqa: E731
    await consumer.live(
        lambda replay: (
            len(replay.lines.get(job.id, ())) == 2 and any(replay.ends.get(i) for i in wheel())
        ),
        logs=True,
        downstream=True,
    )
    await consumer.live(lambda replay: replay.ends.get(job.id))


async def test_pipeline_ends_with_downstream_disabled(simulator, consumer):
    world = simulator.world
    world.add_project(LIB)
    pipeline = world.add_pipeline(world.project(APP))
    below = PipelinePlan(jobs=(PlannedJob("wheel"),), project=LIB, depend=True)
    world.add_job(pipeline, "unit", plan=JobPlan(duration=40.0))
    world.add_bridge(pipeline, "fork", downstream=below)
    target = PipelineTarget(APP, pipeline.id)
    await consumer.live(counts(2), [target], downstream=True)
    await consumer.live(lambda _: False, [target])
    assert pipeline.status == "success"


@pytest.mark.parametrize("kind", ["pipeline", "job"])
async def test_finished_target_is_not_restored(simulator, consumer, kind):
    job = add_pipeline(simulator, "unit", duration=5.0)[0]
    target = PipelineTarget(APP, job.pipeline.id) if kind == "pipeline" else JobTarget(APP, job.id)
    for _ in range(3):
        await consumer.live(lambda _: False, [target])
    assert [len(life) for life in consumer.lives[1:]] == [0, 0]
    assert consumer.replay.ends == {job.id: 1}


async def test_target_added_at_the_last_event_is_polled(simulator, gitlab):
    job = add_pipeline(simulator, "unit", duration=5.0)[0]
    replay = Replay()
    async with gitlab.monitor([JobTarget(APP, job.id)]) as events:
        async for event in events:
            replay.hear(event)
            if isinstance(event, JobFinished) and len(replay.ends) == 1:
                events.add(JobTarget(APP, 2))
            else:
                await until(lambda: not len(events))
                await others()
    assert replay.ends == {job.id: 1, 2: 1}


async def test_target_with_pending_events_is_removed(simulator, gitlab):
    names = [f"unit {number}" for number in range(1001)]
    jobs = add_pipeline(simulator, *names, queued=0.0, duration=0.0)
    target = PipelineTarget(APP, jobs[0].pipeline.id)
    async with gitlab.monitor([target, APP]) as events:
        await anext(events)
        assert events.remove(target)
        async for event in events:
            if event.project == APP and getattr(event, "job", None) and event.job.id == 2:
                break
        assert len(events) == 1


async def tracked_logs(store, before=None):
    """Return the logs that are recorded in *store*, after those of *before*."""
    if before is not None:
        await before.outbox.flush()
    held = await content(store)
    return TrackedLogs(await outbox_of(store), held.states, held.offsets)


async def test_discard_keeps_events_of_another_target():
    kept = MemoryStore()
    outbox = await outbox_of(kept)
    shared = JobAppeared(key="shared", project=APP, job=UNIT)
    for name, own in (("one", "a"), ("other", "b")):
        outbox.put(name, TargetState(()), [shared, evolve(shared, key=own)])
    outbox.discard("one")
    await outbox.flush()
    assert [key for key, _ in (await content(kept)).pending] == ["shared", "b"]


async def test_ended_log_is_not_started_again():
    kept = MemoryStore()
    log = TrackedLog(APP, UNIT)
    finished = evolve(log, job=evolve(log.job, status=JobStatus.SUCCESS))
    first = await tracked_logs(kept)
    assert first.start(log)
    first.acknowledge(JobLogEnded(key="ended", project=APP, job=log.job))
    second = await tracked_logs(kept, first)
    assert not second.unfinished()
    assert not second.start(finished)
    second.acknowledge(JobFinished(key="finished", project=APP, job=finished.job))
    await second.outbox.flush()
    assert not (await content(kept)).states


@pytest.mark.parametrize("log_ended", [False, True])
@pytest.mark.parametrize("is_same", [False, True])
async def test_log_is_started_again_after_a_reset(log_ended, is_same):
    """The log of another job with this id starts at once, of the same one after its end."""
    log, logs = TrackedLog(APP, UNIT), await tracked_logs(MemoryStore())
    assert logs.start(log)
    logs.acknowledge(JobLogLine(key="line", project=APP, job=UNIT, line=LINE))
    if log_ended:
        logs.acknowledge(JobLogEnded(key="ended", project=APP, job=UNIT))
    created_at = UNIT.created_at if is_same else datetime(2026, 1, 1, tzinfo=UTC)
    later = TrackedLog(APP, evolve(UNIT, created_at=created_at), stem="job/7@9")
    assert logs.start(later) == (log_ended or not is_same)
    assert not logs.start(later)
    assert logs.offset(UNIT.id) == (0 if log_ended or not is_same else 5)


async def test_unfinished_log_outlives_its_job():
    kept = MemoryStore()
    log = TrackedLog(APP, UNIT)
    first = await tracked_logs(kept)
    assert first.start(log)
    first.acknowledge(JobFinished(key="finished", project=APP, job=log.job))
    second = await tracked_logs(kept, first)
    assert [following.job for following in second.unfinished()] == [log.job]
    second.acknowledge(JobLogEnded(key="ended", project=APP, job=log.job))
    await second.outbox.flush()
    assert not (await content(kept)).states


def test_reopened_pipelines_are_restored():
    watch = ProjectWatch.of(APP)
    state = evolve(watch.state(), low_watermark=0, reopened=(5, 6))
    restored = ProjectWatch.of(APP, loads(dumps(state), ProjectState), 0.0)
    assert restored.state() == state


def asked_for(bridging, now=0.0):
    return bridging.due(now)


def test_pipeline_is_queried_until_bridges_arrive():
    bridging = DownstreamTracker()
    bridging.mark_dirty(5)
    assert asked_for(bridging) == [5]
    assert asked_for(bridging) == [5]
    bridging.on_bridges(5, [], 0.0)
    assert asked_for(bridging) == []


def test_open_bridges_are_restored():
    emitted = [
        TrackedJob(1, JobStatus.RUNNING, "fork", 5, 0.0, is_bridge=True),
        TrackedJob(2, JobStatus.SUCCESS, "fork", 6, 0.0, is_bridge=True),
    ]
    assert asked_for(DownstreamTracker.restored(None, emitted)) == [5]


def test_clock_that_was_ahead_delays_no_bridges():
    state = DownstreamState(repolled=((5, 90_000.0), (6, 30.0)))
    restored = DownstreamTracker.restored(None, (), state, 10.0)
    assert asked_for(restored, 40.0) == [6]
    assert asked_for(restored, 610.0) == [5, 6]


def test_forbidden_jobs_report_unreachable_once():
    watch = ProjectWatch.of(APP, downstream=True)
    events, now = [], 0.0
    for _ in range(10):
        now = max(now, watch.next_at)
        while query := watch.next_query(now):
            if query.kind is QueryKind.PIPELINES:
                events += watch.on_result(now, QueryResult([]))
            else:
                events += watch.on_error(now, ServerError(500, "", "GET", "/"))
    assert [type(event) for event in events] == [ProjectUnreachable]


async def test_finished_pipelines_are_forgotten(gitlab):
    checkpoint = MemoryStore()
    over = dumps(TargetState((), is_over=True))
    await fill(checkpoint, {f"found: 3 {number}": over for number in range(1, 10_051)})
    async with gitlab.monitor([APP], downstream=True, checkpoint=checkpoint) as events:
        await anext(events)
        assert len(events) == 1
    found = [name for name in (await content(checkpoint)).states if name.startswith("found: ")]
    assert len(found) == 10_000
    assert "found: 3 10050" in found


async def test_resumed_lines_are_new(simulator, consumer):
    log = b"".join(b"line %d\n" % number for number in range(50))
    job = add_pipeline(simulator, "runs", queued=0.0, duration=300.0, log=log)[0]
    simulator.clock.advance(100.0)
    for count in (5, 50):
        await consumer.live(
            lambda replay, n=count: len(replay.lines.get(job.id, ())) >= n, logs=True
        )
    first, resumed = ([e for e in life if isinstance(e, JobLogLine)] for life in consumer.lives)
    assert not any(event.is_new for event in first)
    repeated = {event.key for event in first}
    assert all(event.is_new for event in resumed if event.key not in repeated)
    assert len(resumed) > 40
