"""An absent header never proves the end: a listing is whole or an error behind any gateway.

The headers: https://docs.gitlab.com/api/rest/#pagination; a gateway may drop any of them.
"""

import base64
import json
import random

import pytest
from aiohttp import web

from gitlab_jobs_async import DecodeError, GitLab
from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.monitor.fetch import fetch
from gitlab_jobs_async.monitor.watch.queries import Query, QueryKind, with_page_size
from tests.support.clocks import JumpClock
from tests.support.listing_server import ListingServer
from tests.support.servers import serving
from tests.support.tasks import others

COUNTS = [99, 100, 101, 200, 230, 300, 850]


def lets(kind):
    """Return which headers arrive."""
    chance = random.Random(kind)
    return {
        "none": lambda _: False,
        "all but Link": lambda name: name != "Link",
        "Link alone": lambda name: name == "Link",
        "Link at times": lambda name: name == "Link" and chance.random() < 0.5,
        "each at times": lambda _: chance.random() < 0.7,
    }[kind]


async def listed(gitlab, name):
    project = gitlab.project(1)
    if name == "list_jobs":
        return [job.id for job in await project.list_jobs()]
    if name == "iter_jobs":
        return [job.id async for job in project.iter_jobs()]
    if name == "GitLab.list_jobs":
        return [job.id for job in (await gitlab.list_jobs([1, 2]))[2]]
    async with gitlab.stream_jobs([1, 2]) as jobs:
        return sorted([job.id async for project, job in jobs if project == 1], reverse=True)


@pytest.mark.parametrize("kind", ["none", "all but Link", "Link alone", "Link at times"])
@pytest.mark.parametrize("name", ["list_jobs", "iter_jobs", "GitLab.list_jobs", "stream_jobs"])
@pytest.mark.parametrize("has_keyset", [True, False])
async def test_every_job_is_listed(kind, name, has_keyset):
    for count in COUNTS:
        listing = ListingServer([7 * n for n in range(1, count + 1)], lets(kind), has_keyset)
        async with serving(listing) as server, GitLab(server.url, clock=JumpClock()) as gitlab:
            assert await listed(gitlab, name) == sorted(listing.ids, reverse=True), count
        assert set(listing.statuses()) == {200}


@pytest.mark.parametrize("kind", ["none", "all but Link", "Link alone"])
@pytest.mark.parametrize("name", ["list_jobs", "iter_jobs", "GitLab.list_jobs", "stream_jobs"])
@pytest.mark.parametrize("has_keyset", [True, False])
@pytest.mark.parametrize("largest", [20, 25, 50])
async def test_every_job_of_small_pages_is_listed(kind, name, has_keyset, largest):
    """A gateway may allow fewer rows a page than requested, and drop headers as well."""
    for count in [1, largest - 1, largest, largest + 1, 3 * largest, 207]:
        listing = ListingServer([7 * n for n in range(1, count + 1)], lets(kind), has_keyset)
        listing.largest = largest
        async with serving(listing) as server, GitLab(server.url, clock=JumpClock()) as gitlab:
            assert await listed(gitlab, name) == sorted(listing.ids, reverse=True), count
        assert set(listing.statuses()) == {200}


@pytest.mark.parametrize("largest", [20, 50])
async def test_monitor_goes_on_after_a_small_page(largest):
    listing = ListingServer([7 * n for n in range(1, largest + 4)], lets("none"))
    listing.largest = largest
    async with serving(listing) as server, GitLab(server.url, clock=JumpClock()) as gitlab:
        ids, following = await poll(gitlab, newest(100))
        assert len(ids) == largest
        assert len((await poll(gitlab, Query(QueryKind.NEWEST, following)))[0]) == 3
        # The headers of a server that is known to name its next pages are trusted.
        gitlab._capabilities.next_page_headers.is_seen = True
        assert (await poll(gitlab, newest(100)))[1] is None


async def test_gateway_that_ignores_per_page_is_read():
    """100 rows a page whatever is requested, and no header at all."""

    async def answer(request):
        before = 10**9
        if "cursor" in request.query:
            before = int(json.loads(base64.urlsafe_b64decode(request.query["cursor"]))["id"])
        rows = [number for number in range(230, 0, -1) if number < before]
        first = (int(request.query.get("page", 1)) - 1) * 100
        shown = [{"id": n, "status": "success", "stage": "a", "name": "b"} for n in rows[first:]]
        return web.json_response(shown[:100])

    async with serving(answer) as server, GitLab(server.url) as gitlab:
        assert len(await gitlab.project(1).list_jobs()) == 230
        assert len([job async for job in gitlab.project(1).iter_jobs()]) == 230


