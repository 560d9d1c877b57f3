"""One odd value of one row: the result and the warning, for each way to read it."""

import asyncio
import logging

import pytest
from aiohttp import web

from gitlab_jobs_async import DecodeError, GitLab
from gitlab_jobs_async.events import JobAppeared
from tests.support.clocks import JumpClock
from tests.support.servers import serving

PIPELINE = {"id": 9, "project_id": 1, "status": "success"}
ROW = {"id": 30, "name": "build", "stage": "test", "status": "success", "pipeline": PIPELINE}
GHOST = {"user": {"id": 5, "name": "Ghost User"}}
REASONS = (
    ".user: required field missing @ $.username",
    "id 9: PipelineBasic.ref: expected a string, got 7",
)


def answering(row):
    rows = [ROW | {"id": number} for number in (40, 20)]

    async def handler(request):
        parts = request.path.split("/")
        if parts[-2] == "jobs":
            return web.json_response(row)
        if parts[-2] == "pipelines":
            return web.json_response(PIPELINE | GHOST)
        if parts[-1] in {"jobs", "bridges"}:
            return web.json_response([rows[0], row, rows[1]])
        if parts[-1] == "trace":
            return web.Response(body=b"log\n")
        return web.json_response([PIPELINE | {"ref": 7}])

    return handler


async def listed(project):
    return len(await project.list_jobs()) == 3


async def iterated(project):
    return [job.id async for job in project.iter_jobs()] == [40, 30, 20]


async def read(project):
    return (await project.get_job(30)).user is None


async def waited(project):
    return (await project.wait_for_job(30)).id == 30


async def waited_for_pipeline(project):
    seen = []
    await project.wait_for_pipeline(9, progress=lambda _, jobs: seen.append(len(jobs)))
    return seen == [3]


async def walked(project):
    tree = await project.walk_pipeline(9)
    return (len(tree.jobs), len(tree.bridges)) == (3, 3)


async def piped(project):
    return len(await project.list_pipelines()) == 1


async def tailed(project):
    return [line.text async for line in project.tail(30)] == ["log"]


WAYS = [listed, iterated, read, waited, waited_for_pipeline, walked, piped, tailed]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_odd_value_is_ignored_with_a_warning(way, caplog):
    async with serving(answering(ROW | GHOST)) as server:
        async with GitLab(server.url, clock=JumpClock()) as gitlab:
            with caplog.at_level(logging.WARNING, "gitlab_jobs_async"):
                assert await way(gitlab.project(1))
    assert caplog.messages
    assert all(said.endswith(REASONS) for said in caplog.messages)
    assert "id 9: Pipeline" in caplog.text or "id 30: " in caplog.text


async def test_monitor_reports_job_with_odd_value(caplog):
    row = ROW | GHOST | {"status": "running"}
    async with serving(answering(row)) as server:
        async with GitLab(server.url, clock=JumpClock()) as gitlab:
            async with asyncio.timeout(10), gitlab.monitor([1]) as events:
                while (emitted := await anext(events)).job.id != 30:
                    pass
    assert isinstance(emitted, JobAppeared)
    assert emitted.job.user is None
    assert "id 30: Job.user" in caplog.text


@pytest.mark.parametrize("way", [listed, iterated, walked], ids=lambda way: way.__name__)
async def test_required_value_names_the_row(way):
    async with serving(answering(ROW | {"status": None})) as server:
        async with GitLab(server.url, clock=JumpClock()) as gitlab:
            with pytest.raises(
                DecodeError, match=r"expected .*, got null @ \$\[1\]\.status \(id 30\)"
            ):
                await way(gitlab.project(1))
