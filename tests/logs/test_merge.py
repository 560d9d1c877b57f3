"""Many logs as one stream: every line of each, told apart, and nothing left behind."""

import asyncio
from collections import Counter

import pytest

from gitlab_jobs_async import (
    GitLab,
    Job,
    JobStatus,
    NotFoundError,
    TailedLine,
    TailEnded,
    TailFailed,
)
from gitlab_jobs_async.simulator import Fault, JobPlan
from tests.support.clocks import JumpClock
from tests.support.connections import open_connections
from tests.support.tasks import others, prompt


def add_job(simulator, name, lines=50, **plan):
    world = simulator.world
    pipeline = world.add_pipeline(world.project("group/app"))
    log = b"".join(b"%s %d\n" % (name.encode(), number) for number in range(lines))
    job = world.add_job(pipeline, name, plan=JobPlan(log=log, **plan))
    world.settle(simulator.clock.now())
    return job


def lines_of(items, job):
    return [
        item.line.text for item in items if isinstance(item, TailedLine) and item.job_id == job.id
    ]


async def test_every_line_of_every_log_comes_with_its_job(simulator, gitlab):
    jobs = [add_job(simulator, f"job{number}", duration=100.0) for number in range(20)]
    async with gitlab.tail_jobs([("group/app", job.id) for job in jobs]) as lines:
        assert len(lines) == 20
        items = [item async for item in lines]
    for number, job in enumerate(jobs):
        assert lines_of(items, job) == [f"job{number} {line}" for line in range(50)]
        assert items.count(TailEnded("group/app", job.id)) == 1
    assert {item.project for item in items} == {"group/app"}
    assert not await others()


async def test_one_failure_is_told_and_is_no_other_end(simulator, gitlab):
    good, bad = (add_job(simulator, name, duration=100.0) for name in ("good", "bad"))
    simulator.faults.add(
        Fault(path=f"*/{bad.id}/trace", status=403, body=b"{}", skip=2, times=None)
    )
    async with gitlab.tail_jobs([(1, good.id), (1, bad.id), (1, 99_999)]) as lines:
        items = [item async for item in lines]
    assert lines_of(items, good) == [f"good {line}" for line in range(50)]
    failures = {item.job_id: item.error for item in items if isinstance(item, TailFailed)}
    assert set(failures) == {bad.id, 99_999}
    assert isinstance(failures[99_999], NotFoundError)
    assert TailEnded(1, good.id) in items
    assert TailEnded(1, bad.id) not in items


async def test_jobs_come_and_go_while_it_runs(simulator, gitlab):
    first, second, third = (add_job(simulator, name, duration=30.0) for name in "abc")
    items = []
    async with gitlab.tail_jobs([(1, first.id)], lines=10) as lines:
        async for item in lines:
            if not items:
                lines.add(1, second.id)
                lines.add(1, second.id)
                lines.add(1, third.id)
                assert lines.remove(1, third.id)
                assert not lines.remove(1, third.id)
            items.append(item)
        assert len(lines) == 0
        lines.add(1, third.id)
        assert [item async for item in lines][-1] == TailEnded(1, third.id)
    ended = [item.job_id for item in items if isinstance(item, TailEnded)]
    assert sorted(ended) == [first.id, second.id]
    with pytest.raises(ValueError, match="job_id"):
        lines.add(1, 0)


async def test_who_reads_slowly_asks_less_often(simulator, gitlab):
    jobs = [add_job(simulator, f"job{number}", lines=5_000, duration=5.0) for number in range(40)]
    simulator.clock.advance(60)
    async with gitlab.tail_jobs([(1, job.id) for job in jobs]) as lines:
        seen = Counter()
        for _ in range(160):
            item = await anext(lines)
            seen[item.job_id] += 1
            await others()
        read = {request.path for request in simulator.requests if "trace" in request.path}
    assert len(read) <= 16
    assert max(seen.values()) - min(seen.values()) <= 1


@pytest.mark.parametrize("way", ["break", "cancel"])
@prompt
async def test_leaving_the_block_leaves_nothing(simulator, way):
    class Standing(JumpClock):
        async def sleep(self, _seconds):
            asleep.set()
            await asyncio.Event().wait()

    asleep = asyncio.Event()
    jobs = [add_job(simulator, f"job{number}", duration=100.0) for number in range(30)]
    simulator.clock.advance(80)
    async with GitLab(simulator.url, auth=simulator.token, clock=Standing()) as gitlab:
        before = await others()

        async def read():
            async with gitlab.tail_jobs([(1, job.id) for job in jobs]) as lines:
                async for _ in lines:
                    if way == "break":
                        break

        task = asyncio.create_task(read())
        if way == "cancel":
            await asleep.wait()
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled() == (way == "cancel")
        assert await others() == before
        assert open_connections(gitlab) == 0


async def test_a_job_that_says_its_project_will_do(simulator, gitlab):
    job = await gitlab.project(1).get_job(add_job(simulator, "a", duration=3.0).id)
    async with gitlab.tail_jobs([job]) as lines:
        assert [item async for item in lines][-1] == TailEnded(1, job.id)


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ([(1, 0)], "job_id must be a whole number above 0, not 0"),
        ([("a b", 1)], "is no project"),
        ([7], "7 is no job; allowed are a Job and a pair"),
        ("group/app", "several jobs"),
        (7, "several jobs"),
        ([Job(id=3, status=JobStatus.RUNNING, stage="a", name="b")], r"give \(project, 3\)"),
    ],
)
def test_bad_input_is_refused_at_once(jobs, said):
    with pytest.raises((TypeError, ValueError), match=said):
        GitLab("https://gitlab.example.com").tail_jobs(jobs)
