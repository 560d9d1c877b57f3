"""A walk that hands its listing over is no longer given pages: the other one reads them again."""

import pytest
from aiohttp import web
from attrs import define, field

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.listing.fetch import read_all
from gitlab_jobs_async.listing.strategy import PageRequest
from gitlab_jobs_async.models.jobs import Job
from tests.support.servers import serving
from tests.support.tasks import others, prompt, until


@define
class Planned:
    """A walk that asks for these *pages* at once, and after an answer hands over to *next_walk*."""

    pages: list
    next_walk: "Planned | None" = None
    taken: list = field(factory=list)
    is_complete: bool = False

    def asks(self, _free, _guesses):
        asks = [
            PageRequest(Request("GET", f"/projects/7/jobs/{page}"), page) for page in self.pages
        ]
        self.pages = []
        return asks

    def take(self, ask, _response, rows):
        self.taken.append(ask.place)
        return self.next_walk or self, rows

    def refused(self, ask, error):
        raise AssertionError(f"page {ask.place} was refused: {error}")


@prompt
@pytest.mark.parametrize("late", ["answered", "refused"])
async def test_pages_of_a_walk_that_handed_over_are_left(late):
    async def answer(request):
        page = int(request.path.rpartition("/")[2])
        if page == 2:
            await until(lambda: second.taken or len(server.requests) >= 3)
            if late == "refused":
                return web.json_response({"message": "404"}, status=404)
        row = {"id": page, "status": "success", "stage": "a", "name": "b"}
        return web.json_response([row])

    second = Planned([3])
    first = Planned([1, 2], second)
    async with serving(answer) as server, GitLab(server.url) as gitlab:
        jobs = await read_all(gitlab._transport, first, Job)
    assert sorted(job.id for job in jobs) == [1, 3]
    assert (first.taken, second.taken) == ([1], [3])
    assert not await others()
