"""A monitor emits each event once, whatever fails, and leaves no task behind."""

import asyncio
from contextlib import aclosing

import pytest

from gitlab_jobs_async import (
    AuthenticationError,
    GitLab,
    JobHook,
    JobStatus,
    JobTarget,
    Pipeline,
    PipelineTarget,
    RequestBudget,
)
from gitlab_jobs_async.events import (
    JobAppeared,
    JobChanged,
    JobFinished,
    JobLogEnded,
    JobLogFailed,
    JobLogLine,
    ProjectRecovered,
    ProjectUnreachable,
)
from gitlab_jobs_async.simulator import Fault, JobPlan, PipelinePlan, PlannedJob
from tests.support.connections import open_connections
from tests.support.event_replay import Replay
from tests.support.tasks import others, prompt, until

APP = "group/app"


def add_pipeline(simulator, *names, project=APP, **plan):
    """Add a pipeline of jobs that start at once."""
    world = simulator.world
    pipeline = world.add_pipeline(world.project(project))
    jobs = [world.add_job(pipeline, name, plan=JobPlan(**plan)) for name in names]
    world.settle(simulator.clock.now())
    return jobs


async def heard(events, is_enough, replay=None):
    """Return every event until *is_enough*."""
    replay = replay or Replay()
    async for event in events:
        replay.hear(event)
        if is_enough(replay):
            break
    return replay


async def until_quiet(simulator):
    """Return once a tenth of a second passes without a request."""
    asked = -1
    while asked != len(simulator.requests):
        asked = len(simulator.requests)
        await asyncio.sleep(0.1)


def ended(*jobs):
    return lambda replay: all(replay.ends.get(job.id) for job in jobs)


async def test_job_is_emitted_from_start_to_end(simulator, gitlab):
    async with gitlab.monitor([APP]) as events:
        first = await anext(events)
        new = add_pipeline(simulator, "lint", "unit", queued=40.0, duration=40.0)
        replay = (await heard(events, ended(*new))).events
    assert isinstance(first, JobAppeared)
    assert not first.is_new
    emitted = [
        event for event in replay if getattr(event, "job", None) and event.job.id == new[0].id
    ]
    assert [type(event) for event in emitted] == [JobAppeared, JobChanged, JobFinished]
    stem = f"job/{new[0].id}"
    assert [event.key for event in emitted] == [
        f"{stem}/0/appeared/pending",
        f"{stem}/1/changed/running",
        f"{stem}/2/finished/success",
    ]
    assert emitted[0].is_new
    assert emitted[0].project == APP
    assert (emitted[1].previous, emitted[1].job.status) == ("pending", "running")
    assert (emitted[2].previous, emitted[2].job.status) == ("running", "success")


async def test_baseline_includes_running_pipelines(gitlab):
    async with gitlab.monitor([1]) as events:
        replay = await heard(events, lambda replay: len(replay.appeared) == 4)
    assert {job_id: event.job.status for job_id, event in replay.appeared.items()} == {
        1: "success",
        2: "running",
        3: "failed",
        4: "manual",
    }
    assert not any(event.is_new for event in replay.appeared.values())
    assert not replay.ends


async def test_job_between_two_polls_is_emitted_whole(simulator, gitlab, clock):
    async with gitlab.monitor([APP]) as events:
        await heard(events, lambda replay: len(replay.appeared) == 4)
        short = add_pipeline(simulator, "short", duration=0.5, queued=0.0)[0]
        clock.stepped.advance(30)
        replay = await heard(events, ended(short))
    emitted = [event for event in replay.events if event.job.id == short.id]
    assert [type(event) for event in emitted] == [JobAppeared, JobFinished]
    assert emitted[1].previous is None


async def test_retry_names_the_replaced_job(simulator, gitlab):
    flaky = simulator.world.jobs[3]
    async with gitlab.monitor([APP]) as events:
        await heard(events, lambda replay: len(replay.appeared) == 4)
        again = simulator.world.retry(flaky)
        replay = await heard(events, ended(again))
    assert replay.appeared[again.id].replaces == flaky.id


async def test_erased_and_deleted_jobs_are_emitted(simulator, gitlab):
    gone = add_pipeline(simulator, "gone", duration=4000.0)[0]
    async with gitlab.monitor([APP]) as events:
        replay = await heard(events, lambda replay: gone.id in replay.appeared)
        simulator.world.erase(simulator.world.jobs[1])
        simulator.world.delete_job(gone)
        await heard(events, lambda replay: replay.erased and replay.deleted, replay)
    assert replay.erased == {1}
    assert replay.deleted == {gone.id}


