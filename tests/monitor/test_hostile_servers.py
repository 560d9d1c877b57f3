"""A project with hostile responses does not affect another one."""

import asyncio
from itertools import count

import pytest
from aiohttp import web

from gitlab_jobs_async import GitLab, JobTarget, PipelineTarget
from gitlab_jobs_async.events import JobAppeared, JobFinished, ProjectUnreachable
from gitlab_jobs_async.simulator import Fault, JobPlan
from tests.support.clocks import JumpClock
from tests.support.connections import open_connections
from tests.support.servers import serving
from tests.support.tasks import others

TIME = "2025-06-15T15:00:00.000Z"
LOOKS = 8
"""Polls of the good project, the last of which shows that its job has ended."""


def pipeline(number, project=7, at=TIME):
    return {"id": number, "project_id": project, "status": "running", "updated_at": at}


def job(number, of=5, project=7, status="running", at=TIME, **more):
    made = None if of is None else pipeline(of, project, at)
    row = {"id": number, "name": "a", "stage": "b", "status": status, "created_at": at}
    return row | {"pipeline": made} | more


def rows(*given, following=None):
    counted = {"X-Total": str(len(given)), "X-Page": "1", "X-Per-Page": "100"}
    headers = counted if following is None else {"Link": f'<{following}>; rel="next"'}
    return web.json_response(list(given), headers=headers)


def bridging(bridges, *jobs):
    """Return a project whose pipelines have these bridges."""

    def answer(request):
        parts = request.path.split("/")
        if parts[-1] == "bridges":
            number = int(parts[-2])
            below = [pipeline(*place) for place in bridges(number)]
            return rows(*(job(900 + i, number, downstream_pipeline=p) for i, p in enumerate(below)))
        if parts[-1] == "pipelines":
            return rows(pipeline(5))
        return rows(*jobs or [job(50), job(40, 9)])

    return answer


def paged(make, names):
    """Return endless pages, each with a new link."""
    numbers = count(1000)

    def answer(request):
        size = int(request.query.get("per_page", "20"))
        query = dict(request.query) | {names: str(next(numbers)), "per_page": "100"}
        return rows(*make(size, numbers), following=request.url.with_query(query))

    return answer


def now_and_then(*given):
    """Return these rows, and then others."""
    turns = count()
    return lambda _: rows(*(given if next(turns) % 3 == 0 else [job(10)]))


def saying(text="", status=200, **headers):
    def answer(_):
        return web.Response(
            text=text,
            status=status,
            content_type="application/json",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    return answer


HOSTILE = {
    "the same page for ever": paged(lambda *_: [job(i) for i in range(90, 80, -1)], "cursor"),
    "ever more jobs": paged(lambda size, ids: [job(next(ids)) for _ in range(size)], "cursor"),
    "ever more pages": paged(lambda size, ids: [job(next(ids)) for _ in range(size)], "page"),
    "ids of zero and less": now_and_then(job(0), job(-5), job(2)),
    "huge ids": now_and_then(job(2**63), job(2**64 - 1), job(3, 2**63)),
    "no pipeline": lambda _: rows(*(job(i, None, status="failed") for i in (9, 8, 7))),
    "pipelines of zero and less": now_and_then(job(9, 0), job(8, -4), job(7, 0)),
    "projects of zero and less": now_and_then(job(9, 5, 0), job(8, 5, -1)),
    "another project": now_and_then(job(9, 5, 99), job(8, 5, 98)),
    "disorder": lambda _: rows(job(5), job(50), job(7), job(5)),
    "unknown statuses": now_and_then(job(9, status="quantum"), job(8, status="")),
    "times out of time": now_and_then(
        job(9, at="9999-12-31T23:59:59.999-23:00"), job(8, at="0001-01-01T00:00:00+14:00")
    ),
    "times at odds": now_and_then(job(9, at="2999-01-01T00:00:00Z"), job(8, at=None)),
    "null": saying("null"),
    "an object": saying("{}"),
    "a page": saying("<html>"),
    "a large row": saying('[{"id": 1, "name": "' + "x" * 1_000_000 + '"}]'),
    "a year to wait": saying("{}", 503, Retry_After="31536000"),
    "for ever to wait": saying("{}", 404, Retry_After="9" * 400),
    "itself downstream": bridging(lambda number: [(number, 7), (number, 8), (0, 7), (-1, 9)]),
    "impossible downstream": bridging(lambda _: [(5, 0), (5, -3), (2**63, 2**63)]),
    "a circle of 5,000": bridging(lambda number: [(number % 5000 + 1, 7)]),
    "a circle of projects": bridging(lambda number: [(number % 50 + 1, 300 + number % 3)]),
}


def beside(hostile):
    """Serve a good project 1, whose job ends after some polls; all others are *hostile*."""
    polls = count(1)

    async def answer(request):
        parts = request.path.split("/")
        if parts[4] != "1":
            return hostile(request)
        if parts[5] != "jobs":
            return rows()
        return rows(job(100, 3, 1, "success" if next(polls) > LOOKS else "running"))

    return answer


@pytest.mark.parametrize("target", [7, PipelineTarget(7, 5), JobTarget(7, 5)], ids=str)
@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_project_affects_no_other(name, target):
    clock, before = JumpClock(), await others()
    async with serving(beside(HOSTILE[name])) as server:
        async with GitLab(server.url, auth="x", clock=clock) as gitlab:
            async with (
                asyncio.timeout(20),
                gitlab.monitor([1, target], downstream=True) as events,
            ):
                async for event in events:
                    if event.project == 1 and isinstance(event, JobFinished):
                        break
                else:
                    pytest.fail("it has ended without an error")
            assert open_connections(gitlab) == 0
        assert len(server.requests) <= 5000
    assert await others() == before


async def test_invalid_ids_make_a_project_unreachable():
    async with serving(beside(now_and_then(job(0)))) as server:
        async with GitLab(server.url, auth="x", clock=JumpClock()) as gitlab:
            async with gitlab.monitor([7]) as events:
                event = await anext(events)
    assert isinstance(event, ProjectUnreachable)
    assert "id 0 out of range" in event.reason


async def test_job_of_a_hidden_project_is_not_deleted(simulator, gitlab):
    world = simulator.world
    made = world.add_pipeline(world.project("group/app"))
    long = world.add_job(made, "long", plan=JobPlan(duration=100.0))
    world.settle(simulator.clock.now())
    hidden = b'{"message":"404 Project Not Found"}'
    simulator.faults.add(Fault(status=404, body=hidden, skip=1, times=3))
    async with gitlab.monitor([JobTarget(1, long.id)]) as events:
        emitted = [event async for event in events]
    assert [type(emitted[0]), type(emitted[-1])] == [JobAppeared, JobFinished]
    assert any(isinstance(event, ProjectUnreachable) for event in emitted)