async def test_full_page_is_doubted_before_any_link():
    """The response to page=2 has a Link of its own, to the first page."""
    listing = ListingServer([7 * n for n in range(1, 101)])
    async with serving(listing) as server, GitLab(server.url) as gitlab:
        project = gitlab.project(1)
        for _ in range(2):
            assert len(await project.list_jobs()) == 100
        assert [query.get("page") for query, _ in listing.served] == [None, "2", None]
        listing.ids += range(1000, 1050)
        assert len(await project.list_jobs()) == 150
        del listing.ids[100:]
        before = len(listing.served)
        assert len(await project.list_jobs()) == 100
        assert len(listing.served) == before + 1


OFFSET = {
    "list_pipelines": lambda project: project.list_pipelines(),
    "list_pipelines in another order": lambda project: project.list_pipelines(order_by="status"),
    "list_pipeline_jobs": lambda project: project.list_pipeline_jobs(9),
    "list_bridges": lambda project: project.list_bridges(9),
}


@pytest.mark.parametrize("name", OFFSET)
@pytest.mark.parametrize("kind", ["none", "all but Link", "Link alone", "each at times"])
async def test_offset_listing_is_whole_or_an_error(name, kind):
    for largest, count in [*((1000, count) for count in COUNTS), (20, 20), (20, 61), (50, 120)]:
        listing = ListingServer([7 * n for n in range(1, count + 1)], lets(kind), has_keyset=False)
        listing.largest = largest
        async with serving(listing) as server, GitLab(server.url, clock=JumpClock()) as gitlab:
            try:
                rows = await OFFSET[name](gitlab.project(1))
            except DecodeError:
                assert kind in {"none", "each at times"}
                assert count >= min(largest, 100)
            else:
                assert [row.id for row in rows] == sorted(listing.ids, reverse=True)


@pytest.mark.parametrize("kind", ["none", "all but Link", "Link alone", "each at times"])
@pytest.mark.parametrize("name", ["list_artifacts", "iter_pipelines"])
async def test_unordered_listing_is_read_by_number(kind, name):
    for count in COUNTS:
        listing = ListingServer([7 * n for n in range(1, count + 1)], lets(kind), has_keyset=False)
        async with serving(listing) as server, GitLab(server.url, clock=JumpClock()) as gitlab:
            project = gitlab.project(1)
            if name == "list_artifacts":
                found = len(await project.list_artifacts(5))
            else:
                found = len([row async for row in project.iter_pipelines(order_by="status")])
        assert found == count


def newest(size):
    return Query(QueryKind.NEWEST, with_page_size(endpoints.list_jobs(1), size))


async def poll(gitlab, query):
    answer = await fetch(gitlab._transport, gitlab._capabilities, query)
    return [row.id for row in answer.rows], answer.next_page


async def test_monitor_follows_a_full_page():
    listing = ListingServer([7 * n for n in range(1, 32)], lets("none"))
    async with serving(listing) as server, GitLab(server.url, clock=JumpClock()) as gitlab:
        ids, following = await poll(gitlab, newest(20))
        assert len(ids) == 20
        assert dict(following.params) == {"per_page": "20", "page": "2"}
        ids, following = await poll(gitlab, Query(QueryKind.NEWEST, following))
        assert (len(ids), following) == (11, None)
        assert (await poll(gitlab, newest(50)))[1] is None


@pytest.mark.parametrize("count", [60, 61])
async def test_monitor_asks_for_the_oldest_row(count):
    """Link arrives with the first page only."""
    listing = ListingServer([7 * n for n in range(1, count + 1)])
    async with serving(listing) as server, GitLab(server.url, clock=JumpClock()) as gitlab:
        _, following = await poll(gitlab, newest(30))
        listing.lets = lets("none")
        ids, following = await poll(gitlab, Query(QueryKind.NEWEST, following))
        assert len(ids) == 30
        if count == 60:
            assert following is None
        else:
            ids, following = await poll(gitlab, Query(QueryKind.NEWEST, following))
            assert (ids, following) == ([7], None)
        assert set(listing.statuses()) == {200}


async def test_monitor_ends_where_rows_vanished():
    listing = ListingServer([7 * n for n in range(1, 61)])
    before = await others()
    async with serving(listing) as server, GitLab(server.url, clock=JumpClock()) as gitlab:
        _, following = await poll(gitlab, newest(30))
        listing.ids = listing.ids[30:]
        assert await poll(gitlab, Query(QueryKind.NEWEST, following)) == ([], None)
        assert listing.statuses() == {200: 2, 500: 1}
    assert await others() == before
