"""Redirects to a second server, which keeps all headers and queries that it gets."""

import logging
import ssl
import subprocess
from base64 import b64encode
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from gitlab_jobs_async import (
    GitLab,
    MethodNotAllowedError,
    NotFoundError,
    Request,
    ResponseError,
    RetryPolicy,
)
from gitlab_jobs_async.simulator import Simulator, SimulatorSettings
from tests.support.connections import open_connections
from tests.support.credentials import CREDENTIALS, SECRET
from tests.support.servers import serving
from tests.support.tasks import prompt

ADDED = {
    "cookies": {},
    "token": {"PRIVATE-TOKEN": SECRET},
    "login": {"Authorization": f"Basic {b64encode(f'ada:{SECRET}'.encode()).decode()}"},
}
BARE = {"Host", "Accept", "Accept-Encoding", "User-Agent"}
ONCE = RetryPolicy(attempts=1)
NOT_GETS = [
    ("POST", lambda project: project.cancel_job(1)),
    ("POST", lambda project: project.retry_job(3)),
    ("POST", lambda project: project.erase_job(1)),
    ("POST", lambda project: project.play_job(4)),
    ("POST", lambda project: project.keep_artifacts(1)),
    ("DELETE", lambda project: project.delete_artifacts(1)),
]


def to(location, status=302):
    """Return a handler that redirects to a URL, or to a function of the request."""

    async def handler(request):
        target = location(request) if callable(location) else location
        return web.Response(status=status, headers={} if target is None else {"Location": target})

    return handler


async def archive(_request):
    return web.Response(body=b"PK archive")


async def read_artifacts(gitlab):
    async with gitlab.project(1).stream_artifacts(1) as chunks:
        return b"".join([chunk async for chunk in chunks])


def without_credential(request):
    return set(request.headers) <= BARE and SECRET not in f"{request.path_qs} {request.headers}"


@asynccontextmanager
async def sessions(kind):
    """Yield `None`, or a session of the caller with everything that it can add to a request."""
    if kind == "none":
        yield None
        return
    jar = aiohttp.CookieJar(unsafe=True)
    jar.update_cookies({"_gitlab_session": SECRET}, URL("http://127.0.0.1"))
    headers = {"X-Gateway": SECRET} | dict(ADDED[kind])
    async with aiohttp.ClientSession(headers=headers, cookie_jar=jar) as session:
        yield session


# Moved projects


async def test_moved_project_is_listed_and_logged_once(clock, caplog):
    caplog.set_level(logging.INFO, "gitlab_jobs_async")
    async with Simulator(clock=clock.stepped) as simulator:
        project = simulator.world.project("group/app")
        simulator.world.add_finished_jobs(project, 250)
        simulator.world.move_project(project, "group/renamed")
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            listed = await gitlab.project("group/app").list_jobs(scope=["success", "failed"])
    assert len(listed) == 252
    first, *rest = simulator.requests
    assert (first.status, first.path) == (301, "/api/v4/projects/group%2Fapp/jobs")
    assert {(r.status, r.path) for r in rest} == {(200, "/api/v4/projects/1/jobs")}
    assert [value for name, value in rest[0].query if name == "scope[]"] == ["success", "failed"]
    assert all(r.headers["private-token"] == simulator.token for r in rest)
    (note,) = [record.getMessage() for record in caplog.records]
    old, _, new = note.partition(" has moved to ")
    assert "/api/v4/projects/group%2Fapp/jobs" in old
    assert new.startswith(f"{simulator.url}/api/v4/projects/1/jobs")


@pytest.mark.parametrize(("method", "call"), NOT_GETS)
async def test_moved_project_refuses_actions(gitlab, simulator, method, call):
    simulator.world.move_project(simulator.world.project("group/app"), "group/renamed")
    with pytest.raises(MethodNotAllowedError, match="Non GET methods are not allowed for moved"):
        await call(gitlab.project("group/app"))
    assert [(r.method, r.status) for r in simulator.requests] == [(method, 405)]


