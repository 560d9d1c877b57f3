"""1,500 pages for each method that lists: nothing recurses or grows with the pages."""

import base64
import json

import pytest
from aiohttp import web

from gitlab_jobs_async import GitLab
from tests.support.clocks import JumpClock
from tests.support.connections import open_connections
from tests.support.coverage import measured_once
from tests.support.servers import serving
from tests.support.tasks import others

PAGES, PER_PAGE = 1500, 20
COUNT = PAGES * PER_PAGE
SHOWN = {"status": "success", "stage": "test", "name": "unit", "ref": "main", "sha": "1"}


def rows_below(job_id, size=PER_PAGE):
    ids = range(min(job_id - 1, COUNT), 0, -1)[:size]
    return [{"id": number, "iid": number, "project_id": 1, **SHOWN} for number in ids]


def by_keyset(request):
    cursor = request.query.get("cursor")
    below = int(json.loads(base64.urlsafe_b64decode(cursor))["id"]) if cursor else COUNT + 1
    rows = rows_below(below)
    if not rows or rows[-1]["id"] == 1:
        return rows, {}
    written = json.dumps({"id": str(rows[-1]["id"]), "_kd": "n"}, separators=(",", ":"))
    following = request.url.update_query(cursor=base64.urlsafe_b64encode(written.encode()).decode())
    return rows, {"Link": f'<{following}>; rel="next"', "X-Per-Page": str(PER_PAGE)}


def by_offset(request):
    page = int(request.query.get("page", "1"))
    size = min(int(request.query["per_page"]), PER_PAGE)
    rows = rows_below(COUNT + 1 - (page - 1) * size, size)
    headers = {
        "X-Page": str(page),
        "X-Per-Page": str(size),
        "X-Total": str(COUNT),
        "X-Total-Pages": str(-(-COUNT // size)),
        "X-Next-Page": str(page + 1) if page * size < COUNT else "",
    }
    if page * size < COUNT:
        headers["Link"] = f'<{request.url.update_query(page=str(page + 1))}>; rel="next"'
    return rows, headers


async def handler(request):
    is_keyset = request.query.get("pagination") == "keyset"
    rows, headers = by_keyset(request) if is_keyset else by_offset(request)
    return web.json_response(rows, headers=headers)


async def iterated(rows):
    return [row async for row in rows]


METHODS = {
    "list_jobs": lambda project: project.list_jobs(),
    "iter_jobs": lambda project: iterated(project.iter_jobs()),
    "list_pipeline_jobs": lambda project: project.list_pipeline_jobs(1),
    "iter_pipeline_jobs": lambda project: iterated(project.iter_pipeline_jobs(1)),
    "list_pipelines": lambda project: project.list_pipelines(),
    "list_bridges": lambda project: project.list_bridges(1),
}


@pytest.mark.parametrize("name", measured_once(METHODS))
async def test_1500_pages_are_listed(name):
    async with serving(handler) as server, GitLab(server.url, clock=JumpClock()) as gitlab:
        before = await others()
        listed = await METHODS[name](gitlab.project(1))
        assert [row.id for row in listed] == list(range(COUNT, 0, -1))
        assert len(server.requests) >= PAGES
        assert await others() == before
        assert open_connections(gitlab) == 0