async def test_targets_can_be_added_and_removed(simulator, gitlab):
    world = simulator.world
    world.add_project("group/other")
    world.add_project("group/third")
    async with gitlab.monitor([APP]) as events:
        assert len(events) == 1
        await anext(events)
        events.add("group/other")
        events.add("group/other")
        events.add("group/third")
        assert len(events) == 3
        assert events.remove("group/third")
        assert not events.remove("group/third")
        assert events.remove(APP)
        add_pipeline(simulator, "ignored", duration=10.0)
        job = add_pipeline(simulator, "seen", project="group/other", duration=10.0)[0]
        replay = await heard(events, ended(job))
        with pytest.raises(TypeError, match="expected a project"):
            events.add(1.5)
    assert {event.project for event in replay.events} == {"group/other"}


async def test_iteration_ends_with_the_last_target(simulator, gitlab):
    jobs = add_pipeline(simulator, "a", "b", duration=50.0)
    alone = add_pipeline(simulator, "alone", duration=20.0)[0]
    targets = [PipelineTarget(APP, jobs[0].pipeline.id), JobTarget(1, alone.id)]
    async with gitlab.monitor(targets) as events:
        replay = Replay().hear(*[event async for event in events])
        assert len(events) == 0
        retried = simulator.world.retry(alone)
        events.add(await gitlab.project(1).get_job(retried.id))
        more = [event async for event in events]
    assert set(replay.ends) == {jobs[0].id, jobs[1].id, alone.id}
    assert [event.job.id for event in more if isinstance(event, JobFinished)] == [retried.id]


async def test_listed_pipeline_is_a_target(simulator, gitlab):
    add_pipeline(simulator, "a", duration=5.0)
    pipeline = (await gitlab.project(APP).list_pipelines())[0]
    async with gitlab.monitor([pipeline]) as events:
        assert [type(event) async for event in events][-1] is JobFinished
    with pytest.raises(ValueError, match="expected a PipelineTarget"):
        gitlab.monitor([Pipeline(id=5, status=JobStatus.RUNNING)])


async def test_failed_project_affects_no_other(simulator, gitlab):
    world = simulator.world
    world.add_project("group/bad")
    faults = [
        Fault(path="*group%2Fbad/jobs", status=status, body=b"{}", skip=1, times=2)
        for status in (404, 403)
    ]
    for fault in faults:
        simulator.faults.add(fault)
    async with gitlab.monitor([APP, "group/bad"]) as events:
        replay = await heard(events, lambda replay: replay.unreachable)
        trouble = replay.events[-1]
        job = add_pipeline(simulator, "fine", duration=10.0)[0]
        late = add_pipeline(simulator, "late", project="group/bad", duration=10.0)[0]
        await heard(events, ended(job, late), replay)
    assert isinstance(trouble, ProjectUnreachable)
    assert (trouble.project, trouble.status) == ("group/bad", 404)
    assert sum(isinstance(event, ProjectUnreachable) for event in replay.events) == 1
    assert sum(isinstance(event, ProjectRecovered) for event in replay.events) == 1
    assert not replay.unreachable


async def test_outage_is_reported_and_tolerated(simulator, gitlab):
    job = add_pipeline(simulator, "slow", duration=600.0)[0]
    async with gitlab.monitor([APP]) as events:
        replay = await heard(events, lambda replay: job.id in replay.appeared)
        simulator.faults.add(Fault(reset="before", times=40))
        await heard(events, ended(job), replay)
    kinds = [type(event) for event in replay.events]
    assert ProjectUnreachable in kinds
    assert ProjectRecovered in kinds


async def test_moved_project_is_followed(simulator, gitlab):
    job = add_pipeline(simulator, "slow", duration=100.0)[0]
    async with gitlab.monitor([APP]) as events:
        await anext(events)
        simulator.world.move_project(simulator.world.project(APP), "group/moved")
        replay = await heard(events, ended(job))
    assert {event.project for event in replay.events} == {APP}


@prompt
async def test_revoked_token_ends_the_iteration(simulator, gitlab):
    async with gitlab.monitor([APP]) as events:
        await anext(events)
        simulator.faults.add(Fault(status=401, body=b'{"message":"401 Unauthorized"}', times=None))
        with pytest.raises(AuthenticationError):
            async for _ in events:
                pass
        with pytest.raises(AuthenticationError):
            await anext(events)
    assert not await others()