@pytest.mark.parametrize(
    "target", ["{other}/x?X-Amz-Signature=abc", "/api/v4/x", "{other}/api/v4/x"]
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_only_a_get_is_redirected(target, status):
    async with serving(archive) as other:
        location = target.format(other=other.url)
        async with (
            serving(to(location, status)) as server,
            GitLab(server.url, auth=SECRET) as gitlab,
        ):
            for _, call in NOT_GETS:
                with pytest.raises(ResponseError, match="only a GET is redirected") as refused:
                    await call(gitlab.project(1))
                assert refused.value.status == status
                assert "Signature" not in str(refused.value)
    assert [request.method for request in server.requests] == [method for method, _ in NOT_GETS]
    assert other.requests == []


async def test_redirect_with_token_is_not_logged(caplog):
    caplog.set_level(logging.DEBUG)

    async def handler(request):
        if request.path.endswith("/moved"):
            return web.json_response({})
        return await to(f"/api/v4/moved?said={SECRET}")(request)

    async with serving(handler) as server, GitLab(server.url, auth=SECRET) as gitlab:
        await gitlab.send(Request("GET", "/x"))
    assert "has moved to" in caplog.text
    assert SECRET not in caplog.text


# Other hosts


@pytest.mark.parametrize("auth", CREDENTIALS, ids=str)
@pytest.mark.parametrize("session", ["none", *ADDED])
@pytest.mark.parametrize("status", [301, 302, 307])
async def test_archive_elsewhere_gets_no_credential(auth, session, status):
    async with serving(archive) as storage:
        target = f"{storage.url}/bucket/a.zip?X-Amz-Signature=abc%2Fd"
        async with serving(to(target, status)) as server, sessions(session) as given:
            async with GitLab(server.url, auth=auth, session=given) as gitlab:
                assert await read_artifacts(gitlab) == b"PK archive"
                assert await gitlab.project(1).get_artifact_file(1, "a.zip") == b"PK archive"
    assert [request.path_qs for request in storage.requests] == [
        "/bucket/a.zip?X-Amz-Signature=abc%2Fd"
    ] * 2
    assert all(without_credential(request) for request in storage.requests)
    assert all(SECRET in f"{r.path_qs} {r.headers}" for r in server.requests)


async def test_session_headers_go_to_the_server_only():
    headers = {"PRIVATE-TOKEN": SECRET, "JOB-TOKEN": SECRET, "Cookie": f"_gitlab_session={SECRET}"}
    async with serving(archive) as storage, serving(to(f"{storage.url}/a")) as server:
        async with GitLab(server.url) as gitlab:
            await gitlab.send(Request("GET", "/x", headers=headers))
    assert all(without_credential(request) for request in storage.requests)
    assert len(storage.requests) == 1


@pytest.mark.parametrize("status", [200, 404])
async def test_cookie_of_another_host_is_not_sent(status):
    async def handler(_request):
        response = web.json_response({}, status=status)
        response.set_cookie("spy", "1", path="/")
        return response

    async with serving(handler) as other, serving(to(f"{other.url}/a")) as server:
        async with sessions("cookies") as session:
            async with GitLab(server.url, auth=SECRET, session=session) as gitlab:
                for _ in range(2):
                    try:
                        await gitlab.send(Request("GET", "/x"))
                    except NotFoundError:
                        assert status == 404
            assert {cookie.key for cookie in session.cookie_jar} == {"_gitlab_session"}
    assert all("spy" not in r.headers.get("Cookie", "") for r in server.requests + other.requests)


LISTINGS = {
    "list_jobs": lambda project: project.list_jobs(),
    "list_pipeline_jobs": lambda project: project.list_pipeline_jobs(2),
    "list_bridges": lambda project: project.list_bridges(2),
    "list_pipelines": lambda project: project.list_pipelines(),
    "list_artifacts": lambda project: project.list_artifacts(1),
}


@pytest.mark.parametrize("name", LISTINGS)
async def test_links_of_another_host_are_followed_here(name):
    async def handler(request):
        page = int(request.query.get("page", "1"))
        link = f'<{other.url}{request.path}?page={page + 1}&per_page=100>; rel="next"'
        row = {"id": 9 - page, "status": "success", "stage": "a", "name": "b"}
        row |= {"iid": 1, "project_id": 1, "sha": "1", "ref": "main", "path": "a", "type": "file"}
        row |= {"web_url": "x", "source": "push"}
        return web.json_response([row], headers={"Link": link} if page < 4 else {})

    async with serving(archive) as other, serving(handler) as server:
        async with GitLab(server.url, auth=SECRET) as gitlab:
            assert len(await LISTINGS[name](gitlab.project(1))) == 4
    assert other.requests == []
    assert all(request.headers["PRIVATE-TOKEN"] == SECRET for request in server.requests)


@pytest.mark.parametrize("keyset", [True, False])
async def test_listing_behind_port_forward(clock, keyset):
    async with serving(archive) as other:
        settings = SimulatorSettings(external_url=other.url, keyset=keyset)
        async with Simulator(settings=settings, clock=clock.stepped) as simulator:
            project = simulator.world.project("group/app")
            simulator.world.add_finished_jobs(project, 350)
            async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
                assert len(await gitlab.project(1).list_jobs()) == 354
                simulator.world.move_project(project, "group/renamed")
                assert len(await gitlab.project("group/app").list_jobs()) == 354
    assert other.requests == []


# Refused redirects


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://ada:hunter2@{other}/a", "expected an http"),
        ("//ada:hunter2@{other}/a", "expected an http"),
        ("http://ada@{server}/api/v4/x", "expected an http"),
        ("ftp://{other}/a", "expected an http"),
        ("", "redirected to itself"),
        ("?", "redirected to itself"),
        ("#fragment", "redirected to itself"),
        ("http://[{other}", "invalid URL"),
        ("https://{server}/api/v4/y", "from http to https on the same host"),
        (None, "HTTP 302"),
    ],
)
async def test_odd_location_is_refused_unrequested(location, said):
    def target(request):
        server = f"127.0.0.1:{request.transport.get_extra_info('sockname')[1]}"
        return location and location.format(other=other.url.removeprefix("http://"), server=server)

    async with serving(archive) as other, serving(to(target)) as server:
        async with GitLab(server.url, auth=SECRET) as gitlab:
            with pytest.raises(ResponseError, match=said) as refused:
                await gitlab.send(Request("GET", "/x"))
            assert open_connections(gitlab) == 0
    assert refused.value.status == 302
    assert "hunter2" not in str(refused.value)
    assert other.requests == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("location", ["/api/v4/y?page=2", "y?page=2", "../v4/y?page=2"])
