"""Many logs, a few at a time: few tasks, fair order, each log to its end, nothing left behind."""

import asyncio
import tracemalloc

import pytest

from gitlab_jobs_async import GitLab, RequestBudget, TailedLine, TailEnded
from gitlab_jobs_async.events import JobLogEnded, JobLogLine
from gitlab_jobs_async.logs.poll_queue import NotBefore, log_poll_queue
from gitlab_jobs_async.simulator import JobPlan, Simulator, SteppedClock
from tests.support.connections import open_connections
from tests.support.stepped_time import pass_time
from tests.support.tasks import others

LINES = [f"line {number}" for number in range(20)]
LOG = "".join(f"{line}\n" for line in LINES).encode()


def add_jobs(simulator, project, count, duration=60.0):
    world = simulator.world
    pipeline = world.add_pipeline(project)
    plan = JobPlan(queued=0.0, duration=duration, log=LOG)
    jobs = [world.add_job(pipeline, f"job {number}", plan=plan) for number in range(count)]
    world.settle(simulator.clock.now())
    return jobs


async def source(name, times, queue, closed):
    """Emit its name at each of *times*, and wait for them."""
    try:
        for at in times:
            yield NotBefore(at)
            queue.append(name)
            yield name
    finally:
        closed.append(name)


async def drained(together, clock):
    """Return all items; time passes while none is ready."""
    items = []

    async def read():
        async for _, item in together:
            items.append(item)

    task = asyncio.create_task(read())
    while not task.done():
        for _ in range(20):
            await asyncio.sleep(0)
        if clock.next_wake is not None:
            clock.advance(max(0.0, clock.next_wake - clock.now()))
    await task
    return items


@pytest.mark.parametrize("most", [1, 3])
async def test_source_due_first_runs_first(most):
    clock, order, closed = SteppedClock(0.0), [], []
    async with log_poll_queue(clock, most) as (together, queue):
        for name, times in (("a", [5, 40]), ("b", [3, 30]), ("c", [4, 50])):
            queue.add(name, lambda name=name, times=times: source(name, times, order, closed))
        assert len(queue) == 3
        items = await drained(together, clock)
        assert (len(queue), clock.now()) == (0, 50)
    assert items == order == ["b", "c", "a", "b", "a", "c"]
    assert sorted(closed) == ["a", "b", "c"]


async def test_waiting_logs_cost_few_tasks():
    clock, before = SteppedClock(0.0), await others()
    order, most = [], 0
    async with log_poll_queue(clock, 16) as (together, queue):
        tracemalloc.start()
        base, _ = tracemalloc.get_traced_memory()
        for number in range(1000):
            queue.add(number, lambda number=number: source(number, [5, 1e6], order, []))

        async def read():
            async for _ in together:
                pass

        reading = asyncio.create_task(read())
        while len(order) < 1000:
            most = max(most, len(await others() - before))
            if clock.next_wake == 5:
                clock.advance(5 - clock.now())
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(queue) == 1000
        reading.cancel()
        await asyncio.wait([reading])
    assert most <= 16 + 4
    assert (size - base) / 1000 < 4096
    assert await others() == before


async def test_removed_source_is_closed():
    clock, order, closed = SteppedClock(0.0), [], []
    async with log_poll_queue(clock, 1) as (together, queue):
        for name in "abc":
            queue.add(name, lambda name=name: source(name, [0, 9], order, closed))
        assert await anext(together) == ("a", "a")
        assert queue.remove("a")  # it runs, or waits already
        assert queue.remove("c")  # it was not opened
        assert not queue.remove("c")
        queue.add("c", lambda: source("C", [0], order, closed))
        assert sorted(await drained(together, clock)) == ["C", "b", "b"]
    assert sorted(closed) == ["C", "a", "b"]


