"""Timelines: phases of jobs, the critical path, and times that are missing or impossible."""

from contextlib import aclosing
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async import GitLab, JobToken, NotFoundError, PollPolicy
from gitlab_jobs_async.models import Bridge
from gitlab_jobs_async.pipelines.needs import JobNeeds, needs_in
from gitlab_jobs_async.pipelines.timeline import timelines_of
from gitlab_jobs_async.simulator import Fault, JobPlan, PipelinePlan, PlannedJob
from tests.support.cancellation import cancel_half_way
from tests.support.connections import open_connections
from tests.support.tasks import others
from tests.support.timelines import (
    NEEDS,
    START,
    STATUSES,
    TIMES,
    job,
    jobs,
    nested,
    timeline,
    tree,
    tree_of,
)


def phases(found, number):
    (attempt,) = (one for one in found.attempts() if one.job.id == number)
    return [(phase.kind, phase.start, phase.end) for phase in attempt.phases]


def path(found):
    return [(phase.kind, phase.start, phase.end, phase.job_id) for phase in found.critical_path]


async def test_critical_path_of_a_simulated_pipeline(world, clock, gitlab):
    """Needs, a retry, a manual job and a child pipeline, as GitLab tells them."""
    pipeline = world.add_pipeline(world.project("group/app"), stages=("build", "test", "deploy"))
    again = JobPlan(queued=3.0, duration=40.0)
    unit = JobPlan(
        queued=5.0, duration=60.0, needs=("compile",), outcome="failed", auto_retry=1,
        attempts=(again,),
    )  # fmt: skip
    child = PipelinePlan(jobs=(PlannedJob("image", plan=JobPlan(duration=20.0)),), depend=True)
    compiling = world.add_job(pipeline, "compile", stage="build", plan=JobPlan(duration=30.0))
    world.add_job(pipeline, "assets", stage="build", plan=JobPlan(duration=90.0))
    first = world.add_job(pipeline, "unit", plan=unit)
    trigger = world.add_bridge(pipeline, "child", stage="deploy", downstream=child)
    world.add_job(pipeline, "prod", stage="deploy", plan=JobPlan(when="manual"))
    clock.stepped.advance(400)
    world.settle(clock.now())
    second = next(one for one in pipeline.jobs if one.name == "unit" and one.attempt == 1)
    image = next(one for one in world.jobs.values() if one.name == "image")
    root, below = await gitlab.project("group/app").list_timelines(pipeline.id)
    assert root.basis == "needs"
    assert path(root) == [
        ("queued", 0, 2, compiling.id),
        ("running", 2, 32, compiling.id),
        ("queued", 32, 37, first.id),
        ("running", 37, 97, first.id),
        ("queued", 97, 100, second.id),
        ("running", 100, 140, second.id),
        ("queued", 140, 142, trigger.id),
        ("queued", 142, 144, image.id),
        ("running", 144, 164, image.id),
    ]
    assert root.time_spent == {"running": 150.0, "queued": 14.0}
    assert root.job_time["waiting"] == 32 + 140 + 140
    assert root.job_time["manual"] == 24.0
    unit_job = next(one for one in root.jobs if one.name == "unit")
    assert [one.is_retried for one in unit_job.attempts] == [True, False]
    assert unit_job.is_critical
    assert unit_job.latest.seconds("running") == 40.0
    assert (below.depth, below.bridge.id, below.begin, below.end) == (1, trigger.id, 142.0, 164.0)
    marked = {one.job.id for found in (root, below) for one in found.attempts() if one.is_critical}
    assert marked == {compiling.id, first.id, second.id, trigger.id, image.id}


async def test_without_graphql_stages_are_the_basis(simulator, gitlab):
    """A refusal of GraphQL costs the needs, not the timeline."""
    simulator.faults.add(Fault(status=403, path="/api/graphql", times=None))
    (found,) = await gitlab.project("group/app").list_timelines(1)
    assert found.basis == "stages"
    requests = len(simulator.requests)
    (found,) = await gitlab.project("group/app").list_timelines(1, needs=False)
    assert found.basis == "stages"
    assert len(simulator.requests) == requests + 3