async def test_slow_consumer_delays_polls_without_loss(simulator, clock):
    world = simulator.world
    for number in range(30):
        project = world.add_project(f"many/{number}")
        pipeline = world.add_pipeline(project)
        for name in range(80):
            world.add_job(pipeline, f"job {name}", plan=JobPlan(duration=1e9))
    world.settle(simulator.clock.now())
    async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
        async with gitlab.monitor([f"many/{number}" for number in range(30)]) as events:
            first = await anext(events)
            for _ in range(500):
                await asyncio.sleep(0.001)
            waiting, asked = events.pending, len(simulator.requests)
            for _ in range(200):
                await asyncio.sleep(0.001)
            assert len(simulator.requests) == asked
            replay = await heard(events, lambda replay: len(replay.appeared) == 2399)
    assert waiting <= 1000 + 16 * 80
    assert first.job.id not in replay.appeared


@pytest.mark.parametrize("logs", [False, True])
@prompt
async def test_leaving_the_block_ends_every_task(simulator, gitlab, logs):
    add_pipeline(simulator, *"abcdef", duration=1000.0)
    before = await others()
    async with gitlab.monitor([APP], logs=logs, downstream=True) as events:
        await anext(events)
        simulator.faults.add(Fault(latency=1000.0, times=None))
        await anext(events)
        assert await others() != before
    assert await others() == before
    assert open_connections(gitlab) == 0
    with pytest.raises(RuntimeError, match="inside their block"):
        events.add("group/late")


@prompt
async def test_cancelling_the_consumer_ends_every_task(gitlab):
    before = await others()

    async def consume():
        async with gitlab.monitor([APP], logs=True) as events:
            async for _ in events:
                pass

    for turns in (0, 1, 3, 10, 40, 200):
        task = asyncio.create_task(consume())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await others() == before
        assert open_connections(gitlab) == 0


async def test_cancelled_anext_can_be_repeated(simulator, gitlab):
    new = add_pipeline(simulator, "a", duration=300.0)
    replay = Replay()
    async with gitlab.monitor([APP]) as events:
        while not ended(*new)(replay):
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if not waiting.done():
                waiting.cancel()
            try:
                replay.hear(await waiting)
            except asyncio.CancelledError:
                await asyncio.sleep(0.001)


async def test_bridges_are_followed_across_projects(simulator, gitlab):
    world = simulator.world
    for path in ("group/below", "group/deep"):
        world.add_project(path)
    deepest = PipelinePlan(project="group/deep", jobs=(PlannedJob("deep job"),))
    below = PipelinePlan(
        project="group/below",
        jobs=(PlannedJob("below job"), PlannedJob("deeper", downstream=deepest)),
    )
    async with gitlab.monitor([APP], downstream=True) as events:
        await anext(events)
        pipeline = world.add_pipeline(world.project(APP))
        bridge = world.add_bridge(pipeline, "trigger", downstream=below)
        world.settle(simulator.clock.now())

        def is_all(replay):
            names = {e.job.name for e in replay.events if isinstance(e, JobFinished)}
            return {"trigger", "below job", "deeper", "deep job"} <= names

        replay = await heard(events, is_all)
    assert replay.appeared[bridge.id].job.name == "trigger"
    assert {(event.project, event.project_path) for event in replay.events} == {
        (APP, APP),
        (2, "group/below"),
        (3, "group/deep"),
    }
    assert not await others()


async def test_log_lines_are_emitted_with_their_job(simulator, gitlab):
    log = b"".join(b"line %d\n" % number for number in range(50))
    async with gitlab.monitor([APP], logs=True) as events:
        replay = await heard(events, lambda replay: len(replay.appeared) == 4)
        runs = add_pipeline(simulator, "runs", duration=100.0, log=log)[0]
        short = add_pipeline(simulator, "short", duration=0.5, queued=0.0, log=log)[0]
        done = set()
        async for event in events:
            replay.hear(event)
            if isinstance(event, JobLogEnded):
                done.add(event.job.id)
            if {runs.id, short.id} <= done and ended(runs, short)(replay):
                break
    for job in (runs, short):
        assert replay.lines[job.id] == [f"line {number}" for number in range(50)]
    keys = [event.key for event in replay.events if isinstance(event, JobLogLine)]
    assert len(keys) == len(set(keys))
    assert 1 not in replay.lines


