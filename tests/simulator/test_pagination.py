"""Both kinds of pages: headers, limits, and every row exactly once (gitlab.md, 2)."""

import base64
import re
import unittest
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
    answer, found = pages.get(pagination="keyset", per_page=per_page, cursor=cursor(start))
    below = sorted((row for row in rows if row < start), reverse=True)
    if below:
        assert [row["id"] for row in found] == below[:per_page]
    else:  # the cursor of the page before is made of a row that is not there
        assert answer.status == 500


@settings(deadline=None)
@given(ids, st.integers(0, 10**12), sizes)
def test_a_previous_cursor_ends_above_its_id(rows, start, per_page):
    pages = Pages(world_of(rows))
    answer, found = pages.get(pagination="keyset", per_page=per_page, cursor=cursor(start, "p"))
    above = sorted(row for row in rows if row > start)
    if above:
        assert [row["id"] for row in found] == above[:per_page][::-1]
    else:
        assert answer.status == 500


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
    if len(rows) <= per_page:
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
    for absent in (
        "X-PREV-CURSOR",
        "X-Page",
        "X-Per-Page",
        "X-Next-Page",
        "X-Prev-Page",
        "X-Total",
    ):
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
    assert "X-NEXT-CURSOR" not in reply.headers
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


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).decode()


LARGEST = 2**63 - 1
CURSORS = {
    "no base64": ("!!", 500, 500),
    "one character": ("x", 500, 500),
    "not JSON": (encoded("nonsense"), 500, 500),
    "not UTF-8": ("_w==", 500, 500),
    "null": (encoded("null"), 500, 500),
    "a list": (encoded("[1]"), 500, 500),
    "a string": (encoded('"4"'), 500, 500),
    "another key": (encoded('{"id":"4","x":"1","_kd":"n"}'), 500, 500),
    "no id": (encoded('{"x":"4","_kd":"n"}'), 500, 500),
    "id null": (encoded('{"id":null,"_kd":"n"}'), 500, []),
    "id null, backward": (encoded('{"id":null,"_kd":"p"}'), 500, 500),
    "id a word": (encoded('{"id":"abc","_kd":"n"}'), 500, []),
    "id a list": (encoded('{"id":[4],"_kd":"n"}'), 500, []),
    "id too large": (encoded(f'{{"id":"{LARGEST + 1}","_kd":"n"}}'), 500, 500),
    "id huge": (encoded(f'{{"id":"{"9" * 5000}","_kd":"n"}}'), 500, 500),
    "id a huge number": (encoded(f'{{"id":{"9" * 30},"_kd":"n"}}'), 500, 500),
    "id the largest": (encoded(f'{{"id":"{LARGEST}","_kd":"n"}}'), [4, 3], [4, 3]),
    "id negative": (encoded('{"id":"-4","_kd":"n"}'), 500, []),
    "below all": (encoded('{"id":"1","_kd":"n"}'), 500, []),
    "above all, backward": (encoded('{"id":"4","_kd":"p"}'), 500, 500),
    "id a number": (encoded('{"id":3,"_kd":"n"}'), [2, 1], [2, 1]),
    "id a fraction": (encoded('{"id":3.9,"_kd":"n"}'), [2, 1], [2, 1]),
    "id true": (encoded('{"id":true,"_kd":"p"}'), [3, 2], [3, 2]),
    "id and a rest": (encoded('{"id":" 3x","_kd":"n"}'), [2, 1], [2, 1]),
    "no padding": (encoded('{"id":"3","_kd":"n"}').rstrip("="), [2, 1], [2, 1]),
    "junk within": ("eyJf*a2QiOiJwIn0=", 500, 500),
    "the other alphabet": (encoded('{"_kd":"n?>?~~"}').replace("_", "/"), [4, 3], [4, 3]),
    "no direction": (encoded('{"id":"3"}'), [2, 1], [2, 1]),
    "another direction": (encoded('{"id":"3","_kd":"x"}'), [2, 1], [2, 1]),
    "no direction, below all": (encoded('{"id":"1"}'), [], []),
    "only another direction": (encoded('{"_kd":"x"}'), [4, 3], [4, 3]),
    "nothing": (encoded("{}"), [4, 3], [4, 3]),
    "empty": ("", [4, 3], [4, 3]),
    "blank": (" ", [4, 3], [4, 3]),
    "the first page": (encoded('{"_kd":"n"}'), [4, 3], [4, 3]),
    "the last page": (encoded('{"_kd":"p"}'), [2, 1], [2, 1]),
}
"""What a cursor is answered on 4 jobs: rows or a status, today and before 18.2."""


@pytest.mark.parametrize("name", CURSORS)
def test_odd_cursors(name):
    """Results of paginator.rb and order.rb for each cursor, found by running or reading them."""
    given_cursor, *expected = CURSORS[name]
    for version, wanted in zip(("19.5", "18.1"), expected, strict=True):
        pages = Pages(world_of([1, 2, 3, 4]), version=version)
        with unittest.TestCase().assertNoLogs("gitlab_jobs_async.simulator"):
            answer, body = pages.get(pagination="keyset", per_page=2, cursor=given_cursor)
        if isinstance(wanted, int):
            assert (answer.status, body) == (wanted, {"message": "500 Internal Server Error"})
        else:
            assert (answer.status, [row["id"] for row in body]) == (200, wanted)


