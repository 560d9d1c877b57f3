"""Synthetic cursors on today's GitLab and others: few refusals, no row and no time lost.

Follows lib/gitlab/pagination/keyset/cursor_pager.rb, which answers 500 for a page without rows.
"""

import asyncio
import random

import pytest
from aiohttp import web

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.simulator import Fault, Simulator, SimulatorSettings
from tests.support.clocks import JumpClock
from tests.support.connections import open_connections
from tests.support.listing_server import ListingServer, Rounds, cursor_of
from tests.support.servers import serving
from tests.support.tasks import others, until


def project_of(count, clock, **settings):
    simulator = Simulator(settings=SimulatorSettings(**settings), clock=clock.stepped)
    project = simulator.world.add_project("big")
    simulator.world.add_finished_jobs(project, count)
    return simulator, project


def refusals(simulator):
    return sum(request.status >= 500 for request in simulator.requests)


@pytest.mark.parametrize("version", ["19.5", "18.0", "16.0"])
@pytest.mark.parametrize("count", [150, 250, 2500])
@pytest.mark.parametrize("scope", [(), ("failed",)])
async def test_listing_provokes_no_500(clock, version, count, scope):
    simulator, project = project_of(count, clock, version=version)
    for number, job in enumerate(project.builds):
        job.status = "success" if number % 3 else "failed"
    due = [job.id for job in reversed(project.builds) if job.status == "failed" or not scope]
    async with simulator, GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
        assert [job.id for job in await gitlab.project("big").list_jobs(scope=scope)] == due
        assert [j.id async for j in gitlab.project("big").iter_jobs(scope=scope)] == due
    assert refusals(simulator) == 0
    assert set(clock.slept) <= {0}


@pytest.mark.parametrize("skip", [1, 2, 5, 9, 14])
@pytest.mark.parametrize("name", ["list_jobs", "iter_jobs"])
async def test_vanished_old_jobs_are_not_an_error(clock, skip, name):
    simulator, project = project_of(2500, clock)

    def delete():
        for job in project.builds[: len(project.builds) - 90]:
            simulator.world.delete_job(job)

    simulator.faults.add(Fault(path="*/jobs", skip=skip, effect=delete))
    async with simulator, GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
        if name == "list_jobs":
            listed = [job.id for job in await gitlab.project("big").list_jobs()]
        else:
            listed = [job.id async for job in gitlab.project("big").iter_jobs()]
    assert listed[:90] == [job.id for job in reversed(project.builds)]
    assert len(listed) == len(set(listed))
    assert refusals(simulator) <= 2


@pytest.mark.parametrize(
    "refusal",
    [
        web.json_response({"message": "500 Internal Server Error"}, status=500),
        web.json_response({"error": "cursor is invalid"}, status=400),
        web.json_response({"message": "403 Forbidden"}, status=403),
        web.Response(text="<html>sign in</html>", content_type="text/html"),
        web.json_response({"no": "list"}),
        web.json_response([{"id": 1}, {"id": 2}]),
        web.Response(status=502),
    ],
    ids=lambda answer: f"{answer.status} {answer.content_type}",
)
@pytest.mark.parametrize("refused", ["last", "up"])
async def test_refused_cursor_is_requested_once(refusal, refused):
    listing = ListingServer([7 * n for n in range(1, 1001)])
    counts = []

    async def answer(request):
        cursor = request.query.get("cursor")
        number, way = cursor_of(cursor) if cursor else (None, "n")
        if way == "p" and (number is None) == (refused == "last"):
            counts.append(cursor)
            return web.Response(
                status=refusal.status, body=refusal.body, content_type=refusal.content_type
            )
        return await listing(request)

    clock = JumpClock()
    async with serving(answer) as server, GitLab(server.url, clock=clock) as gitlab:
        listed = [job.id for job in await gitlab.project(1).list_jobs()]
    assert listed == sorted(listing.ids, reverse=True)
    assert len(counts) == len(set(counts))
    assert 1 <= len(counts) <= 2
    assert set(clock.slept) <= {0}


