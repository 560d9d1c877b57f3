"""Many logs as one stream: every line of each, with its job, and nothing left behind."""

import asyncio
from collections import Counter

import pytest
from attrs import evolve

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


async def test_lines_of_many_logs_have_their_job(simulator, gitlab):
    jobs = [add_job(simulator, f"job{number}", duration=100.0) for number in range(20)]
    async with gitlab.tail_jobs([("group/app", job.id) for job in jobs]) as lines:
        assert len(lines) == 20
        items = [item async for item in lines]
    for number, job in enumerate(jobs):
        assert lines_of(items, job) == [f"job{number} {line}" for line in range(50)]
        assert items.count(TailEnded("group/app", job.id)) == 1
    assert {item.project for item in items} == {"group/app"}
    assert not await others()


async def test_one_failure_does_not_stop_the_others(simulator, gitlab):
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


async def test_other_errors_end_the_iteration(simulator, gitlab, monkeypatch):
    jobs = [add_job(simulator, name, duration=100.0) for name in ("a", "b")]

    def broken(*_arguments):
        raise ZeroDivisionError

    async with gitlab.tail_jobs([(1, job.id) for job in jobs]) as lines:
        await anext(lines)
        monkeypatch.setattr("gitlab_jobs_async.logs.line_reader.LineReader.ended", broken)
        with pytest.raises(ZeroDivisionError):
            _ = [item async for item in lines]
    assert not await others()


async def test_jobs_are_added_and_removed(simulator, gitlab):
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
    with pytest.raises(ValueError, match="offset"):
        lines.add(1, 1, offset=-1)


def requests_of(simulator):
    """Count the listings, the requests for single jobs, and those for traces."""
    paths = [request.path.rpartition("/")[2] for request in simulator.requests]
    return Counter(path if path in {"jobs", "trace"} else "job" for path in paths)


async def test_jobs_of_one_project_share_their_status(simulator, gitlab, clock):
    """Each job is requested twice at most: for its project's id, and for its end."""
    jobs = [add_job(simulator, f"job{number}", duration=100.0) for number in range(10)]
    began = clock.now()
    async with gitlab.tail_jobs([("group/app", job.id) for job in jobs]) as lines:
        items = [item async for item in lines]
    assert sum(isinstance(item, TailEnded) for item in items) == 10
    assert clock.now() - max(job.finished_at for job in jobs) <= 10.0
    seen = requests_of(simulator)
    intervals = (clock.now() - began) / 5
    assert seen["job"] <= 2 * 10
    assert seen["jobs"] <= intervals + 2
    assert seen["trace"] <= 10 * (intervals / 2 + 4)


async def test_status_seen_elsewhere_is_not_requested(simulator, gitlab, clock):
    job = add_job(simulator, "long", duration=10_000.0, first_upload=3.0)
    project, statuses = gitlab.project(1), gitlab._polls.statuses
    running = await project.get_job(job.id)
    simulator.requests.clear()
    chunks = project.follow_trace(job.id)
    await anext(chunks)
    before, known_at = requests_of(simulator)["job"], clock.now()
    statuses.learn([evolve(running, status=JobStatus.CANCELED)], known_at)
    assert all([chunk.data async for chunk in chunks])
    assert requests_of(simulator)["job"] == before
    assert clock.now() == known_at


async def test_slow_consumer_causes_fewer_polls(simulator, gitlab):
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
    assert max(seen.values()) - min(seen.values()) <= 2


async def test_each_log_begins_at_its_offset(simulator, gitlab):
    jobs = [add_job(simulator, name, duration=1.0) for name in "abcd"]
    simulator.clock.advance(60)
    offsets = {(1, job.id): len("a 0\n") * count for count, job in enumerate(jobs[:3])}
    targets = [(1, job.id) for job in jobs[:2]]
    targets.append(await gitlab.project(1).get_job(jobs[2].id))
    async with gitlab.tail_jobs(targets, offsets=offsets) as lines:
        lines.add(1, jobs[3].id, offset=len("d 0\n") * 3)
        items = [item async for item in lines]
    for count, job in enumerate(jobs):
        assert lines_of(items, job) == [f"{job.name} {line}" for line in range(count, 50)]