async def test_lines_before_the_start_are_not_new(simulator, gitlab, clock):
    log = b"".join(b"line %d\n" % number for number in range(50))
    job = add_pipeline(simulator, "runs", duration=300.0, queued=0.0, log=log)[0]
    clock.stepped.advance(120)
    async with gitlab.monitor([APP], logs=True) as events:
        replay = await heard(events, ended(job))
    about = [event for event in replay.events if getattr(event, "job", None)]
    told = [(type(event), event.is_new) for event in about if event.job.id == job.id]
    lines = [is_new for kind, is_new in told if kind is JobLogLine]
    assert set(lines) == {False, True}
    assert lines == sorted(lines)
    assert [event for event in told if event[0] is not JobLogLine] == [
        (JobAppeared, False),
        (JobFinished, True),
    ]


async def test_windows_log_lines_keep_their_order(simulator, gitlab):
    at = b"2026-01-02T10:00:00.000000Z "
    log = b"".join(at + b"01%s line %d\r\n" % (b"OE"[n % 2 :][:1], n) for n in range(20))
    async with gitlab.monitor([APP], logs=True) as events:
        replay = await heard(events, lambda replay: len(replay.appeared) == 4)
        job = add_pipeline(simulator, "windows", duration=100.0, log=log)[0]

        def has_ended(replay):
            return any(isinstance(event, JobLogEnded) for event in replay.events)

        await heard(events, has_ended, replay)
    assert replay.lines[job.id] == [f"line {number}" for number in range(20)]


async def test_failed_log_is_reported_and_job_goes_on(simulator, gitlab):
    job = add_pipeline(simulator, "hidden", duration=50.0)[0]
    simulator.faults.add(Fault(path=f"*/{job.id}/trace", status=403, body=b"{}", times=None))
    async with gitlab.monitor([PipelineTarget(1, job.pipeline.id)], logs=True) as events:
        emitted = [event async for event in events]
    failed = [event for event in emitted if isinstance(event, JobLogFailed)]
    assert [event.job.id for event in failed] == [job.id]
    assert "403" in failed[0].reason
    assert any(isinstance(event, JobFinished) for event in emitted)


@prompt
async def test_hook_polls_its_project_soon(simulator, gitlab, clock):
    async with gitlab.monitor([APP]) as events:
        await heard(events, lambda replay: len(replay.appeared) == 4)
        hook = JobHook(
            project_id=1, job_id=7, pipeline_id=1, name="x", stage="y", status=JobStatus.RUNNING
        )
        other = JobHook(
            project_id=2, job_id=7, pipeline_id=1, name="x", stage="y", status=JobStatus.RUNNING
        )
        assert not events.notify(other)
        asked = len(simulator.requests)
        for _ in range(100):
            assert events.notify(hook)
        assert len(simulator.requests) == asked
        with pytest.raises(TypeError, match="parse_webhook"):
            events.notify({"object_kind": "build"})
        delays = []
        # A started jump of this clock cannot be cut short, as a real sleep can.
        for _ in range(2):
            notified_at, asked = clock.now(), len(simulator.requests)
            assert events.notify(hook)
            await until(lambda: len(simulator.requests) > asked)  # noqa: B023 - awaited at once
            delays.append(simulator.requests[asked].at - notified_at)
    assert min(delays) <= 3.0


async def test_scarce_polls_reach_all_targets(simulator, clock):
    world = simulator.world
    paths = [f"many/{number}" for number in range(60)]
    for path in paths:
        world.add_project(path)
    budget = RequestBudget(per_minute=20)
    async with GitLab(simulator.url, auth=simulator.token, clock=clock, budget=budget) as gitlab:
        begun = clock.now()
        async with gitlab.monitor([*paths, APP]) as events:
            async for _ in events:
                seen = {r.path.split("/")[4] for r in simulator.requests}
                if len(seen) == 61 or clock.now() - begun > 3600:
                    break
                if not seen:
                    continue
    assert len(simulator.requests) <= 20 * (1 + (clock.now() - begun) / 60)


@pytest.mark.parametrize(
    "targets", [APP, 5, [True], [0], ["a b"], [PipelineTarget(1, 0)], [JobTarget("", 1)], [None]]
)
async def test_invalid_target_is_refused_at_once(simulator, gitlab, targets):
    with pytest.raises((TypeError, ValueError)):
        gitlab.monitor(targets)
    assert not simulator.requests


@pytest.mark.parametrize("checkpoint", [5, b"ci.db", object(), "", ":memory:"])
async def test_invalid_checkpoint_is_refused(simulator, gitlab, checkpoint):
    with pytest.raises((TypeError, ValueError), match=r"invalid (checkpoint|store)"):
        gitlab.monitor([APP], checkpoint=checkpoint)
    assert not simulator.requests