async def test_transient_500_of_a_link_is_retried(clock):
    simulator, project = project_of(350, clock)
    simulator.faults.add(Fault(path="*/jobs", status=500, skip=1, times=2))
    async with simulator, GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
        listed = [job.id async for job in gitlab.project("big").iter_jobs()]
    assert listed == [job.id for job in reversed(project.builds)]


async def test_complete_listing_awaits_no_response():
    """The last page is requested beside the second one, which is the last."""
    listing = ListingServer([7 * n for n in range(1, 151)])
    asked = asyncio.Event()

    async def answer(request):
        cursor = request.query.get("cursor")
        if cursor and cursor_of(cursor) == (None, "p"):
            asked.set()
            await asyncio.sleep(30)
        elif cursor:
            await asked.wait()
        return await listing(request)

    async with asyncio.timeout(10), serving(answer) as server, GitLab(server.url) as gitlab:
        before = await others()
        assert len(await gitlab.project(1).list_jobs()) == 150
        assert await others() == before
        await until(lambda: open_connections(gitlab) == 0)
        async with gitlab.stream_jobs([1, 2]) as jobs:
            assert len([job async for job in jobs]) == 300


async def test_rescan_ignores_pending_offset_pages():
    """A later page is in another order: pages requested before it are read again."""
    ids = list(range(950, 0, -1))

    async def answer(request):
        page, size = int(request.query.get("page", 1)), int(request.query["per_page"])
        rows = ids[(page - 1) * size : page * size]
        if page > 1:
            random.Random(page).shuffle(rows)
        shown = [{"id": n, "status": "success", "stage": "a", "name": "b"} for n in rows]
        is_more = len(ids) > page * size
        headers = {"X-Page": str(page), "X-Next-Page": str(page + 1) if is_more else ""}
        return web.json_response(shown, headers=headers | {"X-Total": "950"})

    async with serving(answer) as server, GitLab(server.url, clock=JumpClock()) as gitlab:
        listed = [job.id for job in await gitlab.project(1).list_pipeline_jobs(1)]
    assert listed == ids


async def rounds_of(listing, concurrency, call):
    """Return the round trips of *call*, if all pending requests are answered at once."""
    rounds = Rounds(listing)
    async with serving(rounds) as server, GitLab(server.url, concurrency=concurrency) as gitlab:
        running = asyncio.create_task(rounds.run())
        try:
            rows = await call(gitlab)
        finally:
            running.cancel()
    return rows, rounds.count


@pytest.mark.parametrize("count", [50, 150, 250, 350, 1150])
async def test_list_jobs_is_as_quick_as_iter_jobs(count):
    listing = ListingServer([11 * n for n in range(1, count + 1)])

    async def iterated(gitlab):
        return [job async for job in gitlab.project(1).iter_jobs()]

    rows, most = await rounds_of(listing, 8, iterated)
    found, took = await rounds_of(listing, 8, lambda gitlab: gitlab.project(1).list_jobs())
    assert len(rows) == len(found) == count
    assert took <= most + 1
    assert listing.statuses() == {200: len(listing.served)}


async def test_many_listings_take_few_rounds():
    projects = range(1, 13)
    listing = ListingServer([11 * n for n in range(1, 351)])

    async def iterated(gitlab):
        slots = asyncio.Semaphore(8)

        async def one(project):
            async with slots:
                return [job async for job in gitlab.project(project).iter_jobs()]

        return sum(map(len, await asyncio.gather(*map(one, projects))))

    async def concurrently(gitlab):
        return sum(map(len, (await gitlab.list_jobs(projects)).values()))

    iterated_rows, most = await rounds_of(listing, 8, iterated)
    rows, took = await rounds_of(listing, 8, concurrently)
    assert rows == iterated_rows == 12 * 350
    assert took <= most + 1