async def test_job_token_gets_a_timeline_by_stages(simulator, world, clock):
    """GraphQL accepts no job token, so it is not asked."""
    unit = next(one for one in world.jobs.values() if one.name == "unit")
    async with GitLab(simulator.url, auth=JobToken(unit.token), clock=clock) as client:
        (found,) = await client.project(1).list_timelines(1)
    assert (found.basis, len(simulator.requests)) == ("stages", 3)


async def test_needs_of_more_than_a_page_of_jobs(world, clock, gitlab):
    pipeline = world.add_pipeline(world.project("group/app"), stages=("build", "test"))
    world.add_job(pipeline, "slow", stage="build", plan=JobPlan(duration=50.0))
    for number in range(101):
        needs = () if number % 2 else None
        world.add_job(pipeline, f"job {number}", plan=JobPlan(needs=needs, duration=5.0))
    clock.stepped.advance(100)
    world.settle(clock.now())
    (found,) = await gitlab.project("group/app").list_timelines(pipeline.id)
    waited = {one.name: one.latest.seconds("waiting") for one in found.jobs}
    assert {name for name, seconds in waited.items() if seconds} == {
        f"job {number}" for number in range(0, 101, 2)
    }


async def test_cancelled_timeline_leaves_nothing(simulator, gitlab):
    await cancel_half_way(simulator, gitlab, gitlab.project("group/app").list_timelines(1))


async def last_of(followed):
    return [timelines async for timelines in followed][-1]


async def test_followed_timelines_grow_to_the_end(simulator, gitlab):
    """Between two polls what runs grows, without a request; the needs are asked for once."""
    found = [
        (timelines[0].end, timelines[0].pipeline.status, len(simulator.requests))
        async for timelines in gitlab.project("group/app").follow_timelines(
            1, refresh=1.0, polling=PollPolicy(interval=60.0, max_interval=60.0)
        )
    ]
    ends, statuses, requests = zip(*found, strict=True)
    # The last poll shows that the end was before it.
    assert list(ends[:-1]) == sorted(ends[:-1])
    assert len(set(ends[:-1])) == len(ends) - 1
    assert statuses[0] == "running"
    assert statuses[-1] == "failed"
    assert len(found) > 500
    polls = len(set(requests))
    assert requests[-1] == 3 * polls + 1
    assert polls < 15


async def test_followed_timeline_outlasts_an_outage(simulator, gitlab):
    simulator.faults.add(Fault(status=503, times=8))
    (found,) = await last_of(gitlab.project("group/app").follow_timelines(1))
    assert found.has_ended
    simulator.faults.add(Fault(status=404, times=None))
    with pytest.raises(NotFoundError):
        await last_of(gitlab.project("group/app").follow_timelines(1))


async def test_left_timeline_leaves_nothing(simulator, gitlab):
    before = await others()
    async with aclosing(gitlab.project("group/app").follow_timelines(1)) as followed:
        async for _ in followed:
            break
    assert await others() == before
    assert open_connections(gitlab) == 0
    call = last_of(gitlab.project("group/app").follow_timelines(1))
    await cancel_half_way(simulator, gitlab, call)


async def test_invalid_refresh_is_refused(gitlab):
    with pytest.raises(ValueError, match=r"refresh must be .* not 0"):
        gitlab.project(1).follow_timelines(1, refresh=0)


def test_stages_come_in_the_order_of_first_ids():
    """A retry of an early job has the highest id, and does not move its stage."""
    found = timeline(
        job(5, "a", stage="build", times=(60, 61, 90)),
        job(2, "b", stage="test", times=(0, 40, 50), queued_duration=10.0),
        job(1, "a", stage="build", status="failed", times=(0, 5, 30), queued_duration=5.0),
    )
    assert [one.name for one in found.jobs] == ["a", "b"]
    assert path(found) == [
        ("queued", 0, 5, 1),
        ("running", 5, 30, 1),
        ("retry", 30, 60, 5),
        ("held", 60, 61, 5),
        ("running", 61, 90, 5),
    ]
    assert phases(found, 2) == [("waiting", 0, 30), ("queued", 30, 40), ("running", 40, 50)]


