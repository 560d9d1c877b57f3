"""Both kinds of pages: headers, limits, and every row exactly once (gitlab.md, 2)."""

import base64
import re
from itertools import chain
from urllib.parse import parse_qsl

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async.simulator import JobPlan, SimulatorSettings, World
from gitlab_jobs_async.simulator.api.application import Application
from gitlab_jobs_async.simulator.api.calls import Request

JOBS = "/api/v4/projects/1/jobs"


def cursor(job_id, direction="n"):
    return base64.urlsafe_b64encode(orjson.dumps({"id": str(job_id), "_kd": direction})).decode()


class Pages:
    """The API without a network, for many requests."""

    def __init__(self, world, **settings):
        options = SimulatorSettings(**settings)
        self.world = world
        self.application = Application(world, options, "http://gitlab", "http://storage")

    def get(self, path=JOBS, **query):
        pairs = tuple((key, str(value)) for key, value in query.items())
        request = Request("GET", path, pairs, {"private-token": "glpat-root"})
        answer = self.application.answer(request, self.world.now)
        body = b"".join(answer.body.pieces())
        return answer, orjson.loads(body) if body else None

    def follow(self, **query):
        """Ids of all pages by `Link: rel=next`, page by page."""
        pages = []
        while True:
            answer, rows = self.get(**query)
            assert answer.status == 200
            pages.append([row["id"] for row in rows])
            match = re.search(r'<([^>]+)>; rel="next"', answer.header("Link") or "")
            if match is None:
                return pages
            query = dict(parse_qsl(match[1].partition("?")[2]))
            del query["id"]


def world_of(ids, statuses=()):
    world = World()
    project = world.add_project("g/p")
    pipeline = world.add_pipeline(project)
    for index, job_id in enumerate(ids):
        job = world.add_job(pipeline, f"j{job_id}", plan=JobPlan(log=b""), job_id=job_id)
        if statuses:
            job.status = statuses[index % len(statuses)]
    return world


ids = st.lists(st.integers(1, 10**12), unique=True, max_size=40)
sizes = st.integers(1, 12)