@pytest.mark.parametrize(
    ("name", "following", "previous"),
    [
        ("no direction", None, None),
        ("another direction", None, None),
        ("only another direction", None, None),
        ("nothing", "3", None),
        ("the first page", "3", None),
        ("the last page", None, "2"),
        ("id true", "2", "3"),
        ("id a number", None, "2"),
    ],
)
def test_cursor_headers_are_absent_not_empty(name, following, previous):
    pages = Pages(world_of([1, 2, 3, 4]))
    answer, _ = pages.get(pagination="keyset", per_page=2, cursor=CURSORS[name][0])
    read = {"n": "X-NEXT-CURSOR", "p": "X-PREV-CURSOR"}
    for (direction, header), number in zip(read.items(), (following, previous), strict=True):
        assert answer.header(header) == (number and cursor(number, direction))
    assert (answer.header("Link") is not None) == (following is not None)


def test_last_page_of_nothing_is_empty():
    answer, rows = Pages(world_of([])).get(pagination="keyset", cursor=encoded('{"_kd":"p"}'))
    assert (answer.status, rows, answer.header("Link")) == (200, [], None)


def test_last_page_follows_the_filter():
    pages = Pages(world_of([1, 2, 3, 4], statuses=["success", "failed"]))
    last = encoded('{"_kd":"p"}')
    _, rows = pages.get(pagination="keyset", per_page=1, scope="failed", cursor=last)
    assert [row["id"] for row in rows] == [2]


@pytest.mark.parametrize(
    ("per_page", "status"), [(-1, 500), (-9, 500), (2**63 - 1, 500), (10**30, 500), (250, 200)]
)
def test_keyset_pages_have_no_cap(per_page, status):
    """A LIMIT of 0 rows is a page without a last row; the database refuses the others."""
    pages = Pages(world_of(range(1, 202)))
    answer, rows = pages.get(pagination="keyset", per_page=per_page)
    assert answer.status == status
    assert status == 500 or len(rows) == 201


@pytest.mark.parametrize("page", [2**63, 10**18, 10**40])
def test_offset_beyond_the_database_is_a_500(page):
    """PostgreSQL refuses an OFFSET beyond bigint, which GitLab does not rescue."""
    assert Pages(world_of([1])).get(page=page)[0].status == 500


@pytest.mark.parametrize(
    ("pairs", "status"),
    [
        ("cursor[]=x", 500),
        ("cursor[a]=x", 500),
        ("order_by[]=id", 500),
        ("sort[]=desc", 500),
        ("order_by=", 405),
        ("sort=DESC", 405),
        ("per_page[]=1", 400),
        ("page[a]=1", 400),
        ("page=1.5", 400),
        ("page=%201%20", 200),
        ("page=", 200),
        ("per_page=", 200),
        ("scope=", 400),
        ("scope[]=", 400),
        ("ref[]=main", 400),
        ("page=-3", 200),
    ],
)
async def test_odd_values_of_a_keyset_page(api, pairs, status):
    reply = await api(f"GET /projects/1/jobs?pagination=keyset&{pairs}")
    assert reply.status == status


async def test_no_other_page_than_the_first_of_nothing(api):
    reply = await api("GET /projects/1/jobs?pagination[]=keyset&per_page=2")
    assert reply.headers["X-Page"] == "1"


@pytest.mark.parametrize(
    "query",
    [
        "a=%00",
        "a[]=x%00",
        "a=%ff",
        "%ff=a",
        "a=1&a[]=2",
        "a[b]=1&a[]=2",
        "cursor=%c3",
        f"a{'[b]' * 2000}=1",
    ],
    ids=["nul", "nul in list", "utf-8", "name", "types", "types of names", "cut", "nested"],
)
async def test_malformed_strings_are_refused_as_text(api, query):
    reply = await api(f"GET /projects/1/jobs?{query}")
    assert (reply.status, reply.body) == (400, b"Bad Request")
    assert reply.headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize("path", ["/projects/%00/jobs", "/projects/%ff/jobs"])
async def test_malformed_paths_are_refused(api, path):
    assert (await api(f"GET {path}")).body == b"Bad Request"


def test_malformed_credentials_are_refused():
    application = Application(world_of([]), SimulatorSettings(), "http://g", "http://s")
    request = Request("GET", "/api/v4/version", (), {"authorization": "Bearer \udcff"})
    assert application.answer(request, 0.0).body.content == b"Bad Request"


values = st.one_of(
    st.sampled_from(["", " ", "1", "-1", "0", "keyset", "id", "desc", "failed", "1e9", "\0", "é"]),
    st.text(max_size=5),
    st.sampled_from([text for text, *_ in CURSORS.values()]),
)
names = st.sampled_from(
    ["page", "per_page", "pagination", "cursor", "order_by", "sort", "scope", "ref", "id"]
).flatmap(lambda name: st.sampled_from([name, name, name, f"{name}[]", f"{name}[k]"]))


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(names, values), max_size=5),
    st.sampled_from([JOBS, "/api/v4/projects/1/pipelines/1/jobs", "/api/v4/projects/1/pipelines"]),
)
def test_odd_pages_raise_no_exception(pairs, path):
    """An unexpected exception would be logged."""
    request = Request("GET", path, tuple(pairs), {"private-token": "glpat-root"})
    application = Application(world_of([1, 2, 3]), SimulatorSettings(), "http://g", "http://s")
    with unittest.TestCase().assertNoLogs("gitlab_jobs_async.simulator"):
        answer = application.answer(request, 0.0)
    assert answer.status in {200, 400, 405, 500}


async def test_opaque_cursor_refuses_a_forged_one(serve, world):
    api = await serve(world, cursor_form="opaque")
    first = await api("GET /projects/1/jobs?pagination=keyset&per_page=2")
    assert first.headers["X-NEXT-CURSOR"] != cursor(first.ids[-1])
    forged = await api(f"GET /projects/1/jobs?pagination=keyset&cursor={cursor(5)}")
    assert forged.status == 500


async def test_server_before_15_9_ignores_keyset(serve, world):
    """Such a server answers by offset, without any hint of it."""
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
