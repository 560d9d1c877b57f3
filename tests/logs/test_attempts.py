"""Logs of a job's attempts, one after the other."""

import pytest

from gitlab_jobs_async import TailedLine, TailEnded, TailFailed
from gitlab_jobs_async.simulator import Fault, JobPlan
from tests.support.cancellation import cancel_once
from tests.support.connections import open_connections
from tests.support.tasks import others, prompt


def add_job(simulator, *outcomes, auto_retry=None):
    """Return a job whose attempts end so, and print which one they are."""
    world = simulator.world
    pipeline = world.add_pipeline(world.project("group/app"))
    plans = [
        JobPlan(queued=1.0, duration=20.0, outcome=outcome, log=b"attempt %d\nend\n" % number)
        for number, outcome in enumerate(outcomes, 1)
    ]
    retries = len(outcomes) - 1 if auto_retry is None else auto_retry
    plan = JobPlan(
        queued=1.0,
        duration=20.0,
        outcome=plans[0].outcome,
        log=plans[0].log,
        attempts=tuple(plans[1:]),
        auto_retry=retries,
    )
    job = world.add_job(pipeline, "test", plan=plan)
    world.settle(simulator.clock.now())
    return job


def ids(simulator):
    return sorted(job.id for job in simulator.world.jobs.values() if job.name == "test")


async def test_tail_goes_on_with_the_next_attempt(simulator, project):
    job = add_job(simulator, "failed", "failed", "success")
    lines = [line async for line in project.tail(job.id, follow_retries=True)]
    assert [(line.number, line.text) for line in lines] == [
        (1, "attempt 1"), (2, "end"), (1, "attempt 2"), (2, "end"), (1, "attempt 3"), (2, "end"),
    ]  # fmt: skip


async def test_tail_ends_with_the_attempt_by_default(simulator, project):
    job = add_job(simulator, "failed", "success")
    assert [line.text async for line in project.tail(job.id)] == ["attempt 1", "end"]


async def test_last_lines_are_those_of_the_first_log(simulator, project):
    job = add_job(simulator, "failed", "success")
    simulator.clock.advance(300)
    lines = [line.text async for line in project.tail(job.id, lines=1, follow_retries=True)]
    assert lines == ["end", "attempt 2", "end"]


async def test_items_have_the_id_of_their_attempt(simulator, gitlab):
    job, other = add_job(simulator, "failed", "success"), add_job(simulator, "failed")
    targets = [("group/app", job.id), ("group/app", other.id)]
    async with gitlab.tail_jobs(targets, follow_retries=True) as lines:
        items = [item async for item in lines]
    first, same, second = ids(simulator)
    assert (first, same) == (job.id, other.id)
    assert {item.project for item in items} == {"group/app"}
    own = [item for item in items if item.job_id in {first, second}]
    kinds = [(item.job_id, type(item)) for item in own]
    expected = [TailedLine, TailedLine, TailEnded]
    assert kinds == [(first, kind) for kind in expected] + [(second, kind) for kind in expected]
    ended = {item.job_id: str(item.job.status) for item in items if isinstance(item, TailEnded)}
    assert ended == {first: "failed", second: "success", other.id: "failed"}


async def test_end_is_seen_after_the_grace(simulator, project, clock):
    job = add_job(simulator, "failed")
    _ = [line async for line in project.tail(job.id, follow_retries=True)]
    assert 4.0 <= clock.now() - job.finished_at <= 15.0


async def test_outage_of_the_listing_is_tolerated(simulator, project):
    job = add_job(simulator, "failed", "success")
    simulator.faults.add(Fault(path="*/pipelines/*", status=502, times=5))
    lines = [line.text async for line in project.tail(job.id, follow_retries=True)]
    assert lines == ["attempt 1", "end", "attempt 2", "end"]


async def test_refused_listing_fails_one_log(simulator, gitlab):
    job = add_job(simulator, "failed", "success")
    simulator.faults.add(Fault(path="*/pipelines/*", status=403, times=None))
    async with gitlab.tail_jobs([(1, job.id)], follow_retries=True) as lines:
        *printed, last = [item async for item in lines]
    assert [item.line.text for item in printed] == ["attempt 1", "end"]
    assert isinstance(last, TailFailed)
    assert last.job_id == job.id


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"follow_retries": 1}, TypeError, "follow_retries must be True or False, not 1"),
        ({"follow_retries": True, "follow": False}, ValueError, "expected follow=True"),
    ],
)
async def test_bad_argument_sends_nothing(simulator, gitlab, project, options, kind, words):
    with pytest.raises(kind, match=words):
        project.tail(1, **options)
    with pytest.raises(kind, match=words):
        gitlab.tail_jobs([(1, 1)], **options)
    assert not simulator.requests


@prompt
async def test_left_at_second_attempt_leaves_nothing(simulator, gitlab, project):
    job = add_job(simulator, "failed", "success")
    before = await others()
    lines = project.tail(job.id, follow_retries=True)
    async for line in lines:
        if line.text == "attempt 2":
            break
    await lines.aclose()
    assert await others() == before
    assert open_connections(gitlab) == 0


@prompt
async def test_cancelled_listing_leaves_nothing(simulator, gitlab, project):
    job = add_job(simulator, "failed")
    simulator.clock.advance(60)
    simulator.faults.add(Fault(path="*/pipelines/*", latency=1000.0, times=None))

    async def read():
        return [line async for line in project.tail(job.id, follow_retries=True)]

    await cancel_once(lambda: simulator.clock.next_wake, gitlab, read())
    simulator.clock.advance(2000)
