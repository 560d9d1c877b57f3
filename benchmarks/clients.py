"""All jobs of some projects, listed with each client in its natural use.

Each gives the rows it makes (models, wrapped dicts, dicts) by project; none is timed here. For
several projects the asynchronous ones work at 16 projects concurrently, python-gitlab at one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import aiohttp
import gitlab
import httpx
import msgspec
import orjson
from gidgetlab.aiohttp import GitLabAPI

from benchmarks.canned import Ids
from benchmarks.structs import JobStruct
from gitlab_jobs_async import GitLab

Rows = Mapping[int, Sequence[Any]]
Client = Callable[[str, Sequence[int]], Rows]

TOKEN = "glpat-root"
SIDE_BY_SIDE = 16
KEYSET = "pagination=keyset&order_by=id&sort=desc&per_page=100"


def ours(url: str, projects: Sequence[int]) -> Rows:
    """`list_jobs` of one project, or of many: models."""
    return asyncio.run(_ours(url, projects))


async def _ours(url: str, projects: Sequence[int]) -> Rows:
    async with GitLab(url, auth=TOKEN, concurrency=SIDE_BY_SIDE) as gitlab_:
        if len(projects) == 1:
            return {projects[0]: await gitlab_.project(projects[0]).list_jobs()}
        return await gitlab_.list_jobs(projects)


def python_gitlab(url: str, projects: Sequence[int]) -> Rows:
    """`jobs.list(get_all=True)` by keyset, project after project: objects around dicts."""
    asked = {"pagination": "keyset", "order_by": "id", "sort": "desc", "per_page": 100}
    with gitlab.Gitlab(url, private_token=TOKEN) as client:
        handles = {project: client.projects.get(project, lazy=True) for project in projects}
        return {
            project: handle.jobs.list(get_all=True, **asked) for project, handle in handles.items()
        }


def gidgetlab(url: str, projects: Sequence[int]) -> Rows:
    """`getiter` over aiohttp: dicts."""
    return asyncio.run(_gidgetlab(url, projects))


async def _gidgetlab(url: str, projects: Sequence[int]) -> Rows:
    async with aiohttp.ClientSession() as session:
        client = GitLabAPI(session, "benchmark", url=url, access_token=TOKEN)

        async def listed(project: int) -> list[Any]:
            return [row async for row in client.getiter(f"/projects/{project}/jobs?{KEYSET}")]

        return await _each(projects, listed)


def bare(url: str, projects: Sequence[int]) -> Rows:
    """Nothing but aiohttp and orjson, in a loop that follows `Link`: dicts."""
    return asyncio.run(_bare(url, projects, orjson.loads))


def typed_floor(url: str, projects: Sequence[int]) -> Rows:
    """Run the same loop with msgspec, into structs with the fields of our models."""
    return asyncio.run(_bare(url, projects, msgspec.json.Decoder(list[JobStruct]).decode))


async def _bare(url: str, projects: Sequence[int], decode: Callable[[bytes], list[Any]]) -> Rows:
    async with aiohttp.ClientSession(headers={"PRIVATE-TOKEN": TOKEN}) as session:

        async def listed(project: int) -> list[Any]:
            rows: list[Any] = []
            page: Any = f"{url}/api/v4/projects/{project}/jobs?{KEYSET}"
            while page is not None:
                async with session.get(page, raise_for_status=True) as answer:
                    rows += decode(await answer.read())
                    page = answer.links.get("next", {}).get("url")
            return rows

        return await _each(projects, listed)


def bare_httpx(url: str, projects: Sequence[int]) -> Rows:
    """Run the same loop with httpx and orjson: dicts."""
    return asyncio.run(_bare_httpx(url, projects))


async def _bare_httpx(url: str, projects: Sequence[int]) -> Rows:
    async with httpx.AsyncClient(headers={"PRIVATE-TOKEN": TOKEN}) as client:

        async def listed(project: int) -> list[Any]:
            rows: list[Any] = []
            page: str | None = f"{url}/api/v4/projects/{project}/jobs?{KEYSET}"
            while page is not None:
                answer = (await client.get(page)).raise_for_status()
                rows += orjson.loads(answer.content)
                page = answer.links.get("next", {}).get("url")
            return rows

        return await _each(projects, listed)


async def _each(projects: Sequence[int], listed: Callable[[int], Awaitable[list[Any]]]) -> Rows:
    places = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(project: int) -> list[Any]:
        async with places:
            return await listed(project)

    rows = await asyncio.gather(*map(one, projects))
    return dict(zip(projects, rows, strict=True))


def check(name: str, rows: Rows, due: Ids) -> None:
    """Raise unless *rows* are these jobs, each once, newest first.

    Raises:
        AssertionError: they are not; the figures would be worth nothing.
    """
    for project, ids in due.items():
        found = [row["id"] if isinstance(row, dict) else row.id for row in rows[project]]
        if found != list(reversed(ids)):
            raise AssertionError(f"{name}: {len(found)} rows of project {project}, not {len(ids)}")