@settings(deadline=None)
@given(ids, sizes, st.booleans())
def test_keyset_walk_gives_every_row_once(rows, per_page, opaque):
    pages = Pages(world_of(rows), cursor_form="opaque" if opaque else "json")
    walked = pages.follow(pagination="keyset", per_page=per_page)
    assert list(chain(*walked)) == sorted(rows, reverse=True)
    assert all(len(page) == per_page for page in walked[:-1])
    assert len(walked) == max(1, -(-len(rows) // per_page))


@settings(deadline=None)
@given(ids, sizes)
def test_offset_walk_gives_every_row_once(rows, per_page):
    walked = Pages(world_of(rows)).follow(per_page=per_page)
    assert list(chain(*walked)) == sorted(rows, reverse=True)
    assert len(walked) == max(1, -(-len(rows) // per_page))


@settings(deadline=None)
@given(ids, sizes, st.lists(st.sampled_from(["success", "failed"]), min_size=1, max_size=5))
def test_scoped_keyset_walk(rows, per_page, statuses):
    world = world_of(rows, statuses)
    wanted = sorted((j.id for j in world.jobs.values() if j.status == "failed"), reverse=True)
    walked = Pages(world).follow(pagination="keyset", per_page=per_page, scope="failed")
    assert list(chain(*walked)) == wanted


@settings(deadline=None)
@given(ids, st.integers(0, 10**12), sizes)
def test_any_cursor_begins_below_its_id(rows, start, per_page):
    pages = Pages(world_of(rows))
    _, found = pages.get(pagination="keyset", per_page=per_page, cursor=cursor(start))
    below = sorted((row for row in rows if row < start), reverse=True)
    assert [row["id"] for row in found] == below[:per_page]


@settings(deadline=None)
@given(ids, st.integers(0, 10**12), sizes)
def test_a_previous_cursor_ends_above_its_id(rows, start, per_page):
    pages = Pages(world_of(rows))
    _, found = pages.get(pagination="keyset", per_page=per_page, cursor=cursor(start, "p"))
    above = sorted(row for row in rows if row > start)
    assert [row["id"] for row in found] == above[:per_page][::-1]


@settings(deadline=None)
@given(ids, sizes, st.integers(1, 8))
def test_offset_page_is_a_slice(rows, per_page, page):
    _, found = Pages(world_of(rows)).get(per_page=per_page, page=page)
    expected = sorted(rows, reverse=True)[(page - 1) * per_page : page * per_page]
    assert [row["id"] for row in found] == expected


@settings(deadline=None)
@given(ids, sizes)
def test_insertions_disturb_offset_but_not_keyset(rows, per_page):
    pages = Pages(world_of(rows))
    _, first = pages.get(pagination="keyset", per_page=per_page)
    if len(first) < per_page:
        return
    pages.world.add_job(pages.world.pipelines[1], "new")
    _, second = pages.get(pagination="keyset", per_page=per_page, cursor=cursor(first[-1]["id"]))
    seen = [row["id"] for row in first + second]
    assert seen == sorted(rows, reverse=True)[: len(seen)]


async def test_keyset_headers(api):
    reply = await api("GET /projects/1/jobs?pagination=keyset&per_page=3&scope[]=success")
    assert len(reply.ids) == 2
    reply = await api("GET /projects/1/jobs?pagination=keyset&per_page=1&scope[]=success")
    expected = cursor(reply.ids[-1])
    assert reply.headers["X-NEXT-CURSOR"] == expected
    assert reply.headers["X-PREV-CURSOR"] == ""
    for absent in ("X-Page", "X-Per-Page", "X-Next-Page", "X-Prev-Page", "X-Total"):
        assert absent not in reply.headers
    escaped = expected.replace("=", "%3D")
    assert reply.headers["Link"] == (
        f"<{api.gitlab.url}/api/v4/projects/1/jobs?cursor={escaped}&id=1&page=1"
        '&pagination=keyset&per_page=1&scope%5B%5D=success>; rel="next"'
    )


async def test_no_link_after_a_full_last_page(api):
    reply = await api("GET /projects/1/jobs?pagination=keyset&per_page=9")
    assert len(reply.ids) == 9
    assert "Link" not in reply.headers
    assert reply.headers["X-NEXT-CURSOR"] == ""
    offset = await api("GET /projects/1/jobs?per_page=9&page=1")
    assert offset.headers["X-Next-Page"] == ""
    assert 'rel="next"' not in offset.headers["Link"]


async def test_cursor_headers_can_be_absent(serve, world):
    api = await serve(world, cursor_headers=False)
    headers = (await api("GET /projects/1/jobs?pagination=keyset&per_page=2")).headers
    assert "X-NEXT-CURSOR" not in headers
    assert "Link" in headers


@pytest.mark.parametrize("query", ["sort=asc", "order_by=name", "order_by=id&sort=asc"])
async def test_keyset_knows_one_order(api, query):
    reply = await api(f"GET /projects/1/jobs?pagination=keyset&{query}")
    text = "Keyset pagination is not yet available for this type of request"
    assert (reply.status, reply.json) == (405, {"error": text})


@pytest.mark.parametrize("bad", ["x", "%21%21", cursor("abc"), "e30=", "bnVsbA=="])
@pytest.mark.parametrize("status", [400, 405])
async def test_malformed_cursor(serve, world, bad, status):
    api = await serve(world, malformed_cursor_status=status)
    reply = await api(f"GET /projects/1/jobs?pagination=keyset&cursor={bad}")
    assert reply.status == status
    assert "error" in reply.json


async def test_opaque_cursor_refuses_a_forged_one(serve, world):
    api = await serve(world, cursor_form="opaque")
    first = await api("GET /projects/1/jobs?pagination=keyset&per_page=2")
    assert first.headers["X-NEXT-CURSOR"] != cursor(first.ids[-1])
    forged = await api(f"GET /projects/1/jobs?pagination=keyset&cursor={cursor(5)}")
    assert forged.status == 400


async def test_a_server_before_15_9_ignores_keyset(serve, world):
    api = await serve(world, keyset=False)
    reply = await api("GET /projects/1/jobs?pagination=keyset&per_page=3&page=2")
    assert reply.headers["X-Page"] == "2"
    assert reply.headers["X-Next-Page"] == "3"


@pytest.mark.parametrize("path", ["/projects/1/pipelines/1/jobs", "/projects/1/pipelines"])
async def test_keyset_is_ignored_elsewhere(api, path):
    headers = (await api(f"GET {path}?pagination=keyset&sort=desc")).headers
    assert headers["X-Total"]


async def test_offset_headers_of_a_middle_page(api):
    reply = await api("GET /projects/1/pipelines/1/jobs?per_page=3&page=2")
    values = {name: reply.headers[name] for name in reply.headers if name.startswith("X-")}
    assert values["X-Per-Page"] == "3"
    assert (values["X-Page"], values["X-Prev-Page"], values["X-Next-Page"]) == ("2", "1", "3")
    assert (values["X-Total"], values["X-Total-Pages"]) == ("8", "3")
    rels = re.findall(r"[?&]page=(\d+)[^>]*>; rel=\"(\w+)\"", reply.headers["Link"])
    assert rels == [("1", "prev"), ("3", "next"), ("1", "first"), ("3", "last")]


async def test_empty_list_has_one_page(api):
    reply = await api("GET /projects/3/pipelines")
    assert (reply.json, reply.headers["X-Total"], reply.headers["X-Total-Pages"]) == ([], "0", "1")


async def test_page_past_the_end_is_empty(api):
    reply = await api("GET /projects/1/jobs?page=99")
    assert (reply.status, reply.json) == (200, [])


async def test_per_page_is_clamped(api):
    reply = await api("GET /projects/1/jobs?per_page=1000")
    assert reply.headers["X-Per-Page"] == "100"
    assert "per_page=100" in reply.headers["Link"]


@pytest.mark.parametrize(
    ("query", "text", "positive"),
    [
        ("per_page=0", "per_page does not have a valid value", True),
        ("page=0", "page does not have a valid value", True),
        ("per_page=-3", "per_page does not have a valid value", True),
        ("per_page=x", "per_page is invalid", True),
        ("per_page=0", "per_page has a value not allowed", False),
    ],
)
async def test_bad_pages(serve, world, query, text, positive):
    api = await serve(world, positive_pagination=positive)
    reply = await api(f"GET /projects/1/jobs?{query}")
    assert (reply.status, reply.json) == (400, {"error": text})


async def test_offset_limit(serve, world):
    api = await serve(world, offset_limit=6)
    assert (await api("GET /projects/1/jobs?per_page=3&page=2")).status == 200
    reply = await api("GET /projects/1/jobs?per_page=3&page=3")
    text = (
        "Offset pagination has a maximum allowed offset of 6 for requests that return objects of "
        "type Ci::Build. Remaining records can be retrieved using keyset pagination."
    )
    assert (reply.status, reply.json) == (405, {"error": text})
    assert (await api("GET /projects/1/jobs?pagination=keyset&per_page=3&page=3")).status == 200
    assert (await api("GET /projects/1/pipelines/1/jobs?per_page=3&page=3")).status == 200


async def test_no_totals_above_the_count_limit(serve, world):
    api = await serve(world, count_limit=7)
    headers = (await api("GET /projects/1/pipelines/1/jobs?per_page=3")).headers
    assert "X-Total" not in headers
    assert 'rel="last"' not in headers["Link"]
    assert headers["X-Next-Page"] == "2"
    assert (
        "X-Total"
        in (await (await serve(world, count_limit=8))("GET /projects/1/pipelines/1/jobs")).headers
    )


async def test_links_name_the_external_url(serve, world):
    api = await serve(world, external_url="https://gitlab.example.com:8443")
    keyset = await api("GET /projects/1/jobs?pagination=keyset&per_page=2")
    assert keyset.headers["Link"].startswith("<https://gitlab.example.com:8443/api/v4/projects/1/")
    row = keyset.json[0]
    assert row["web_url"].startswith("https://gitlab.example.com:8443/group/app/-/jobs/")


async def test_links_carry_all_parameters_sorted(api):
    reply = await api("GET /projects/1/jobs?scope=failed&foo=b%20r&private_token=glpat-root")
    query = reply.headers["Link"].split(">")[0].partition("?")[2]
    assert query == ("foo=b+r&id=1&page=1&per_page=20&private_token=glpat-root&scope%5B%5D=failed")


@pytest.mark.parametrize("gaps", ["dense", "uniform", "bursty", "heavy_tailed"])
def test_many_finished_jobs(gaps):
    world = World()
    project = world.add_project("g/p")
    made = world.add_finished_jobs(project, 1000, gaps=gaps, first_id=500)
    found = [job.id for job in project.builds]
    assert found == sorted({job.id for job in made})
    assert (len(found), found[0]) == (1000, 500)
    walked = Pages(world).follow(pagination="keyset", per_page=100)
    assert list(chain(*walked)) == found[::-1]


def test_unknown_gaps_are_refused():
    world = World()
    with pytest.raises(ValueError, match="dense, uniform"):
        world.add_finished_jobs(world.add_project("g/p"), 5, gaps="odd")