async def test_last_lines_are_those_that_match(simulator, gitlab):
    first, second = (add_job(simulator, name, duration=100.0, upload_interval=5.0) for name in "ab")
    simulator.clock.advance(60)
    async with gitlab.tail_jobs(
        [(1, first.id)], lines=2, matching=lambda item: item.line.text.endswith("5")
    ) as lines:
        lines.add(1, second.id)
        items = [item async for item in lines if isinstance(item, TailedLine)]
    old = [item.line.text for item in items if item.job_id == first.id and not item.is_new]
    assert len(old) == 2
    assert lines_of(items, first)[-1] == "a 45"
    # A log that is added has an argument of its own.
    assert lines_of(items, second) == ["b 5", "b 15", "b 25", "b 35", "b 45"]
    assert {item.is_new for item in items if item.job_id == second.id} == {False, True}


@pytest.mark.parametrize(("last", "shown"), [(None, 49), (2, 2)])
async def test_lines_there_now_without_follow(simulator, gitlab, clock, last, shown):
    jobs = [add_job(simulator, name, duration=100.0, upload_interval=50.0) for name in "ab"]
    simulator.clock.advance(60)
    keys = [("group/app", job.id) for job in jobs]
    async with gitlab.tail_jobs(keys, lines=last, follow=False) as lines:
        items = [item async for item in lines]
    for job in jobs:
        assert 0 < len(lines_of(items, job)) <= shown
        assert TailEnded("group/app", job.id) in items
    assert clock.slept == []


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


async def test_job_stands_for_its_project(simulator, gitlab):
    job = await gitlab.project(1).get_job(add_job(simulator, "a", duration=3.0).id)
    async with gitlab.tail_jobs([job]) as lines:
        items = [item async for item in lines]
    assert items[-1] == TailEnded(1, job.id)
    assert {item.project_path for item in items} == {"group/app"}


@pytest.mark.parametrize(("project", "path"), [(1, None), ("group/app", "group/app")])
async def test_path_is_known_from_the_caller(simulator, gitlab, project, path):
    job = add_job(simulator, "a", duration=3.0)
    async with gitlab.tail_jobs([(project, job.id)], follow=False) as lines:
        assert {item.project_path async for item in lines} == {path}


HOMELESS = Job(id=3, status=JobStatus.RUNNING, stage="a", name="b")


@pytest.mark.parametrize(
    ("jobs", "offsets", "said"),
    [
        ([(1, 0)], {}, "job_id must be a whole number above 0, not 0"),
        ([("a b", 1)], {}, "project 'a b'"),
        ([7], {}, r"invalid job 7: expected a Job or a pair \(project, job_id\)"),
        ("group/app", {}, "invalid jobs 'group/app': expected several"),
        (7, {}, "invalid jobs 7: expected several"),
        ([HOMELESS], {}, r"job 3 has no project_id: expected \(project, 3\)"),
        ([(1, 2)], {("group/app", 2): 5}, "'group/app', 2.* is not among the jobs"),
        ([(1, 2)], {(1, 2): -5}, "offsets.* must be a whole number from 0, not -5"),
    ],
)
def test_invalid_input_is_refused_at_once(jobs, offsets, said):
    with pytest.raises((TypeError, ValueError), match=said):
        GitLab("https://gitlab.example.com").tail_jobs(jobs, offsets=offsets)


@pytest.mark.parametrize("outcome", ["success", "failed"])
async def test_end_has_the_finished_job(simulator, gitlab, outcome):
    job = add_job(simulator, "unit", duration=100.0, outcome=outcome)
    async with gitlab.tail_jobs([(1, job.id)]) as lines:
        *_, end = [item async for item in lines]
    assert end == TailEnded(1, job.id)
    assert end.job == await gitlab.project(1).get_job(job.id)
    assert end.job.status == outcome


async def test_end_without_follow_has_no_job(simulator, gitlab):
    job = add_job(simulator, "unit", duration=100.0)
    async with gitlab.tail_jobs([(1, job.id)], follow=False) as lines:
        assert [item.job async for item in lines if isinstance(item, TailEnded)] == [None]


@pytest.mark.parametrize(
    ("waited", "status", "first"), [(50.0, "running", "trace"), (200.0, "success", "job")]
)
async def test_status_of_an_unfinished_job_is_known(simulator, gitlab, waited, status, first):
    # A finished one may have changed: GitLab runs skipped jobs when their pipeline is retried.
    job = add_job(simulator, "unit", duration=100.0, queued=0.0)
    simulator.clock.advance(waited)
    given = await gitlab.project(1).get_job(job.id)
    assert given.status == status
    sent = len(simulator.requests)
    async with gitlab.tail_jobs([given]) as lines:
        items = [item async for item in lines]
    assert lines_of(items, job) == [f"unit {line}" for line in range(50)]
    path = simulator.requests[sent].path
    assert path.endswith("/trace") == (first == "trace")