async def test_generator_of_a_consumer_may_be_closed(gitlab):
    async def names():
        async with gitlab.monitor([APP]) as events:
            async for event in events:
                yield event.job.name

    async with aclosing(names()) as emitted:
        assert await anext(emitted) == "compile"
    assert not await others()


async def test_scarce_polls_are_spaced_evenly(simulator, clock):
    """A burst at the start of each minute would poll every target equally often."""
    for number in range(100):
        simulator.world.add_project(f"many/{number}")
    budget = RequestBudget(per_minute=60)
    asked = []
    async with GitLab(simulator.url, auth=simulator.token, clock=clock, budget=budget) as gitlab:
        begun = clock.now()
        async with gitlab.monitor([APP, *(f"many/{number}" for number in range(100))]) as events:
            while clock.now() < begun + 60:
                await asyncio.sleep(0.001)
                asked.append((clock.now() - begun, len(simulator.requests)))
            assert len(events) == 101
    assert max(count for at, count in asked if at < 10) <= 15


async def test_removed_target_emits_no_pending_event(simulator, gitlab):
    simulator.world.add_project("group/other")
    add_pipeline(simulator, "seen", project="group/other", duration=1e9)
    async with gitlab.monitor([APP]) as events:
        await anext(events)
        for _ in range(10):
            await asyncio.sleep(0.001)
        assert events.remove(APP)
        events.add("group/other")
        assert (await anext(events)).project == "group/other"


@prompt
async def test_second_waiting_task_is_refused(simulator, gitlab):
    async with gitlab.monitor([APP]) as events:
        replay = await heard(events, lambda replay: len(replay.appeared) == 4)
        new = add_pipeline(simulator, "new", duration=10.0)[0]
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one task"):
            await anext(events)
        replay.hear(await waiting)
        await heard(events, ended(new), replay)


@prompt
async def test_anext_after_the_block_is_refused(gitlab):
    async with gitlab.monitor([APP]) as events:
        await anext(events)
    with pytest.raises(RuntimeError, match="left"):
        await anext(events)
    async with gitlab.monitor(["group/none"]) as events:
        await anext(events)  # the project, and then all projects are unreachable
        await anext(events)
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="left"):
        await waiting


async def test_pending_events_precede_the_failure(simulator, gitlab):
    simulator.world.add_project("group/other")
    emitted = Replay()
    async with gitlab.monitor([APP]) as events:
        emitted.hear(await anext(events))
        simulator.faults.add(Fault(status=401, body=b"{}", times=None))
        events.add("group/other")
        await until_quiet(simulator)
        with pytest.raises(AuthenticationError):
            await heard(events, lambda _: False, emitted)
    assert set(emitted.appeared) == {1, 2, 3, 4}


async def test_scan_waits_while_the_outbox_is_full(simulator, gitlab):
    """A scan of thousands of new jobs continues as its events are taken, and loses none."""
    world = simulator.world
    async with gitlab.monitor([APP]) as events:
        await heard(events, lambda replay: len(replay.appeared) == 4)
        new = world.add_finished_jobs(world.project(APP), 3500, gaps="dense")
        await until(lambda: events.pending >= 1000)
        await until_quiet(simulator)
        assert events.pending <= 2100
        replay = await heard(events, lambda replay: len(replay.ends) == 3500)
    assert replay.ends == dict.fromkeys([job.id for job in new], 1)


@prompt
async def test_downstream_in_a_target_is_not_followed(simulator, gitlab):
    """Its jobs are polled anyway: following the pipeline would double the requests."""
    world = simulator.world
    world.add_project("group/lib")
    below = PipelinePlan(jobs=(PlannedJob("wheel"),), project="group/lib")
    for targets in ([APP, "group/lib"], [APP, world.project("group/lib").id]):
        async with gitlab.monitor(targets, downstream=True) as events:
            replay = await heard(events, lambda replay: len(replay.appeared) >= 4)
            world.add_bridge(world.add_pipeline(world.project(APP)), "fork", downstream=below)
            world.settle(simulator.clock.now())
            count = len(simulator.requests)
            replay = await heard(
                events,
                lambda replay: any(
                    event.job.name == "wheel" and replay.ends.get(i)
                    for i, event in replay.appeared.items()
                ),
            )
            assert replay
            assert len(events) == 2
        asked = [request.path for request in simulator.requests[count:]]
        lib = world.project("group/lib").id
        names = ("group%2Flib", str(lib))
        assert not [
            p
            for p in asked
            if "/pipelines/" in p
            and p.endswith("/jobs")
            and any(f"/projects/{name}/" in p for name in names)
        ]