async def test_a_relative_location_is_followed_here(location):
    async def handler(request):
        if request.path.endswith("/y"):
            return web.json_response({"page": request.query["page"]})
        return await to(location)(request)

    async with serving(handler) as server, GitLab(server.url, auth=SECRET) as gitlab:
        assert (await gitlab.send(Request("GET", "/x"))).json() == {"page": "2"}
    assert [r.headers["PRIVATE-TOKEN"] for r in server.requests] == [SECRET, SECRET]


@prompt
async def test_a_loop_here_ends():
    def turn(request):
        return "/api/v4/b" if request.path.endswith("/a") else "/api/v4/a"

    async with serving(to(turn)) as server, GitLab(server.url, auth=SECRET) as gitlab:
        with pytest.raises(ResponseError, match="redirected more than 5 times"):
            await gitlab.send(Request("GET", "/a"))
        assert open_connections(gitlab) == 0
    assert len(server.requests) == 6


async def test_redirect_chain_elsewhere_gets_no_secret():
    def back(request):
        return f"{server_url}/api/v4/x" if request.path == "/back" else "/back"

    async with serving(to(back)) as second, serving(to(f"{second.url}/a")) as first:
        async with serving(to(f"{first.url}/a")) as server:
            server_url = server.url
            async with GitLab(server.url, auth=SECRET) as gitlab:
                with pytest.raises(ResponseError, match="redirected back from"):
                    await gitlab.send(Request("GET", "/x"))
    assert [len(place.requests) for place in (server, first, second)] == [1, 1, 2]
    assert all(without_credential(request) for request in first.requests + second.requests)


@prompt
async def test_a_loop_elsewhere_ends():
    async with serving(to("/again")) as other, serving(to(f"{other.url}/a")) as server:
        async with GitLab(server.url, auth=SECRET) as gitlab:
            with pytest.raises(ResponseError, match="redirected more than 5 times"):
                await gitlab.send(Request("GET", "/x"))
    assert len(other.requests) == 5
    assert all(without_credential(request) for request in other.requests)


async def test_non_api_page_gets_no_credential():
    async def handler(request):
        if request.path == "/-/a.zip":
            return web.Response(body=b"PK")
        return await to("/-/a.zip")(request)

    async with serving(handler) as server, GitLab(server.url, auth=SECRET) as gitlab:
        assert (await gitlab.send(Request("GET", "/x"))).body == b"PK"
    assert without_credential(server.requests[1])


@pytest.fixture(scope="module")
def contexts(tmp_path_factory):
    """Return contexts that trust and show a certificate for the loopback."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    made = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {key} -out {certificate}"
    subject = "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    try:
        subprocess.run(f"{made} {subject}".split(), check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl to make a certificate")
    shows = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shows.load_cert_chain(certificate, key)
    return ssl.create_default_context(cafile=certificate), shows


@pytest.mark.parametrize("location", ["http://{host}/api/v4/x", "http://{host}/-/a.zip"])
async def test_https_to_http_redirect_is_refused(contexts, location):
    trusts, shows = contexts
    async with serving(archive) as plain:
        target = location.format(host=plain.url.removeprefix("http://"))
        connector = aiohttp.TCPConnector(ssl=trusts)
        async with serving(to(target, 301), shows) as server:
            async with aiohttp.ClientSession(connector=connector) as session:
                async with GitLab(server.url, auth=SECRET, session=session, retry=ONCE) as gitlab:
                    with pytest.raises(ResponseError, match="from https to http on the same host"):
                        await gitlab.send(Request("GET", "/x"))
    assert len(server.requests) == 1
    assert plain.requests == []