@pytest.mark.parametrize(
    ("given_job", "expected"),
    [
        # GitLab keeps counting the queue of a job that was canceled in it.
        (
            job(2, "b", status="canceled", times=(0, None, 60), queued_duration=960.0),
            [("waiting", 0, 20), ("held", 20, 40), ("queued", 40, 60)],
        ),
        (job(2, "b", status="skipped"), []),
        (job(2, "b", status="manual"), [("waiting", 0, 20), ("manual", 20, 70)]),
        (job(2, "b", status="scheduled"), [("waiting", 0, 20), ("delayed", 20, 70)]),
        # Clocks that differ: started before it was created, ended before it started.
        (job(2, "b", times=(30, 10, 5)), []),
        (job(2, "b", times=(30, 10, 45)), [("running", 30, 45)]),
        (
            job(2, "b", times=(0, 50, 70), queued_duration=-3.0),
            [("waiting", 0, 20), ("held", 20, 50), ("running", 50, 70)],
        ),
        (
            job(2, "b", times=(0, 50, 70), queued_duration=1e9),
            [("queued", 0, 50), ("running", 50, 70)],
        ),
        (
            job(2, "b", times=(None, 50, None), duration=15.0),
            [("waiting", 0, 20), ("held", 20, 50), ("running", 50, 65)],
        ),
    ],
)
def test_odd_times_of_an_ended_pipeline(given_job, expected):
    first = job(1, "a", stage="build", times=(0, 5, 20), queued_duration=5.0)
    found = timeline(first, given_job, finished=70)
    assert phases(found, 2) == expected


def test_active_pipeline_ends_now():
    """Unfinished phases end at the present; the queue counts from when it was read."""
    jobs = (
        job(1, "a", stage="build", status="running", times=(0, 5, None), queued_duration=5.0),
        job(2, "b", stage="build", status="pending", queued_duration=30.0),
        job(3, "c", status="created"),
    )
    found = timeline(*jobs, status="running", read=40.0, now=50.0)
    assert phases(found, 1) == [("queued", 0, 5), ("running", 5, 50)]
    assert phases(found, 2) == [("held", 0, 10), ("queued", 10, 50)]
    assert phases(found, 3) == [("waiting", 0, 50)]
    assert path(found)[-1] == ("running", 5, 50, 1)


def test_stages_are_only_waited_for_by_new_jobs():
    """A job that is in the queue did not wait for one that still runs: it has needs."""
    jobs = (
        job(1, "a", stage="build", times=(0, 1, 10)),
        job(2, "b", stage="build", status="running", times=(0, 5, None)),
        job(3, "c", status="running", times=(0, 30, None), queued_duration=10.0),
        job(4, "d", status="created"),
    )
    found = timeline(*jobs, status="running", now=50.0)
    queued = [("waiting", 0, 10), ("held", 10, 20), ("queued", 20, 30), ("running", 30, 50)]
    assert phases(found, 3) == queued
    assert phases(found, 4) == [("waiting", 0, 50)]
    optional = job(2, "b", stage="build", status="manual", allow_failure=True)
    found = timeline(jobs[0], optional, jobs[3], status="running", now=50.0)
    assert phases(found, 4) == [("waiting", 0, 10), ("held", 10, 50)]


def test_pipeline_ends_with_its_last_job():
    """Neither an optional manual job nor the delay of the pipeline's status makes it longer."""
    first = job(1, "a", stage="build", times=(0, 5, 70))
    manual = job(2, "b", status="manual", allow_failure=True)
    found = timeline(first, manual, finished=75)
    assert (found.end, path(found)[-1][3]) == (70, 1)
    blocked = timeline(first, job(2, "b", status="manual"), status="manual", now=90_000.0)
    assert (blocked.end, phases(blocked, 2)) == (70, [("waiting", 0, 70)])
    late = timeline(first, job(2, "b", status="running", times=(0, 71, None)), now=80.0)
    assert (late.pipeline.status, late.end) == ("success", 80)


def test_played_manual_job_was_held_for_a_user():
    needs = {"b": JobNeeds(None, is_manual=True)}
    jobs = (
        job(1, "a", stage="build", times=(0, 5, 20), queued_duration=5.0),
        job(2, "b", times=(0, 100, 130), queued_duration=10.0),
    )
    assert path(timeline(*jobs, needs=needs))[2:] == [
        ("manual", 20, 90, 2),
        ("queued", 90, 100, 2),
        ("running", 100, 130, 2),
    ]