async def test_failure_is_raised_and_others_continue():
    async def failing():
        yield NotBefore(1.0)
        raise OSError("broken")

    clock, order, closed = SteppedClock(0.0), [], []
    async with log_poll_queue(clock, 1) as (together, queue):
        queue.add("bad", failing)
        queue.add("good", lambda: source("good", [2], order, closed))
        with pytest.raises(OSError, match="broken"):
            await drained(together, clock)
        assert "bad" not in queue
        assert await drained(together, clock) == ["good"]


@pytest.mark.parametrize("after", [0, 1, 5, 50])
async def test_left_block_closes_all_sources(after):
    clock, order, closed, before = SteppedClock(0.0), [], [], await others()
    async with log_poll_queue(clock, 2) as (together, queue):
        for name in range(10):
            queue.add(name, lambda name=name: source(name, [0, 1e9], order, closed))
        await anext(together)
        for _ in range(after):
            await asyncio.sleep(0)
    started = set(order)
    assert started <= set(closed)
    assert len(closed) == len(set(closed))
    assert await others() == before


async def test_logs_that_outrun_the_budget_are_bounded():
    """600 jobs start within minutes, and 60 requests a minute read about 20 logs."""
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        project = simulator.world.add_project("many/jobs")
        budget = RequestBudget(per_minute=60)
        server = {"url": simulator.url, "auth": simulator.token}
        async with GitLab(**server, clock=clock, budget=budget) as gitlab:
            before = await others()
            lines, ended, jobs = {}, [], []

            async def watch():
                async with gitlab.monitor(["many/jobs"], logs=True) as events:
                    async for event in events:
                        if isinstance(event, JobLogLine):
                            lines.setdefault(event.job.id, []).append(event.line.text)
                        elif isinstance(event, JobLogEnded):
                            ended.append(event.job.id)

            task, most = asyncio.create_task(watch()), 0
            await pass_time(gitlab, clock, 10)
            for _ in range(6):
                jobs += add_jobs(simulator, project, 100)
                await pass_time(gitlab, clock, 30)
                most = max(most, len(await others() - before))
            await pass_time(gitlab, clock, 2 * 3600, lambda: len(ended) == len(jobs))
            task.cancel()
            await asyncio.wait([task])
            assert await others() == before
            assert open_connections(gitlab) == 0
    assert most <= 16 + 16 + 8  # logs, polls, and what serves both
    assert lines == {job.id: LINES for job in jobs}
    assert sorted(ended) == [job.id for job in jobs]


@pytest.mark.no_cover("repeats a few lines for many logs")
async def test_tails_wait_without_tasks():
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        jobs = add_jobs(simulator, simulator.world.project("group/app"), 300, duration=120.0)
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            before, items, most = await others(), [], 0

            async def read():
                async with gitlab.tail_jobs([("group/app", job.id) for job in jobs]) as lines:
                    assert len(lines) == 300
                    items.extend([item async for item in lines])

            task = asyncio.create_task(read())
            for _ in range(60):
                await pass_time(gitlab, clock, 5, task.done)
                most = max(most, len(await others() - before))
            await asyncio.wait_for(task, 5)
            assert await others() == before
    assert most <= 16 + 4
    for job in jobs:
        own = [item for item in items if item.job_id == job.id]
        assert [item.line.text for item in own if isinstance(item, TailedLine)] == LINES
        assert own[-1] == TailEnded("group/app", job.id)


@pytest.mark.parametrize("seconds", [0.1, 15, 70])
@pytest.mark.parametrize("is_left_early", [False, True])
async def test_left_tails_leave_nothing(seconds, is_left_early):
    clock = SteppedClock()
    async with Simulator(clock=clock) as simulator:
        jobs = add_jobs(simulator, simulator.world.project("group/app"), 60)
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            before = await others()

            async def read():
                async with gitlab.tail_jobs([(1, job.id) for job in jobs]) as lines:
                    async for _ in lines:
                        if is_left_early:
                            return

            task = asyncio.create_task(read())
            await pass_time(gitlab, clock, seconds)
            task.cancel()
            await asyncio.wait([task])
            assert await others() == before
            assert open_connections(gitlab) == 0