def test_needs_in_a_circle_end():
    """GitLab refuses such a configuration, and a client must not hang on it."""
    needs = {"a": JobNeeds(("b",)), "b": JobNeeds(("a",))}
    found = timeline(job(1, "a", times=(0, 5, 5)), job(2, "b", times=(0, 5, 5)), needs=needs)
    assert found.seconds == sum(found.time_spent.values()) == 5


def test_empty_needs_are_not_those_of_stages():
    rows = [
        {"name": name, "schedulingType": kind, "needs": {"nodes": []}}
        for name, kind in (("a", "dag"), ("b", "stage"))
    ]
    page = {"hasNextPage": True, "endCursor": "next"}
    data = {"projects": {"nodes": [{"pipeline": {"jobs": {"nodes": rows, "pageInfo": page}}}]}}
    assert needs_in(data) == ({"a": JobNeeds(()), "b": JobNeeds(None)}, "next")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"projects": None},
        {"projects": {"nodes": [None, 3]}},
        {"projects": {"nodes": [{"pipeline": None}]}},
        {"projects": {"nodes": [{"pipeline": {"jobs": {"nodes": [{"name": 5}, None]}}}]}},
    ],
)
def test_answer_without_needs_has_none(data):
    assert needs_in(data) == ({}, None)


def test_no_jobs_and_unknown_times():
    found = timeline(created=None)
    assert (found.seconds, found.jobs, found.critical_path) == (0.0, (), ())


def below(bridge_end, child_end, **options):
    """Timelines of a pipeline and of a child that begins with a gap of 5 seconds."""
    child = tree(job(30, "images", times=(7, 12, child_end)), created=6)
    bridge = job(4, "images", kind=Bridge, times=(0, 5, bridge_end))
    return timelines_of(nested([bridge], [child], **options), {}, START + 50, START + 50)


def test_path_leads_through_an_awaited_pipeline():
    """The seconds before its jobs and after its end are the trigger job's own."""
    root, child = below(42, 40)
    assert path(root)[1:] == [
        ("running", 5, 6, 4), ("held", 6, 7, 4), ("held", 7, 12, 30), ("running", 12, 40, 30),
        ("running", 40, 42, 4),
    ]  # fmt: skip
    assert [one.is_critical for found in (root, child) for one in found.attempts()] == [True] * 2


def test_path_ends_at_a_trigger_without_strategy():
    """Without a strategy, a trigger job ends when it has created its pipeline."""
    root, child = below(8, 40)
    assert path(root)[1:] == [("running", 5, 8, 4)]
    assert path(child) == [("held", 6, 7, 0), ("held", 7, 12, 30), ("running", 12, 40, 30)]
    assert [one.is_critical for one in child.attempts()] == [False]


@settings(max_examples=100)
@given(
    jobs=jobs(),
    children=st.lists(st.builds(tree_of, jobs(first=100), STATUSES, TIMES), max_size=2),
    needs=NEEDS,
    status=STATUSES,
    created=TIMES,
    finished=TIMES,
    now=st.floats(0, 2e6),
)
def test_any_times_give_phases_in_order(jobs, children, needs, status, created, finished, now):
    """No phase is negative, none overlaps, and each critical path adds up to the whole time."""
    whole = nested(jobs, children, status=status, created=created, finished=finished)
    timelines = timelines_of(whole, {9: needs}, START + now, START + now)
    assert len(list(timelines[0].attempts())) == len(jobs)
    for found in timelines:
        check_order(found)


def check_order(found):
    assert found.end >= found.begin >= 0
    for one in found.attempts():
        assert all(phase.seconds > 0 for phase in one.phases)
        assert all(a.end == b.start for a, b in pairwise(one.phases))
        assert not one.phases or one.phases[0].start >= 0
    steps = found.critical_path
    assert all(step.seconds > 0 for step in steps)
    assert all(a.end == b.start for a, b in pairwise(steps))
    if steps:
        assert (steps[0].start, steps[-1].end) == (found.begin, found.end)
    assert sum(found.time_spent.values()) == pytest.approx(found.seconds)
